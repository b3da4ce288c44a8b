import {
  gib,
  kib,
  kibOf,
  type BrickId,
  type ClusterId,
  type CommandOf,
  type DeviceId,
  type HostName,
  type NodeId,
  type VolumeId,
} from '@brickyard/contracts';
import { decodeSnapshot, encodeSnapshot } from '../control/snapshot';
import { controlPlane, createVolume, defaultPolicy, id, newOperationId, obedient, type ControlPlane } from '../testing';

const clusterId = id('c1') as ClusterId;
const nodeOf = (number: number): NodeId => id(`a${String(number)}`) as NodeId;
const deviceOf = (number: number): DeviceId => id(`d${String(number)}`) as DeviceId;

const node = (number: number, host = `n${String(number)}`): CommandOf<'AdoptNode'> => ({
  type: 'AdoptNode',
  origin: 'hosts',
  nodeId: nodeOf(number),
  clusterId,
  zone: number,
  hostnames: { manage: [host as HostName], storage: [`10.0.0.${String(number)}` as HostName] },
  tags: {},
  state: 'online',
});
const device = (number: number, more: Partial<CommandOf<'AdoptDevice'>> = {}): CommandOf<'AdoptDevice'> => ({
  type: 'AdoptDevice',
  origin: 'hosts',
  deviceId: deviceOf(number),
  nodeId: nodeOf(number),
  name: '/dev/sdb',
  tags: {},
  state: 'online',
  totalKib: kibOf(gib(100)),
  extentKib: 4096,
  pvUuid: '',
  paths: ['/dev/sdb'],
  ...more,
});
const brick = (number: number, poolKib = kibOf(gib(10))): CommandOf<'AdoptVolume'>['bricks'][number] => {
  const brickId = id(`b${String(number)}`) as BrickId;
  const path = `/var/lib/heketi/mounts/vg_${deviceOf(number)}/brick_${brickId}/brick`;
  const size = { sizeKib: poolKib, poolKib, metadataKib: kib(53_248) };
  return { brickId, nodeId: nodeOf(number), deviceId: deviceOf(number), path, ...size, set: 0, place: number - 1 };
};
const volume = (more: Partial<CommandOf<'AdoptVolume'>> = {}): CommandOf<'AdoptVolume'> => ({
  type: 'AdoptVolume',
  origin: 'hosts',
  volumeId: id('f1') as VolumeId,
  clusterId,
  spec: createVolume('old', 10).spec,
  sizeKib: kibOf(gib(10)),
  bricks: [brick(1), brick(2), brick(3)],
  options: { 'user.brickyard.id': id('f1') },
  ...more,
});

/** Three nodes with a device each, taken over. */
function adopted(): ControlPlane {
  const plane = controlPlane();
  plane.submit({ type: 'AdoptCluster', origin: 'hosts', clusterId, flags: { file: true, block: true } });
  for (const number of [1, 2, 3]) {
    plane.submit(node(number));
    plane.submit(device(number));
  }
  return plane;
}

