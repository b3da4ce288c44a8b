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
  REGISTRY_FOLLOWED,
  REGISTRY_PULSE,
  RegistryFollowed,
  RegistryPulse,
  RegistryReply,
  RegistryRequest,
  type RegistryCommand,
} from '@brickyard/contracts';
import { evolveStoredRegistry, type RegistryState } from '@brickyard/domain/registry';
import { Defect, type StoredEvent } from '@brickyard/event-sourcing';
import { type LedgerReader, openLedgerWriter, type SnapshotKeeper } from '@brickyard/event-sourcing/postgres';
import { type Bus, describeError, type Logger, type Subscription, Unavailable } from '@brickyard/service-host';
import { FoldedFacts, type FactsAt } from './folded-facts';
import { Followers, TRUST_MS } from './followers';
import { decideForLog, REGISTRY_LEDGER, type RegistryWriter } from './registry-writer';
import { keepFacts } from './snapshots';

const PULSE_MS = 250;
/** While nobody follows, a pulse only lets a new replica find who leads. */
const LONELY_PULSE_MS = 1_000;
/** Two candidates must not ask Postgres all the time; the wait for the lock itself costs nothing. */
const CANDIDACY_PAUSE_MS = 500;
/** A push waits so long for a leader; then its client is asked to come again. */
const COMMAND_PATIENCE_MS = 8_000;
const COMMAND_TIMEOUT_MS = 4_000;
const COMMAND_PAUSE_MS = 100;
const RETRY_AFTER_MS = 2_000;
/** A process that was stopped for longer than this may have been replaced meanwhile. */
const AWAKE_MS = 2_000;
/** How often, at most, a follower without a leader looks at the log before it answers. */
const LOOK_MS = 200;
const LOOK_TIMEOUT_MS = 1_500;
/** Only another release helps: a client that came back soon would come back in vain. */
const OBSTACLE_RETRY_AFTER_MS = 60_000;
/** Events that travel with a pulse; who lacks more reads the log. */
const PULSE_EVENTS_MAX = 100;
const PULSE_CHARACTERS_MAX = 300_000;

/** Who asks for a change, as the log will tell. */
export interface Origin {
  readonly actor: Actor;
  readonly correlationId: string;
}

/** What became of a command. */
export type Outcome = Extract<RegistryReply, { readonly kind: 'accepted' | 'rejected' }>;

export interface FactsOptions {
  readonly pgUrl: string;
  readonly reader: LedgerReader;
  readonly bus: Bus;
  readonly log: Logger;
  /** Differs between replicas and between runs of one. */
  readonly replica: string;
  /** Why nothing may be written at the moment, but for restoring facts; undefined when it may. */
  readonly whyClosed?: () => string | undefined;
  /** Events between two snapshots. */
  readonly snapshotEvents: number;
  /** Told when this replica begins to lead, and when it ends. */
  readonly onLead?: (writer: RegistryWriter) => void;
  readonly onFollow?: () => void;
  /** Told after every commit of this replica, to wake whoever publishes events. */
  readonly onCommitted?: (events: readonly StoredEvent[]) => void;
}

/** A state, and whether it may be older than what another replica has acknowledged. */
export interface ReadableState extends FactsAt {
  readonly isMaybeStale: boolean;
}

