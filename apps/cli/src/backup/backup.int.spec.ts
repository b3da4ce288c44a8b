import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ControlEvent } from '@brickyard/contracts';
import { emptyControlState, evolveStored, newEvent, type ControlState } from '@brickyard/domain';
import { clusterOf, createVolume, obedient } from '@brickyard/domain/testing';
import { signCheckpoint } from '@brickyard/event-sourcing';
import {
  ensureLogins,
  ensureSigningKey,
  migrate,
  openCheckpointTable,
  openLedgerReader,
  openLedgerWriter,
  type LedgerWriter,
  type Login,
} from '@brickyard/event-sourcing/postgres';
import { dropDatabase, freshDatabase } from '@brickyard/servers';
import { Client } from 'pg';
import { verifyLedger } from '../audit/verify';
import { runCli } from '../cli';
import { EXIT } from '../exit-codes';
import { restoreFrom } from './restore';
import { BackupFolder } from './segments';
import { Shipper } from './ship';
import { walkBackup } from './verify-backup';

jest.setTimeout(120_000);

const server = process.env['BRICKYARD_TEST_PG_URL'] ?? '';
const metadata = { correlationId: 'c', actor: { name: 'admin' } };
const GIB = 1_048_576;

type Writer = LedgerWriter<ControlState, readonly ControlEvent[], string>;

let folder: string;
let url: string;
let writer: Writer;
let facts: readonly ControlEvent[];
let told: number;
let ends: (() => Promise<unknown>)[];

const open = (at: string): Promise<Writer> =>
  openLedgerWriter<ControlState, readonly ControlEvent[], string>({
    url: at,
    ledger: 'control',
    restore: () => Promise.resolve({ state: emptyControlState, position: 0 }),
    decide: (command) => ({ events: command.map(newEvent), reply: 'told' }),
    evolve: evolveStored,
    onCommitted: () => undefined,
    onLost: () => undefined,
  });

beforeAll(() => {
  const plane = clusterOf([1, 2, 3].map((zone) => ({ zone, devicesKib: [100 * GIB] })));
  for (const name of 'a b c d e f g h i j k l'.split(' ')) {
    plane.submit(createVolume(name, 1));
    plane.settle(obedient());
  }
  facts = plane.log.map(({ event }) => event);
});

beforeEach(async () => {
  ends = [];
  told = 0;
  folder = await mkdtemp(join(tmpdir(), 'brickyard-backup-'));
  url = await freshDatabase(server, 'backup');
  await migrate(url);
  writer = await open(url);
});

afterEach(async () => {
  await writer.close();
  for (const end of ends.reverse()) await end();
  await dropDatabase(url);
  await rm(folder, { recursive: true, force: true });
});

/** Tells the next facts, five in a command. */
async function grow(count: number): Promise<void> {
  for (const end = told + count; told < end; told += 5) {
    const command = facts.slice(told, Math.min(end, told + 5));
    await writer.submit({ command, commandId: `c-${String(told)}`, metadata });
  }
}

const control = (): BackupFolder => new BackupFolder(join(folder, 'control'), 'control');

function shipper(segmentEvents: number, isZipped = false): Shipper {
  const made = new Shipper({ pgUrl: url, folder: control(), isZipped, segmentEvents });
  ends.push(() => made.close());
  return made;
}

const files = async (): Promise<string[]> => (await readdir(join(folder, 'control'))).sort();

async function empty(): Promise<string> {
  const made = await freshDatabase(server, 'restored');
  ends.push(() => dropDatabase(made));
  return made;
}

async function dropLogins(databases: readonly string[], logins: readonly Login[]): Promise<void> {
  for (const [index, database] of databases.entries()) {
    const client = new Client({ connectionString: database });
    await client.connect();
    for (const { name } of logins) await client.query(`DROP OWNED BY ${name}`);
    if (index === databases.length - 1) for (const { name } of logins) await client.query(`DROP ROLE ${name}`);
    await client.end();
  }
}

async function said(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await runCli(argv, { env: {}, out: (text) => (out += text), err: (text) => (err += text) });
  return { code, out, err };
}

