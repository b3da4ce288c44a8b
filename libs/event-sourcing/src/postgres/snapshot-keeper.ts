/** Saves the fold now and then, in slices, so that a start need not fold everything and no command waits for it. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ChainEnd } from '../event-log';
import type { SnapshotPart } from '../snapshot-part';
import type { LedgerReader } from './types';

/** What to save, how often, and whom to tell. */
export interface SnapshotKeeperOptions<State> {
  /** Must have role `writer`. */
  readonly reader: LedgerReader;
  readonly foldVersion: string;
  /** The state that the event at `end` led to, as lines or in parts. */
  readonly encode: (state: State, end: ChainEnd) => Iterable<string | SnapshotPart>;
  readonly everyEvents: number;
  /** Position of the snapshot there is, or of the first event that counts. */
  readonly from: number;
  /** How many are kept: the newest, and others evenly spread for looks into the past. */
  readonly kept: number;
  readonly onSaved?: (saved: { readonly position: number; readonly chunks: number }) => void;
  /** Told of each failure; the next snapshot will do. */
  readonly onTrouble?: (position: number, error: unknown) => void;
}

/** Saves snapshots of one ledger's fold. */
export interface SnapshotKeeper<State> {
  /** Told after every commit: the last event, and the state after it. */
  offer(end: ChainEnd, state: State): void;
  /** Resolves when a snapshot in the making is saved. */
  idle(): Promise<void>;
}

/** Saves a snapshot whenever so many events have been committed since the last one. */
export function createSnapshotKeeper<State>(options: SnapshotKeeperOptions<State>): SnapshotKeeper<State> {
  const { reader, foldVersion, encode, everyEvents, from, kept, onSaved, onTrouble } = options;
  let lastPosition = from;
  let saving: Promise<void> | undefined;

  const save = async (end: ChainEnd, state: State): Promise<void> => {
    const { position } = end;
    try {
      const chunks: (string | SnapshotPart)[] = [];
      for (const part of encode(state, end)) {
        chunks.push(part);
        if (typeof part === 'string') await nextTurn(); // Parts are written out when they are packed.
      }
      await reader.saveSnapshot({ position, foldVersion, chunks });
      await reader.pruneSnapshots(kept);
      onSaved?.({ position, chunks: chunks.length });
    } catch (error) {
      onTrouble?.(position, error);
    }
  };
  return {
    offer(end, state) {
      if (saving !== undefined || end.position - lastPosition < everyEvents) return;
      lastPosition = end.position;
      saving = save(end, state).finally(() => (saving = undefined));
    },
    idle: async () => saving,
  };
}
