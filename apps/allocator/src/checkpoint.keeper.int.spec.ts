import { chmod, mkdtemp, readFile, rm, stat, writeFile, appendFile } from 'node:fs/promises';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { auditCheckpoints, keyIdOf, verifyCheckpoint } from '@brickyard/event-sourcing';
import {
  ensureSigningKey,
  migrate,
  openCheckpointTable,
  openLedgerReader,
  openLedgerWriter,
  prepareNextKey,
  readCheckpointFile,
  readSigningKey,
  readKeyring,
  type LedgerReader,
  type LedgerWriter,
} from '@brickyard/event-sourcing/postgres';
import { dropDatabase, freshDatabase } from '@brickyard/servers';
import { createLogger } from '@brickyard/service-host';
import { Client } from 'pg';
import { startCheckpointKeeper, type CheckpointKeeper, type CheckpointOptions } from './checkpoint.keeper';

const log = createLogger({ service: 'checkpoint-spec', level: 'silent' });
const never = 3_600_000;
let folder: string;
let url: string;
let reader: LedgerReader;
let writer: LedgerWriter<number, number, string>;
let keeper: CheckpointKeeper | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'brickyard-checkpoints-'));
  url = await freshDatabase(process.env['BRICKYARD_TEST_PG_URL'] ?? '');
  await migrate(url);
  reader = openLedgerReader({ url, ledger: 'control' });
  writer = await openLedgerWriter<number, number, string>({
    url,
    ledger: 'control',
    restore: () => Promise.resolve({ state: 0, position: 0 }),
    decide: (count) => ({
      events: Array.from({ length: count }, () => ({ streamId: 's', type: 'Told', version: 1, data: {} })),
      reply: 'told',
    }),
    evolve: (count) => count + 1,
    onCommitted: (events) => {
      const last = events.at(-1);
      if (last !== undefined) keeper?.offer(last);
    },
    onLost: () => undefined,
  });
});

afterEach(async () => {
  keeper = undefined;
  await writer.close();
  await reader.close();
  await dropDatabase(url);
  await rm(folder, { recursive: true, force: true });
});

const tell = (count: number): Promise<unknown> =>
  writer.submit({ command: count, metadata: { correlationId: 'c', actor: { name: 'spec' } } });

const file = (): string => join(folder, 'checkpoints');

async function start(more: Partial<CheckpointOptions> = {}): Promise<KeyObject> {
  const key = await ensureSigningKey(join(folder, 'key.pem'));
  const table = openCheckpointTable({ url, ledger: 'control', role: 'writer' });
  const options = { keyFile: join(folder, 'key.pem'), file: file(), everyEvents: 10, everyMs: never, ...more };
  keeper = await startCheckpointKeeper(options, { reader, table, log });
  return key;
}

async function kept() {
  const table = openCheckpointTable({ url, ledger: 'control' });
  const inTable = await table.all();
  const handOvers = await table.handOvers();
  await table.close();
  const { checkpoints, brokenLines, handOvers: handOversInFile } = await readCheckpointFile(file());
  return { inTable, inFile: checkpoints, brokenLines, handOvers, handOversInFile };
}

