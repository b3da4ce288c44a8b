/** Saves the fold now and then, in slices, so that a start need not fold everything and no command waits for it. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { encodeSnapshot, FOLD_VERSION, type ControlState } from '@brickyard/domain';
import type { LedgerReader } from '@brickyard/event-sourcing/postgres';
import { describeError, type Logger } from '@brickyard/service-host';

/** Older snapshots serve looks into the past: a million events by 10,000 at a time. */
const SNAPSHOTS_KEPT = 100;

export interface SnapshotKeeper {
  /** Told after every commit. */
  offer(position: number, state: ControlState): void;
  /** Resolves when a snapshot in the making is saved. */
  idle(): Promise<void>;
}

/** Saves a snapshot whenever so many events have been committed since the last one. */
export function createSnapshotKeeper(
  reader: LedgerReader,
  everyEvents: number,
  from: number,
  log: Logger,
): SnapshotKeeper {
  let lastPosition = from;
  let saving: Promise<void> | undefined;

  const save = async (position: number, state: ControlState): Promise<void> => {
    try {
      const chunks: string[] = [];
      for (const line of encodeSnapshot(state)) {
        chunks.push(line);
        await nextTurn();
      }
      await reader.saveSnapshot({ position, foldVersion: FOLD_VERSION, chunks });
      await reader.pruneSnapshots(SNAPSHOTS_KEPT);
      log.info({ position, chunks: chunks.length }, 'snapshot saved');
    } catch (error) {
      log.warn({ position, error: describeError(error) }, 'snapshot not saved; the next one will do');
    }
  };
  return {
    offer(position, state) {
      if (saving !== undefined || position - lastPosition < everyEvents) return;
      lastPosition = position;
      saving = save(position, state).finally(() => (saving = undefined));
    },
    idle: async () => saving,
  };
}
