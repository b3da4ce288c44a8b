import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { dropDatabase } from '@brickyard/servers';
import fc from 'fast-check';
import { Client } from 'pg';
import { canonicalJson } from '../canonical-json';
import { Unavailable } from '../event-log';
import { verifyChain } from '../hash-chain';
import { jsonObjects } from '../spec-arbitraries';
import { openLedgerReader } from './ledger-reader';
import { migrate } from './migrate';
import { add, LEDGER, metadata, openTally, readAll, sql, tallyDatabase, withReader } from './tally.spec-ledger';
import type { LedgerReader } from './types';

let url: string;
let reader: LedgerReader;

beforeAll(async () => {
  url = await tallyDatabase();
  reader = openLedgerReader({ url, ledger: LEDGER, role: 'writer' });
});

afterAll(async () => {
  await reader.close();
  await dropDatabase(url);
});

describe('migrate', () => {
  it('may be called by several services at once, and again', async () => {
    await Promise.all([migrate(url), migrate(url), migrate(url)]);
    const rows = await sql<{ name: string }>(url, 'SELECT name FROM es.migrations ORDER BY timestamp');
    expect(rows.map(({ name }) => name)).toEqual(['CreateEventLog1700000000000', 'CreateHandOvers1764200000000']);
  });
});

describe('LedgerReader', () => {
  const times = [1_000, 1_000, 5_000, 5_500, 9_000];

  beforeAll(async () => {
    const clock = [...times];
    const { writer } = await openTally(url, { clock: () => clock.shift() ?? 0 });
    for (const amount of times) await writer.submit({ command: add('s', amount), metadata });
    await writer.close();
  });

  it('has an empty head for a ledger nobody has written', async () => {
    const empty = openLedgerReader({ url, ledger: 'nothing' });
    expect(await empty.head()).toEqual({ position: 0, hash: '0'.repeat(64), epoch: 0 });
    expect(await empty.positionAt('2030-01-01T00:00:00Z')).toBe(0);
    expect(await readAll(empty)).toEqual([]);
    await empty.close();
  });

  it('reads any part in batches of any size', async () => {
    const positions = async (range: Parameters<LedgerReader['read']>[0]): Promise<number[][]> => {
      const batches: number[][] = [];
      for await (const events of reader.read(range)) batches.push(events.map(({ position }) => position));
      return batches;
    };
    expect(await positions({ after: 0, pageSize: 2 })).toEqual([[1, 2], [3, 4], [5]]);
    expect(await positions({ after: 1, upTo: 4, pageSize: 2 })).toEqual([[2, 3], [4]]);
    expect(await positions({ after: 1, upTo: 3, pageSize: 2 })).toEqual([[2, 3]]);
    expect(await positions({ after: 5 })).toEqual([]);
    expect(await positions({ after: 0, upTo: 0 })).toEqual([]);
  });

  it('reads of events what a fold needs', async () => {
    const changes: unknown[] = [];
    for await (const batch of reader.readChanges({ after: 1, upTo: 4, pageSize: 2 })) changes.push(...batch);
    const events = (await readAll(reader)).slice(1, 4);
    expect(changes).toEqual(
      events.map(({ position, type, version, data, recordedAt }) => ({ position, type, version, data, recordedAt })),
    );
  });

  it('finds the last position recorded at or before a time', async () => {
    const at = (ms: number): Promise<number> => reader.positionAt(new Date(ms).toISOString());
    expect(await Promise.all([999, 1_000, 4_999, 5_000, 5_499, 8_999, 9_000, 99_000].map(at))).toEqual([
      0, 2, 2, 3, 3, 4, 5, 5,
    ]);
    await expect(reader.positionAt('yesterday')).rejects.toThrow(RangeError);
  });

  it('is told of passing trouble as Unavailable, and goes on by itself', async () => {
    await sql(
      url,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE application_name = 'brickyard-writer' AND datname = current_database()`,
    );
    const askAgain = async (): Promise<number> => {
      const [asked] = await Promise.allSettled([reader.head()]);
      if (asked.status === 'fulfilled') return asked.value.position;
      expect(asked.reason).toBeInstanceOf(Unavailable);
      return askAgain(); // Each connection of the pool may be found dead once.
    };
    expect(await askAgain()).toBe(times.length);
    const nowhere = openLedgerReader({ url: 'postgresql://nobody@127.0.0.1:1/none', ledger: LEDGER });
    await expect(nowhere.head()).rejects.toBeInstanceOf(Unavailable);
    await nowhere.close();
  });

  it('outlives a connection that is reset under a statement', async () => {
    const { hostname, port } = new URL(url);
    const sockets: Socket[] = [];
    const between = createServer((near) => {
      const far = connect(Number(port), hostname);
      for (const one of [near, far]) one.on('error', () => undefined);
      sockets.push(near.pipe(far).pipe(near));
    }).listen(0, '127.0.0.1');
    await once(between, 'listening');
    const there = new URL(url);
    there.host = `127.0.0.1:${String((between.address() as AddressInfo).port)}`;
    const one = openLedgerReader({ url: there.href, ledger: LEDGER });
    const guard = new Client({ connectionString: url });
    await guard.connect();
    try {
      await guard.query('BEGIN; LOCK TABLE es.events IN ACCESS EXCLUSIVE MODE');
      const rejected = expect(one.readStream('s')).rejects.toBeInstanceOf(Unavailable);
      // The statement is under way when it waits for the lock.
      const waits = `SELECT FROM pg_locks WHERE NOT granted AND relation = 'es.events'::regclass
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
      while ((await guard.query(waits)).rowCount === 0);
      for (const socket of sockets) socket.resetAndDestroy();
      await rejected;
      await guard.query('ROLLBACK');
      expect(await one.readStream('s')).toHaveLength(times.length);
    } finally {
      await guard.end();
      await one.close();
      between.close();
    }
  });

  it('finds by the chain what a superuser changed behind the triggers', async () => {
    await sql(
      url,
      `BEGIN; ALTER TABLE es.events DISABLE TRIGGER append_only;
       UPDATE es.events SET recorded_at = recorded_at + interval '1 microsecond' WHERE position = 3;
       ALTER TABLE es.events ENABLE ALWAYS TRIGGER append_only; COMMIT`,
    );
    expect(verifyChain(await readAll(reader))).toMatchObject({ position: 3, problem: 'hash' });
  });
});

