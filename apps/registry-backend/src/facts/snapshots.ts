/** Snapshots of the registry's facts: a start, or a look into the past, folds only what came after one. */
import type { ChainEnd } from '@brickyard/event-sourcing';
import {
  createSnapshotKeeper,
  type LedgerReader,
  readSealed,
  sealed,
  type SnapshotKeeper,
  type StateAt,
} from '@brickyard/event-sourcing/postgres';
import {
  decodeRegistrySnapshot,
  emptyRegistryState,
  encodeRegistrySnapshot,
  REGISTRY_FOLD_VERSION,
  type RegistryState,
} from '@brickyard/domain/registry';
import { describeError, type Logger } from '@brickyard/service-host';

/** Digests do not compress: of a large registry one snapshot takes megabytes. */
const SNAPSHOTS_KEPT = 12;

/** The newest kept state, not past a position; the empty one when there is none that can be trusted. */
export async function keptFacts(
  reader: LedgerReader,
  log: Logger,
  atOrBefore?: number,
): Promise<StateAt<RegistryState>> {
  const kept = await readSealed(reader, {
    foldVersion: REGISTRY_FOLD_VERSION,
    decode: decodeRegistrySnapshot,
    onRefused: (position, reason) => {
      log.warn({ position, reason }, 'a snapshot of the facts is not used; an older one is, or all events');
    },
    ...(atOrBefore === undefined ? {} : { atOrBefore }),
  });
  return kept ?? { state: emptyRegistryState, position: 0 };
}

/** Saves the state of the replica that leads. */
export function keepFacts(
  reader: LedgerReader,
  log: Logger,
  everyEvents: number,
  from: number,
): SnapshotKeeper<RegistryState> {
  return createSnapshotKeeper({
    reader,
    foldVersion: REGISTRY_FOLD_VERSION,
    encode: (state: RegistryState, end: ChainEnd) => sealed(encodeRegistrySnapshot(state), end),
    everyEvents,
    from,
    kept: SNAPSHOTS_KEPT,
    onSaved: (saved) => {
      log.info(saved, 'snapshot saved');
    },
    onTrouble: (position, error) => {
      log.warn({ position, reason: describeError(error) }, 'snapshot not saved; the next one will do');
    },
  });
}
