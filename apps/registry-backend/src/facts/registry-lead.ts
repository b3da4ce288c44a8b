/**
 * The lead of the registry's ledger, as one replica stands for it, has it and loses it. Whoever leads decides commands, and
 * acknowledges one only when every follower that may still trust its own fold shows the effect.
 */
import { setTimeout as pause } from 'node:timers/promises';
import {
  REGISTRY_COMMANDS,
  REGISTRY_FOLLOWED,
  REGISTRY_PULSE,
  RegistryFollowed,
  type RegistryReply,
  RegistryRequest,
} from '@brickyard/contracts';
import { evolveStoredRegistry, type RegistryState } from '@brickyard/domain/registry';
import { Defect, type StoredEvent } from '@brickyard/event-sourcing';
import { type LedgerReader, openLedgerWriter, type SnapshotKeeper } from '@brickyard/event-sourcing/postgres';
import { type Bus, describeError, type Logger, type Subscription, Unavailable } from '@brickyard/service-host';
import type { FoldedFacts } from './folded-facts';
import { Followers, TRUST_MS } from './followers';
import { decideForLog, REGISTRY_LEDGER, type RegistryWriter } from './registry-writer';
import { keepFacts } from './snapshots';

const PULSE_MS = 250;
/** While nobody follows, a pulse only lets a new replica find who leads. */
const LONELY_PULSE_MS = 1_000;
/** Two candidates must not ask Postgres all the time; the wait for the lock itself costs nothing. */
const CANDIDACY_PAUSE_MS = 500;
/** A process that was stopped for longer than this may have been replaced meanwhile. */
const AWAKE_MS = 2_000;
/** Events that travel with a pulse; who lacks more reads the log. */
const PULSE_EVENTS_MAX = 100;
const PULSE_CHARACTERS_MAX = 300_000;
/** For a leader to be found again, or for Postgres. */
export const RETRY_AFTER_MS = 2_000;

/** A command that cannot be had decided now, and why. */
export const unavailable = (reason: string): RegistryReply => ({
  kind: 'unavailable',
  reason,
  retryAfterMs: RETRY_AFTER_MS,
});

export interface LeadOptions {
  readonly pgUrl: string;
  readonly reader: LedgerReader;
  readonly bus: Bus;
  readonly log: Logger;
  /** Differs between replicas and between runs of one. */
  readonly replica: string;
  /** Events between two snapshots. */
  readonly snapshotEvents: number;
  /** Told when this replica begins to lead, and when it ends. */
  readonly onLead?: (writer: RegistryWriter) => void;
  readonly onFollow?: () => void;
  /** Told after every commit of this replica, to wake whoever publishes events. */
  readonly onCommitted?: (events: readonly StoredEvent[]) => void;
}

/** One replica's part in leading. */
export class RegistryLead {
  readonly #options: LeadOptions;
  readonly #facts: FoldedFacts;
  readonly #ending: AbortSignal;
  readonly #ended: Promise<Error>;
  #keeper: SnapshotKeeper<RegistryState> | undefined;
  #writer: RegistryWriter | undefined;
  #leadSince = 0;
  #followers = new Followers();
  #lastTick = 0;
  #pulsedAt = -Infinity;
  #candidacy: Promise<void> | undefined;
  #pulse: NodeJS.Timeout | undefined;
  #subscription: Subscription | undefined;

  /** Whoever leads moves the facts on by its own commits; nobody leads any more when the replica ends. */
  constructor(options: LeadOptions, facts: FoldedFacts, ending: AbortSignal) {
    this.#options = options;
    this.#facts = facts;
    this.#ending = ending;
    this.#ended = new Promise<Error>((resolve) => {
      ending.addEventListener('abort', () => {
        resolve(new Error('the replica ends'));
      });
    });
  }

  get isHeld(): boolean {
    return this.#writer !== undefined;
  }

  /** Whether this process has run lately: one that was stopped may lead no more without knowing. */
  get isAwake(): boolean {
    return performance.now() - this.#lastTick < AWAKE_MS;
  }

  /** Stands for the lead from now on. */
  stand(): void {
    this.#subscription = this.#options.bus.subscribe(REGISTRY_FOLLOWED, (payload) => {
      const followed = RegistryFollowed.safeParse(payload);
      if (followed.success && this.#writer !== undefined)
        this.#followers.heard(followed.data.replica, followed.data.position);
    });
    this.#pulse = setInterval(() => {
      this.#tick();
    }, PULSE_MS);
    this.#candidacy = this.#standForLead();
  }

  /** Gives the lead up, if it is held; the replica ends next. */
  async resign(): Promise<void> {
    clearInterval(this.#pulse);
    const writer = this.#writer;
    await writer?.close().catch(() => undefined); // Postgres may be away; the lock goes with the connection.
    this.#writer = undefined;
  }

  /** After the replica has ended: resolves when nothing goes on any more. */
  async idle(): Promise<void> {
    await this.#candidacy;
    await this.#keeper?.idle();
    await this.#subscription?.close();
  }

  /** Decides: the answer is given when every follower shows the effect. */
  async answer({ commandId, correlationId, actor, command }: RegistryRequest): Promise<RegistryReply> {
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
    while (!this.#ending.aborted) {
      try {
        if (this.#facts.obstacle === undefined) await this.#lead();
        else await this.#facts.lookPast();
      } catch (error) {
        if (this.#isEnding()) return;
        log.debug({ reason: describeError(error) }, 'cannot stand for the lead');
      }
      await pause(CANDIDACY_PAUSE_MS, undefined, { signal: this.#ending }).catch(() => undefined);
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
        await this.#facts.catchUp();
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
      signal: this.#ending,
    });
    term.writer = writer;
    this.#takeOver(writer);
    const commands = bus.respond(REGISTRY_COMMANDS, (payload) => this.answer(RegistryRequest.parse(payload)));
    onLead?.(writer);
    void this.#keepHead(writer);
    log.info({ epoch: writer.epoch, position: writer.position }, 'this replica leads the registry');
    const reason = await Promise.race([lost, this.#ended]);
    this.#writer = undefined;
    onFollow?.();
    await commands.close().catch(() => undefined); // The bus may be gone too.
    if (!this.#ending.aborted) log.warn({ reason: describeError(reason) }, 'this replica does not lead any more');
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
    return this.#ending.aborted;
  }
}

/** Only lists make an event large. */
function roughSize(data: Readonly<Record<string, unknown>>): number {
  let characters = 0;
  for (const value of Object.values(data)) {
    if (Array.isArray(value)) characters += value.length * 160;
    else if (typeof value === 'string') characters += value.length;
  }
  return characters;
}
