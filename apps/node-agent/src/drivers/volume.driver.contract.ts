/** What every volume driver must do, as plain cases for a pool of three hosts; the same sequence for all of them. */
import assert from 'node:assert/strict';
import {
  BrickId,
  type BrickLocation,
  DeviceId,
  type Durability,
  HostName,
  kib,
  NodeId,
  VolumeId,
} from '@brickyard/contracts';
import type { GlusterVolumeSpec, Outcome } from '@brickyard/contracts';
import { until } from './gluster/converge';
import type { PeerRef, VolumeDriver } from './volume.driver';

/** One host of the pool. */
export interface VolumeDriverHost {
  readonly name: string;
  readonly driver: VolumeDriver;
  /** The same host's driver as a new process would have it. */
  restarted(): VolumeDriver;
  /** Makes the parent of a brick directory, on a file system of its own where that matters. */
  prepareBrick(path: string): Promise<void>;
}

/** Three hosts that do not know each other yet; host names with the same number in every run. */
export interface VolumeDriverSubject {
  readonly hosts: readonly [VolumeDriverHost, VolumeDriverHost, VolumeDriverHost];
  readonly mountRoot: string;
  /** Switches a host's Gluster off, and on again. */
  setDown(host: VolumeDriverHost, isDown: boolean): Promise<void>;
}

/** One thing that must hold. The cases are one story: they run in order, on one subject. */
export interface VolumeDriverCase {
  readonly name: string;
  readonly run: (subject: VolumeDriverSubject) => Promise<void>;
}

const RECONNECT_TIMEOUT_MS = 60_000;

const hex = (digits: string): string => digits.padStart(32, '0');
const volumeIdOf = (name: string): VolumeId => VolumeId.parse(Buffer.from(name).toString('hex').padStart(32, '0'));
const ref = (name: string): { volumeId: VolumeId; name: string } => ({ volumeId: volumeIdOf(name), name });
const peer = (host: VolumeDriverHost, index: number): PeerRef => ({
  nodeId: NodeId.parse(hex(String(index + 1))),
  host: HostName.parse(host.name),
});

/** Bricks of a volume, one on each host in turn; their parents exist afterwards. */
async function bricks(subject: VolumeDriverSubject, prefix: string, count: number): Promise<BrickLocation[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const host = subject.hosts[index % 3] ?? subject.hosts[0];
      const brickId = BrickId.parse(hex(`${prefix}${String(index)}`));
      const deviceId = DeviceId.parse(hex('d'));
      const path = `${subject.mountRoot}/vg_${deviceId}/brick_${brickId}/brick`;
      await host.prepareBrick(path);
      return { brickId, host: HostName.parse(host.name), path };
    }),
  );
}

const REPLICATED: Durability = { kind: 'replicate', replica: 3 };

const spec = (
  name: string,
  durability: Durability,
  at: BrickLocation[],
  options: string[] = [],
): GlusterVolumeSpec => ({
  ...ref(name),
  durability,
  bricks: at,
  options,
  sizeKib: kib(1024 * 1024),
});

function succeeded(outcome: Outcome): Extract<Outcome, { ok: true }>['result'] {
  assert.ok(outcome.ok, outcome.ok ? '' : `${outcome.failure.detail} (${outcome.failure.cause})`);
  return outcome.result;
}

function failed(outcome: Outcome, reason: RegExp, transient: boolean): void {
  assert.ok(!outcome.ok, 'the driver did what it must refuse');
  assert.match(outcome.failure.detail, reason);
  assert.equal(outcome.failure.transient, transient, outcome.failure.detail);
}

async function twice(step: () => Promise<Outcome>): Promise<void> {
  succeeded(await step());
  succeeded(await step());
}

const isPresent = async (driver: VolumeDriver, name: string): Promise<boolean> => {
  const result = succeeded(await driver.readVolume(ref(name)));
  return result.kind === 'presence' && result.present;
};

const find = async (
  driver: VolumeDriver,
  name: string,
): Promise<Awaited<ReturnType<VolumeDriver['readVolumes']>>[0]> => {
  const found = (await driver.readVolumes()).find((volume) => volume.name === name);
  assert.ok(found, `no volume ${name}`);
  return found;
};