describe('brickyard backup', () => {
  it('copies the log as it grows, puts small files together, and goes on where the folder ends', async () => {
    const first = shipper(40);
    await grow(15);
    expect(await first.step()).toEqual({ position: 15, events: 0, seconds: 0 });
    await grow(10);
    await first.step();
    expect(await files()).toEqual([
      '000000000001-000000000015.ndjson',
      '000000000016-000000000025.ndjson',
      'manifest.json',
    ]);
    await grow(20);
    await first.step();
    expect(await files()).toEqual(['000000000001-000000000045.ndjson', 'manifest.json']);
    await grow(50);
    expect(await shipper(40, true).step()).toMatchObject({ position: 95 });
    expect(await files()).toEqual([
      '000000000001-000000000045.ndjson',
      '000000000046-000000000085.ndjson.gz',
      '000000000086-000000000095.ndjson.gz',
      'manifest.json',
    ]);
    expect(await walkBackup(control())).toMatchObject({ head: { position: 95 }, segments: 3, findings: [] });
  });

  it('says what it lacks', async () => {
    const one = shipper(40);
    await grow(10);
    await one.step();
    await grow(20);
    expect(await one.lag()).toMatchObject({ position: 10, events: 20 });
  });

  it('copies nothing of another log, of one that was cut, or of one that does not fit together', async () => {
    await grow(20);
    await shipper(40).step();
    const other = await empty();
    await migrate(other);
    const stranger = new Shipper({ pgUrl: other, folder: control(), isZipped: false });
    ends.push(() => stranger.close());
    await expect(stranger.step()).rejects.toThrow(/no position 20/);
    const second = await open(other);
    await second.submit({ command: facts.slice(0, 30), metadata });
    await expect(stranger.step()).rejects.toThrow(/is not the one in .*: at position 20/);
    await second.close();
    expect((await walkBackup(control())).head.position).toBe(20);
  });

  it('is found whole after kill -9 at any moment, and lacks nothing in the end', async () => {
    const bin = join(__dirname, '..', '..', 'bin', 'brickyard.js');
    const run = (): ChildProcess =>
      spawn(process.execPath, [bin, 'backup', 'run', '--to', folder, '--ledger', 'control', '--every', '0.01'], {
        env: { ...process.env, BRICKYARD_PG_URL: url, BRICKYARD_LOG_LEVEL: 'silent' },
        stdio: 'ignore',
      });
    const end = async (): Promise<number> =>
      (
        await control()
          .segments()
          .catch(() => [])
      ).reduce((to, one) => Math.max(to, one.to), 0);
    for (const upTo of [20, 60, 110]) {
      const child = run();
      const gone = once(child, 'exit');
      await grow(upTo - told);
      while ((await end()) < upTo - 10) await new Promise((look) => setTimeout(look, 5));
      child.kill('SIGKILL');
      await gone;
      const report = await walkBackup(control());
      expect(report.findings).toEqual([]);
      expect(report.head.position).toBeGreaterThanOrEqual(upTo - 10);
    }
    const { code, out } = await said('backup', 'run', '--once', '--to', folder, '--pg', url, '--ledger', 'control');
    expect([code, out]).toEqual([EXIT.fine, 'control: copied up to position 110\n']);
    expect((await walkBackup(control())).head).toMatchObject({ position: 110 });
  });
});

describe('brickyard backup verify', () => {
  const position = 60;
  beforeEach(async () => {
    await grow(position);
    await shipper(20).step();
  });

  it.each<[string, () => Promise<unknown>, string]>([
    [
      'a changed event',
      async () => {
        const path = join(folder, 'control', '000000000021-000000000040.ndjson');
        const text = await readFile(path, 'utf8');
        await writeFile(path, text.replace('"name":"admin"', '"name":"nobody"'));
      },
      'position 21, edited',
    ],
    [
      'a missing file',
      () => unlink(join(folder, 'control', '000000000021-000000000040.ndjson')),
      'position 21, deleted',
    ],
    [
      'a file that was cut off',
      () => truncate(join(folder, 'control', '000000000021-000000000040.ndjson'), 5_000),
      'position 21, broken-file',
    ],
    [
      'a missing end',
      () => unlink(join(folder, 'control', '000000000041-000000000060.ndjson')),
      'position 41, truncated',
    ],
    [
      'a file of something else',
      () => writeFile(join(folder, 'control', '000000000061-000000000070.ndjson'), '{"hello":"world"}\n'),
      'position 61, broken-file',
    ],
  ])('names %s', async (_, harm, finding) => {
    await harm();
    const { code, out } = await said('backup', 'verify', folder);
    expect(code).toBe(EXIT.refused);
    expect(out).toContain(finding);
    const target = await empty();
    const restored = await said('restore', '--from', folder, '--pg', target);
    expect([restored.code, restored.out.split('\n')[0]]).toEqual([
      EXIT.refused,
      'NOTHING WAS RESTORED: the backup is not what it should be.',
    ]);
    expect((await restoredHead(target)).position).toBe(0);
  });

  it('refuses a folder that holds none', async () => {
    const { code, err } = await said('backup', 'verify', join(folder, 'control'));
    expect([code, err]).toEqual([EXIT.usage, `brickyard: ${join(folder, 'control')} holds no backup\n`]);
  });
});

