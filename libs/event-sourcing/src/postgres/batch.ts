import { canonical, canonicalJson, type Canonical, type JsonObject, type JsonValue } from '../canonical-json';
import { Defect, type EventMetadata, type NewEvent, type StoredEvent } from '../event-log';
import { canonicalEventHash, eventIdAfter } from '../hash-chain';
import type { Transaction } from './append';
import type { Answer, Decided, Submission, WriterOptions } from './types';

/** A command that somebody waits for, and those who have sent the same id meanwhile. */
export interface Waiting<Command, Reply> {
  readonly submission: Submission<Command>;
  readonly followers: Waiting<Command, Reply>[];
  readonly resolve: (answer: Answer<Reply>) => void;
  readonly reject: (error: Error) => void;
}

/** The end of the ledger and the state there, committed or not yet. */
export interface Tip<State> {
  readonly state: State;
  readonly position: number;
  readonly hash: Buffer;
  readonly recordedAtMs: number;
}

/** A command decided: its answer holds once the batch is committed. */
export interface DecidedCommand<Command, Reply> {
  readonly waiting: Waiting<Command, Reply>;
  readonly reply: Reply;
  readonly position: number;
}

/** The pure rules of a ledger. */
export type Rules<State, Command, Reply extends JsonValue> = Pick<
  WriterOptions<State, Command, Reply>,
  'ledger' | 'decide' | 'evolve'
>;

/** Commands decided one after the other on one state, to be committed together or dropped together. */
export class Batch<State, Command, Reply extends JsonValue> {
  readonly events: StoredEvent[] = [];
  readonly commands: DecidedCommand<Command, Reply>[] = [];
  readonly versions = new Map<string, number>();
  /** Size of what is to be written, in UTF-16 code units. */
  size = 0;
  private readonly eventRows: string[] = [];
  private readonly commandRows: string[] = [];

  constructor(
    private readonly rules: Rules<State, Command, Reply>,
    private readonly from: Tip<State>,
    private readonly versionBefore: (streamId: string) => number,
    public tip: Tip<State> = from,
  ) {}

  /** Decides a command; throws `Defect`, and is as before, when that is not possible. */
  add(waiting: Waiting<Command, Reply>, nowMs: number): void {
    const { command, commandId } = waiting.submission;
    const recordedAtMs = Math.max(nowMs, this.tip.recordedAtMs);
    const now = new Date(recordedAtMs).toISOString();
    try {
      const metadata = metadataOf(waiting.submission);
      const context = { now, position: this.tip.position, metadata };
      const decided = this.rules.decide(command, this.tip.state, context);
      const { events, reply } = decided;
      const sealed = this.seal(decided, canonical<EventMetadata>(metadata), { recordedAt: now, recordedAtMs });
      const row = commandId === undefined || events.length === 0 ? undefined : commandRow(commandId, reply, sealed.tip);
      this.take(sealed, row);
      this.commands.push({ waiting, reply, position: sealed.tip.position });
    } catch (cause) {
      throw cause instanceof Defect ? cause : new Defect('the command could not be decided', { cause });
    }
  }

  /** What to write, when there is anything. */
  transaction(epoch: number): Transaction | undefined {
    if (this.events.length === 0) return undefined;
    const streams = [...this.versions].map(([streamId, version]) => ({
      s: streamId,
      v: version,
      p: this.tip.position,
    }));
    return {
      ledger: this.rules.ledger,
      epoch,
      fromPosition: this.from.position,
      toPosition: this.tip.position,
      toHash: this.tip.hash.toString('hex'),
      events: `[${this.eventRows.join(',')}]`,
      streams: JSON.stringify(streams),
      commands: `[${this.commandRows.join(',')}]`,
    };
  }

  /** Version of a stream after this batch. */
  versionOf(streamId: string): number {
    return this.versions.get(streamId) ?? this.versionBefore(streamId);
  }

