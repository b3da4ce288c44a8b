/** Clusters for specs: nodes in zones with devices, as the fold would have made them. */
import {
  ClusterId,
  DeviceId,
  HostName,
  kib,
  KIB_PER_GIB,
  NodeId,
  VolumeId,
  type AdminState,
  type Durability,
  type PlacementPolicy,
  type Tags,
  type VolumeSpec,
} from '@brickyard/contracts';
import { persistentMap } from '@brickyard/event-sourcing';
import { emptyControlState, type Cluster, type ControlState, type Device, type Node } from '../control/control.state';
import { ringDevice } from '../control/fold-tools';
import type { BrickRequest } from './placement.types';

export const GIB = KIB_PER_GIB;
export const none: Durability = { kind: 'none' };
export const replica = (count: number): Durability => ({ kind: 'replicate', replica: count });
export const disperse = (data: number, redundancy: number): Durability => ({ kind: 'disperse', data, redundancy });

/** heketi's defaults. */
export const policy: PlacementPolicy = {
  brickMinKib: kib(GIB),
  brickMaxKib: kib(4096 * GIB),
  bricksPerVolumeMax: 32,
  volumesPerClusterMax: 1000,
  zoneChecking: 'none',
};

export interface DeviceLayout {
  readonly totalKib: number;
  readonly usedKib?: number;
  readonly state?: AdminState;
  readonly tags?: Tags;
  readonly extentKib?: number;
}
export interface NodeLayout {
  readonly zone: number;
  readonly state?: AdminState;
  readonly lostSince?: string;
  readonly tags?: Tags;
  readonly devices: readonly DeviceLayout[];
}

export const id = (prefix: string, number: number): string =>
  prefix + number.toString(16).padStart(32 - prefix.length, '0');
export const clusterId = (number = 1): ClusterId => ClusterId.parse(id('c', number));
export const volumeId = (number = 1): VolumeId => VolumeId.parse(id('f', number));
export const nodeId = (number: number, cluster = 1): NodeId => NodeId.parse(id(`a${String(cluster)}`, number));
export const deviceId = (node: number, number: number, cluster = 1): DeviceId =>
  DeviceId.parse(id(`d${String(cluster)}`, node * 256 + number));

function devicesOf(layout: NodeLayout, node: number, cluster: number): Device[] {
  return layout.devices.map((device, index) => ({
    deviceId: deviceId(node, index, cluster),
    nodeId: nodeId(node, cluster),
    clusterId: clusterId(cluster),
    name: `/dev/sd${String(index)}`,
    tags: device.tags ?? {},
    state: device.state ?? 'online',
    lifecycle: 'ready',
    totalKib: device.totalKib,
    usedKib: device.usedKib ?? 0,
    extentKib: device.extentKib ?? 4096,
    pvUuid: '',
    paths: [],
    bricks: persistentMap(),
  }));
}

const nodeOf = (layout: NodeLayout, number: number, cluster: number): Node => ({
  nodeId: nodeId(number, cluster),
  clusterId: clusterId(cluster),
  zone: layout.zone,
  hostnames: { manage: [HostName.parse(`m${String(number)}`)], storage: [HostName.parse(`s${String(number)}`)] },
  tags: layout.tags ?? {},
  state: layout.state ?? 'online',
  lifecycle: 'ready',
  ...(layout.lostSince === undefined ? {} : { lostSince: layout.lostSince }),
  deviceIds: layout.devices.map((_, index) => deviceId(number, index, cluster)),
  residue: [],
});

/** A state with one more cluster, its nodes numbered from 1. */
export function withCluster(
  state: ControlState,
  number: number,
  layouts: readonly NodeLayout[],
  flags = { file: true, block: true },
): ControlState {
  const pairs = layouts.map((layout, index): [Node, Device[]] => {
    return [nodeOf(layout, index + 1, number), devicesOf(layout, index + 1, number)];
  });
  const cluster: Cluster = {
    clusterId: clusterId(number),
    flags,
    nodeIds: pairs.map(([node]) => node.nodeId),
    ring: persistentMap(
      pairs.flatMap(([node, devices]) => devices.map((device) => [device.deviceId, ringDevice(device, node)] as const)),
    ),
    joiningIds: [],
    volumeIds: persistentMap(),
  };
  let { nodes, devices } = state;
  for (const [node, onNode] of pairs) {
    nodes = nodes.set(node.nodeId, node);
    for (const device of onNode) devices = devices.set(device.deviceId, device);
  }
  return { ...state, clusters: state.clusters.set(cluster.clusterId, cluster), nodes, devices };
}

/** A state with one cluster. */
export const clusterOf = (...layouts: readonly NodeLayout[]): ControlState =>
  withCluster(emptyControlState, 1, layouts);

/** A node with devices of these sizes in GiB. */
export const node = (zone: number, ...sizesGib: readonly number[]): NodeLayout => ({
  zone,
  devices: sizesGib.map((size) => ({ totalKib: size * GIB })),
});

/** Four nodes in four zones, two devices of 500 GiB each. */
export const fourNodes = (): ControlState => clusterOf(...[1, 2, 3, 4].map((zone) => node(zone, 500, 500)));

export const brickRequest = (
  durability: Durability,
  sizeGib: number,
  over: Partial<BrickRequest> = {},
): BrickRequest => ({
  volumeId: volumeId(),
  seed: volumeId(),
  clusterId: clusterId(),
  durability,
  sizeKib: sizeGib * GIB,
  snapshotFactor: '1',
  options: [],
  existingBricks: 0,
  firstSet: 0,
  policy,
  ...over,
});

export const volumeSpec = (durability: Durability, sizeGib: number, over: Partial<VolumeSpec> = {}): VolumeSpec => ({
  name: 'vol',
  sizeKib: kib(sizeGib * GIB),
  durability,
  gid: 0,
  options: [],
  block: false,
  snapshots: false,
  snapshotFactor: '1',
  requestedDurability: {},
  ...over,
});
