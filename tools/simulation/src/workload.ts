/** What clients ask: commands that make sense for the moment, and some that do not. */
import {
  type AdminState,
  type BlockVolumeId,
  type BrickId,
  type ClientCommand,
  type ClusterId,
  type DeviceId,
  type DriftId,
  type Durability,
  gib,
  type HostName,
  kibOf,
  type NodeId,
  type OperationId,
  type PlacementPolicy,
  type VolumeId,
  type VolumeSpec,
} from '@brickyard/contracts';
import type { ControlState, Volume } from '@brickyard/domain';
import type { Random } from './random';

const policy: PlacementPolicy = {
  brickMinKib: kibOf(gib(1)),
  brickMaxKib: kibOf(gib(4096)),
  bricksPerVolumeMax: 32,
  volumesPerClusterMax: 1000,
  zoneChecking: 'none',
};

export const CLUSTER_ID = '0000000000000000000000000000c001' as ClusterId;
const ZONES = 3;
const NAMES = ['ada', 'bea', 'cleo', 'dora', 'eva', 'fay'];

/** A storage host's place in the topology: everything of it follows from its number. */
export const hostNamed = (number: number): HostName => `storage-${String(number)}` as HostName;
export const nodeIdOf = (number: number): NodeId => String(number).padStart(32, 'a') as NodeId;

const durabilities: readonly [Durability, ...Durability[]] = [
  { kind: 'replicate', replica: 3 },
  { kind: 'replicate', replica: 3 },
  { kind: 'replicate', replica: 2 },
  { kind: 'none' },
  { kind: 'disperse', data: 2, redundancy: 1 },
];

const sorted = <T>(keys: Iterable<T>): T[] => [...keys].sort();

/** One command. */
export function anyCommand(random: Random, state: ControlState, nodes: number): ClientCommand {
  const operationId = random.hex(32) as OperationId;
  const volumeId = random.oneOf(sorted(state.volumes.keys())) ?? (random.hex(32) as VolumeId);
  const deviceId = random.oneOf(sorted(state.devices.keys())) ?? (random.hex(32) as DeviceId);
  const nodeId = random.oneOf(sorted(state.nodes.keys())) ?? nodeIdOf(1);
  if (random.chance(0.1)) return rareCommand(random, state, operationId, volumeId);
  const dice = random.next();
  if (dice < 0.08) return blockCommand(random, state, operationId);
  if (dice < 0.34) return createVolume(random, operationId);
  if (dice < 0.44) {
    const addKib = kibOf(gib(1 + random.below(8)));
    return { type: 'ExpandVolume', operationId, volumeId, addKib, policy };
  }
  if (dice < 0.6) return { type: 'DeleteVolume', operationId, volumeId };
  if (dice < 0.7) return emptyDevice(random, operationId, onItsWay(random, state.devices.entries()) ?? deviceId, state);
  if (dice < 0.76) return emptyNode(random, operationId, onItsWay(random, state.nodes.entries()) ?? nodeId, state);
  if (dice < 0.86) return evictBrick(random, operationId, state.volumes.get(volumeId));
  if (dice < 0.9) return { type: 'RemoveDevice', operationId, deviceId, forceForget: random.chance(0.2) };
  if (dice < 0.93) return addDevice(operationId, random.hex(32) as DeviceId, nodeId, 1 + random.below(4));
  if (dice < 0.95) return { type: 'ResyncDevice', operationId, deviceId };
  if (dice < 0.97) return { type: 'RemoveNode', operationId, nodeId };
  return addNode(operationId, 1 + random.below(nodes));
}

/** Clones, clean-ups, and what people do about differences. */
function rareCommand(random: Random, state: ControlState, operationId: OperationId, originId: VolumeId): ClientCommand {
  const dice = random.next();
  if (dice < 0.6) {
    const name = random.oneOf(NAMES) ?? 'ada';
    const probe = { unable: [], silent: [] };
    return { type: 'CloneVolume', operationId, volumeId: random.hex(32) as VolumeId, originId, name, probe };
  }
  if (dice < 0.8) {
    const nodeId = random.oneOf(sorted(state.nodes.keys()));
    return { type: 'CleanUp', operationId, nodeIds: nodeId === undefined || random.chance(0.5) ? [] : [nodeId] };
  }
  const driftId = random.oneOf(sorted(state.drift.keys())) ?? (random.hex(32) as DriftId);
  return { type: random.chance(0.7) ? 'RestoreDrift' : 'AcceptDrift', operationId, driftId };
}

