import type { JsonObject, JsonValue } from '../canonical-json';
import type { ChainEnd, EventMetadata, NewEvent, StoredChange, StoredEvent } from '../event-log';
import type { SnapshotPart } from '../snapshot-part';
import type { EventFilter, Found, SearchRange } from './event-search';

/** The end of a ledger as Postgres has it, with the number of times leadership has changed. */
export interface Head extends ChainEnd {
  readonly epoch: number;
}

/** What a command led to: facts to append and the answer to its sender. No events is a refusal, or a change that is there already. */
export interface Decided<Reply, State = never> {
  readonly events: readonly NewEvent[];
  readonly reply: Reply;
  /** The state after the events, when the decision has folded them as the log will have them; absent: the writer folds. */
  readonly state?: State;
}

/** The inputs of a decision beside command and state. */
export interface DecisionContext {
  /** ISO time; also the `recordedAt` of the events decided. */
  readonly now: string;
  /** Position of the state decided upon; the first event decided gets the next one. */
  readonly position: number;
  readonly metadata: EventMetadata;
}

/** A state and the position it is of. */
export interface StateAt<State> {
  readonly state: State;
  readonly position: number;
}

/** What one turn of the writer did, for metrics. */
export interface BatchReport {
  readonly commands: number;
  readonly events: number;
  /** From sending the transaction to its COMMIT; 0 when there was nothing to write. */
  readonly commitMs: number;
}

/** How to open the single writer of a ledger in Postgres. */
export interface LedgerWriterOptions<State, Command, Reply extends JsonValue> extends WriterOptions<
  State,
  Command,
  Reply
> {
  readonly url: string;
}

/** How to open the single writer of a ledger, wherever it is kept. */
export interface WriterOptions<State, Command, Reply extends JsonValue> {
  readonly ledger: string;
  /** The state to go on from: a snapshot, or what a standby has folded so far. Called once, when leadership is won; what is missing up to the head is read and folded by the writer. */
  readonly restore: (head: Head) => Promise<StateAt<State>>;
  /** Pure. When it throws, its command alone is rejected with `Defect`. */
  readonly decide: (command: Command, state: State, context: DecisionContext) => Decided<Reply, State>;
  /** Pure; returns a new state and leaves the given one as it is, so that dropping a reference undoes. */
  readonly evolve: (state: State, event: StoredEvent) => State;
  /** Told in order, synchronously, after COMMIT and before the answers. */
  readonly onCommitted: (events: readonly StoredEvent[], state: State) => void;
  /** Told once when this writer has lost its leadership or connection; open another one to go on. */
  readonly onLost: (error: Error) => void;
  readonly onBatch?: (report: BatchReport) => void;
  /** Ends the wait for leadership (the open rejects with its reason), or closes the writer at once, as a crash would. */
  readonly signal?: AbortSignal;
  /** After so long without a sign of life (stopped, cut off) Postgres ends the leader's session, so that a standby can take over; 15,000 when absent. */
  readonly silenceMsMax?: number;
  /** Milliseconds since 1970; the system clock when absent. */
  readonly clock?: () => number;
}

/** A command on its way to be decided. */
export interface Submission<Command> {
  readonly command: Command;
  /** Chosen by the caller, at most 255 characters: the same id again gets the first answer and has no further effect. */
  readonly commandId?: string;
  readonly metadata: Omit<EventMetadata, 'commandId'>;
}

/** The answer to a command. */
export interface Answer<Reply> {
  readonly reply: Reply;
  /** Position of the command's last event, or of the state that it was refused upon. */
  readonly position: number;
  /** True when the answer is the one given to the same id before. */
  readonly repeated: boolean;
}

/** The one process that may append to a ledger, as long as it holds the leadership. */
export interface LedgerWriter<State, Command, Reply extends JsonValue> {
  readonly ledger: string;
  /** Number of this leadership; higher than any before. */
  readonly epoch: number;
  /** The state as of the last commit. */
  readonly state: State;
  /** Position of the last commit. */
  readonly position: number;
  /** Commands waiting to be decided. */
  readonly waiting: number;
  /** Decides and appends; resolves after COMMIT. Rejects with `Overloaded`, `Unavailable` or `Defect`. */
  submit(submission: Submission<Command>): Promise<Answer<Reply>>;
  /**
   * Asks the log whether this writer leads still; rejects `Unavailable` when it does not, or nobody answers. Whoever tells
   * others what `state` says asks first: a writer that was cut off does not know what its successor has committed.
   */
  confirm(): Promise<void>;
  /** Takes no more, finishes what waits, gives the leadership up. */
  close(): Promise<void>;
}

