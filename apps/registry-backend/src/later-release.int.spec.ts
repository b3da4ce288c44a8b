/** A ledger that goes on with what a later release wrote: what is before it is read, nothing is written, nothing ends. */
import { createHash } from 'node:crypto';
import { openLedgerWriter } from '@brickyard/event-sourcing/postgres';
import { Client } from 'pg';
import { REGISTRY_LEDGER } from './facts/registry-writer';
import { RegistryUnderTest } from './testing/registry-under-test';

jest.setTimeout(120_000);

const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
const TEXT = JSON.stringify({ schemaVersion: 2, manifests: [] });
const digest = `sha256:${createHash('sha256').update(TEXT).digest('hex')}`;

let under: RegistryUnderTest;
beforeAll(async () => {
  under = await RegistryUnderTest.start();
});
afterAll(() => under.stop());

const push = (tag: string): Promise<Response> =>
  fetch(`${under.url}/v2/app/manifests/${tag}`, { method: 'PUT', body: TEXT, headers: { 'content-type': OCI_INDEX } });
const head = (tag: string): Promise<Response> => fetch(`${under.url}/v2/app/manifests/${tag}`, { method: 'HEAD' });

/** What a later release leaves; returns its position. */
async function appendLater(type: string, version: number): Promise<number> {
  const writer = await openLedgerWriter<number, string, string>({
    url: under.pgUrl,
    ledger: REGISTRY_LEDGER,
    restore: ({ position }) => Promise.resolve({ state: 0, position }),
    decide: () => ({ events: [{ streamId: 'repository-app', type, version, data: {} }], reply: 'told' }),
    evolve: (count) => count,
    onCommitted: () => undefined,
    onLost: () => undefined,
  });
  const { position } = await writer.submit({
    command: 'freeze',
    metadata: { correlationId: 'later', actor: { name: 'later' } },
  });
  await writer.close();
  return position;
}

/** Takes the last event out again, as nobody but the database's owner can. */
async function takeBack(position: number): Promise<void> {
  const client = new Client({ connectionString: under.pgUrl });
  await client.connect();
  for (const statement of [
    'BEGIN',
    'ALTER TABLE es.events DISABLE TRIGGER ALL',
    `DELETE FROM es.events WHERE position = ${String(position)} AND ledger = '${REGISTRY_LEDGER}'`,
    `UPDATE es.heads SET (position, hash) = (SELECT position, hash FROM es.events WHERE ledger = '${REGISTRY_LEDGER}'
       ORDER BY position DESC LIMIT 1) WHERE ledger = '${REGISTRY_LEDGER}'`,
    'ALTER TABLE es.events ENABLE TRIGGER ALL',
    'COMMIT',
  ]) {
    await client.query(statement);
  }
  await client.end();
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((done) => setTimeout(done, 50));
}

describe('an event of a later release in the ledger of the registry', () => {
  it.each([
    ['RepositoryFrozen', 1],
    ['TagMoved', 99],
  ])('ends the fold at %s, version %d, until it is gone', async (type, version) => {
    await under.leader();
    expect((await push('before')).status).toBe(201);
    await under.replica(0).stop();

    const position = await appendLater(type, version);
    const named = `event ${String(position)} of the log (${type}, version ${String(version)}) was written by a later release`;
    const { facts } = await under.addReplica();
    expect(facts.obstacle).toContain(named);
    expect(facts.current.position).toBe(position - 1);

    const read = await head('before');
    expect([read.status, read.headers.get('docker-content-digest')]).toEqual([200, digest]);
    expect(read.headers.get('warning')).toContain('299');

    const refused = await push('after');
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(60);
    const text = await refused.text();
    expect(text).toContain(named);
    expect(text).toContain('install the release that wrote it');
    expect((await head('after')).status).toBe(404);
    expect(facts.isLeader).toBe(false);

    await takeBack(position);
    await until(() => facts.isLeader);
    expect(facts.obstacle).toBeUndefined();
    expect((await push('after')).status).toBe(201);
    expect((await head('after')).headers.get('warning')).toBeNull();
    expect((await fetch(`${under.url}/v2/app/manifests/after`, { method: 'DELETE' })).status).toBe(202);
  });
});
