/** What each fact about things that were taken over changes: they are there, as if an operation had made them. */
import type { EventOf } from '@brickyard/contracts';
import { persistentMap, type Recorded } from '@brickyard/event-sourcing';
import { hostnameKey, volumeNameKey, type ControlState } from '../control/control.state';
import { changed, withCluster, withMember, withRingRefreshed } from '../control/fold-tools';
import { withBricksTaken } from '../control/volume.folds';
import { withGenerationsAbove } from '../restore/restore.folds';

export const clusterAdopted = (state: ControlState, { event }: Recorded<EventOf<'ClusterAdopted'>>): ControlState => ({
  ...state,
  clusters: state.clusters.set(event.clusterId, {
    clusterId: event.clusterId,
    flags: event.flags,
    nodeIds: [],
    joiningIds: [],
    ring: persistentMap(),
    volumeIds: persistentMap(),
  }),
});

export function nodeAdopted(state: ControlState, { event, position }: Recorded<EventOf<'NodeAdopted'>>): ControlState {
  const { nodeId, clusterId, zone, hostnames, tags, state: adminState, seenGeneration = 0 } = event;
  let names = state.hostnames;
  for (const name of hostnames.manage) names = names.set(hostnameKey('manage', name), nodeId);
  for (const name of hostnames.storage) names = names.set(hostnameKey('storage', name), nodeId);
  const nodes = state.nodes.set(nodeId, {
    nodeId,
    clusterId,
    zone,
    hostnames,
    tags,
    state: adminState,
    lifecycle: 'ready',
    deviceIds: [],
    residue: [],
  });
  const fenced = withGenerationsAbove({ ...state, nodes, hostnames: names }, seenGeneration, position);
  return withCluster(fenced, clusterId, (cluster) => ({
    ...cluster,
    nodeIds: withMember(cluster.nodeIds, nodeId),
  }));
}

export function deviceAdopted(state: ControlState, { event }: Recorded<EventOf<'DeviceAdopted'>>): ControlState {
  const { type: _, version: __, origin: ___, ...found } = event;
  const { deviceId, nodeId } = found;
  const node = state.nodes.get(nodeId);
  if (node === undefined) return state;
  const { clusterId } = node;
  const devices = state.devices.set(deviceId, {
    ...found,
    clusterId,
    lifecycle: 'ready',
    usedKib: 0,
    bricks: persistentMap(),
  });
  const nodes = changed(state.nodes, nodeId, (owner) => ({
    ...owner,
    deviceIds: withMember(owner.deviceIds, deviceId),
  }));
  return withRingRefreshed({ ...state, devices, nodes }, nodeId, [deviceId]);
}

export function volumeAdopted(
  state: ControlState,
  { event, position }: Recorded<EventOf<'VolumeAdopted'>>,
): ControlState {
  const { volumeId, clusterId, spec, sizeKib, bricks, options, hosting } = event;
  const adopted = {
    ...state,
    volumes: state.volumes.set(volumeId, {
      volumeId,
      clusterId,
      plannedAt: position,
      spec,
      sizeKib,
      bricks,
      moves: [],
      status: 'ready',
      ...(hosting === undefined ? {} : { hosting: { ...hosting, blockVolumeIds: [] } }),
      ...(options === undefined ? {} : { gluster: { options, isComplete: true } }),
    }),
    volumeNames: state.volumeNames.set(volumeNameKey(clusterId, spec.name), volumeId),
  };
  const listed = withCluster(adopted, clusterId, (cluster) => ({
    ...cluster,
    volumeIds: cluster.volumeIds.set(volumeId, true),
  }));
  return withBricksTaken(listed, volumeId, bricks);
}
