/**
 * A host that nobody hears is soon counted as lost; what it was told is then taken back, or done elsewhere. So it must begin
 * nothing once it cannot know any more that it is heard.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { Unavailable } from '@brickyard/service-host';

/** Less than the shortest silence after which the allocator may count a node as lost, its clock running twice as fast. */
export const LEASE_MS = 5_000;
/** A task that comes while the first word is on its way waits for it. */
const PATIENCE_MS = 3_000;

/** Always heard: for hosts that are no more than a part of this process. */
export const ALWAYS_HEARD: Lease = {
  confirm: () => undefined,
  lapses: 0,
  during: (work) => work(),
};

/** The time for which this host may begin commands. Its own clock alone counts, one that is never set. */
export interface Lease {
  /** What was said at this moment of `performance.now()` has reached the bus. */
  confirm(saidAt: number): void;
  /** How often the host was not heard for too long and then again. */
  readonly lapses: number;
  /**
   * Does a task's work. Rejects `Unavailable` when the host was not heard for too long at the beginning or before any command
   * of it, also when it is heard again by then: others may have taken the task's work back meanwhile.
   */
  during<T>(work: () => Promise<T>): Promise<T>;
}

/** What one task may still do. */
interface Term {
  hasLapsed: boolean;
  isOver(): boolean;
}

const terms = new AsyncLocalStorage<Term>();

const unheard = (): Unavailable =>
  new Unavailable(
    `this host was not heard for ${String(LEASE_MS / 1_000)} s; it begins nothing that others may take back`,
  );

/** Asked before every command of this host: refuses those of a task whose host may count as lost. What no task asked for goes on. */
export function assertHeard(): void {
  const term = terms.getStore();
  if (term?.isOver() !== true) return;
  term.hasLapsed = true;
  throw unheard();
}

/** Whether what runs is the work of a task, and not what the agent does of itself. */
export const isTaskAtWork = (): boolean => terms.getStore() !== undefined;

/** A lease that begins with the first confirmed word, by a clock that is never set. */
export const openLease = (now: () => number = () => performance.now()): Lease => new HeardLease(now);

class HeardLease implements Lease {
  private heardAt = -Infinity;
  lapses = 0;
  private readonly waiting = new Set<() => void>();

  constructor(private readonly now: () => number) {}

  confirm(saidAt: number): void {
    if (saidAt - this.heardAt > LEASE_MS) this.lapses += 1;
    this.heardAt = Math.max(this.heardAt, saidAt);
    for (const tell of this.waiting) tell();
  }

  private isHeard(): boolean {
    return this.now() - this.heardAt <= LEASE_MS;
  }

  async during<T>(work: () => Promise<T>): Promise<T> {
    if (!this.isHeard()) await this.nextWord();
    if (!this.isHeard()) throw unheard();
    const { lapses } = this;
    const term: Term = { hasLapsed: false, isOver: () => !this.isHeard() || this.lapses !== lapses };
    const result = await terms.run(term, work);
    // Whatever the driver made of the refusal: it is not what became of the task.
    if (term.hasLapsed) throw unheard();
    return result;
  }

  private nextWord(): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.waiting.delete(end);
        resolve();
      };
      const timer = setTimeout(end, PATIENCE_MS);
      this.waiting.add(end);
    });
  }
}