describe('the keeper of checkpoints', () => {
  it('signs every so many events and at the end, the same into table and file, each the hash of its event', async () => {
    const key = await start();
    await tell(4);
    await tell(7);
    await tell(3);
    await keeper?.close();
    const { inTable, inFile } = await kept();
    expect(inTable.map(({ position }) => position)).toEqual([11, 14]);
    expect(inFile).toEqual(inTable);
    const events = await reader.readStream('s');
    const keys = await readKeyring(join(folder, 'key.pem.pub'));
    expect([...keys.keys()]).toEqual([keyIdOf(key)]);
    for (const checkpoint of inTable) {
      expect(checkpoint.hash).toBe(events[checkpoint.position - 1]?.hash);
      expect(verifyCheckpoint(checkpoint, keys)).toBe('valid');
    }
  });

  it('signs after a while when less was appended, and nothing when nothing was', async () => {
    await start({ everyMs: 20 });
    await tell(1);
    for (;;) {
      const { inTable } = await kept().catch(() => ({ inTable: [] }));
      if (inTable.length > 0) break;
    }
    await keeper?.close();
    await start();
    await keeper?.close();
    expect((await kept()).inFile.map(({ position }) => position)).toEqual([1]);
  });

  it('goes on after a crash: drops half a line, and gives the table what only the file has', async () => {
    await start();
    await tell(10);
    await tell(1);
    await keeper?.close();
    const whole = await kept();
    const client = new Client({ connectionString: url });
    await client.connect();
    await client.query('DELETE FROM es.checkpoints WHERE position = 11');
    await client.end();
    await appendFile(file(), '{"ledger":"control","posi');
    await start();
    await keeper?.close();
    expect(await kept()).toEqual(whole);
  });
});

describe('a signing key that hands over', () => {
  const keyFile = (): string => join(folder, 'key.pem');

  /** What an auditor says who trusts one key only. */
  async function verdict(key: KeyObject) {
    const { inTable, inFile, handOvers, handOversInFile } = await kept();
    const sources = [
      { name: 'table', checkpoints: inTable, handOvers },
      { name: 'file', checkpoints: inFile, handOvers: handOversInFile },
    ];
    const audit = auditCheckpoints(sources, new Map([[keyIdOf(key), key]]));
    for await (const batch of reader.read({ after: 0 })) for (const event of batch) audit.take(event);
    return audit.end(await reader.head());
  }

  async function sql(text: string): Promise<void> {
    const client = new Client({ connectionString: url });
    await client.connect();
    await client.query(text);
    await client.end();
  }

  it('lets the waiting key follow while it works: one key is trusted, all are believed, the old private half is gone', async () => {
    const first = await start();
    await tell(10);
    const { next: second } = await prepareNextKey(keyFile());
    expect((await stat(`${keyFile()}.next`)).mode & 0o777).toBe(0o600);
    await tell(10);
    await tell(3);
    await keeper?.close();
    const { inTable, handOvers, handOversInFile } = await kept();
    const last = keyIdOf(second);
    expect(inTable.map(({ position }) => position)).toEqual([10, 20, 23]);
    expect(inTable.at(-1)?.keyId).toBe(last);
    expect(handOvers).toMatchObject([{ from: keyIdOf(first), to: last, number: 1, position: 20 }]);
    expect(handOversInFile).toEqual(handOvers);
    expect(await verdict(first)).toMatchObject({ findings: [], vouchedUpTo: 23, handOvers: 1 });
    expect(await readSigningKey(keyFile()).then((key) => (key === undefined ? '' : keyIdOf(key)))).toBe(last);
    expect((await stat(keyFile())).mode & 0o777).toBe(0o600);
    await expect(stat(`${keyFile()}.next`)).rejects.toThrow('ENOENT');
    expect([...(await readKeyring(`${keyFile()}.${keyIdOf(first)}.pub`)).keys()]).toEqual([keyIdOf(first)]);
    expect([...(await readKeyring(`${keyFile()}.pub`)).keys()]).toEqual([last]);
  });

  it('goes on after a crash between the hand-over and the change of files, and gives the file what it lacks', async () => {
    const first = await start();
    await tell(10);
    await keeper?.close();
    const old = await readFile(keyFile(), 'utf8');
    const { next } = await prepareNextKey(keyFile());
    const waiting = await readFile(`${keyFile()}.next`, 'utf8');
    await start();
    await tell(10);
    await keeper?.close();
    // As it was just before the change: the old key in its file, the new one waiting, the hand-over in the table only.
    await writeFile(keyFile(), old);
    await writeFile(`${keyFile()}.next`, waiting, { mode: 0o600 });
    const lines = (await readFile(file(), 'utf8')).split('\n');
    await writeFile(file(), lines.filter((line) => !line.includes('hand-over')).join('\n'));
    await start();
    await tell(10);
    await keeper?.close();
    const { handOvers, handOversInFile, inTable } = await kept();
    expect(handOvers).toHaveLength(1);
    expect(handOversInFile).toEqual(handOvers);
    expect(inTable.at(-1)).toMatchObject({ position: 30, keyId: keyIdOf(next) });
    expect(await verdict(first)).toMatchObject({ findings: [], vouchedUpTo: 30, handOvers: 1 });
  });

  it('signs nothing with a copy of a key that handed over elsewhere, until the new key is brought', async () => {
    const first = await start();
    await tell(10);
    const copy = await readFile(keyFile(), 'utf8');
    await prepareNextKey(keyFile());
    await tell(10);
    await keeper?.close();
    const fresh = await readFile(keyFile(), 'utf8');
    await writeFile(keyFile(), copy);
    await start({ everyMs: 20 });
    await tell(10);
    await tell(1);
    expect((await kept()).inTable.map(({ position }) => position)).toEqual([10, 20]);
    await writeFile(keyFile(), fresh);
    while ((await kept()).inTable.length < 3);
    await keeper?.close();
    expect(await verdict(first)).toMatchObject({ findings: [], vouchedUpTo: 31 });
  });

  it('hands over when Postgres keeps it at a second try, once', async () => {
    const first = await start();
    await tell(10);
    await prepareNextKey(keyFile());
    await sql(`REVOKE INSERT ON es.hand_overs FROM brickyard_writer`);
    await tell(10);
    await tell(10);
    await sql(`GRANT INSERT ON es.hand_overs TO brickyard_writer`);
    await tell(10);
    await keeper?.close();
    const { handOvers, inTable } = await kept();
    expect(handOvers).toHaveLength(1);
    expect(inTable.map(({ position }) => position)).toEqual([10, 20, 30, 40]);
    expect(await verdict(first)).toMatchObject({ findings: [], vouchedUpTo: 40, handOvers: 1 });
  });
});

