/** The registry's half of the audit that knows what its events mean: fold and snapshots. */
import { isRegistryFoldable, laterReleaseText } from '@brickyard/contracts';
import {
  emptyRegistryState,
  encodeRegistrySnapshot,
  evolveStoredRegistry,
  REGISTRY_FOLD_VERSION,
  type RegistryState,
} from '@brickyard/domain/registry';
import type { ChainEnd, Finding, JsonObject, RawEvent } from '@brickyard/event-sourcing';
import { openAuditSource, openLedgerReader, sealed, type LedgerReader } from '@brickyard/event-sourcing/postgres';
import { describeError } from '@brickyard/service-host';
import { compareSnapshot } from './compare-snapshot';

export interface RegistryWalkOrder {
  readonly pgUrl: string;
  readonly ledger: string;
  readonly head: ChainEnd;
  /** Positions of kept snapshots of today's fold, ascending. */
  readonly snapshots: readonly number[];
}

export interface RegistryWalkReport {
  readonly events: number;
  /** The event of a later release at which the fold ends, in words; absent when there is none. */
  readonly later?: string;
  /** Positions of the snapshots compared. */
  readonly snapshots: readonly number[];
  readonly findings: readonly Finding[];
}

/** Folds from the first event to the head and compares each snapshot that lies on the way. */
export async function walkRegistry({ pgUrl, ledger, head, snapshots }: RegistryWalkOrder): Promise<RegistryWalkReport> {
  const source = await openAuditSource(pgUrl, ledger);
  const reader = openLedgerReader({ url: pgUrl, ledger, connectionsMax: 1 });
  const kept = new Set(snapshots);
  const report = { events: 0, snapshots: [] as number[], findings: [] as Finding[] };
  let state = emptyRegistryState;
  try {
    for await (const batch of source.readRaw({ after: 0, upTo: head.position })) {
      for (const event of batch) {
        if (!isRegistryFoldable(event.type, event.version)) return { ...report, later: laterReleaseText(event) };
        const next = evolved(state, event);
        if ('kind' in next) return { ...report, findings: [...report.findings, next] };
        state = next;
        report.events += 1;
        if (!kept.has(event.position)) continue;
        const finding = await compared(reader, state, event);
        if (finding === undefined) continue; // Pruned since the audit began.
        report.snapshots.push(event.position);
        report.findings.push(...finding);
      }
    }
    return report;
  } finally {
    await Promise.all([source.close(), reader.close()]);
  }
}

function evolved(state: RegistryState, raw: RawEvent): RegistryState | Finding {
  try {
    return evolveStoredRegistry(state, { ...raw, data: JSON.parse(raw.data) as JsonObject });
  } catch (error) {
    const detail = `today's code cannot fold ${raw.type} of ${raw.streamId}: ${describeError(error)}; nothing after it was folded`;
    return { kind: 'fold', position: raw.position, detail };
  }
}

async function compared(
  reader: LedgerReader,
  state: RegistryState,
  { position, hash }: ChainEnd,
): Promise<readonly Finding[] | undefined> {
  const snapshot = await reader.latestSnapshot({ foldVersion: REGISTRY_FOLD_VERSION, atOrBefore: position });
  if (snapshot?.position !== position) return undefined;
  const finding = compareSnapshot(position, sealed(encodeRegistrySnapshot(state), { position, hash }), snapshot.chunks);
  return finding === undefined ? [] : [finding];
}
