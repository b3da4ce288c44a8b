/** Clones on thin LVM volumes with real Gluster, asked for as a client asks, read and written through mounts. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StorageHost } from '@brickyard/hosts';
import { type Case, runCases, say, type Tally } from '../cases';
import { linesOf, logicalVolumes, type Site, startSite, tellLogs } from './site';

const CONTENT_BYTES = 3_000_000;
const SNAPSHOT = { snapshot: { enable: true, factor: 2 } };

const sumOf = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

/** Runs all of them on one system. */
export async function testClones(): Promise<Tally> {
  say('clones on real LVM and Gluster:');
  const site = await startSite();
  const tally = await runCases(casesFor(site));
  if (tally.failed > 0) tellLogs();
  await site.end();
  return tally;
}

const casesFor = (site: Site): readonly Case[] => [
  {
    name: 'clones a volume and its clone: the data is there, nobody sees what is written to another, nothing is left',
    run: () => cloneTwice(site),
  },
  {
    name: 'makes, grows and deletes a volume on thin LVM volumes, and leaves nothing of it',
    run: () => makeAndGrow(site),
  },
];

async function makeAndGrow(site: Site): Promise<void> {
  const before = await site.usedKib();
  const volume = await site.create('plain');
  const target = await site.mount(volume);
  writeFileSync(join(target, 'file'), randomBytes(CONTENT_BYTES));
  const wanted = sumOf(join(target, 'file'));
  const { body } = await site.api.post(`/volumes/${volume.id}/expand`, { expand_size: 1 });
  assert.equal((body as { size: number }).size, 2);
  assert.equal(sumOf(join(target, 'file')), wanted);
  for (const host of site.lab.hosts) assert.equal((await logicalVolumes(host)).length, 4);
  await site.unmount(volume);
  await site.remove(volume);
  assert.deepEqual(await site.traces(), []);
  assert.deepEqual(await site.usedKib(), before);
}

async function cloneTwice(site: Site): Promise<void> {
  assert.deepEqual(await site.traces(), []);
  const before = await site.usedKib();
  const origin = await site.create('origin', SNAPSHOT);
  say('  the origin is made');
  const charged = await site.usedKib();
  const originAt = await site.mount(origin);
  writeFileSync(join(originAt, 'file'), randomBytes(CONTENT_BYTES));
  const wanted = sumOf(join(originAt, 'file'));

  const clone = await site.clone(origin, 'clone1');
  say('  it is cloned');
  for (const host of site.lab.hosts) await checkPools(host);
  const cloneAt = await site.mount(clone);
  assert.equal(sumOf(join(cloneAt, 'file')), wanted);
  assert.deepEqual(await site.usedKib(), charged);
  writeFileSync(join(cloneAt, 'file'), 'of the clone');
  writeFileSync(join(originAt, 'more'), 'of the origin');
  assert.equal(sumOf(join(originAt, 'file')), wanted);
  assert.throws(() => readFileSync(join(cloneAt, 'more')), /ENOENT/);

  const second = await site.clone(clone, 'clone2');
  say('  the clone is cloned');
  const secondAt = await site.mount(second);
  assert.equal(readFileSync(join(secondAt, 'file'), 'utf8'), 'of the clone');

  await site.unmount(origin);
  await site.remove(origin);
  say('  the origin is deleted');
  assert.equal(readFileSync(join(cloneAt, 'file'), 'utf8'), 'of the clone');
  writeFileSync(join(cloneAt, 'after'), randomBytes(CONTENT_BYTES));
  assert.deepEqual(await site.usedKib(), charged);
  await site.unmount(clone);
  await site.remove(clone);
  say('  its clone is deleted');
  assert.deepEqual(await site.usedKib(), charged);
  assert.equal(readFileSync(join(secondAt, 'file'), 'utf8'), 'of the clone');
  await site.unmount(second);
  await site.remove(second);
  assert.deepEqual(await site.usedKib(), before);
  assert.deepEqual(await site.traces(), []);
}

/** One pool with the volumes of origin and clone, and nothing of the snapshot between them. */
async function checkPools(host: StorageHost): Promise<void> {
  const volumes = await logicalVolumes(host);
  const pools = volumes.filter((volume) => !volume.includes(' '));
  assert.equal(pools.length, 1, volumes.join(', '));
  assert.equal(volumes.length, 3, volumes.join(', '));
  assert.deepEqual(await linesOf(host, 'gluster', '--mode=script', 'snapshot', 'list'), ['No snapshots present']);
}
