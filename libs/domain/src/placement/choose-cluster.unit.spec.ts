import { Rejection, type Tags } from '@brickyard/contracts';
import { persistentMap } from '@brickyard/event-sourcing';
import { emptyControlState, volumeNameKey, type ControlState } from '../control/control.state';
import { placeVolume, type NewVolume } from './choose-cluster';
import {
  clusterId,
  clusterOf,
  disperse,
  fourNodes,
  node,
  nodeId,
  none,
  policy,
  replica,
  volumeId,
  volumeSpec,
  withCluster,
} from './placement.testing';

const volume = (over: Partial<NewVolume> = {}): NewVolume => ({
  volumeId: volumeId(),
  spec: volumeSpec(none, 1),
  clusters: [],
  policy,
  ...over,
});

/** The rejection, which must be one the contracts can carry. */
function rejectionOf(wanted: NewVolume, state: ControlState): Rejection {
  const placed = placeVolume(wanted, state);
  if (placed.kind !== 'refused') throw new Error('it was placed');
  return Rejection.parse(placed.rejection);
}

const clusterWith = (state: ControlState, number: number, over: object): ControlState => {
  const cluster = state.clusters.get(clusterId(number));
  if (cluster === undefined) throw new Error('the cluster is missing');
  return { ...state, clusters: state.clusters.set(cluster.clusterId, { ...cluster, ...over }) };
};

