/** How long the allocator needs to know a long log. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ControlEvent } from '@brickyard/contracts';
import {
  decodeSnapshot,
  emptyControlState,
  encodeSnapshot,
  evolveStored,
  FOLD_VERSION,
  newEvent,
  type ControlState,
} from '@brickyard/domain';
import { migrate, openLedgerReader, openLedgerWriter, type LedgerReader } from '@brickyard/event-sourcing/postgres';
import { freshDatabase, startPostgres } from '@brickyard/servers';
import { addTopology, deleteVolume, finish, history, volumeCommand } from './large-estate';
import { timed, type Figure } from './report';

const EVENTS = 1_000_000;
const APPEND_AT_ONCE = 400;
const FROM_SNAPSHOT_MS = 2_000;
const FROM_ZERO_MS = 30_000;

/** A log of whole lives of volumes, most of them deleted again, appended through the real writer. */
async function writeLog(url: string, say: (text: string) => void): Promise<void> {
  const writer = await openLedgerWriter<number, readonly ControlEvent[], string>({
    url,
    ledger: 'control',
    restore: () => Promise.resolve({ state: 0, position: 0 }),
    decide: (events) => ({ events: events.map(newEvent), reply: 'appended' }),
    evolve: (count) => count + 1,
    onCommitted: () => undefined,
    onLost: (error) => {
      throw error;
    },
  });
  let waiting: ControlEvent[] = [];
  let appended: Promise<unknown> = Promise.resolve();
  const estate = history((event) => waiting.push(event));
  const flush = async (): Promise<void> => {
    const command = waiting;
    waiting = [];
    await appended; // One batch on its way while the next one is decided.
    appended = writer.submit({ command, metadata: { correlationId: 'bench', actor: { name: 'bench' } } });
  };
  addTopology(estate, 100, 8, 500 * 1_048_576, 5);
  for (let number = 0; estate.position < EVENTS; number++) {
    const command = volumeCommand(number);
    estate.take(estate.decide(command));
    finish(estate, command.operationId);
    if (number % 3 > 0) deleteVolume(estate, command.volumeId);
    if (waiting.length >= APPEND_AT_ONCE) await flush();
    if (number % 10_000 === 0) say(`  ${String(estate.position)} events written`);
  }
  await flush();
  await appended;
  await writer.close();
}

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
export async function benchStart(say: (text: string) => void): Promise<readonly Figure[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'brickyard-bench-'));
  await chmod(dataDir, 0o711); // Postgres runs as a user of its own and must get in.
  const postgres = await startPostgres({ dataDir });
  try {
    const url = await freshDatabase(postgres);
    await migrate(url);
    await writeLog(url, say);
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
  } finally {
    await postgres.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}