describe('the signing key', () => {
  it('is made once, for its owner alone, however many start at once', async () => {
    const path = join(folder, 'key.pem');
    const keys = await Promise.all([1, 2, 3, 4].map(() => ensureSigningKey(path)));
    expect(new Set(keys.map(keyIdOf)).size).toBe(1);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect([...(await readKeyring(`${path}.pub`)).keys()]).toEqual([keyIdOf(await ensureSigningKey(path))]);
  });

  it('is refused when others can read it, or when it is none', async () => {
    const path = join(folder, 'key.pem');
    await ensureSigningKey(path);
    await chmod(path, 0o640);
    await expect(ensureSigningKey(path)).rejects.toThrow('chmod 600');
    await writeFile(path, 'secret', { mode: 0o600 });
    await chmod(path, 0o600);
    await expect(ensureSigningKey(path)).rejects.toThrow(/no key in PEM form$/);
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    await writeFile(path, rsa.export({ type: 'pkcs8', format: 'pem' }));
    await expect(ensureSigningKey(path)).rejects.toThrow('another kind');
  });

  it('may be one of several that are trusted: a folder, or a file with all', async () => {
    const first = await ensureSigningKey(join(folder, 'one.pem'));
    const second = await ensureSigningKey(join(folder, 'two.pem'));
    const ids = [first, second].map(keyIdOf).sort();
    expect([...(await readKeyring(folder)).keys()].sort()).toEqual(ids);
    const both = await Promise.all(['one', 'two'].map((name) => readFile(join(folder, `${name}.pem.pub`), 'utf8')));
    await writeFile(join(folder, 'all'), both.join('\n'));
    expect([...(await readKeyring(join(folder, 'all'))).keys()].sort()).toEqual(ids);
    await expect(readKeyring(join(folder, 'none'))).rejects.toThrow('ENOENT');
  });
});
