/**
 * The facts of the registry as one replica has them. Every replica folds the ledger in memory; one leads and writes; the
 * others hand commands on to it. The leader acknowledges a command only when every follower that may still trust its own
 * fold shows the effect, so a reader never gets a stale tag, whichever replica it asks.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type Actor,
  REGISTRY_COMMANDS,
  type RegistryCommand,
  RegistryReply,
  type RegistryRequest,
} from '@brickyard/contracts';
import { describeError, Unavailable } from '@brickyard/service-host';
import { FoldedFacts, type FactsAt, type ReadableState } from './folded-facts';
import { RegistryFollower } from './registry-follower';
import { type LeadOptions, RegistryLead, RETRY_AFTER_MS, unavailable } from './registry-lead';

/** A push waits so long for a leader; then its client is asked to come again. */
const COMMAND_PATIENCE_MS = 8_000;
const COMMAND_TIMEOUT_MS = 4_000;
const COMMAND_PAUSE_MS = 100;
/** Only another release helps: a client that came back soon would come back in vain. */
const OBSTACLE_RETRY_AFTER_MS = 60_000;

/** Who asks for a change, as the log will tell. */
export interface Origin {
  readonly actor: Actor;
  readonly correlationId: string;
}

/** What became of a command. */
export type Outcome = Extract<RegistryReply, { readonly kind: 'accepted' | 'rejected' }>;

export interface FactsOptions extends LeadOptions {
  /** Why nothing may be written at the moment, but for restoring facts; undefined when it may. */
  readonly whyClosed?: () => string | undefined;
}

/** The facts as this replica has them. */
export class RegistryFacts {
  readonly #options: FactsOptions;
  readonly #ending = new AbortController();
  readonly #facts: FoldedFacts;
  readonly #lead: RegistryLead;
  readonly #follower: RegistryFollower;
  #isLoaded = false;

  constructor(options: FactsOptions) {
    const { reader, log, bus, replica } = options;
    this.#options = options;
    this.#facts = new FoldedFacts(reader, log);
    this.#lead = new RegistryLead(options, this.#facts, this.#ending.signal);
    this.#follower = new RegistryFollower({ bus, replica, isLeading: () => this.#lead.isHeld }, this.#facts);
  }

  /** Loads the facts, follows them and stands for the lead. Resolves when they are loaded. */
  async start(): Promise<void> {
    const { log } = this.#options;
    for (let waitMs = 100; !this.#isLoaded; waitMs = Math.min(waitMs * 2, 5_000)) {
      try {
        await this.#facts.load();
        this.#isLoaded = true;
      } catch (error) {
        log.warn({ reason: describeError(error) }, 'the facts cannot be read yet');
        await pause(waitMs, undefined, { signal: this.#ending.signal });
      }
    }
    this.#follower.listen();
    this.#lead.stand();
  }

  /** Gives the lead up and follows no more. */
  async stop(): Promise<void> {
    await this.#lead.resign();
    this.#ending.abort();
    await this.#lead.idle();
    await this.#follower.close();
    await this.#facts.idle();
  }

  get isLeader(): boolean {
    return this.#lead.isHeld;
  }

  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** The event of a later release at which the fold ends, and what to do; undefined when it does not. */
  get obstacle(): string | undefined {
    return this.#facts.obstacle;
  }

  /** The state at hand, which may be a moment old on a replica that has lost touch. */
  get current(): FactsAt {
    return this.#facts.now;
  }

  /** The state at hand when it is known to be good, else after a look at the log. */
  readable(): ReadableState | Promise<ReadableState> {
    if (!this.#isLoaded) throw new Unavailable('the facts are being loaded', { retryAfterMs: RETRY_AFTER_MS });
    if (this.#facts.obstacle !== undefined) {
      void this.#facts.lookPast();
      return { ...this.#facts.now, isMaybeStale: true };
    }
    return this.#isTrusted() ? { ...this.#facts.now, isMaybeStale: false } : this.#follower.looked();
  }

  /** Has a command decided by whoever leads. Rejects with `Unavailable` when that cannot be had in time. */
  async submit(command: RegistryCommand, { actor, correlationId }: Origin): Promise<Outcome> {
    const request = { commandId: randomUUID(), correlationId, actor, command } as RegistryRequest;
    const deadline = performance.now() + COMMAND_PATIENCE_MS;
    let reason = 'the facts are being loaded';
    while (!this.#ending.signal.aborted) {
      if (this.#facts.obstacle !== undefined)
        throw new Unavailable(this.#facts.obstacle, { retryAfterMs: OBSTACLE_RETRY_AFTER_MS });
      const reply = await this.#ask(request);
      if (reply.kind === 'accepted' || reply.kind === 'rejected') {
        await this.#reached(reply.position, deadline);
        return reply;
      }
      if (reply.kind === 'defect')
        throw new Error(`the registry's leader could not decide; see its log for ${reply.reference}`);
      reason = reply.reason;
      if (performance.now() + COMMAND_PAUSE_MS > deadline) break;
      await pause(COMMAND_PAUSE_MS);
    }
    throw new Unavailable(reason, { retryAfterMs: RETRY_AFTER_MS });
  }

  async #ask(request: RegistryRequest): Promise<RegistryReply> {
    const { bus, whyClosed } = this.#options;
    const reason = request.command.type === 'RestoreFacts' ? undefined : whyClosed?.();
    if (reason !== undefined) return unavailable(reason);
    // Other replicas could not be told: they would go on answering with what was true before.
    if (!bus.connected) return unavailable('NATS is not reachable');
    if (this.#lead.isHeld) return this.#lead.answer(request);
    try {
      return RegistryReply.parse(await bus.request(REGISTRY_COMMANDS, request, { timeoutMs: COMMAND_TIMEOUT_MS }));
    } catch (error) {
      return unavailable(`no replica leads: ${describeError(error)}`);
    }
  }

  async #reached(position: number, deadline: number): Promise<void> {
    while (this.#facts.now.position < position) {
      if (performance.now() > deadline || this.#facts.obstacle !== undefined)
        throw new Unavailable('this replica does not come up with the log');
      await this.#follower.catchUp();
    }
  }

  #isTrusted(): boolean {
    return this.#lead.isHeld ? this.#lead.isAwake : this.#follower.isTrusted;
  }
}
