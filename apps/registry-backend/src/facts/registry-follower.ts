/** The facts of a replica that follows: moved on by the pulses of whoever leads, and trusted for as long as one says so. */
import { setTimeout as pause } from 'node:timers/promises';
import { REGISTRY_FOLLOWED, REGISTRY_PULSE, RegistryPulse } from '@brickyard/contracts';
import type { Bus, Subscription } from '@brickyard/service-host';
import type { FoldedFacts, ReadableState } from './folded-facts';
import { TRUST_MS } from './followers';

/** How often, at most, a follower without a leader looks at the log before it answers. */
const LOOK_MS = 200;
const LOOK_TIMEOUT_MS = 1_500;

export interface FollowOptions {
  readonly bus: Bus;
  /** As its pulses name it. */
  readonly replica: string;
  /** While this replica leads, its own commits are all there is: it neither hears nor reads. */
  readonly isLeading: () => boolean;
}

/** One replica's part in following. */
export class RegistryFollower {
  readonly #options: FollowOptions;
  readonly #facts: FoldedFacts;
  #trustedUntil = 0;
  #lookedAt = -Infinity;
  #looking: Promise<boolean> | undefined;
  #subscription: Subscription | undefined;

  constructor(options: FollowOptions, facts: FoldedFacts) {
    this.#options = options;
    this.#facts = facts;
  }

  listen(): void {
    this.#subscription = this.#options.bus.subscribe(REGISTRY_PULSE, (payload) => {
      this.#hear(payload);
    });
  }

  async close(): Promise<void> {
    await this.#subscription?.close();
  }

  /** Whether the facts are, at this moment, what the leader has acknowledged. */
  get isTrusted(): boolean {
    return performance.now() < this.#trustedUntil;
  }

  /** The facts after a look at the log, or those at hand where it cannot be had in time. */
  async looked(): Promise<ReadableState> {
    if (performance.now() - this.#lookedAt > LOOK_MS) {
      this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
      if (!(await this.#looking)) return { ...this.#facts.now, isMaybeStale: true };
    }
    return { ...this.#facts.now, isMaybeStale: false };
  }

  /** True when the log was read to its end. */
  async #look(): Promise<boolean> {
    const from = performance.now();
    const late = pause(LOOK_TIMEOUT_MS, false, { ref: false });
    const isRead = await Promise.race([
      this.catchUp().then(
        () => true,
        () => false,
      ),
      late,
    ]);
    if (isRead) this.#lookedAt = from;
    return isRead;
  }

  /** Reads the log to its end. */
  catchUp(): Promise<void> {
    return this.#options.isLeading() ? Promise.resolve() : this.#facts.catchUp();
  }

  /** A pulse of the leader: new events, and leave to trust what is folded. */
  #hear(payload: unknown): void {
    const { bus, replica, isLeading } = this.#options;
    if (isLeading()) return;
    const pulse = RegistryPulse.safeParse(payload);
    if (!pulse.success) return;
    const at = performance.now();
    const { position, members, events } = pulse.data;
    if (this.#facts.obstacle !== undefined) {
      void this.#facts.lookPast();
      return;
    }
    this.#facts.take(events);
    const follow = (): void => {
      if (this.#facts.now.position < position || isLeading()) return;
      if (members.includes(replica)) this.#trustedUntil = at + TRUST_MS;
      bus.publish(REGISTRY_FOLLOWED, { replica, position: this.#facts.now.position });
    };
    if (this.#facts.now.position >= position) follow();
    else void this.catchUp().then(follow, () => undefined); // Postgres is away: this replica stops trusting itself.
  }
}