describe('snapshots', () => {
  it('are the newest of their fold version not past the position asked for', async () => {
    const of = (position: number, foldVersion: string, ...chunks: string[]): Promise<void> =>
      reader.saveSnapshot({ position, foldVersion, chunks });
    await of(10, 'v1', 'ten\n', 'ü\0"\n');
    await of(20, 'v1', 'twenty');
    await of(30, 'v2', 'thirty');
    await of(20, 'v1', 'again', 'and differently'); // Changes nothing.
    expect(await reader.latestSnapshot({ foldVersion: 'v1' })).toEqual({
      position: 20,
      foldVersion: 'v1',
      chunks: ['twenty'],
    });
    expect((await reader.latestSnapshot({ foldVersion: 'v1', atOrBefore: 19 }))?.chunks).toEqual(['ten\n', 'ü\0"\n']);
    expect(await reader.latestSnapshot({ foldVersion: 'v1', atOrBefore: 9 })).toBeUndefined();
    expect(await reader.latestSnapshot({ foldVersion: 'v3' })).toBeUndefined();
    expect(await reader.pruneSnapshots(1)).toBe(1);
    expect(await reader.latestSnapshot({ foldVersion: 'v1', atOrBefore: 19 })).toBeUndefined();
    expect(await reader.latestSnapshot({ foldVersion: 'v2' })).toBeDefined();
  });
});

describe('append only', () => {
  const changes = ['UPDATE es.events SET type = type', 'DELETE FROM es.events', 'TRUNCATE es.events'];

  it.each(changes)('refuses the writer role: %s', async (change) => {
    await expect(sql(url, `SET ROLE brickyard_writer; ${change}`)).rejects.toMatchObject({ code: '42501' });
  });

  it.each(changes)('refuses the owner: %s', async (change) => {
    await expect(sql(url, change)).rejects.toMatchObject({ code: '23001' });
  });

  it('lets the reader role write nothing', async () => {
    const onlyReads = openLedgerReader({ url, ledger: LEDGER });
    await expect(onlyReads.moveCursor('c', 1)).rejects.toMatchObject({ code: '42501' });
    await expect(onlyReads.saveSnapshot({ position: 1, foldVersion: 'v', chunks: ['x'] })).rejects.toMatchObject({
      code: '42501',
    });
    await onlyReads.close();
  });
});

describe('canonical JSON', () => {
  it('survives Postgres: as json it stays the same text, as jsonb the same value', async () => {
    const samples = fc.sample(jsonObjects, 300).map((value) => canonicalJson(value));
    const rows = await sql<{ text: string; again: unknown }>(
      url,
      'SELECT v::json::text AS text, v::jsonb AS again FROM unnest($1::text[]) WITH ORDINALITY AS u(v, n) ORDER BY n',
      [samples],
    );
    expect(rows.map(({ text }) => text)).toEqual(samples);
    expect(rows.map(({ again }) => canonicalJson(again))).toEqual(samples);
  });

  it('is stored and read as it was decided, whatever it says', async () => {
    const samples = fc.sample(jsonObjects, 50);
    const database = await tallyDatabase();
    const { writer } = await openTally(database, {
      decide: () => ({
        events: samples.map((data) => ({ streamId: 's', type: 'T', version: 1, data })),
        reply: { total: 0 },
      }),
    });
    await writer.submit({ command: { kind: 'refuse' }, metadata });
    await writer.close();
    const events = await withReader(database, readAll);
    expect(events.map(({ data }) => canonicalJson(data))).toEqual(samples.map((data) => canonicalJson(data)));
    expect(verifyChain(events)).toBeUndefined();
    await dropDatabase(database);
  });
});
