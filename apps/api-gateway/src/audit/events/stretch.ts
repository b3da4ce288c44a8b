/** Consecutive events as they go over the wire: written once, however many follow. */
import type { StoredEvent } from '@brickyard/event-sourcing';
import type { LedgerReader } from '@brickyard/event-sourcing/postgres';
import { entryOf } from './event-entry';

/** Some events in order, none left out between the first and the last. */
export class Stretch {
  /** Frames of server-sent events, one after the other. */
  private readonly bytes: Buffer;
  /** Where each frame begins, and at last where the last one ends. */
  private readonly bounds: readonly number[];

  private constructor(
    readonly first: number,
    readonly last: number,
    private readonly events: readonly StoredEvent[],
  ) {
    const frames = events.map(frameOf);
    this.bytes = Buffer.from(frames.join(''));
    let end = 0;
    this.bounds = [0, ...frames.map((frame) => (end += Buffer.byteLength(frame)))];
  }

  /** The stretch of events that follow one another; undefined for none. */
  static of(events: readonly StoredEvent[]): Stretch | undefined {
    const [first, last] = [events[0], events.at(-1)];
    return first === undefined || last === undefined ? undefined : new Stretch(first.position, last.position, events);
  }

  /** Bytes of all frames. */
  get size(): number {
    return this.bytes.length;
  }

  /** The frames from a position on whose events are wanted; absent for all of them, which copies nothing. */
  framesFrom(position: number, isWanted?: (event: StoredEvent) => boolean): Uint8Array {
    const start = Math.max(0, position - this.first);
    if (isWanted === undefined) return this.bytes.subarray(this.bounds[start]);
    const wanted = this.events.flatMap((event, index) =>
      index >= start && isWanted(event) ? [this.bytes.subarray(this.bounds[index], this.bounds[index + 1])] : [],
    );
    return Buffer.concat(wanted);
  }
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

const PAGE = 1_000;
/** Whoever is further behind than others by more pages reads for itself. */
const PAGES_MAX = 8;

/** Stretches of the past, which never change: read and written once for all who catch up side by side. */
export class Pages {
  /** By number, the one used longest ago first. */
  private readonly pages = new Map<number, Promise<Stretch | undefined>>();

  constructor(private readonly ledger: Pick<LedgerReader, 'read'>) {}

  /** The stretch a position lies in, of what stands up to another one. Rejects `Unavailable` while Postgres is away. */
  holding(position: number, upTo: number): Promise<Stretch | undefined> {
    const page = Math.floor((position - 1) / PAGE);
    const end = (page + 1) * PAGE;
    if (end > upTo) return this.read(position - 1, upTo); // Nobody may keep what is still being added to.
    const stretch = this.pages.get(page) ?? this.read(end - PAGE, end);
    this.pages.delete(page);
    this.pages.set(page, stretch);
    stretch.catch(() => this.pages.delete(page));
    for (const oldest of this.pages.keys()) {
      if (this.pages.size <= PAGES_MAX) break;
      this.pages.delete(oldest);
    }
    return stretch;
  }

  clear(): void {
    this.pages.clear();
  }

  private async read(after: number, upTo: number): Promise<Stretch | undefined> {
    for await (const events of this.ledger.read({ after, upTo, pageSize: PAGE })) return Stretch.of(events);
    return undefined;
  }
}
