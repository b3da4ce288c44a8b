/** The event log in Postgres: one writer, any number of readers, a relay that publishes what was committed, an auditor. */
export {
  appendCheckpoint,
  appendHandOver,
  mendCheckpointFile,
  parseCheckpointLines,
  readCheckpointFile,
  type CheckpointFile,
} from './checkpoint-file';
export { ensureSigningKey, KeyFileError, readKeyring, readSigningKey } from './checkpoint-keys';
export { installNextKey, nextKeyFile, prepareNextKey } from './next-key';
export { openCheckpointTable, type CheckpointTable } from './checkpoints';
export type { Transaction } from './append';
export { openLedgerReader } from './ledger-reader';
export { openAuditSource, type AuditSource, type LedgerStanding } from './ledger-standing';
export type { Candidacy, Leadership, LedgerStorage } from './ledger-storage';
export { openLedgerWriter, openLedgerWriterOn } from './ledger-writer';
export { ensureLogins, type Login } from './logins';
export { ensureSchema, migrate } from './migrate';
export { openRestoration, type KeptAnswer, type Restoration, type Signed, type Streams } from './restoration';
export { postgresStorage } from './postgres-storage';
export { readSealed, sealed, type SealedWanted } from './sealed-snapshot';
export { createSnapshotKeeper, type SnapshotKeeper, type SnapshotKeeperOptions } from './snapshot-keeper';
export { startRelay } from './relay';
export type { EventFilter, Found, SearchRange } from './event-search';
export type * from './types';
