/** The replicas that follow this one, as long as it leads: nothing is acknowledged before they can show it too. */

/** A follower trusts its fold for so long after a pulse that names it. */
export const TRUST_MS = 1_000;
/** A follower that has said nothing for so long is named no more. */
const SILENT_MS = 1_500;
/** For messages under way and clocks that run apart. */
const MARGIN_MS = 250;

interface Follower {
  position: number;
  heardAt: number;
  /** When a pulse named it last: until a while later it may still trust its fold. */
  namedAt: number;
}

interface Waiter {
  readonly position: number;
  readonly done: () => void;
}

/** Keeps track of followers; times are of a clock that only goes forward, in milliseconds. */
export class Followers {
  readonly #followers = new Map<string, Follower>();
  #waiting: Waiter[] = [];

  constructor(private readonly clock: () => number = () => performance.now()) {}

  /** True while there is nobody to tell. */
  get isEmpty(): boolean {
    return this.#followers.size === 0;
  }

  /** A follower has said how far it is. */
  heard(replica: string, position: number): void {
    const known = this.#followers.get(replica);
    const now = this.clock();
    if (known === undefined) this.#followers.set(replica, { position, heardAt: now, namedAt: -Infinity });
    else Object.assign(known, { position: Math.max(known.position, position), heardAt: now });
    this.#settle();
  }

  /** Who is named in the pulse that is sent now. */
  name(): string[] {
    const now = this.clock();
    const named: string[] = [];
    for (const [replica, follower] of this.#followers) {
      if (now - follower.heardAt < SILENT_MS) {
        follower.namedAt = now;
        named.push(replica);
      } else if (now - follower.namedAt > TRUST_MS + MARGIN_MS) this.#followers.delete(replica);
    }
    this.#settle();
    return named;
  }

  /** Resolves when no follower may still answer from before a position. */
  reached(position: number): Promise<void> {
    if (!this.#isBehind(position)) return Promise.resolve();
    return new Promise((done) => this.#waiting.push({ position, done }));
  }

  #settle(): void {
    if (this.#waiting.length === 0) return;
    const [ready, waiting] = [[] as Waiter[], [] as Waiter[]];
    for (const waiter of this.#waiting) (this.#isBehind(waiter.position) ? waiting : ready).push(waiter);
    this.#waiting = waiting;
    for (const { done } of ready) done();
  }

  #isBehind(position: number): boolean {
    const trustedSince = this.clock() - TRUST_MS - MARGIN_MS;
    for (const follower of this.#followers.values()) {
      if (follower.position < position && follower.namedAt > trustedSince) return true;
    }
    return false;
  }
}
