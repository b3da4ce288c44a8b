/** A replica that starts from a snapshot: the same facts, and never from one that is not to be trusted. */
import { createHash } from 'node:crypto';
import { REGISTRY_FOLD_VERSION } from '@brickyard/domain/registry';
import { openLedgerReader, type LedgerReader } from '@brickyard/event-sourcing/postgres';
import { createLogger, type Logger } from '@brickyard/service-host';
import { Client } from 'pg';
import { RegistryUnderTest, type Replica } from '../testing/registry-under-test';
import { REGISTRY_LEDGER } from './registry-writer';

const EVERY = 20;
const INDEX = 'application/vnd.oci.image.index.v1+json';

let under: RegistryUnderTest;
let reader: LedgerReader;

beforeEach(async () => {
  under = await RegistryUnderTest.start({ snapshotEvents: EVERY });
  await under.leader();
  reader = openLedgerReader({ url: under.pgUrl, ledger: REGISTRY_LEDGER, role: 'writer' });
});
afterEach(async () => {
  await reader.close();
  await under.stop();
});

async function push(names: readonly string[]): Promise<void> {
  for (const name of names) {
    const body = JSON.stringify({ schemaVersion: 2, manifests: [], annotations: { name } });
    const headers = { 'content-type': INDEX };
    const answer = await fetch(`${under.url}/v2/app/manifests/${name}`, { method: 'PUT', body, headers });
    expect([answer.status, answer.headers.get('docker-content-digest')]).toEqual([
      201,
      `sha256:${createHash('sha256').update(body).digest('hex')}`,
    ]);
  }
}

const tags = (from: number, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `v${String(from + index)}`);

/** Positions of the snapshots, once this replica has stopped and none is in the making. */
async function snapshots(): Promise<number[]> {
  const rows = await query('SELECT DISTINCT position FROM es.snapshots WHERE ledger = $1 ORDER BY 1', [
    REGISTRY_LEDGER,
  ]);
  return rows.map(({ position }) => Number(position));
}

async function query(text: string, values: unknown[] = []): Promise<readonly Record<string, string>[]> {
  const client = new Client({ connectionString: under.pgUrl });
  await client.connect();
  try {
    return (await client.query<Record<string, string>>(text, values)).rows;
  } finally {
    await client.end();
  }
}

/** Stops the only replica and starts another; what that one logged is kept. */
async function restart(): Promise<{ readonly before: Replica['facts']['current']; readonly said: readonly object[] }> {
  const before = under.replica(0).facts.current;
  await under.replica(0).stop();
  const said: object[] = [];
  const write = (line: object): void => void said.push(line);
  const log = Object.assign(Object.create(createLogger({ service: 'spec', level: 'silent' })) as Logger, {
    info: write,
    warn: write,
  });
  await under.addReplica({ snapshotEvents: EVERY, log });
  return { before, said };
}

const refusals = (said: readonly object[]): number[] =>
  said.flatMap((line) => ('reason' in line && 'position' in line ? [Number(line.position)] : []));

describe('a start', () => {
  it('begins at the newest snapshot and comes to the same facts', async () => {
    await push(tags(0, 20));
    const { before, said } = await restart();
    const kept = await snapshots();
    expect(kept.length).toBeGreaterThan(0);
    expect(said).toContainEqual({ snapshot: kept.at(-1), position: before.position });
    expect(under.replica(0).facts.current).toEqual(before);
    const past = await fetch(`${under.url}/v2/app/tags/list?at=${String(kept[0])}`);
    expect(((await past.json()) as { tags: string[] }).tags.length).toBeLessThan(20);
  });

  it('passes over a snapshot that was changed, lost a part, or is of another history', async () => {
    await push(tags(0, 12));
    const { before } = await restart();
    const [good = 0] = await snapshots();
    const kept = await reader.latestSnapshot({ foldVersion: REGISTRY_FOLD_VERSION, atOrBefore: good });
    const { chunks = [] } = kept ?? {};
    const copies: readonly (readonly [number, readonly string[]])[] = [
      [good + 1, chunks], // Says it is of another position.
      [good + 2, chunks.map((chunk) => chunk.replace('"v1"', '"v2"'))],
      [good + 3, chunks.slice(1)],
      [good + 4, ['no line of a snapshot']],
      [10_000, chunks],
    ];
    for (const [position, lines] of copies) {
      await reader.saveSnapshot({ position, foldVersion: REGISTRY_FOLD_VERSION, chunks: lines });
    }
    const { said } = await restart();
    expect(under.replica(0).facts.current).toEqual(before);
    expect(refusals(said).slice(0, 5)).toEqual([10_000, good + 4, good + 3, good + 2, good + 1]);
    expect(said).toContainEqual({ snapshot: good, position: before.position });
  });

  it('folds all events when a snapshot cannot even be unpacked', async () => {
    await push(tags(0, 12));
    await restart();
    await query(`UPDATE es.snapshots SET chunk = 'broken'`);
    const { before, said } = await restart();
    expect(under.replica(0).facts.current).toEqual(before);
    expect(said).toContainEqual({ snapshot: 0, position: before.position });
  });
});
