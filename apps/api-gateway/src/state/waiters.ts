/** Those who wait for something to become so: a position of the log, the end of an operation. */

interface Waiter<Now> {
  readonly isReached: (now: Now) => boolean;
  readonly done: (reached: boolean) => void;
}

/** Wakes everybody whose condition holds. */
export class Waiters<Now> {
  private waiting: Waiter<Now>[] = [];
  private isOver = false;

  /** Resolves true when the condition holds, false when the time is over before. It is asked often: it must cost next to nothing. */
  wait(isReached: (now: Now) => boolean, timeoutMs: number): Promise<boolean> {
    if (this.isOver) return Promise.resolve(false);
    return new Promise((resolve) => {
      const waiter: Waiter<Now> = {
        isReached,
        done: (reached) => {
          clearTimeout(timer);
          resolve(reached);
        },
      };
      const timer = setTimeout(() => {
        this.waiting = this.waiting.filter((other) => other !== waiter);
        resolve(false);
      }, timeoutMs);
      this.waiting.push(waiter);
    });
  }

  /** Called with everything new. */
  reached(now: Now): void {
    if (this.waiting.length === 0) return;
    const before = this.waiting;
    this.waiting = [];
    for (const waiter of before) {
      if (waiter.isReached(now)) waiter.done(true);
      else this.waiting.push(waiter);
    }
  }

  /** Nobody will be woken any more. */
  giveUp(): void {
    this.isOver = true;
    for (const waiter of this.waiting) waiter.done(false);
    this.waiting = [];
  }
}
