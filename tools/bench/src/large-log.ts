/** Long logs in a Postgres of their own, and a gateway that reads one. */
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ControlEvent } from '@brickyard/contracts';
import { emptyControlState, encodeSnapshot, evolveStored, FOLD_VERSION, newEvent } from '@brickyard/domain';
import { migrate, openLedgerReader, openLedgerWriter } from '@brickyard/event-sourcing/postgres';
import { freePort, freshDatabase, startNats, startPostgres } from '@brickyard/servers';
import { addTopology, deleteVolume, finish, history, volumeCommand } from './large-estate';

const APPEND_AT_ONCE = 400;
/** As the allocator does it by default. */
const SNAPSHOT_EVERY = 10_000;
const TELL_EVERY = 10_000;
const READY_MS = 120_000;
const GATEWAY = join(__dirname, '..', '..', '..', 'apps', 'api-gateway', 'dist', 'main.js');

/** What a log shall hold. */
export interface LogShape {
  /** Whether so many volumes and events are enough. */
  readonly isEnough: (volumes: number, events: number) => boolean;
  /** Two of three volumes are deleted again. */
  readonly deletes: boolean;
  /** Snapshots at the allocator's intervals. */
  readonly snapshots: boolean;
}

/** Whole lives of volumes as real operations leave them, appended through the real writer. Gives the last position. */
export async function writeLog(url: string, shape: LogShape, say: (text: string) => void): Promise<number> {
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
  for (let number = 0; !shape.isEnough(number, estate.position); number++) {
    const command = volumeCommand(number);
    estate.take(estate.decide(command));
    finish(estate, command.operationId);
    if (shape.deletes && number % 3 > 0) deleteVolume(estate, command.volumeId);
    if (waiting.length >= APPEND_AT_ONCE) await flush();
    if (number % TELL_EVERY === 0) say(`  ${String(estate.position)} events written`);
  }
  await flush();
  await appended;
  await writer.close();
  if (shape.snapshots) await saveSnapshots(url, say);
  return estate.position;
}

/** Of what was stored: the times of events are part of what they fold to. */
async function saveSnapshots(url: string, say: (text: string) => void): Promise<void> {
  const reader = openLedgerReader({ url, ledger: 'control', role: 'writer' });
  let state = emptyControlState;
  for await (const events of reader.read({ after: 0 })) {
    for (const event of events) {
      state = evolveStored(state, event);
      const { position } = event;
      if (position % SNAPSHOT_EVERY !== 0) continue;
      await reader.saveSnapshot({ position, foldVersion: FOLD_VERSION, chunks: [...encodeSnapshot(state)] });
      if (position % (10 * SNAPSHOT_EVERY) === 0) say(`  snapshots up to ${String(position)} saved`);
    }
  }
  await reader.close();
}

/** A system to measure: its database, and a gateway without authentication that has read it all. */
export interface LoggedSystem {
  readonly databaseUrl: string;
  readonly url: string;
  /** Position of the last event. */
  readonly head: number;
}

/** Runs with a database of its own that has the log's tables, and removes everything. */
export async function withDatabase<T>(work: (databaseUrl: string, dataDir: string) => Promise<T>): Promise<T> {
  const dataDir = await mkdtemp(join(tmpdir(), 'brickyard-bench-'));
  await chmod(dataDir, 0o711); // Postgres runs as a user of its own and must get in.
  const postgres = await startPostgres({ dataDir: join(dataDir, 'pg') });
  try {
    const databaseUrl = await freshDatabase(postgres);
    await migrate(databaseUrl);
    return await work(databaseUrl, dataDir);
  } finally {
    await postgres.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** As `withDatabase`, with a log of the shape. */
export const withLog = <T>(
  shape: LogShape,
  say: (text: string) => void,
  work: (databaseUrl: string, head: number, dataDir: string) => Promise<T>,
): Promise<T> =>
  withDatabase(async (databaseUrl, dataDir) => work(databaseUrl, await writeLog(databaseUrl, shape, say), dataDir));

/** As `withLog`, with a gateway. */
export const withGateway = <T>(
  shape: LogShape,
  say: (text: string) => void,
  work: (system: LoggedSystem) => Promise<T>,
): Promise<T> =>
  withLog(shape, say, async (databaseUrl, head, dataDir) => {
    const nats = await startNats({ storeDir: join(dataDir, 'nats') });
    try {
      const gateway = await startGateway(databaseUrl, nats.url);
      try {
        return await work({ databaseUrl, url: gateway.url, head });
      } finally {
        await gateway.stop();
      }
    } finally {
      await nats.stop();
    }
  });

/** Resolves when it answers. */
async function startGateway(databaseUrl: string, natsUrl: string): Promise<{ url: string; stop(): Promise<void> }> {
  const port = await freePort();
  const url = `http://127.0.0.1:${String(port)}`;
  const env = {
    BRICKYARD_PG_URL: databaseUrl,
    BRICKYARD_NATS_URL: natsUrl,
    BRICKYARD_HTTP_PORT: String(port),
    BRICKYARD_DISABLE_AUTH: '1',
    BRICKYARD_LOG_LEVEL: 'warn',
  };
  const child = spawn(process.execPath, [GATEWAY], { env: { ...process.env, ...env }, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
  };
  const until = performance.now() + READY_MS;
  while (performance.now() < until) {
    const answer = await fetch(`${url}/v1/overview`).catch(() => undefined);
    if (answer?.ok === true) return { url, stop };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await stop();
  throw new Error('the gateway does not answer');
}