/** Something with block volumes. */
function blockCommand(random: Random, state: ControlState, operationId: OperationId): ClientCommand {
  const known = random.oneOf(sorted(state.blockVolumes.keys()));
  const dice = random.next();
  if (known !== undefined && dice < 0.35) return { type: 'DeleteBlockVolume', operationId, blockVolumeId: known };
  if (known !== undefined && dice < 0.5) {
    const newSizeKib = kibOf(gib(1 + random.below(8)));
    return { type: 'ExpandBlockVolume', operationId, blockVolumeId: known, newSizeKib };
  }
  const blockVolumeId = random.hex(32) as BlockVolumeId;
  const volumeId = random.hex(32) as VolumeId;
  const chap = { username: blockVolumeId, keyId: '0'.repeat(16) };
  return {
    type: 'CreateBlockVolume',
    operationId,
    blockVolumeId,
    name: random.oneOf(NAMES) ?? 'ada',
    sizeKib: kibOf(gib(1 + random.below(4))),
    portals: random.below(4),
    ...(random.chance(0.3) ? { chap } : {}),
    clusters: [],
    hosting: { volumeId, spec: hostingSpec(`vol_${volumeId}`), isAllowed: true },
    policy,
  };
}

const hostingSpec = (name: string): VolumeSpec => ({
  name,
  sizeKib: kibOf(gib(10)),
  durability: { kind: 'replicate', replica: 3 },
  gid: 0,
  options: ['group gluster-block'],
  block: true,
  snapshots: false,
  snapshotFactor: '1',
  requestedDurability: {},
});

/** One that is offline: the next thing that happens to it is mostly an evacuation. */
const onItsWay = <Id extends string>(
  random: Random,
  things: Iterable<readonly [Id, { readonly state: AdminState }]>,
): Id | undefined => random.oneOf(sorted([...things].filter(([, { state }]) => state === 'offline').map(([id]) => id)));

/** Mostly the next step on the way out: first offline, then failed, which moves every brick away; or back again. */
const nextState = (random: Random, now: AdminState | undefined): AdminState =>
  random.chance(0.25)
    ? random.pick(['online', 'online', 'offline', 'failed'] as const)
    : now === 'online'
      ? 'offline'
      : now === 'offline'
        ? 'failed'
        : 'online';

const healCheckOf = (random: Random): 'enable' | 'disable' => (random.chance(0.7) ? 'enable' : 'disable');

const emptyDevice = (
  random: Random,
  operationId: OperationId,
  deviceId: DeviceId,
  { devices }: ControlState,
): ClientCommand => ({
  type: 'SetDeviceState',
  operationId,
  deviceId,
  state: nextState(random, devices.get(deviceId)?.state),
  healCheck: healCheckOf(random),
});

const emptyNode = (
  random: Random,
  operationId: OperationId,
  nodeId: NodeId,
  { nodes }: ControlState,
): ClientCommand => ({
  type: 'SetNodeState',
  operationId,
  nodeId,
  state: nextState(random, nodes.get(nodeId)?.state),
  healCheck: healCheckOf(random),
});

/** Moves a brick of a volume; one that nobody has when there is no volume. */
function evictBrick(random: Random, operationId: OperationId, volume: Volume | undefined): ClientCommand {
  const brickId = random.oneOf(volume?.bricks ?? [])?.brickId ?? (random.hex(32) as BrickId);
  return { type: 'EvictBrick', operationId, brickId, healCheck: healCheckOf(random) };
}

export function createVolume(random: Random, operationId: OperationId): ClientCommand {
  const isStrict = random.chance(0.2);
  return {
    type: 'CreateVolume',
    operationId,
    volumeId: random.hex(32) as VolumeId,
    spec: {
      name: random.oneOf(NAMES) ?? 'ada',
      sizeKib: kibOf(gib(1 + random.below(20))),
      durability: random.pick(durabilities),
      gid: random.chance(0.2) ? 2000 : 0,
      options: isStrict ? ['user.heketi.zone-checking strict'] : [],
      block: false,
      snapshots: random.chance(0.2),
      snapshotFactor: '1',
      requestedDurability: {},
    },
    clusters: [],
    policy,
  };
}

export function addNode(operationId: OperationId, number: number): ClientCommand {
  const host = hostNamed(number);
  return {
    type: 'AddNode',
    operationId,
    nodeId: nodeIdOf(number),
    clusterId: CLUSTER_ID,
    zone: 1 + ((number - 1) % ZONES),
    hostnames: { manage: [host], storage: [host] },
    tags: {},
    probe: { newNode: 'running', members: number === 1 ? 'none' : 'running' },
  };
}

export function addDevice(operationId: OperationId, deviceId: DeviceId, nodeId: NodeId, number: number): ClientCommand {
  const name = `/dev/sd${String.fromCharCode(97 + number)}`;
  return { type: 'AddDevice', operationId, deviceId, nodeId, name, destroyData: false, tags: {} };
}

/** What makes a cluster of so many nodes with two devices each, in order. */
export function topology(random: Random, nodes: number): ClientCommand[] {
  const operationId = (): OperationId => random.hex(32) as OperationId;
  const numbers = Array.from({ length: nodes }, (_, index) => index + 1);
  return [
    { type: 'CreateCluster', clusterId: CLUSTER_ID, flags: { file: true, block: true } },
    ...numbers.flatMap((number) => [
      addNode(operationId(), number),
      addDevice(operationId(), random.hex(32) as DeviceId, nodeIdOf(number), 1),
      addDevice(operationId(), random.hex(32) as DeviceId, nodeIdOf(number), 2),
    ]),
  ];
}
