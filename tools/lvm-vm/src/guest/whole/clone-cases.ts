/** Clones on thin LVM volumes with real Gluster, asked for as a client asks, read and written through mounts. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { StorageHost } from '@brickyard/hosts';
import { type Case, runCases, say, type Tally } from '../cases';
import { linesOf, logicalVolumes, type Site, startSite, tellLogs, type VolumeInfo } from './site';

const CONTENT_BYTES = 3_000_000;
const PART_BYTES = 70_000;
const SNAPSHOT = { snapshot: { enable: true, factor: 2 } };
/** What a volume holds before it is cloned. */
const FILES = ['untouched', 'changed-in-origin', 'changed-in-clone', 'deleted-in-origin', 'one/two/deep'];
/** Each step takes minutes where the machine is user-mode Linux or emulated. */
const CASE_TIMEOUT_MS = 45 * 60_000;
const LOOK_MS = 200;

const sumOf = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

/** Runs all of them on one system. */
export async function testClones(): Promise<Tally> {
  say('clones on real LVM and Gluster:');
  const site = await startSite();
  const tally = await runCases(casesFor(site), { timeoutMs: CASE_TIMEOUT_MS });
  if (tally.failed > 0) tellLogs();
  await site.end();
  return tally;
}

const casesFor = (site: Site): readonly Case[] => [
  {
    name: 'clones a volume and its clone: the data is there, nobody sees what is written to another, nothing is left',
    run: () => cloneTwice(site),
  },
  ...KILLS.map((kill) => ({
    name: `an agent killed ${kill.name} makes the clone or takes it back, and leaves nothing`,
    run: () => killInClone(site, kill),
  })),
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
  fill(originAt);
  const atClone = contentOf(originAt);

  const clone = await site.clone(origin, 'clone1');
  say('  it is cloned');
  for (const host of site.lab.hosts) await checkPools(host, 2);
  const cloneAt = await site.mount(clone);
  assert.deepEqual(contentOf(cloneAt), atClone, 'the clone is not what its origin was');
  assert.deepEqual(await site.usedKib(), charged);

  const { ofOrigin, ofClone } = await writeToBoth(site, origin, clone);
  say('  what is written to one of them stays there');

  const second = await site.clone(clone, 'clone2');
  say('  the clone is cloned');
  for (const host of site.lab.hosts) await checkPools(host, 3);
  const secondAt = await site.mount(second);
  assert.deepEqual(contentOf(secondAt), ofClone);

  await takeAway(site, clone);
  say('  the clone between is deleted');
  assert.deepEqual(await contentAnew(site, origin), ofOrigin, 'the origin lost something with its clone');
  assert.deepEqual(await contentAnew(site, second), ofClone, 'the clone of the clone lost something with it');
  assert.deepEqual(await site.usedKib(), charged);
  await takeAway(site, origin);
  say('  the origin is deleted');
  assert.deepEqual(await contentAnew(site, second), ofClone, 'the clone lost something with its origin');
  assert.deepEqual(await site.usedKib(), charged);
  change(join(secondAt, 'untouched'));
  assert.deepEqual(differences(await contentAnew(site, second), ofClone), ['untouched']);
  await takeAway(site, second);
  assert.deepEqual(await site.usedKib(), before);
  assert.deepEqual(await site.traces(), []);
}

/** What each of two volumes holds. */
interface Contents {
  readonly ofOrigin: Content;
  readonly ofClone: Content;
}

/** Writes to a clone, then to its origin, in files that both have; sees that neither changes with the other. */
async function writeToBoth(site: Site, origin: VolumeInfo, clone: VolumeInfo): Promise<Contents> {
  const [originAt, cloneAt] = [site.placeOf(origin), site.placeOf(clone)];
  const atClone = contentOf(cloneAt);
  change(join(cloneAt, 'changed-in-clone'));
  const ofClone = contentOf(cloneAt);
  assert.deepEqual(differences(ofClone, atClone), ['changed-in-clone']);
  assert.deepEqual(await contentAnew(site, origin), atClone, 'the origin changed with its clone');
  change(join(originAt, 'changed-in-origin'));
  rmSync(join(originAt, 'deleted-in-origin'));
  writeFileSync(join(originAt, 'new-in-origin'), 'of the origin');
  const ofOrigin = contentOf(originAt);
  assert.deepEqual(differences(ofOrigin, atClone), ['changed-in-origin', 'deleted-in-origin', 'new-in-origin']);
  assert.deepEqual(await contentAnew(site, clone), ofClone, 'the clone changed with its origin');
  assert.deepEqual(await contentAnew(site, origin), ofOrigin);
  return { ofOrigin, ofClone };
}

