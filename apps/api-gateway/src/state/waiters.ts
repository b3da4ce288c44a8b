/** Those who wait for a position of the log. */

interface Waiter {
  readonly position: number;
  readonly done: (reached: boolean) => void;
}

/** Wakes everybody whose position has been reached. */
export class Waiters {
  private waiting: Waiter[] = [];

  /** Resolves true when the position is reached, false when the time is over before. */
  wait(position: number, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const waiter: Waiter = {
        position,
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

  /** Called with every new position. */
  reached(position: number): void {
    if (this.waiting.length === 0) return;
    const before = this.waiting;
    this.waiting = before.filter((waiter) => waiter.position > position);
    for (const waiter of before) if (waiter.position <= position) waiter.done(true);
  }

  /** Nobody will be woken any more. */
  giveUp(): void {
    for (const waiter of this.waiting) waiter.done(false);
    this.waiting = [];
  }
}
