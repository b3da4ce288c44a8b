import type { Cluster, ControlState } from '@brickyard/domain';
import { blockVolumeIdsIn, clusterIdsOf, visibleNodesOf, volumeIdsIn } from './visible';

/** One cluster as heketi shows it; the order of the fields is part of it. */
export interface ClusterView {
  readonly id: string;
  readonly nodes: readonly string[];
  readonly volumes: readonly string[];
  readonly block: boolean;
  readonly file: boolean;
  readonly blockvolumes: readonly string[];
}

/** `GET /clusters`. */
export const clusterListView = (state: ControlState): { readonly clusters: readonly string[] } => ({
  clusters: clusterIdsOf(state),
});

/** `GET /clusters/{id}`. */
export function clusterView(state: ControlState, { clusterId, flags }: Cluster): ClusterView {
  return {
    ...newClusterView(clusterId, flags),
    nodes: visibleNodesOf(state, clusterId).map(({ nodeId }) => nodeId),
    volumes: volumeIdsIn(state, clusterId),
    blockvolumes: blockVolumeIdsIn(state, clusterId),
  };
}

/** What `POST /clusters` answers: a cluster with nothing in it. */
export const newClusterView = (id: string, flags: Cluster['flags']): ClusterView => ({
  id,
  nodes: [],
  volumes: [],
  block: flags.block,
  file: flags.file,
  blockvolumes: [],
});