/** Daemons look for each other every few seconds; until they have met again, Gluster refuses to delete. */
async function allConnected({ hosts }: VolumeDriverSubject): Promise<void> {
  const isWhole = async ({ driver }: VolumeDriverHost): Promise<boolean> =>
    (await driver.readPeers().catch(() => [])).filter(({ connected }) => connected).length === hosts.length;
  const areWhole = async (): Promise<boolean> => (await Promise.all(hosts.map(isWhole))).every(Boolean);
  assert.ok(await until(areWhole, RECONNECT_TIMEOUT_MS, 200), 'the hosts do not find each other again');
}

const listed = (at: readonly BrickLocation[]): string[] => at.map(({ host, path }) => `${host}:${path}`);

const scenario = (name: string, run: VolumeDriverCase['run']): VolumeDriverCase => ({ name, run });

/** The whole story, in order. */
export const volumeDriverCases: readonly VolumeDriverCase[] = [
  scenario('knows its health, and a host alone knows nobody else', async ({ hosts: [first] }) => {
    assert.equal(await first.driver.readHealth(), 'running');
    const peers = await first.driver.readPeers();
    assert.deepEqual(
      peers.map(({ hostname, connected }) => ({ hostname, connected })),
      [{ hostname: 'localhost', connected: true }],
    );
    assert.deepEqual(await first.driver.readVolumes(), []);
  }),
  scenario('makes hosts peers once, and itself none', async ({ hosts }) => {
    const [first, second, third] = hosts;
    await twice(() => first.driver.ensurePeer(peer(second, 1)));
    await twice(() => first.driver.ensurePeer(peer(first, 0)));
    succeeded(await first.driver.ensurePeer(peer(third, 2)));
    for (const { driver } of hosts) {
      const peers = await driver.readPeers();
      assert.equal(peers.length, 3);
      assert.equal(new Set(peers.map(({ uuid }) => uuid)).size, 3);
    }
  }),
  scenario('detaches a peer once, and takes it back', async ({ hosts: [first, , third] }) => {
    await twice(() => first.driver.ensureNoPeer(peer(third, 2)));
    assert.equal((await first.driver.readPeers()).length, 2);
    succeeded(await first.driver.ensurePeer(peer(third, 2)));
    assert.equal((await first.driver.readPeers()).length, 3);
  }),
  scenario('creates a volume once, with its bricks in order and its options', async (subject) => {
    const [first, second] = subject.hosts;
    const at = await bricks(subject, 'a', 6);
    const volume = spec('vol_a', REPLICATED, at, ['', 'performance.readdir-ahead on', 'cluster.lookup-optimize off']);
    assert.equal(await isPresent(first.driver, 'vol_a'), false);
    await twice(() => first.driver.ensureVolume(volume));
    succeeded(await first.restarted().ensureVolume(volume));
    succeeded(await second.driver.ensureVolume(volume));
    const found = await find(first.driver, 'vol_a');
    assert.equal(found.status, 'created');
    assert.deepEqual(found.bricks, listed(at));
    assert.equal(found.options['performance.readdir-ahead'], 'on');
    assert.equal(found.options['cluster.lookup-optimize'], 'off');
    assert.equal(found.options['user.brickyard.id'], volumeIdOf('vol_a'));
    assert.equal(found.options['user.heketi.id'], volumeIdOf('vol_a'));
    assert.equal(await isPresent(second.driver, 'vol_a'), true);
  }),
  scenario('refuses a second volume of the name, and one whose bricks make no whole sets', async (subject) => {
    const { driver } = subject.hosts[0];
    const other = await bricks(subject, 'b', 3);
    failed(
      await driver.ensureVolume(spec('vol_a', REPLICATED, other)),
      /vol_a exists with owner|with other bricks/,
      false,
    );
    failed(
      await driver.ensureVolume({ ...spec('vol_a', REPLICATED, other), volumeId: volumeIdOf('other') }),
      /named vol_a exists/,
      false,
    );
    failed(await driver.ensureVolume(spec('vol_b', REPLICATED, other.slice(0, 2))), /do not make whole sets/, false);
    failed(await driver.ensureVolume(spec('--help', REPLICATED, other)), /cannot be the name/, false);
    assert.equal((await driver.readVolumes()).length, 1);
  }),
  scenario('says which option Gluster does not know, and can delete what was left of the volume', async (subject) => {
    const { driver } = subject.hosts[0];
    const at = await bricks(subject, 'c', 3);
    failed(await driver.ensureVolume(spec('vol_c', REPLICATED, at, ['nosuch.option 1'])), /nosuch\.option/, false);
    assert.equal(await isPresent(driver, 'vol_c'), false);
    await twice(() => driver.ensureNoVolume(ref('vol_c')));
    assert.deepEqual(
      (await driver.readVolumes()).map(({ name }) => name),
      ['vol_a'],
    );
  }),
  scenario('refuses bricks that a deleted volume has marked, until their hosts have cleared them', async (subject) => {
    const { hosts } = subject;
    const at = await bricks(subject, 'c', 3);
    const again = spec('vol_c', REPLICATED, at);
    failed(await hosts[0].driver.ensureVolume(again), /already part of a volume/, true);
    for (const [index, { driver }] of hosts.entries()) await twice(() => driver.ensureUnclaimed(at[index]?.path ?? ''));
    succeeded(await hosts[0].driver.ensureVolume(again));
    // A brick in use keeps its mark.
    for (const [index, { driver }] of hosts.entries()) succeeded(await driver.ensureUnclaimed(at[index]?.path ?? ''));
    succeeded(await hosts[0].driver.ensureStarted(ref('vol_c')));
    succeeded(await hosts[0].driver.ensureNoVolume(ref('vol_c')));
    assert.equal(await isPresent(hosts[0].driver, 'vol_c'), false);
  }),
  scenario('starts and stops a volume, each once', async ({ hosts: [first, second] }) => {
    await twice(() => first.driver.ensureStarted(ref('vol_a')));
    assert.equal((await find(second.driver, 'vol_a')).status, 'started');
    assert.equal(await first.driver.readHeal('vol_a'), 0);
    await twice(() => first.driver.ensureStopped(ref('vol_a')));
    assert.equal((await find(second.driver, 'vol_a')).status, 'stopped');
    succeeded(await first.driver.ensureStopped(ref('never_made')));
    failed(await first.driver.ensureStarted(ref('never_made')), /does not exist/, false);
    succeeded(await first.driver.ensureStarted(ref('vol_a')));
  }),
  scenario('adds whole sets of bricks once, spreads the files, and takes the bricks out again', async (subject) => {
    const { driver } = subject.hosts[0];
    const before = await find(driver, 'vol_a');
    const expansion = { ...ref('vol_a'), durability: REPLICATED, bricks: await bricks(subject, 'e', 3) };
    await twice(() => driver.ensureBricksAdded(expansion));
    assert.deepEqual((await find(driver, 'vol_a')).bricks, [...before.bricks, ...listed(expansion.bricks)]);
    await twice(() => driver.ensureBricksRemoved(expansion));
    assert.deepEqual((await find(driver, 'vol_a')).bricks, before.bricks);
    succeeded(await driver.ensureRebalance(ref('vol_a')));
    failed(await driver.ensureBricksAdded({ ...expansion, ...ref('never_made') }), /does not exist/, false);
    succeeded(await driver.ensureBricksRemoved({ ...expansion, ...ref('never_made') }));
  }),
  scenario('replaces a brick once, and the set heals', async (subject) => {
    const [first, second] = subject.hosts;
    const at = await bricks(subject, '9', 3);
    const [leaving, ...others] = at;
    const [replacement] = await bricks(subject, '91', 1);
    assert.ok(leaving !== undefined && replacement !== undefined);
    succeeded(await first.driver.ensureVolume(spec('vol_r', REPLICATED, at)));
    succeeded(await first.driver.ensureStarted(ref('vol_r')));
    const change = {
      ...ref('vol_r'),
      durability: REPLICATED,
      leaving,
      replacement,
      others,
      healCheck: 'enable' as const,
    };
    const isServed = async (driver: VolumeDriver): Promise<boolean> => {
      const result = succeeded(await driver.readReplacement(change));
      return result.kind === 'presence' && result.present;
    };
    succeeded(await first.driver.ensureReplaceable(change));
    assert.equal(await isServed(first.driver), false);
    await twice(() => first.driver.ensureReplaced(change));
    succeeded(await second.driver.ensureReplaced(change));
    assert.equal(await isServed(second.driver), true);
    assert.deepEqual((await find(first.driver, 'vol_r')).bricks, listed([replacement, ...others]));
    await twice(() => first.driver.ensureHealed(change));
    // What the volume has let go of carries no mark any more once it is cleared.
    succeeded(await first.driver.ensureUnclaimed(leaving.path));
    const back = { ...change, leaving: replacement, replacement: leaving };
    succeeded(await first.driver.ensureReplaced(back));
    failed(
      await first.driver.ensureReplaced({ ...change, leaving: { ...leaving, path: others[0]?.path ?? '' } }),
      /no brick of volume/,
      false,
    );
    failed(await first.driver.ensureReplaceable({ ...change, ...ref('never_made') }), /does not exist/, false);
    succeeded(await first.driver.ensureNoVolume(ref('vol_r')));
  }),
  scenario('will not replace the only copy', async (subject) => {
    const { driver } = subject.hosts[0];
    const [leaving, replacement] = await bricks(subject, '92', 2);
    assert.ok(leaving !== undefined && replacement !== undefined);
    const durability: Durability = { kind: 'none' };
    succeeded(await driver.ensureVolume(spec('vol_o', durability, [leaving])));
    succeeded(await driver.ensureStarted(ref('vol_o')));
    const change = { ...ref('vol_o'), durability, leaving, replacement, others: [], healCheck: 'enable' as const };
    const text = /only 0 of 1 required peer bricks are online/;
    failed(await driver.ensureReplaceable(change), text, false);
    failed(await driver.ensureReplaced(change), text, false);
    assert.deepEqual((await find(driver, 'vol_o')).bricks, listed([leaving]));
    succeeded(await driver.ensureNoVolume(ref('vol_o')));
  }),
  scenario('has nothing to spread in a volume of one brick, and serves one copy as one copy', async (subject) => {
    const { driver } = subject.hosts[0];
    const at = await bricks(subject, 'f', 1);
    succeeded(await driver.ensureVolume(spec('vol_f', { kind: 'replicate', replica: 1 }, at)));
    succeeded(await driver.ensureStarted(ref('vol_f')));
    succeeded(await driver.ensureRebalance(ref('vol_f')));
    succeeded(await driver.ensureNoVolume(ref('vol_f')));
  }),
  scenario('makes no volume of a name that Gluster keeps to itself, and has none to remove', async (subject) => {
    const { driver } = subject.hosts[0];
    for (const name of ['all', '-x']) {
      const volume = spec(name, { kind: 'none' }, await bricks(subject, 'f', 1));
      failed(await driver.ensureVolume(volume), /cannot be the name/, false);
      succeeded(await driver.ensureNoVolume(ref(name)));
    }
  }),
  scenario('creates a dispersed volume', async (subject) => {
    const { driver } = subject.hosts[0];
    const at = await bricks(subject, '7', 3);
    const volume = spec('vol_d', { kind: 'disperse', data: 2, redundancy: 1 }, at);
    await twice(() => driver.ensureVolume(volume));
    assert.deepEqual((await find(driver, 'vol_d')).bricks, listed(at));
    succeeded(await driver.ensureNoVolume(ref('vol_d')));
  }),
  scenario('will not detach a peer that hosts bricks', async ({ hosts: [first, second] }) => {
    failed(await first.driver.ensureNoPeer(peer(second, 1)), /hosts one or more bricks/, false);
    assert.equal((await first.driver.readPeers()).length, 3);
  }),
  scenario('deletes no volume that belongs to somebody else', async ({ hosts: [first] }) => {
    const outcome = await first.driver.ensureNoVolume({ ...ref('vol_a'), volumeId: volumeIdOf('other') });
    failed(outcome, /belongs to/, false);
    assert.equal(await isPresent(first.driver, 'vol_a'), true);
  }),
  scenario('waits with create and delete for a host that is down, and answers about it', async (subject) => {
    const [first, , third] = subject.hosts;
    await subject.setDown(third, true);
    try {
      assert.equal(await third.driver.readHealth(), 'stopped');
      const away = (await first.driver.readPeers()).filter(({ connected }) => !connected);
      assert.equal(away.length, 1);
      failed(await first.driver.ensureNoVolume(ref('vol_a')), /vol_a cannot be deleted: .*down/, true);
      assert.equal(await isPresent(first.driver, 'vol_a'), true);
      failed(
        await first.driver.ensureVolume(spec('vol_g', REPLICATED, await bricks(subject, '8', 3))),
        /not connected/,
        true,
      );
      assert.equal((await third.driver.ensureStarted(ref('vol_a'))).ok, false);
    } finally {
      await subject.setDown(third, false);
    }
    await allConnected(subject);
    await twice(() => first.driver.ensureNoVolume(ref('vol_a')));
    assert.deepEqual(await first.driver.readVolumes(), []);
  }),
];
