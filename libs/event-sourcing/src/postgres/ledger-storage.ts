import type { CheckpointTable } from './checkpoints';
import type { Transaction } from './append';
import type { Head, LedgerReader, RecordedAnswer } from './types';

/** How to become the leader of a ledger. */
export interface Candidacy {
  readonly silenceMsMax?: number | undefined;
  /** Ends the wait for leadership. */
  readonly signal?: AbortSignal | undefined;
}

/** The leadership of a ledger, with everything that only its holder may do. */
export interface Leadership {
  readonly head: Head;
  /** Commits a transaction; false when the head is not where this leader left it: another one leads. */
  append(transaction: Transaction): Promise<boolean>;
  /** The answers recorded for those of the command ids that had an effect. Does not wait for a commit. */
  findAnswers(commandIds: readonly string[]): Promise<ReadonlyMap<string, RecordedAnswer>>;
  /** Version of every stream. */
  readVersions(): Promise<Map<string, number>>;
  /** Asks the server whether this is the leader still; rejects when another one leads, or nobody answers. */
  confirm(): Promise<void>;
  /** Gives the leadership up. */
  resign(): Promise<void>;
  /** Drops the leadership without a word, as a crash would. */
  abandon(): void;
}

/** Where one ledger is kept: Postgres, or a model of it in which every fault can be had for the asking. */
export interface LedgerStorage {
  readonly ledger: string;
  /** Waits until this process may lead, then shuts out every earlier leader by a new epoch. `onLost` is told of a broken connection. */
  lead(candidacy: Candidacy, onLost: (error: Error) => void): Promise<Leadership>;
  /** A reader that may also save snapshots and move cursors; its owner closes it. */
  openReader(options?: { readonly connectionsMax?: number }): LedgerReader;
  /** The table of signed heads; its owner closes it. */
  openCheckpointTable(): CheckpointTable;
}