  /** Chains events to the tip without changing the batch yet. */
  private seal(decided: Decided<Reply, State>, metadata: Canonical<EventMetadata>, time: RecordedTime): Sealed<State> {
    const sealed: Sealed<State> = { tip: this.tip, events: [], rows: [], versions: new Map() };
    for (const event of decided.events) {
      const streamVersion = (sealed.versions.get(event.streamId) ?? this.versionOf(event.streamId)) + 1;
      const { stored, row, hash } = sealEvent(event, sealed.tip, {
        ledger: this.rules.ledger,
        streamVersion,
        metadata,
        recordedAt: time.recordedAt,
      });
      // The decision's own fold is of its last event; those before it are never seen.
      const state = decided.state ?? this.rules.evolve(sealed.tip.state, stored);
      sealed.tip = { state, position: stored.position, hash, recordedAtMs: time.recordedAtMs };
      sealed.events.push(stored);
      sealed.rows.push(row);
      sealed.versions.set(event.streamId, streamVersion);
    }
    return sealed;
  }

  private take(sealed: Sealed<State>, commandRowText: string | undefined): void {
    this.tip = sealed.tip;
    this.events.push(...sealed.events);
    this.eventRows.push(...sealed.rows);
    this.size += sealed.rows.reduce((sum, row) => sum + row.length, 0);
    sealed.versions.forEach((version, streamId) => this.versions.set(streamId, version));
    if (commandRowText === undefined) return;
    this.commandRows.push(commandRowText);
    this.size += commandRowText.length;
  }
}

interface Sealed<State> {
  tip: Tip<State>;
  readonly events: StoredEvent[];
  readonly rows: string[];
  readonly versions: Map<string, number>;
}

/** One moment, in both of its forms. */
interface RecordedTime {
  readonly recordedAt: string;
  readonly recordedAtMs: number;
}

interface Place {
  readonly ledger: string;
  readonly streamVersion: number;
  readonly metadata: Canonical<EventMetadata>;
  readonly recordedAt: string;
}

/** Gives an event its place after the tip: the event as anybody will read it, and the row to write. */
function sealEvent<State>(
  event: NewEvent,
  tip: Tip<State>,
  place: Place,
): { stored: StoredEvent; row: string; hash: Buffer } {
  const { ledger, streamVersion, metadata, recordedAt } = place;
  const { streamId, type, version } = event;
  // As a reader of the text has it, so that the live event has all its keys in the order the replayed one will have.
  const data = canonicalData(event);
  const position = tip.position + 1;
  const eventId = eventIdAfter(tip.hash, ledger, position);
  const header = { ledger, position, streamId, streamVersion, eventId, type, version, recordedAt };
  const hash = canonicalEventHash(tip.hash, header, data.text, metadata.text);
  const hex = hash.toString('hex');
  const texts = `"s":${canonicalJson(streamId)},"t":${canonicalJson(type)},"d":${data.text},"m":${metadata.text}`;
  const numbers = `"p":${String(position)},"v":${String(streamVersion)},"n":${canonicalJson(version)}`;
  const row = `{${numbers},${texts},"i":"${eventId}","r":"${recordedAt}","h":"${hex}"}`;
  const stored = {
    ledger,
    position,
    streamId,
    streamVersion,
    eventId,
    type,
    version,
    data: data.value,
    metadata: metadata.value,
    recordedAt,
    hash: hex,
  };
  return { stored, row, hash };
}

const canonicalData = ({ data, text }: NewEvent): Canonical<JsonObject> =>
  text === undefined ? canonical<JsonObject>(data) : { value: data, text };

function commandRow<State>(commandId: string, reply: JsonValue, tip: Tip<State>): string {
  const recordedAt = new Date(tip.recordedAtMs).toISOString();
  const position = String(tip.position);
  return `{"c":${canonicalJson(commandId)},"a":${canonicalJson(reply)},"p":${position},"r":"${recordedAt}"}`;
}

function metadataOf<Command>({ commandId, metadata }: Submission<Command>): EventMetadata {
  return commandId === undefined ? metadata : { ...metadata, commandId };
}
