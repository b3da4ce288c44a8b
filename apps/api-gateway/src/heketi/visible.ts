/** What clients see of a state, in the order they see it: sorted once for each state, however often it is asked. */
import type { BlockVolumeId, ClusterId, DeviceId, NodeId, OperationId, VolumeId } from '@brickyard/contracts';
import {
  type BlockVolume,
  type ControlState,
  type Device,
  isBlockVisible,
  isVisible,
  type Node,
  type OperationKind,
  type Volume,
} from '@brickyard/domain';

/** Maps never change, so what was worked out from one holds as long as it is the same object. */
function memoised<Key extends object, Value>(work: (key: Key) => Value): (key: Key) => Value {
  const known = new WeakMap<Key, Value>();
  return (key) => {
    const before = known.get(key);
    if (before !== undefined) return before;
    const value = work(key);
    known.set(key, value);
    return value;
  };
}

const sortedClusterIds = memoised((clusters: ControlState['clusters']) => [...clusters.keys()].sort());

const visibleVolumeIds = memoised((volumes: ControlState['volumes']): readonly VolumeId[] => {
  const ids: VolumeId[] = [];
  for (const volume of volumes.values()) if (isVisible(volume)) ids.push(volume.volumeId);
  return ids.sort();
});

const visibleVolumesByCluster = memoised((volumes: ControlState['volumes']) => {
  const byCluster = new Map<ClusterId, VolumeId[]>();
  for (const volume of volumes.values()) {
    if (!isVisible(volume)) continue;
    const { volumeId, clusterId } = volume;
    const known = byCluster.get(clusterId);
    if (known === undefined) byCluster.set(clusterId, [volumeId]);
    else known.push(volumeId);
  }
  for (const ids of byCluster.values()) ids.sort();
  return byCluster;
});

const visibleBlockVolumes = memoised((blocks: ControlState['blockVolumes']): readonly BlockVolume[] =>
  [...blocks.values()].filter(isBlockVisible).sort((one, other) => (one.blockVolumeId < other.blockVolumeId ? -1 : 1)),
);

const visibleBlockVolumesByCluster = memoised((blocks: ControlState['blockVolumes']) => {
  const byCluster = new Map<ClusterId, BlockVolumeId[]>();
  for (const { clusterId, blockVolumeId } of visibleBlockVolumes(blocks)) {
    const known = byCluster.get(clusterId);
    if (known === undefined) byCluster.set(clusterId, [blockVolumeId]);
    else known.push(blockVolumeId);
  }
  return byCluster;
});

const COUNTED: ReadonlySet<OperationKind> = new Set([
  'create-volume',
  'expand-volume',
  'delete-volume',
  'clone-volume',
  'create-block-volume',
  'expand-block-volume',
  'delete-block-volume',
  'evict-brick',
  'evacuate-device',
  'evacuate-node',
]);

const countedOperations = memoised((operations: ControlState['operations']): { readonly count: number } => {
  let count = 0;
  for (const { plan } of operations.values()) {
    // A brick that an evacuation moves is counted with it.
    const isPart = plan.kind === 'evict-brick' && plan.parentId !== undefined;
    if (COUNTED.has(plan.kind) && !isPart) count += 1;
  }
  return { count };
});

/** Ids of all clusters, ascending. */
export const clusterIdsOf = (state: ControlState): readonly ClusterId[] => sortedClusterIds(state.clusters);

/** Ids of the volumes clients see, ascending. */
export const volumeIdsOf = (state: ControlState): readonly VolumeId[] => visibleVolumeIds(state.volumes);

/** The same of one cluster. */
export const volumeIdsIn = (state: ControlState, clusterId: ClusterId): readonly VolumeId[] =>
  visibleVolumesByCluster(state.volumes).get(clusterId) ?? [];

/** Ids of the block volumes clients see, ascending. */
export const blockVolumeIdsOf = (state: ControlState): readonly BlockVolumeId[] =>
  visibleBlockVolumes(state.blockVolumes).map(({ blockVolumeId }) => blockVolumeId);

/** The same of one cluster. */
export const blockVolumeIdsIn = (state: ControlState, clusterId: ClusterId): readonly BlockVolumeId[] =>
  visibleBlockVolumesByCluster(state.blockVolumes).get(clusterId) ?? [];

/** A block volume clients see. */
export function visibleBlockVolume(state: ControlState, blockVolumeId: string): BlockVolume | undefined {
  const block = state.blockVolumes.get(blockVolumeId as BlockVolumeId);
  return block !== undefined && isBlockVisible(block) ? block : undefined;
}

/** How many running operations heketi would count against its limit. */
export const countedOperationsOf = (state: ControlState): number => countedOperations(state.operations).count;

/** A node clients see: not while it is being added. */
export function visibleNode(state: ControlState, nodeId: string): Node | undefined {
  const node = state.nodes.get(nodeId as NodeId);
  return node === undefined || node.lifecycle === 'adding' ? undefined : node;
}

/** A device clients see: not while it is being added. */
export function visibleDevice(state: ControlState, deviceId: string): Device | undefined {
  const device = state.devices.get(deviceId as DeviceId);
  return device === undefined || device.lifecycle === 'adding' ? undefined : device;
}

/** A volume clients see. */
export function visibleVolume(state: ControlState, volumeId: string): Volume | undefined {
  const volume = state.volumes.get(volumeId as VolumeId);
  return volume !== undefined && isVisible(volume) ? volume : undefined;
}

/** The nodes of a cluster that clients see, ascending by id. */
export function visibleNodesOf(state: ControlState, clusterId: ClusterId): readonly Node[] {
  const nodeIds = state.clusters.get(clusterId)?.nodeIds ?? [];
  return nodeIds.map((nodeId) => visibleNode(state, nodeId)).filter((node) => node !== undefined);
}

/** Hosts of one cluster, and of which list of members they are. */
interface Storage {
  readonly nodeIds: readonly NodeId[];
  readonly hosts: readonly string[];
  /** All but the first, as mounts name them. */
  readonly backup: string;
}

const storageByCluster = memoised((_: ControlState['nodes']) => new Map<ClusterId, Storage>());

/** The names under which clients mount volumes of a cluster: the same for all of its volumes, so they are put together once. */
export function storageHostsOf(state: ControlState, clusterId: ClusterId): Pick<Storage, 'hosts' | 'backup'> {
  const known = storageByCluster(state.nodes);
  const nodeIds = state.clusters.get(clusterId)?.nodeIds ?? [];
  const before = known.get(clusterId);
  if (before?.nodeIds === nodeIds) return before;
  const hosts = visibleNodesOf(state, clusterId).flatMap(({ hostnames }) => hostnames.storage.slice(0, 1));
  const storage = { nodeIds, hosts, backup: hosts.slice(1).join(',') };
  known.set(clusterId, storage);
  return storage;
}

/** Whether an id could be one of ours: anything else is not looked up. */
export const isOperationId = (id: string): id is OperationId => /^[0-9a-f]{32}$/.test(id);