describe('adoption', () => {
  it('takes over a cluster with all that is in it, without a word to the hosts', () => {
    const plane = adopted();
    expect(plane.submit(volume())).toBeUndefined();
    expect(plane.waiting()).toEqual([]);
    expect(plane.log.map(({ event }) => event.type)).toEqual([
      'ClusterAdopted',
      ...[1, 2, 3].flatMap(() => ['NodeAdopted', 'DeviceAdopted']),
      'VolumeAdopted',
    ]);
    expect(plane.state.devices.get(deviceOf(2))).toMatchObject({
      usedKib: kibOf(gib(10)) + 53_248,
      totalKib: kibOf(gib(100)),
      lifecycle: 'ready',
    });
    expect(decodeSnapshot([...encodeSnapshot(plane.state)])).toEqual(plane.state);
  });

  it('leaves a volume that grows, shows what it has and goes, as any other', () => {
    const plane = adopted();
    plane.submit(volume());
    const volumeId = id('f1') as VolumeId;
    const grow = { operationId: newOperationId(), volumeId, addKib: kibOf(gib(5)), policy: defaultPolicy };
    expect(plane.submit({ type: 'ExpandVolume', ...grow })).toBeUndefined();
    plane.settle(obedient());
    expect(plane.state.volumes.get(volumeId)).toMatchObject({ status: 'ready', sizeKib: kibOf(gib(15)) });
    expect(plane.submit({ type: 'DeleteVolume', operationId: newOperationId(), volumeId })).toBeUndefined();
    plane.settle(obedient());
    expect(plane.state.volumes.size).toBe(0);
    expect(plane.state.devices.get(deviceOf(1))?.usedKib).toBe(0);
  });

  it('says once what is said twice', () => {
    const plane = adopted();
    plane.submit(volume());
    const before = plane.log.length;
    plane.submit({ type: 'AdoptCluster', origin: 'hosts', clusterId, flags: { file: true, block: true } });
    plane.submit(node(1));
    plane.submit(device(1));
    plane.submit(volume());
    expect(plane.log).toHaveLength(before);
  });

  it.each<[string, CommandOf<'AdoptNode' | 'AdoptDevice' | 'AdoptVolume'>, RegExp]>([
    ['a node of another cluster', { ...node(4), clusterId: id('c2') as ClusterId }, /ClusterNotFound/],
    ['a host name that a node has', node(4, 'n1'), /HostnameInUse/],
    ['a node that is elsewhere', node(1, 'other'), /another place/],
    ['a device of no node', device(9), /NodeNotFound/],
    ['a device that is another one', device(1, { name: '/dev/sdc' }), /has a device of this id/],
    ['a second device of a name', device(8, { nodeId: nodeOf(1) }), /is device 0+d1/],
    ['a volume of no cluster', volume({ clusterId: id('c2') as ClusterId }), /ClusterNotFound/],
    ['a part of a set', volume({ bricks: [brick(1), brick(2)] }), /2 bricks do not make whole sets of 3/],
    ['bricks out of order', volume({ bricks: [brick(2), brick(1), brick(3)] }), /in order/],
    [
      'a brick on no device',
      volume({ bricks: [brick(1), brick(2), { ...brick(3), deviceId: deviceOf(9) }] }),
      /has not/,
    ],
    [
      'two copies on one node',
      volume({ bricks: [brick(1), brick(2), { ...brick(1), brickId: id('b9') as BrickId, place: 2 }] }),
      /two bricks of set 0 lie on node/,
    ],
    ['more than the device has', volume({ bricks: [brick(1, kibOf(gib(100))), brick(2), brick(3)] }), /would take/],
    [
      "somebody else's directory on a device of ours",
      volume({ bricks: [{ ...brick(1), foreign: true }, brick(2), brick(3)] }),
      /do not agree/,
    ],
  ])('refuses %s', (_, command, reason) => {
    const plane = adopted();
    const before = plane.log.length;
    expect(JSON.stringify(plane.submit(command))).toMatch(reason);
    expect(plane.log).toHaveLength(before);
  });

  it('refuses a second volume of a name, a brick that is taken, and other bricks for a volume that is known', () => {
    const plane = adopted();
    plane.submit(volume());
    const other = id('f2') as VolumeId;
    expect(plane.submit(volume({ volumeId: other }))).toMatchObject({ reason: `volume ${id('f1')} has its name` });
    const spec = { ...volume().spec, name: 'new' };
    expect(plane.submit(volume({ volumeId: other, spec }))).toMatchObject({
      reason: expect.stringContaining('already') as string,
    });
    const changed = volume({ bricks: [brick(1), brick(2), { ...brick(3), brickId: id('b9') as BrickId }] });
    expect(plane.submit(changed)).toMatchObject({ reason: 'the log has it with other bricks' });
  });

  it("keeps new bricks off somebody else's file systems, and its own hands off what lies there", () => {
    const plane = controlPlane();
    plane.submit({ type: 'AdoptCluster', origin: 'gluster', clusterId, flags: { file: true, block: true } });
    for (const number of [1, 2, 3]) {
      plane.submit(node(number));
      plane.submit(device(number, { foreign: true, name: '/data' }));
    }
    const none = { poolKib: kib(0), metadataKib: kib(0), foreign: true } as const;
    const bricks = [1, 2, 3].map((number) => ({ ...brick(number), ...none }));
    expect(plane.submit(volume({ bricks }))).toBeUndefined();
    expect(plane.submit(createVolume('more', 1))).toMatchObject({ kind: 'NotPlaced' });
    plane.submit({ type: 'DeleteVolume', operationId: newOperationId(), volumeId: id('f1') as VolumeId });
    const asked: string[] = [];
    plane.settle((task) => {
      asked.push(task.task.type);
      return obedient()(task);
    });
    expect(asked).toEqual(['StopGlusterVolume', 'DeleteGlusterVolume']);
    expect(plane.state.volumes.size).toBe(0);
    expect(decodeSnapshot([...encodeSnapshot(plane.state)])).toEqual(plane.state);
  });
});
