/**
 * The facts of the registry as one replica has them. Every replica folds the ledger in memory; one leads and writes; the
 * others hand commands on to it. The leader acknowledges a command only when every follower that may still trust its own
 * fold shows the effect, so a reader never gets a stale tag, whichever replica it asks.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type Actor,
  isRegistryFoldable,
  laterReleaseText,
  REGISTRY_COMMANDS,
  REGISTRY_FOLLOWED,
  REGISTRY_PULSE,
  RegistryFollowed,
  RegistryPulse,
  RegistryReply,
  RegistryRequest,
  type RegistryCommand,
} from '@brickyard/contracts';
import {
  emptyRegistryState,
  evolveStoredRegistry,
  type FoldableEvent,
  type RegistryState,
} from '@brickyard/domain/registry';
import { Defect, type StoredEvent } from '@brickyard/event-sourcing';
import {
  type LedgerReader,
  openLedgerWriter,
  type SnapshotKeeper,
  type StateAt,
} from '@brickyard/event-sourcing/postgres';
import { type Bus, describeError, type Logger, type Subscription, Unavailable } from '@brickyard/service-host';
import { Followers, TRUST_MS } from './followers';
import { decideForLog, REGISTRY_LEDGER, type RegistryWriter } from './registry-writer';
import { keepFacts, keptFacts } from './snapshots';

type At = StateAt<RegistryState>;

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
/** How often a replica that an event of a later release has stopped looks whether it is gone. */
const OBSTACLE_LOOK_MS = 5_000;
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
export interface ReadableState extends At {
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
  #now: At = { state: emptyRegistryState, position: 0 };
  #isLoaded = false;
  /** Position of the snapshot that this replica has begun with. */
  #keptUpTo = 0;
  #keeper: SnapshotKeeper<RegistryState> | undefined;
  #writer: RegistryWriter | undefined;
  #leadSince = 0;
  #followers = new Followers();
  #lastTick = 0;
  #pulsedAt = -Infinity;
  #trustedUntil = 0;
  #lookedAt = -Infinity;
  /** Says which event of a later release the fold cannot go past. */
  #obstacle: string | undefined;
  #readAt = -Infinity;
  #looking: Promise<boolean> | undefined;
  #reading: Promise<void> | undefined;
  #candidacy: Promise<void> | undefined;
  #pulse: NodeJS.Timeout | undefined;
  readonly #subscriptions: Subscription[] = [];

  constructor(options: FactsOptions) {
    this.#options = options;
  }

