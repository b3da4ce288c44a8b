/** A log that goes on with an event of a later release, and the compiled processes of this one: what is there is read, nothing is decided. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { openLedgerWriter } from '@brickyard/event-sourcing/postgres';
import { dropDatabase, freshDatabase, startNats, type NatsServer } from '@brickyard/servers';
import { Client } from 'pg';

jest.setTimeout(180_000);

const ROOT = join(__dirname, '../..');
/** For one step, on a machine that does much else. */
const PATIENCE_MS = 60_000;
const started: ChildProcess[] = [];
let folder: string;
let pgUrl: string;
let nats: NatsServer;

interface Running {
  readonly child: ChildProcess;
  /** Of the first log line that has them. */
  readonly told: { readonly url?: string; readonly healthPort: number };
}

/** Starts a service; resolves when it tells where its health is asked for. */
async function start(app: string, env: Record<string, string> = {}): Promise<Running> {
  const child = spawn(process.execPath, [join(ROOT, 'apps', app, 'dist/main.js')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'], BRICKYARD_PG_URL: pgUrl, BRICKYARD_NATS_URL: nats.url, ...env },
  });
  started.push(child);
  const lines = createInterface({ input: child.stdout });
  return new Promise((resolve, reject) => {
    lines.on('line', (line) => {
      const told = JSON.parse(line) as { healthPort?: number; url?: string };
      const { healthPort, url } = told;
      if (healthPort !== undefined) resolve({ child, told: { healthPort, ...(url === undefined ? {} : { url }) } });
    });
    child.once('exit', (code) => {
      reject(new Error(`${app} ended with ${String(code)}`));
    });
  });
}

async function stop({ child }: Running): Promise<void> {
  if (child.exitCode !== null) throw new Error(`${child.spawnargs.join(' ')} has ended with ${String(child.exitCode)}`);
  const ended = once(child, 'exit', { signal: AbortSignal.timeout(PATIENCE_MS) });
  child.kill('SIGTERM');
  await ended.catch((error: unknown) => {
    throw new Error(`${child.spawnargs.join(' ')} does not stop`, { cause: error });
  });
}

const allocator = (): Promise<Running> => start('allocator');
const gateway = (): Promise<Running> => start('api-gateway', { BRICKYARD_HTTP_PORT: '0', BRICKYARD_DISABLE_AUTH: '1' });

/** Asks until the answer is as wanted. */
async function eventually<T>(ask: () => Promise<T>, isSo: (answer: T) => boolean): Promise<T> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (isSo(answer)) return answer;
    if (performance.now() > until)
      throw new Error(`still ${answer instanceof Response ? await told(answer) : JSON.stringify(answer)}`);
    await pause(100);
  }
}

const told = async (response: Response): Promise<string> => `${String(response.status)} ${await response.text()}`;

interface Health {
  readonly status: number;
  readonly text: string;
}

async function health({ told }: Running): Promise<Health> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const response = await fetch(`http://127.0.0.1:${String(told.healthPort)}/health/ready`, { signal });
  return { status: response.status, text: await response.text() };
}

const ask = (running: Running, path: string, init?: RequestInit): Promise<Response> =>
  fetch(`${running.told.url ?? ''}${path}`, { signal: AbortSignal.timeout(PATIENCE_MS), ...init });

const addCluster = (running: Running): Promise<Response> => ask(running, '/clusters', { method: 'POST', body: '{}' });

/** What a later release leaves: an event, and an end that knows it. Returns its position. */
async function appendLater(): Promise<number> {
  const writer = await openLedgerWriter<number, string, string>({
    url: pgUrl,
    ledger: 'control',
    restore: ({ position }) => Promise.resolve({ state: 0, position }),
    decide: (type) => ({
      events: [{ streamId: `system-${'0'.repeat(32)}`, type, version: 1, data: {} }],
      reply: 'told',
    }),
    evolve: (count) => count,
    onCommitted: () => undefined,
    onLost: () => undefined,
  });
  const metadata = { correlationId: 'later', actor: { name: 'later' } };
  const { position } = await writer.submit({ command: 'VolumeFrozen', metadata });
  await writer.close();
  return position;
}

