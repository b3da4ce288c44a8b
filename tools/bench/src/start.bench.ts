/** How long the allocator needs to know a long log. */
import {
  decodeSnapshot,
  emptyControlState,
  encodeSnapshot,
  evolveStored,
  FOLD_VERSION,
  type ControlState,
} from '@brickyard/domain';
import { openLedgerReader, type LedgerReader } from '@brickyard/event-sourcing/postgres';
import { withLog } from './large-log';
import { timed, type Figure } from './report';

const EVENTS = 1_000_000;
const FROM_SNAPSHOT_MS = 2_000;
const FROM_ZERO_MS = 30_000;

async function foldFrom(
  reader: LedgerReader,
  after: number,
  from: ControlState,
): Promise<{ state: ControlState; events: number }> {
  let state = from;
  let events = 0;
  for await (const batch of reader.read({ after })) {
    for (const event of batch) state = evolveStored(state, event);
    events += batch.length;
  }
  return { state, events };
}

async function fromSnapshot(reader: LedgerReader): Promise<ControlState> {
  const snapshot = await reader.latestSnapshot({ foldVersion: FOLD_VERSION });
  if (snapshot === undefined) throw new Error('the snapshot is gone');
  return (await foldFrom(reader, snapshot.position, decodeSnapshot(snapshot.chunks))).state;
}

/** Starts on a log of a million events: from zero, then from a snapshot of its end. */
export function benchStart(say: (text: string) => void): Promise<readonly Figure[]> {
  const shape = { isEnough: (_: number, written: number) => written >= EVENTS, deletes: true, snapshots: false };
  return withLog(shape, say, async (url) => {
    const reader = openLedgerReader({ url, ledger: 'control', role: 'writer' });
    const zero = await timed(() => foldFrom(reader, 0, emptyControlState));
    const { position } = await reader.head();
    await reader.saveSnapshot({ position, foldVersion: FOLD_VERSION, chunks: [...encodeSnapshot(zero.result.state)] });
    const cached = await timed(() => fromSnapshot(reader));
    await reader.close();
    const note = `${String(zero.result.events)} events, ${String(zero.result.state.volumes.size)} volumes`;
    return [
      { name: 'start without a snapshot', value: zero.ms, unit: 'ms', limit: FROM_ZERO_MS, note },
      { name: 'start from a snapshot', value: cached.ms, unit: 'ms', limit: FROM_SNAPSHOT_MS, note },
    ];
  });
}