  /** Loads the facts, follows them and stands for the lead. Resolves when they are loaded. */
  async start(): Promise<void> {
    const { bus, log } = this.#options;
    for (let waitMs = 100; !this.#isLoaded; waitMs = Math.min(waitMs * 2, 5_000)) {
      try {
        await this.#load();
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
    await this.#reading?.catch(() => undefined);
  }

  get isLeader(): boolean {
    return this.#writer !== undefined;
  }

  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** The event of a later release at which the fold ends, and what to do; undefined when it does not. */
  get obstacle(): string | undefined {
    return this.#obstacle;
  }

  /** The state at hand, which may be a moment old on a replica that has lost touch. */
  get current(): At {
    return this.#now;
  }

  /** The state at hand when it is known to be good, else after a look at the log. */
  readable(): ReadableState | Promise<ReadableState> {
    if (!this.#isLoaded) throw new Unavailable('the facts are being loaded', { retryAfterMs: RETRY_AFTER_MS });
    if (this.#obstacle !== undefined) {
      void this.#lookPast();
      return { ...this.#now, isMaybeStale: true };
    }
    return this.#isTrusted() ? { ...this.#now, isMaybeStale: false } : this.#looked();
  }

  /** Has a command decided by whoever leads. Rejects with `Unavailable` when that cannot be had in time. */
  async submit(command: RegistryCommand, { actor, correlationId }: Origin): Promise<Outcome> {
    const request = { commandId: randomUUID(), correlationId, actor, command } as RegistryRequest;
    const deadline = performance.now() + COMMAND_PATIENCE_MS;
    let reason = 'the facts are being loaded';
    while (!this.#ending.signal.aborted) {
      if (this.#obstacle !== undefined)
        throw new Unavailable(this.#obstacle, { retryAfterMs: OBSTACLE_RETRY_AFTER_MS });
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
    while (this.#now.position < position) {
      if (performance.now() > deadline || this.#obstacle !== undefined)
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
      if (!(await this.#looking)) return { ...this.#now, isMaybeStale: true };
    }
    return { ...this.#now, isMaybeStale: false };
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

  #catchUp(): Promise<void> {
    return (this.#reading ??= this.#readOn().finally(() => (this.#reading = undefined)));
  }

  /** From the newest snapshot on. */
  async #load(): Promise<void> {
    const { reader, log } = this.#options;
    if (this.#now.position === 0) {
      this.#now = await keptFacts(reader, log);
      this.#keptUpTo = this.#now.position;
    }
    await this.#readOn();
    log.info({ snapshot: this.#keptUpTo, position: this.#now.position }, 'the facts are loaded');
  }

  async #readOn(): Promise<void> {
    if (this.#writer !== undefined) return; // Its own commits are all there is.
    this.#readAt = performance.now();
    let obstacle: string | undefined;
    for await (const events of this.#options.reader.read({ after: this.#now.position })) {
      obstacle = this.#fold(events);
      if (obstacle !== undefined) break; // What is before it can be read.
    }
    if (obstacle !== undefined && obstacle !== this.#obstacle)
      this.#options.log.error({ reason: obstacle }, 'the log cannot be followed any further');
    this.#obstacle = obstacle;
  }

  /** An obstacle may be gone: by a restore, or since it was never meant to be there. */
  async #lookPast(): Promise<void> {
    if (performance.now() - this.#readAt > OBSTACLE_LOOK_MS) await this.#catchUp().catch(() => undefined);
  }

  /** Takes what is new; says which event it cannot go past. */
  #fold(events: readonly FoldableEvent[]): string | undefined {
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

  /** A pulse of the leader: new events, and leave to trust what is folded. */
  #hear(payload: unknown): void {
    if (this.#writer !== undefined) return;
    const pulse = RegistryPulse.safeParse(payload);
    if (!pulse.success) return;
    const at = performance.now();
    const { position, members, events } = pulse.data;
    if (this.#obstacle !== undefined) {
      void this.#lookPast();
      return;
    }
    this.#fold(events);
    const follow = (): void => {
      if (this.#now.position < position || this.#writer !== undefined) return;
      if (members.includes(this.#options.replica)) this.#trustedUntil = at + TRUST_MS;
      this.#options.bus.publish(REGISTRY_FOLLOWED, { replica: this.#options.replica, position: this.#now.position });
    };
    if (this.#now.position >= position) follow();
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
      position: this.#now.position,
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
        if (this.#obstacle === undefined) await this.#lead();
        else await this.#lookPast();
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
    this.#keeper ??= keepFacts(reader, log, snapshotEvents, this.#keptUpTo);
    let onLost = (_: Error): void => undefined;
    const lost = new Promise<Error>((resolve) => (onLost = resolve));
    const term: { writer?: RegistryWriter } = {};
    const writer: RegistryWriter = await openLedgerWriter({
      url: pgUrl,
      ledger: REGISTRY_LEDGER,
      restore: async () => {
        await this.#catchUp();
        if (this.#obstacle !== undefined) throw new Unavailable(this.#obstacle);
        return this.#now;
      },
      decide: decideForLog,
      evolve: evolveStoredRegistry,
      onCommitted: (events, state) => {
        this.#now = { state, position: events.at(-1)?.position ?? this.#now.position };
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
    this.#now = { state: writer.state, position: writer.position };
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