/** Takes the last event out again, as nobody but the database's owner can; at once, since allocators look all the time. */
async function takeBack(position: number): Promise<void> {
  const client = new Client({ connectionString: pgUrl });
  await client.connect();
  for (const statement of [
    'BEGIN',
    'ALTER TABLE es.events DISABLE TRIGGER ALL',
    `DELETE FROM es.events WHERE position = ${String(position)}`,
    `DELETE FROM es.streams WHERE last_position = ${String(position)}`,
    'UPDATE es.heads SET (position, hash) = (SELECT position, hash FROM es.events ORDER BY position DESC LIMIT 1)',
    'ALTER TABLE es.events ENABLE TRIGGER ALL',
    'COMMIT',
  ]) {
    await client.query(statement);
  }
  await client.end();
}

const cli = (...argv: string[]): Promise<{ readonly code: number; readonly out: string }> =>
  new Promise((resolve) => {
    const program = [join(ROOT, 'apps/cli/dist/main.js'), ...argv];
    execFile(process.execPath, program, { timeout: PATIENCE_MS }, (error, out) => {
      resolve({ code: error === null ? 0 : Number(error.code), out });
    });
  });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'brickyard-later-'));
  pgUrl = await freshDatabase(process.env['BRICKYARD_TEST_PG_URL'] ?? '', 'later');
  nats = await startNats({ storeDir: folder });
});

afterAll(async () => {
  for (const child of started) child.kill('SIGKILL');
  await nats.stop();
  await dropDatabase(pgUrl);
  await rm(folder, { recursive: true, force: true });
});

describe('an event of a later release', () => {
  it('ends the fold: reads go on as before it, writes are refused by its name, nobody leads until it is gone', async () => {
    const leading = await allocator();
    await eventually(
      () => health(leading),
      ({ text }) => text.includes('leader'),
    );
    const before = await gateway();
    const made = await eventually(
      () => addCluster(before),
      ({ ok }) => ok,
    );
    const { id } = (await made.json()) as { readonly id: string };
    await Promise.all([stop(before), stop(leading)]);

    const position = await appendLater();
    const named = `event ${String(position)} of the log (VolumeFrozen, version 1) was written by a later release`;
    const [standing, reading] = [await allocator(), await gateway()];
    const blocked = await eventually(
      () => health(standing),
      ({ text }) => text.includes(named),
    );
    expect(blocked.status).toBe(503);
    const listed = await eventually(
      () => ask(reading, '/clusters'),
      ({ ok }) => ok,
    );
    expect(listed.headers.get('x-brickyard-position')).toBe(String(position - 1));
    expect(await listed.json()).toEqual({ clusters: [id] });
    expect((await health(reading)).text).toContain(named);
    expect(await (await ask(reading, '/v1/status')).text()).toContain(named);

    const refused = await addCluster(reading);
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(60);
    const text = await refused.text();
    expect(text).toContain(named);
    expect(text).toContain('install the release that wrote it');

    const verified = await cli('audit', 'verify', '--pg', pgUrl);
    expect(verified.out).toContain(named);
    expect(verified.out).toMatch(/^ok +chain/m);
    expect(verified.out).not.toMatch(/^ok +fold/m);

    expect(standing.child.exitCode).toBeNull(); // It stays: a supervisor has nothing to start again and again.
    await takeBack(position);
    await eventually(
      () => health(standing),
      ({ text: now }) => now.includes('leader'),
    );
    const after = await gateway();
    await eventually(
      () => addCluster(after),
      ({ ok }) => ok,
    );
    await Promise.all([after, reading, standing].map(stop));
  });
});