/** The facts as this replica has them. */
export class RegistryFacts {
  readonly #options: FactsOptions;
  readonly #ending = new AbortController();
  readonly #ended = new Promise<Error>((resolve) => {
    this.#ending.signal.addEventListener('abort', () => {
      resolve(new Error('the replica ends'));
    });
  });
  readonly #facts: FoldedFacts;
  #isLoaded = false;
  #keeper: SnapshotKeeper<RegistryState> | undefined;
  #writer: RegistryWriter | undefined;
  #leadSince = 0;
  #followers = new Followers();
  #lastTick = 0;
  #pulsedAt = -Infinity;
  #trustedUntil = 0;
  #lookedAt = -Infinity;
  #looking: Promise<boolean> | undefined;
  #candidacy: Promise<void> | undefined;
  #pulse: NodeJS.Timeout | undefined;
  readonly #subscriptions: Subscription[] = [];

  constructor(options: FactsOptions) {
    this.#options = options;
    this.#facts = new FoldedFacts(options.reader, options.log);
  }

  /** Loads the facts, follows them and stands for the lead. Resolves when they are loaded. */
  async start(): Promise<void> {
    const { bus, log } = this.#options;
    for (let waitMs = 100; !this.#isLoaded; waitMs = Math.min(waitMs * 2, 5_000)) {
      try {
        await this.#facts.load();
        this.#isLoaded = true;
      } catch (error) {
        log.warn({ reason: describeError(error) }, 'the facts cannot be read yet');
        await pause(waitMs, undefined, { signal: this.#ending.signal });
      }
    }
    this.#subscriptions.push(
      bus.subscribe(REGISTRY_PULSE, (payload) => {
        this.#hear(payload);
      }),
      bus.subscribe(REGISTRY_FOLLOWED, (payload) => {
        const followed = RegistryFollowed.safeParse(payload);
        if (followed.success && this.#writer !== undefined)
          this.#followers.heard(followed.data.replica, followed.data.position);
      }),
    );
    this.#pulse = setInterval(() => {
      this.#tick();
    }, PULSE_MS);
    this.#candidacy = this.#standForLead();
  }

  /** Gives the lead up and follows no more. */
  async stop(): Promise<void> {
    clearInterval(this.#pulse);
    const writer = this.#writer;
    await writer?.close().catch(() => undefined); // Postgres may be away; the lock goes with the connection.
    this.#writer = undefined;
    this.#ending.abort();
    await this.#candidacy;
    await this.#keeper?.idle();
    for (const subscription of this.#subscriptions) await subscription.close();
    await this.#facts.idle();
  }

  get isLeader(): boolean {
    return this.#writer !== undefined;
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
    return this.#isTrusted() ? { ...this.#facts.now, isMaybeStale: false } : this.#looked();
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
    if (this.#writer !== undefined) return this.#answer(request);
    try {
      return RegistryReply.parse(await bus.request(REGISTRY_COMMANDS, request, { timeoutMs: COMMAND_TIMEOUT_MS }));
    } catch (error) {
      return unavailable(`no replica leads: ${describeError(error)}`);
    }
  }

  /** Decides as the leader: the answer is given when every follower shows the effect. */
  async #answer({ commandId, correlationId, actor, command }: RegistryRequest): Promise<RegistryReply> {
    const writer = this.#writer;
    if (writer === undefined) return unavailable('this replica does not lead');
    try {
      const { reply, position } = await writer.submit({ command, commandId, metadata: { correlationId, actor } });
      const sinceLead = performance.now() - this.#leadSince;
      if (sinceLead < TRUST_MS * 1.5) await pause(TRUST_MS * 1.5 - sinceLead); // Those of the leader before may still trust it.
      await this.#followers.reached(position);
      return { ...reply, position };
    } catch (error) {
      if (!(error instanceof Defect)) return unavailable(describeError(error));
      this.#options.log.error(
        { commandId, command: command.type, reason: describeError(error) },
        'command not decided',
      );
      return { kind: 'defect', reference: commandId };
    }
  }

  async #reached(position: number, deadline: number): Promise<void> {
    while (this.#facts.now.position < position) {
      if (performance.now() > deadline || this.#facts.obstacle !== undefined)
        throw new Unavailable('this replica does not come up with the log');
      await this.#catchUp();
    }
  }

  #isTrusted(): boolean {
    const now = performance.now();
    return this.#writer === undefined ? now < this.#trustedUntil : now - this.#lastTick < AWAKE_MS;
  }

  async #looked(): Promise<ReadableState> {
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
      this.#catchUp().then(
        () => true,
        () => false,
      ),
      late,
    ]);
    if (isRead) this.#lookedAt = from;
    return isRead;
  }

  /** A leader's own commits are all there is. */
  #catchUp(): Promise<void> {
    return this.#writer === undefined ? this.#facts.catchUp() : Promise.resolve();
  }

  /** A pulse of the leader: new events, and leave to trust what is folded. */
  #hear(payload: unknown): void {
    if (this.#writer !== undefined) return;
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
      if (this.#facts.now.position < position || this.#writer !== undefined) return;
      if (members.includes(this.#options.replica)) this.#trustedUntil = at + TRUST_MS;
      this.#options.bus.publish(REGISTRY_FOLLOWED, {
        replica: this.#options.replica,
        position: this.#facts.now.position,
      });
    };
    if (this.#facts.now.position >= position) follow();
    else void this.#catchUp().then(follow, () => undefined); // Postgres is away: this replica stops trusting itself.
  }

  #tick(): void {
    const now = performance.now();
    this.#lastTick = now;
    // A timer may be early by a moment.
    const isDue = !this.#followers.isEmpty || now - this.#pulsedAt > LONELY_PULSE_MS - PULSE_MS / 2;
    if (this.#writer !== undefined && isDue) this.#sendPulse(this.#writer, []);
  }

  #sendPulse(writer: RegistryWriter, events: readonly StoredEvent[]): void {
    const isLight =
      events.length <= PULSE_EVENTS_MAX &&
      events.reduce((sum, { data }) => sum + 600 + roughSize(data), 0) <= PULSE_CHARACTERS_MAX;
    const { replica, bus } = this.#options;
    this.#pulsedAt = performance.now();
    const pulse = {
      epoch: writer.epoch,
      position: this.#facts.now.position,
      leader: replica,
      members: this.#followers.name(),
    };
    bus.publish(REGISTRY_PULSE, { ...pulse, events: isLight ? events : [] });
  }

  /** Waits for the lead for as long as it takes, again and again. */
  async #standForLead(): Promise<void> {
    const { log } = this.#options;
    while (!this.#ending.signal.aborted) {
      try {
        if (this.#facts.obstacle === undefined) await this.#lead();
        else await this.#facts.lookPast();
      } catch (error) {
        if (this.#isEnding()) return;
        log.debug({ reason: describeError(error) }, 'cannot stand for the lead');
      }
      await pause(CANDIDACY_PAUSE_MS, undefined, { signal: this.#ending.signal }).catch(() => undefined);
    }
  }

  /** Resolves when the lead is lost. */
  async #lead(): Promise<void> {
    const { pgUrl, bus, log, onLead, onFollow, onCommitted, reader, snapshotEvents } = this.#options;
    this.#keeper ??= keepFacts(reader, log, snapshotEvents, this.#facts.keptUpTo);
    let onLost = (_: Error): void => undefined;
    const lost = new Promise<Error>((resolve) => (onLost = resolve));
    const term: { writer?: RegistryWriter } = {};
    const writer: RegistryWriter = await openLedgerWriter({
      url: pgUrl,
      ledger: REGISTRY_LEDGER,
      restore: async () => {
        await this.#catchUp();
        if (this.#facts.obstacle !== undefined) throw new Unavailable(this.#facts.obstacle);
        return this.#facts.now;
      },
      decide: decideForLog,
      evolve: evolveStoredRegistry,
      onCommitted: (events, state) => {
        this.#facts.written({ state, position: events.at(-1)?.position ?? this.#facts.now.position });
        if (term.writer !== undefined) this.#sendPulse(term.writer, events);
        onCommitted?.(events);
        const last = events.at(-1);
        if (last !== undefined) this.#keeper?.offer(last, state);
      },
      onLost,
      signal: this.#ending.signal,
    });
    term.writer = writer;
    this.#takeOver(writer);
    const commands = bus.respond(REGISTRY_COMMANDS, (payload) => this.#answer(RegistryRequest.parse(payload)));
    onLead?.(writer);
    void this.#keepHead(writer);
    log.info({ epoch: writer.epoch, position: writer.position }, 'this replica leads the registry');
    const reason = await Promise.race([lost, this.#ended]);
    this.#writer = undefined;
    onFollow?.();
    await commands.close().catch(() => undefined); // The bus may be gone too.
    if (!this.#ending.signal.aborted)
      log.warn({ reason: describeError(reason) }, 'this replica does not lead any more');
  }

  #takeOver(writer: RegistryWriter): void {
    this.#followers = new Followers();
    this.#leadSince = performance.now();
    this.#lastTick = performance.now();
    this.#facts.written({ state: writer.state, position: writer.position });
    this.#writer = writer;
    this.#sendPulse(writer, []);
  }

  /** A snapshot may be due before anything is written: whoever led before may have been of another release. */
  async #keepHead(writer: RegistryWriter): Promise<void> {
    const head = await this.#options.reader.head().catch(() => undefined); // The first commit will do as well.
    if (head?.position === writer.position) this.#keeper?.offer(head, writer.state);
  }

  #isEnding(): boolean {
    return this.#ending.signal.aborted;
  }
}

const unavailable = (reason: string): RegistryReply => ({ kind: 'unavailable', reason, retryAfterMs: RETRY_AFTER_MS });

/** Only lists make an event large. */
function roughSize(data: Readonly<Record<string, unknown>>): number {
  let characters = 0;
  for (const value of Object.values(data)) {
    if (Array.isArray(value)) characters += value.length * 160;
    else if (typeof value === 'string') characters += value.length;
  }
  return characters;
}