/** Opens the writer: resolves when this process has become the leader and knows the whole ledger. */
export type OpenLedgerWriter = <State, Command, Reply extends JsonValue>(
  options: LedgerWriterOptions<State, Command, Reply>,
) => Promise<LedgerWriter<State, Command, Reply>>;

/** Part of a ledger to read. */
export interface ReadRange {
  /** Position before the first event wanted; 0 for all. */
  readonly after: number;
  /** Last position wanted; absent means the end of the ledger at the time it is reached. */
  readonly upTo?: number;
  /** Events in one batch; absent means a size that reads fast. */
  readonly pageSize?: number;
}

/** The answer recorded for a command id. */
export interface RecordedAnswer {
  readonly reply: JsonValue;
  readonly position: number;
}

/** A cached fold: any text, in chunks of about 1 MB, that the owner can read again. */
export interface Snapshot {
  readonly position: number;
  /** Version of the code that folded; another version does not read it. */
  readonly foldVersion: string;
  readonly chunks: readonly string[];
}

/** A cached fold to be saved. A part that has not changed since this reader saved the one before is not written out again. */
export interface SnapshotToSave extends Omit<Snapshot, 'chunks'> {
  readonly chunks: readonly (string | SnapshotPart)[];
}

/** How to open a reader. */
export interface LedgerReaderOptions {
  readonly url: string;
  readonly ledger: string;
  /** `reader` (when absent) may only look; `writer` may also save snapshots and move cursors. */
  readonly role?: 'reader' | 'writer';
  /** Connections at most; 4 when absent. */
  readonly connectionsMax?: number;
}

/** Reads one ledger over connections of its own. Rejects with `Unavailable` while Postgres is away; needs no reopening afterwards. */
export interface LedgerReader {
  readonly ledger: string;
  head(): Promise<Head>;
  /** Batches of events in order. */
  read(range: ReadRange): AsyncIterable<readonly StoredEvent[]>;
  /** The same, of each event only what a fold needs: a good deal faster. */
  readChanges(range: ReadRange): AsyncIterable<readonly StoredChange[]>;
  /** All events of one stream in order. */
  readStream(streamId: string): Promise<readonly StoredEvent[]>;
  /** Events of a range that a filter lets through, a bounded number of them and for a bounded time. */
  find(filter: EventFilter, range: SearchRange): Promise<Found>;
  /** Position of the last event recorded at or before an ISO time; 0 when there was none. */
  positionAt(time: string): Promise<number>;
  /** The answer a command id got, when it had an effect. */
  answerOf(commandId: string): Promise<RecordedAnswer | undefined>;
  /** The newest snapshot of a fold version, not past a position. */
  latestSnapshot(wanted: { readonly foldVersion: string; readonly atOrBefore?: number }): Promise<Snapshot | undefined>;
  /** Needs role `writer`. Saving one that is there already changes nothing. */
  saveSnapshot(snapshot: SnapshotToSave): Promise<void>;
  /** Needs role `writer`. Keeps `keep` of each fold version, the newest and others evenly spread; returns how many it deleted. */
  pruneSnapshots(keep: number): Promise<number>;
  /** How far a named follower has come; undefined when it never was told of any. */
  cursor(name: string): Promise<number | undefined>;
  /** Needs role `writer`. A cursor never goes back. */
  moveCursor(name: string, position: number): Promise<void>;
  close(): Promise<void>;
}

/** How to start a relay. */
export interface RelayOptions {
  /** Must have role `writer`, as the cursor is kept in Postgres. */
  readonly reader: LedgerReader;
  readonly cursorName: string;
  /** Hands a batch on, in order; resolves when it is safe there. Must bear repeats: after a crash the last batches come again. */
  readonly publish: (events: readonly StoredEvent[]) => Promise<void>;
  /** Told of each failure; the relay goes on trying the same events. */
  readonly onTrouble?: (error: unknown) => void;
}

/** Publishes committed events after COMMIT, in order, none left out. */
export interface Relay {
  /** Position of the last event known to be published. */
  readonly position: number;
  /** Called from the writer's `onCommitted`: wakes the relay, and spares it the reading when it is up to date. */
  offer(events: readonly StoredEvent[]): void;
  /** Tries at once instead of after the backoff: the bus is back. */
  retryNow(): void;
  /** Resolves when everything up to a position is published; rejects with `Unavailable` when the relay is closed before. */
  published(position: number): Promise<void>;
  /** Finishes the batch in hand and stores the cursor. */
  close(): Promise<void>;
}

/** The kinds of JSON the log carries, for its users' convenience. */
export type { JsonObject, JsonValue };
