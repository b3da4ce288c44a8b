/** Simulated time: what is due, in order, one step after the other, each run to its end before the next. */
import type { Random } from './random';

/** One simulated process from its start to its end; a restart is another one. */
export class Proc {
  isAlive = true;
  /** Until then it does nothing at all, as after SIGSTOP. */
  stalledUntil = 0;
  constructor(readonly name: string) {}
}

/** Something that is due. */
export interface Due {
  at: number;
  readonly order: number;
  readonly owner: Proc | undefined;
  run: (() => void) | undefined;
}

/** Moments are milliseconds since this one. */
export const EPOCH_MS = Date.UTC(2026, 0, 1);
/** So many steps are given to Node at once. */
const STEPS_AT_ONCE = 200;

const real = { setImmediate };

/** The one clock and the one queue of everything that is simulated. */
export class Kernel {
  now = 0;
  steps = 0;
  /** The process whose code runs. */
  current: Proc | undefined;
  /** Looked at after every step; what it throws ends the run. */
  afterStep: () => void = () => undefined;
  private readonly heap: Due[] = [];
  private ordered = 0;

  constructor(readonly random: Random) {}

  /** Lets `run` happen so much later, unless its process has ended by then. */
  later(delayMs: number, run: () => void, owner: Proc | undefined = this.current): Due {
    const due = { at: this.now + Math.max(0, delayMs), order: this.ordered++, owner, run };
    this.push(due);
    return due;
  }

  /** As `later`, for what belongs to no process: servers, networks, hosts. */
  outside(delayMs: number, run: () => void): Due {
    const due = { at: this.now + Math.max(0, delayMs), order: this.ordered++, owner: undefined, run };
    this.push(due);
    return due;
  }

  cancel(due: Due | undefined): void {
    if (due !== undefined) due.run = undefined;
  }

  /** Runs code as a process. */
  as(owner: Proc, run: () => void): void {
    const before = this.current;
    this.current = owner;
    run();
    this.current = before;
  }

  /** The rest of this step is what a process does with an answer, if it is there to hear of it. */
  hand(owner: Proc, run: () => void): void {
    if (!owner.isAlive) return;
    if (owner.stalledUntil > this.now) this.later(0, run, owner);
    else {
      this.current = owner;
      run();
    }
  }

  /**
   * Steps until a condition holds, which is the answer, or until the time is over. Each step is an immediate of Node: between
   * two of them it runs every promise that the first has settled, and tells of rejections that nobody handles.
   */
  runUntil(isOver: () => boolean, deadline: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      let isDone = false;
      const step = (): void => {
        if (isDone) return;
        try {
          this.afterStep();
          const end = isOver() ? true : this.runNext(deadline) ? undefined : false;
          if (end === undefined) return;
          isDone = true;
          resolve(end);
        } catch (error) {
          isDone = true;
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      };
      const turn = (): void => {
        if (isDone) return;
        for (let count = 0; count < STEPS_AT_ONCE; count++) real.setImmediate(step);
        real.setImmediate(turn);
      };
      turn();
    });
  }

  /** Runs what is due next; tells whether there was anything before the deadline. */
  private runNext(deadline: number): boolean {
    const due = this.pop(deadline);
    if (due === undefined) {
      this.now = Math.max(this.now, deadline);
      return false;
    }
    this.steps += 1;
    this.current = due.owner;
    due.run?.();
    return true;
  }

  private pop(deadline: number): Due | undefined {
    for (;;) {
      const first = this.heap[0];
      if (first === undefined || first.at > deadline) return undefined;
      this.removeFirst();
      if (first.run === undefined || first.owner?.isAlive === false) continue;
      if (first.owner !== undefined && first.owner.stalledUntil > first.at) {
        this.push({ ...first, at: first.owner.stalledUntil });
        continue;
      }
      this.now = Math.max(this.now, first.at);
      return first;
    }
  }

  private push(due: Due): void {
    const { heap } = this;
    let index = heap.length;
    heap.push(due);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || isBefore(above, due)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = due;
  }

  private removeFirst(): void {
    const { heap } = this;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      const left = heap[2 * index + 1];
      const right = heap[2 * index + 2];
      if (left === undefined) break;
      const [child, place] =
        right !== undefined && isBefore(right, left) ? [right, 2 * index + 2] : [left, 2 * index + 1];
      if (isBefore(last, child)) break;
      heap[index] = child;
      index = place;
    }
    heap[index] = last;
  }
}

const isBefore = (one: Due, other: Due): boolean =>
  one.at < other.at || (one.at === other.at && one.order < other.order);
