/** The fold of the ledger in the memory of one replica: begun with a snapshot, read on from the log or told by the leader. */
import { isRegistryFoldable, laterReleaseText } from '@brickyard/contracts';
import {
  emptyRegistryState,
  evolveStoredRegistry,
  type FoldableEvent,
  type RegistryState,
} from '@brickyard/domain/registry';
import type { LedgerReader, StateAt } from '@brickyard/event-sourcing/postgres';
import type { Logger } from '@brickyard/service-host';
import { keptFacts } from './snapshots';

/** The facts as of a position. */
export type FactsAt = StateAt<RegistryState>;

/** A state, and whether it may be older than what another replica has acknowledged. */
export interface ReadableState extends FactsAt {
  readonly isMaybeStale: boolean;
}

/** How often a replica that an event of a later release has stopped looks whether it is gone. */
const OBSTACLE_LOOK_MS = 5_000;

/** Goes forward only, without a gap, and stops at an event of a later release. */
export class FoldedFacts {
  readonly #reader: LedgerReader;
  readonly #log: Logger;
  #now: FactsAt = { state: emptyRegistryState, position: 0 };
  #keptUpTo = 0;
  #obstacle: string | undefined;
  #readAt = -Infinity;
  #reading: Promise<void> | undefined;

  constructor(reader: LedgerReader, log: Logger) {
    this.#reader = reader;
    this.#log = log;
  }

  get now(): FactsAt {
    return this.#now;
  }

  /** Position of the snapshot it has begun with; 0 without one. */
  get keptUpTo(): number {
    return this.#keptUpTo;
  }

  /** Says which event of a later release it cannot go past; undefined when there is none. */
  get obstacle(): string | undefined {
    return this.#obstacle;
  }

  /** From the newest snapshot on; may be tried again. */
  async load(): Promise<void> {
    if (this.#now.position === 0) {
      this.#now = await keptFacts(this.#reader, this.#log);
      this.#keptUpTo = this.#now.position;
    }
    await this.#readOn();
    this.#log.info({ snapshot: this.#keptUpTo, position: this.#now.position }, 'the facts are loaded');
  }

  /** Reads the log to its end, or to the obstacle; who asks meanwhile waits for the same reading. */
  catchUp(): Promise<void> {
    return (this.#reading ??= this.#readOn().finally(() => (this.#reading = undefined)));
  }

  /** An obstacle may be gone: by a restore, or since it was never meant to be there. */
  async lookPast(): Promise<void> {
    if (performance.now() - this.#readAt > OBSTACLE_LOOK_MS) await this.catchUp().catch(() => undefined);
  }

  /** Takes what is new of events in order; says which of them it cannot go past. */
  take(events: readonly FoldableEvent[]): string | undefined {
    const { position } = this.#now;
    const fresh = events.filter((event) => event.position > position);
    const [first] = fresh;
    if (first?.position !== position + 1) return undefined;
    const later = fresh.find(({ type, version }) => !isRegistryFoldable(type, version));
    const known = later === undefined ? fresh : fresh.filter((event) => event.position < later.position);
    const state = known.reduce(evolveStoredRegistry, this.#now.state);
    this.#now = { state, position: known.at(-1)?.position ?? position };
    return later === undefined ? undefined : laterReleaseText(later);
  }

  /** Takes over what this replica has written itself. */
  written(at: FactsAt): void {
    this.#now = at;
  }

  /** Resolves when nothing is being read. */
  async idle(): Promise<void> {
    await this.#reading?.catch(() => undefined);
  }

  async #readOn(): Promise<void> {
    this.#readAt = performance.now();
    let obstacle: string | undefined;
    for await (const events of this.#reader.read({ after: this.#now.position })) {
      obstacle = this.take(events);
      if (obstacle !== undefined) break; // What is before it can be read.
    }
    if (obstacle !== undefined && obstacle !== this.#obstacle)
      this.#log.error({ reason: obstacle }, 'the log cannot be followed any further');
    this.#obstacle = obstacle;
  }
}
