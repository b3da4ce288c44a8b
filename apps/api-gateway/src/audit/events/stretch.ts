/** Consecutive events as they go over the wire: written once, however many follow. */
import type { StoredEvent } from '@brickyard/event-sourcing';
import { entryOf } from './event-entry';

/** Some events in order, none left out between the first and the last. */
export interface Stretch {
  readonly first: number;
  readonly last: number;
  readonly events: readonly StoredEvent[];
  /** One frame of server-sent events for each of them. */
  readonly frames: readonly string[];
  /** Characters of all frames. */
  readonly size: number;
}

/** The stretch of events that follow one another; undefined for none. */
export function stretchOf(events: readonly StoredEvent[]): Stretch | undefined {
  const [first, last] = [events[0], events.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const frames = events.map(frameOf);
  const size = frames.reduce((sum, frame) => sum + frame.length, 0);
  return { first: first.position, last: last.position, events, frames, size };
}

const frameOf = (event: StoredEvent): string =>
  `id: ${String(event.position)}\ndata: ${JSON.stringify(entryOf(event))}\n\n`;

/** The latest stretches, up to a size: who is not far behind need not ask Postgres. */
export class Recent {
  private stretches: Stretch[] = [];
  private size = 0;

  constructor(private readonly sizeMax: number) {}

  add(stretch: Stretch): void {
    const last = this.stretches.at(-1)?.last;
    if (last !== undefined && last + 1 !== stretch.first) this.clear();
    this.stretches.push(stretch);
    this.size += stretch.size;
    let gone = 0;
    for (const oldest of this.stretches) {
      if (this.size <= this.sizeMax || gone === this.stretches.length - 1) break;
      this.size -= oldest.size;
      gone += 1;
    }
    if (gone > 0) this.stretches = this.stretches.slice(gone);
  }

  /** The stretch that holds a position. */
  holding(position: number): Stretch | undefined {
    let [low, high] = [0, this.stretches.length - 1];
    while (low <= high) {
      const middle = (low + high) >> 1;
      const stretch = this.stretches[middle];
      if (stretch === undefined) return undefined;
      if (position < stretch.first) high = middle - 1;
      else if (position > stretch.last) low = middle + 1;
      else return stretch;
    }
    return undefined;
  }

  /** The first position that is held; undefined when none is. */
  get first(): number | undefined {
    return this.stretches[0]?.first;
  }

  clear(): void {
    this.stretches = [];
    this.size = 0;
  }
}
