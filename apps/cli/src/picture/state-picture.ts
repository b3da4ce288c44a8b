/** The picture that follows from a folded state. Pure. */
import type { ClusterId, NodeId } from '@brickyard/contracts';
import { gibOf, kib } from '@brickyard/contracts';
import {
  freeKib,
  isVisible,
  type Cluster,
  type ControlState,
  type Device,
  type Node,
  type Volume,
} from '@brickyard/domain';
import { canonicalJson } from '@brickyard/event-sourcing';
import { listed, type Picture, type Thing } from './picture';

/** What clients see of a state: things being added or deleted are not among it. */
export function pictureOfState(state: ControlState, position: number): Picture {
  const things = new Map<string, Thing>();
  const volumes = [...state.volumes.values()].filter(isVisible);
  const volumeIds = grouped(volumes);
  for (const cluster of state.clusters.values()) {
    things.set(`cluster ${cluster.clusterId}`, clusterThing(state, cluster, volumeIds.get(cluster.clusterId) ?? []));
  }
  for (const node of state.nodes.values()) {
    if (node.lifecycle !== 'adding') things.set(`node ${node.nodeId}`, nodeThing(state, node));
  }
  for (const device of state.devices.values()) {
    if (device.lifecycle !== 'adding') things.set(`device ${device.deviceId}`, deviceThing(state, device));
  }
  for (const volume of volumes) things.set(`volume ${volume.volumeId}`, volumeThing(state, volume));
  return { position, things };
}

function grouped(volumes: readonly Volume[]): Map<ClusterId, string[]> {
  const groups = new Map<ClusterId, string[]>();
  for (const { clusterId, volumeId } of volumes) {
    const group = groups.get(clusterId);
    if (group === undefined) groups.set(clusterId, [volumeId]);
    else group.push(volumeId);
  }
  return groups;
}

const isNodeVisible = (state: ControlState, nodeId: NodeId): boolean => state.nodes.get(nodeId)?.lifecycle !== 'adding';

const visibleNodes = (state: ControlState, clusterId: ClusterId): readonly NodeId[] =>
  (state.clusters.get(clusterId)?.nodeIds ?? []).filter((nodeId) => isNodeVisible(state, nodeId));

const clusterThing = (state: ControlState, { clusterId, flags }: Cluster, volumeIds: readonly string[]): Thing =>
  new Map([
    ['file', String(flags.file)],
    ['block', String(flags.block)],
    ['nodes', listed(visibleNodes(state, clusterId))],
    ['volumes', listed(volumeIds)],
  ]);

function nodeThing(state: ControlState, node: Node): Thing {
  const devices = node.deviceIds.filter((id) => {
    const device = state.devices.get(id);
    return device !== undefined && device.lifecycle !== 'adding';
  });
  return new Map([
    ['cluster', node.clusterId],
    ['zone', String(node.zone)],
    ['state', node.state],
    ['manage', node.hostnames.manage.join(' ')],
    ['storage', node.hostnames.storage.join(' ')],
    ['tags', tagText(node.tags)],
    ['devices', listed(devices)],
  ]);
}

function deviceThing(state: ControlState, device: Device): Thing {
  const bricks = [...device.bricks.entries()].flatMap(([brickId, volumeId]) => {
    const brick = state.volumes.get(volumeId)?.bricks.find((one) => one.brickId === brickId);
    return brick === undefined ? [] : [brickField(brickId, volumeId, brick.path, brick.sizeKib)];
  });
  return new Map([
    ['name', device.name],
    ['node', device.nodeId],
    ['state', device.state],
    ['total', kibText(device.totalKib)],
    ['free', kibText(freeKib(device))],
    ['used', kibText(device.usedKib)],
    ['tags', tagText(device.tags)],
    ['paths', device.paths.join(' ')],
    ['pv uuid', device.pvUuid],
    ...bricks,
  ]);
}

function volumeThing(state: ControlState, volume: Volume): Thing {
  const { spec, clusterId, bricks } = volume;
  const hosts = visibleNodes(state, clusterId).flatMap(
    (id) => state.nodes.get(id)?.hostnames.storage.slice(0, 1) ?? [],
  );
  return new Map([
    ['name', spec.name],
    ['size', gibText(gibOf(kib(volume.sizeKib)))],
    ['cluster', clusterId],
    ['durability', canonicalJson(spec.requestedDurability)],
    ['gid', String(spec.gid)],
    ['options', JSON.stringify(spec.options)],
    ['snapshot', `${String(spec.snapshots)} ${String(Number(spec.snapshotFactor))}`],
    ['hosts', listed(hosts)],
    ...bricks.map(({ brickId, deviceId, path, sizeKib }) => brickField(brickId, deviceId, path, sizeKib)),
  ]);
}

/** A brick on a device names its volume, a brick of a volume its device. */
export const brickField = (id: string, other: string, path: string, sizeKib: number): [string, string] => [
  `brick ${id}`,
  `${other} ${kibText(sizeKib)} ${path}`,
];

export const kibText = (size: number): string => `${String(size)} KiB`;

export const gibText = (size: number): string => `${String(size)} GiB`;

/** Tags in the order of their names. */
export const tagText = (tags: Readonly<Record<string, string>>): string =>
  listed(Object.entries(tags).map(([name, value]) => `${name}=${value}`));