describe('placeVolume', () => {
  it('refuses when there is no cluster, and when a named one does not exist', () => {
    expect(rejectionOf(volume(), emptyControlState)).toEqual({ kind: 'NoClusters' });
    const missing = volume({ clusters: [clusterId(1), clusterId(7)] });
    expect(rejectionOf(missing, fourNodes())).toEqual({ kind: 'UnknownClusterRequested', clusterId: clusterId(7) });
  });

  it('names no more clusters than a message can carry, and explains the first ones', () => {
    const state = Array.from({ length: 500 }, (_, number) => number + 1).reduce(
      (all, number) => withCluster(all, number, [node(number, 1)]),
      clusterOf(),
    );
    const rejection = rejectionOf(volume({ spec: volumeSpec(none, 900) }), state);
    if (rejection.kind !== 'NotPlaced') throw new Error(`it was refused as ${rejection.kind}`);
    expect([rejection.refusals.length, rejection.refusalsMore]).toEqual([64, 500 - 64]);
    const explained = rejection.refusals.map(({ refusal }) => 'devices' in refusal && refusal.devices.length > 0);
    expect(explained).toEqual(Array.from({ length: 64 }, (_, index) => index < 8));
    expect(rejection.refusals.map(({ refusal }) => 'devicesMore' in refusal && refusal.devicesMore)).toEqual(
      Array.from({ length: 64 }, (_, index) => (index < 8 ? 0 : 1)),
    );
    expect(rejection.remedy).not.toBe('');
    expect(JSON.stringify(rejection).length).toBeLessThan(40_000);
  });

  it.each([1, 3])('refuses 4+2 of %d GiB as too small: 4194304 KiB at least', (size) => {
    expect(rejectionOf(volume({ spec: volumeSpec(disperse(4, 2), size) }), fourNodes())).toEqual({
      kind: 'VolumeTooSmall',
      requestedGib: size,
      minimumKib: 4_194_304,
    });
  });

  it('takes the first cluster by id, or the first in the order asked for, that has room', () => {
    const state = withCluster(withCluster(clusterOf(), 3, [node(1, 100)]), 2, [node(1, 100)]);
    expect(placeVolume(volume(), state)).toMatchObject({ kind: 'placed', clusterId: clusterId(2) });
    const ordered = volume({ clusters: [clusterId(1), clusterId(3), clusterId(2)] });
    expect(placeVolume(ordered, state)).toMatchObject({ kind: 'placed', clusterId: clusterId(3) });
    const elsewhere = volume({ clusters: [clusterId(1)] });
    expect(rejectionOf(elsewhere, state)).toMatchObject({ refusals: [{ refusal: { kind: 'NoNodes' } }] });
  });

  it.each([
    [{ file: false, block: false }, false, 'AllVolumeTypesDisabled'],
    [{ file: false, block: true }, false, 'VolumeTypeNotSupported'],
    [{ file: true, block: false }, true, 'VolumeTypeNotSupported'],
  ])('finds a cluster with flags %j ineligible for block %s: %s', (flags, block, kind) => {
    const wanted = volume({ spec: volumeSpec(none, 1, { block }) });
    const rejection = rejectionOf(wanted, clusterWith(fourNodes(), 1, { flags }));
    expect(rejection).toMatchObject({ kind: 'NotPlaced', ineligible: true, refusals: [{ refusal: { kind } }] });
  });

  it('counts volumes of every status against the limit, after the name', () => {
    const volumeIds = persistentMap([volumeId(8), volumeId(9)].map((each) => [each, true as const] as const));
    const state = clusterWith(fourNodes(), 1, { volumeIds });
    const limited = (limit: number): NewVolume => volume({ policy: { ...policy, volumesPerClusterMax: limit } });
    expect(rejectionOf(limited(2), state)).toMatchObject({
      ineligible: true,
      refusals: [{ refusal: { kind: 'TooManyVolumes', count: 2, limit: 2 } }],
    });
    expect(placeVolume(limited(3), state).kind).toBe('placed');
    expect(placeVolume(limited(-1), state).kind).toBe('placed');
    const named = { ...state, volumeNames: state.volumeNames.set(volumeNameKey(clusterId(), 'vol'), volumeId(8)) };
    expect(rejectionOf(limited(2), named)).toMatchObject({
      refusals: [{ refusal: { kind: 'VolumeNameInUse', name: 'vol' } }],
      remedy: "Choose another name than 'vol'.",
    });
  });

  it('passes over a cluster whose hosts have no room for so long a name in the names of their files', () => {
    const named = (length: number): NewVolume => volume({ spec: volumeSpec(none, 1, { name: 'n'.repeat(length) }) });
    const state = fourNodes();
    const longest = 255 - '.s1.'.length - 'var/lib/heketi/mounts/vg_/brick_/brick'.length - 64 - '.vol.tmp'.length;
    expect(placeVolume(named(longest), state).kind).toBe('placed');
    expect(rejectionOf(named(longest + 1), state)).toMatchObject({
      ineligible: true,
      refusals: [{ refusal: { kind: 'VolumeNameTooLong', length: longest + 1, limit: longest } }],
      remedy: `Choose a name of at most ${String(longest)} characters.`,
    });
  });

  it('says of each cluster tried why it did not take the volume, leaving out those never tried', () => {
    const empty = withCluster(withCluster(clusterOf(), 2, [node(1, 1)]), 3, [{ ...node(1, 100), state: 'offline' }]);
    const state = withCluster(empty, 4, [], { file: false, block: true });
    expect(rejectionOf(volume({ spec: volumeSpec(none, 10) }), state)).toMatchObject({
      ineligible: false,
      refusals: [
        { clusterId: clusterId(1), refusal: { kind: 'NoNodes' } },
        { clusterId: clusterId(2), refusal: { kind: 'NoSpace' } },
        { clusterId: clusterId(3), refusal: { kind: 'NoOnlineDevices' } },
      ],
    });
  });

  it('calls too many and too small bricks no space', () => {
    const state = fourNodes();
    for (const spec of [volumeSpec(replica(3), 9000), volumeSpec(disperse(4, 2), 8)]) {
      expect(rejectionOf(volume({ spec }), state)).toMatchObject({ refusals: [{ refusal: { kind: 'NoSpace' } }] });
    }
  });

  it('stops the search at a tag rule it cannot read', () => {
    const spec = volumeSpec(none, 1, { options: ['user.heketi.device-tag-match a b'] });
    expect(rejectionOf(volume({ spec }), fourNodes())).toEqual({ kind: 'InvalidTagRule', rule: 'a b' });
  });
});

