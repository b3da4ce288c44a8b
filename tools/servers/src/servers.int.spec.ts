import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'nats';
import { Client } from 'pg';
import { dropDatabase, ensureDatabase, freshDatabase, startNats, startPostgres } from './index';

const TIMEOUT_MS = 60_000;
const folders: string[] = [];

function folder(): string {
  // A folder others may enter, as the server runs under another user when the tests run as root.
  const made = join(tmpdir(), `brickyard-servers-${String(process.pid)}-${String(folders.length)}`);
  mkdirSync(made, { mode: 0o755 });
  folders.push(made);
  return made;
}

async function query<T extends object>(connectionString: string, sql: string): Promise<T[]> {
  const client = new Client({ connectionString });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<T>(sql)).rows;
  } finally {
    await client.end();
  }
}

function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${String(pid)}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

afterAll(() => {
  folders.forEach((made) => {
    rmSync(made, { recursive: true, force: true });
  });
});

describe('startPostgres', () => {
  it(
    'finds its data again after a crash, on the same port',
    async () => {
      const dataDir = folder();
      const first = await startPostgres({ dataDir });
      await query(first.url(), 'CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)');
      first.kill();
      await until(() => !isAlive(first.pid));
      const second = await startPostgres({ dataDir, port: first.port });
      expect(second.port).toBe(first.port);
      expect(await query(second.url(), 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
      expect(await query(second.url(), 'SHOW fsync')).toEqual([{ fsync: 'on' }]);
      await second.stop();
      expect(isAlive(second.pid)).toBe(false);
    },
    TIMEOUT_MS,
  );

  it(
    'ends a leftover on its folder and lets nobody in without the password',
    async () => {
      const dataDir = folder();
      const leftover = await startPostgres({ dataDir });
      const server = await startPostgres({ dataDir, port: leftover.port });
      expect(isAlive(leftover.pid)).toBe(false);
      const noPassword = new URL(server.url());
      noPassword.password = 'guess';
      await expect(query(noPassword.href, 'SELECT 1')).rejects.toThrow(/password authentication failed/);
      expect(statSync(join(dataDir, 'password')).mode & 0o777).toBe(0o600);
      await server.stop();
    },
    TIMEOUT_MS,
  );

  it('says which folder the server may not enter', async () => {
    if (process.getuid?.() !== 0) return; // An ordinary user's server runs as that user.
    const closed = mkdtempSync(join(tmpdir(), 'brickyard-closed-'));
    folders.push(closed);
    await expect(startPostgres({ dataDir: join(closed, 'data') })).rejects.toThrow(`chmod o+x ${closed}`);
  });

  it(
    'ends when the process that started it is killed',
    async () => {
      const dataDir = folder();
      const root = join(__dirname, '../../..');
      const script = `require(${JSON.stringify(join(root, 'tools/servers'))}).startPostgres({ dataDir: ${JSON.stringify(dataDir)} })
        .then(({ pid }) => console.log(pid))`;
      const parent = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
      const [line] = (await once(parent.stdout, 'data')) as [Buffer];
      const pid = Number(line.toString());
      expect(isAlive(pid)).toBe(true);
      parent.kill('SIGKILL');
      await until(() => !isAlive(pid));
    },
    TIMEOUT_MS,
  );
});

describe('freshDatabase', () => {
  it('makes an empty database of its own, and dropDatabase removes it', async () => {
    const server = process.env['BRICKYARD_TEST_PG_URL'] ?? '';
    const [left, right] = await Promise.all([freshDatabase(server), freshDatabase(server)]);
    await query(left, 'CREATE TABLE only_here ()');
    await expect(query(right, 'TABLE only_here')).rejects.toThrow(/does not exist/);
    await Promise.all([dropDatabase(left), dropDatabase(right)]);
    await expect(query(left, 'SELECT 1')).rejects.toThrow(/does not exist/);
  });
});

describe('ensureDatabase', () => {
  it('makes a database once and finds it again', async () => {
    const server = process.env['BRICKYARD_TEST_PG_URL'] ?? '';
    const name = `ensured_${String(process.pid)}`;
    const url = await ensureDatabase(server, name);
    await query(url, 'CREATE TABLE kept ()');
    expect(await ensureDatabase(server, name)).toBe(url);
    expect(await query(url, 'TABLE kept')).toEqual([]);
    await dropDatabase(url);
    await expect(ensureDatabase(server, 'x"; DROP')).rejects.toThrow(/not a name/);
  });
});

describe('startNats', () => {
  it('listens where it is told, lets in only who knows the password, and tells its end', async () => {
    const config = 'authorization { user: "one", password: "two" }';
    const server = await startNats({ storeDir: join(folder(), 'nats'), host: '127.0.0.7', config });
    expect(server.url).toBe(`nats://127.0.0.7:${String(server.port)}`);
    await expect(connect({ servers: server.url, reconnect: false })).rejects.toThrow(/Authorization/);
    const client = await connect({ servers: server.url, user: 'one', pass: 'two' });
    await client.close();
    server.kill();
    await server.ended;
    expect(isAlive(server.pid)).toBe(false);
  });

  it(
    'keeps its streams over a crash, on the same port, ending a leftover',
    async () => {
      const storeDir = join(folder(), 'nats');
      const first = await startNats({ storeDir, config: 'max_payload: 2097152' });
      const before = await connect({ servers: first.url, reconnect: false });
      expect(before.info?.max_payload).toBe(2_097_152);
      await (await before.jetstreamManager()).streams.add({ name: 'KEPT', subjects: ['kept.>'] });
      await before.jetstream().publish('kept.one', 'x');
      const second = await startNats({ storeDir, port: first.port });
      await before.closed();
      expect(isAlive(first.pid)).toBe(false);
      const after = await connect({ servers: second.url });
      expect((await (await after.jetstreamManager()).streams.info('KEPT')).state.messages).toBe(1);
      await after.close();
      await second.stop();
      expect(isAlive(second.pid)).toBe(false);
      expect(existsSync(storeDir)).toBe(true);
    },
    TIMEOUT_MS,
  );
});