async function restoredHead(at: string) {
  const reader = openLedgerReader({ url: at, ledger: 'control' });
  try {
    return await reader.head();
  } finally {
    await reader.close();
  }
}

describe('brickyard restore', () => {
  it('puts back a log that verifies, with its checkpoints and answers, and holds it', async () => {
    await grow(70);
    const key = await ensureSigningKey(join(folder, 'key.pem'));
    const table = openCheckpointTable({ url, ledger: 'control', role: 'writer' });
    const { position, hash } = await restoredHead(url);
    await table.save(signCheckpoint({ ledger: 'control', position, hash, at: '2026-01-01T00:00:00.000Z' }, key));
    await table.close();
    await shipper(20, true).step();
    const target = await empty();
    const keys = join(folder, 'key.pem.pub');
    const { code, out } = await said('restore', '--from', folder, '--pg', target, '--keys', keys);
    expect([code, out]).toEqual([EXIT.fine, expect.stringContaining('control: restored, ends at position 71')]);
    expect(await verifyLedger({ pgUrl: target, ledger: 'control', checkpointFiles: [], keys })).toMatchObject({
      ok: true,
    });
    const again = await open(target);
    expect(again.state.hold).toMatchObject({ restoredUpTo: 70, source: folder, confirmed: false });
    const repeated = await again.submit({ command: facts.slice(0, 5), commandId: 'c-0', metadata });
    expect(repeated).toMatchObject({ repeated: true, position: 5 });
    await again.close();
    await expect(restoreFrom({ from: folder, pgUrl: target, actor: 'me' })).rejects.toThrow(/holds a log already/);
  });

  it('needs no more than a writer in a migrated database, as a copy needs no more than a reader', async () => {
    await grow(10);
    const target = await empty();
    await migrate(target);
    // Roles belong to the whole server, which other specs use at the same time.
    const login = (role: 'reader' | 'writer'): Login => {
      return { name: `copy_${role}_${process.pid.toString(36)}`, password: 'secret', role };
    };
    const [reader, writer] = [login('reader'), login('writer')];
    const as = (database: string, { name: username, password }: Login): string =>
      Object.assign(new URL(database), { username, password }).href;
    for (const database of [url, target]) await ensureLogins(database, [reader, writer]);
    ends.push(() => dropLogins([url, target], [reader, writer]));
    const copy = await said('backup', 'run', '--once', '--to', folder, '--pg', as(url, reader), '--ledger', 'control');
    expect(copy).toMatchObject({ code: EXIT.fine });
    expect(await said('restore', '--from', folder, '--pg', as(target, reader))).toMatchObject({ code: EXIT.refused });
    expect(await said('restore', '--from', folder, '--pg', as(target, writer))).toMatchObject({ code: EXIT.fine });
  });

  it('puts back a part, and leaves a database alone that somebody is at work on', async () => {
    await grow(40);
    await shipper(15).step();
    const target = await empty();
    await migrate(target);
    const leader = await open(target);
    await expect(restoreFrom({ from: folder, pgUrl: target, actor: 'me' })).rejects.toThrow(/a service is at work/);
    await leader.close();
    const { ledgers } = await restoreFrom({ from: folder, pgUrl: target, actor: 'me', upTo: 22 });
    expect(ledgers).toMatchObject([{ ledger: 'control', head: { position: 23 } }]);
    expect(await verifyLedger({ pgUrl: target, ledger: 'control', checkpointFiles: [] })).toMatchObject({ ok: true });
  });
});