describe('the remedy', () => {
  const remedy = (wanted: NewVolume, state: ControlState): string => {
    const rejection = rejectionOf(wanted, state);
    return 'remedy' in rejection ? rejection.remedy : '';
  };
  const three = volume({ spec: volumeSpec(replica(3), 10) });

  it('asks for one device or less space when one node is short', () => {
    const oneSet = { ...three, policy: { ...policy, bricksPerVolumeMax: 3 } };
    expect(remedy(oneSet, clusterOf(node(1, 20), node(2, 20), node(3, 8)))).toBe(
      `Needs 3 nodes with more than 10539008 KiB free on one device; 2 have it: ` +
        `add a device of at least 11 GiB to node ${nodeId(3)} (zone 3), or ask for at most 7 GiB.`,
    );
  });

  it('follows the cut that lacks the least', () => {
    expect(remedy(three, clusterOf(node(1, 20), node(2, 20), node(3, 8)))).toBe(
      'Needs places for 12 bricks, each on a device with more than 2637824 KiB free and at most 4 in one node; ' +
        `there are 11: add a device of at least 3 GiB to node ${nodeId(3)} (zone 3), or ask for at most 7 GiB.`,
    );
  });

  it('asks for nodes when there are too few', () => {
    expect(remedy(three, clusterOf(node(1, 20)))).toBe(
      'Needs 3 nodes with more than 10539008 KiB free on one device; 1 has it: ' +
        'add 2 nodes, each with a device of at least 11 GiB.',
    );
  });

  it('asks for the node that is away', () => {
    const state = clusterOf(node(1, 20), node(2, 20), { ...node(3, 20), lostSince: '2026-01-01T00:00:00.000Z' });
    expect(remedy(three, state)).toContain(`: bring node ${nodeId(3)} back online, or `);
    const off = clusterOf({ ...node(1, 20), state: 'offline' });
    expect(remedy(volume(), off)).toBe(`Bring node ${nodeId(1)} back online.`);
  });

  it('offers to do without strict zones or a tag rule when that is enough', () => {
    const strict = volume({ spec: volumeSpec(replica(3), 10, { options: ['user.heketi.zone-checking strict'] }) });
    const twoZones = clusterOf(node(1, 20), node(1, 20), node(2, 20));
    expect(remedy(strict, twoZones)).toBe(
      'Needs 3 zones with more than 10539008 KiB free on one device; 2 have it: do without strict zone checking, ' +
        'or add 1 node in another zone, with a device of at least 11 GiB.',
    );
    const tags: Tags = { tier: 'iron' };
    const tagged = volume({ spec: volumeSpec(none, 10, { options: ['user.heketi.device-tag-match tier=gold'] }) });
    expect(remedy(tagged, clusterOf({ ...node(1, 20), tags }))).toBe(
      'Needs 1 node with more than 10539008 KiB free on one device; 0 have it: do without the tag rule, ' +
        `or add a device of at least 11 GiB whose tags match tier=gold to node ${nodeId(1)} (zone 1).`,
    );
  });

  it('names the limit when only the number of bricks stands in the way', () => {
    const tight = volume({ spec: volumeSpec(none, 12), policy: { ...policy, bricksPerVolumeMax: 2 } });
    expect(remedy(tight, clusterOf(node(1, 4, 4, 4, 4)))).toContain('allow 4 bricks a volume');
  });

  it('is that of the cluster with the least to do, which it names', () => {
    const state = withCluster(clusterOf(node(1, 2)), 2, [node(1, 9)]);
    const wanted = volume({ spec: volumeSpec(none, 100), policy: { ...policy, bricksPerVolumeMax: 1 } });
    expect(remedy(wanted, state)).toMatch(new RegExp(`^Cluster ${clusterId(1)}: Needs 1 node `));
  });

  it('is short whatever the size of the cluster', () => {
    const state = clusterOf(...Array.from({ length: 60 }, (_, index) => node(index % 3, 1, 1, 1)));
    expect(remedy(volume({ spec: volumeSpec(replica(3), 5000) }), state).length).toBeLessThan(500);
  });
});