/** A moment of a clone, by what Gluster has noted of it. */
interface Kill {
  readonly name: string;
  readonly folder: string;
  readonly entry: (clone: string) => RegExp;
}

const KILLS: readonly Kill[] = [
  { name: 'while Gluster makes the snapshot', folder: '/var/lib/glusterd/snaps', entry: () => /^tmpsnap_/ },
  {
    name: 'while Gluster makes the clone of it',
    folder: '/var/lib/glusterd/vols',
    entry: (clone) => new RegExp(`^${clone}$`),
  },
];

async function killInClone(site: Site, { folder, entry }: Kill): Promise<void> {
  const origin = await site.create('victim', SNAPSHOT);
  fill(await site.mount(origin));
  const wanted = await contentAnew(site, origin);
  const before = await site.traces();
  const charged = await site.usedKib();
  const cloning = site.clone(origin, 'casualty').then(
    (clone) => clone,
    (error: unknown) => String(error),
  );
  await killWhen(site, cloning, async (host) =>
    (await linesOf(host, 'ls', folder)).some((line) => entry('casualty').test(line)),
  );
  say('  the agents are killed');
  const end = await cloning;
  say(`  the clone is ${typeof end === 'string' ? `taken back: ${end}` : 'made'}`);
  if (typeof end !== 'string') {
    await site.mount(end);
    assert.deepEqual(await contentAnew(site, end), wanted, 'the clone is not what its origin is');
    await takeAway(site, end);
  }
  assert.deepEqual(await site.volumeNames(), ['victim']);
  assert.deepEqual(await contentAnew(site, origin), wanted, 'the origin changed');
  assert.deepEqual(await site.usedKib(), charged);
  assert.deepEqual(await site.traces(), before);
  await takeAway(site, origin);
  assert.deepEqual(await site.traces(), []);
}

/** Kills all agents as soon as it is so on a host. */
async function killWhen(
  site: Site,
  end: Promise<unknown>,
  isSo: (host: StorageHost) => Promise<boolean>,
): Promise<void> {
  const over = new AbortController();
  void end.finally(() => {
    over.abort();
  });
  while (!over.signal.aborted) {
    for (const host of site.lab.hosts) {
      if (!(await isSo(host))) continue;
      for (const { name } of site.lab.hosts) site.stack.service(`node-agent-${name}`).kill('SIGKILL');
      return;
    }
    await pause(LOOK_MS);
  }
  throw new Error('the clone came to its end before the agent could be killed');
}

function fill(directory: string): void {
  for (const name of FILES) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), randomBytes(CONTENT_BYTES), { mode: 0o640 });
  }
}

/** Writes in the middle of a file and at its end, in place. */
function change(file: string): void {
  const handle = openSync(file, 'r+');
  writeSync(handle, randomBytes(PART_BYTES), 0, PART_BYTES, CONTENT_BYTES / 2);
  fsyncSync(handle);
  closeSync(handle);
  appendFileSync(file, 'and more');
}

/** Files by their names. */
type Content = Readonly<Record<string, string>>;

/** Every file of a mounted volume, with its size, its mode and the sum of what it holds. */
function contentOf(directory: string): Content {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort();
  const files = names.filter((name) => !name.startsWith('.trashcan') && statSync(join(directory, name)).isFile());
  return Object.fromEntries(
    files.map((name) => {
      const { size, mode } = statSync(join(directory, name));
      return [name, `${String(size)} ${mode.toString(8)} ${sumOf(join(directory, name))}`];
    }),
  );
}

/** As a new client sees it, from the bricks and not from what this machine remembers. */
async function contentAnew(site: Site, volume: VolumeInfo): Promise<Content> {
  await site.unmount(volume);
  return contentOf(await site.mount(volume));
}

/** Names of files that are not the same in both. */
function differences(one: Content, other: Content): string[] {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].filter((name) => one[name] !== other[name]).sort();
}

async function takeAway(site: Site, volume: VolumeInfo): Promise<void> {
  await site.unmount(volume);
  await site.remove(volume);
}

/** One pool with so many volumes in it, and nothing of the snapshots between them. */
async function checkPools(host: StorageHost, count: number): Promise<void> {
  const volumes = await logicalVolumes(host);
  const pools = volumes.filter((volume) => !volume.includes(' '));
  assert.equal(pools.length, 1, volumes.join(', '));
  assert.equal(volumes.length, 1 + count, volumes.join(', '));
  assert.deepEqual(await linesOf(host, 'gluster', '--mode=script', 'snapshot', 'list'), ['No snapshots present']);
}
