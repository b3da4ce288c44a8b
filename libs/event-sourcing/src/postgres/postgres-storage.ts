import { openCheckpointTable } from './checkpoints';
import { lead } from './leadership';
import { openLedgerReader } from './ledger-reader';
import type { LedgerStorage } from './ledger-storage';

/** One ledger of a Postgres database. */
export function postgresStorage({ url, ledger }: { readonly url: string; readonly ledger: string }): LedgerStorage {
  return {
    ledger,
    lead: (candidacy, onLost) => lead({ url, ledger }, candidacy, onLost),
    openReader: (options = {}) => openLedgerReader({ url, ledger, role: 'writer', ...options }),
    openCheckpointTable: () => openCheckpointTable({ url, ledger, role: 'writer' }),
  };
}
