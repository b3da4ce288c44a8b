/** The event log in Postgres: one writer, any number of readers, a relay that publishes what was committed. */
export { openLedgerReader } from './ledger-reader';
export { openLedgerWriter } from './ledger-writer';
export { migrate } from './migrate';
export { startRelay } from './relay';
export type * from './types';
