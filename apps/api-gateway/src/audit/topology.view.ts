/** Everything at once, in heketi's own shapes: one question where heketi's clients ask one for each thing. Pure. */
import type { ControlState } from '@brickyard/domain';
import { clusterView, type ClusterView } from '../heketi/cluster.view';
import { nodeView, type NodeView } from '../heketi/node.view';
import { clusterIdsOf, visibleNodesOf, visibleVolume, volumeIdsOf } from '../heketi/visible';
import { volumeView, type VolumeView } from '../heketi/volume.view';

/** Each object as its own route shows it, ascending by id (nodes by cluster, then id). */
export interface TopologyView {
  readonly clusters: readonly ClusterView[];
  readonly nodes: readonly NodeView[];
  readonly volumes: readonly VolumeView[];
}

/** `GET /v1/topology`. */
export function topologyView(state: ControlState): TopologyView {
  const ids = clusterIdsOf(state);
  return {
    clusters: ids
      .map((id) => state.clusters.get(id))
      .filter((cluster) => cluster !== undefined)
      .map((cluster) => clusterView(state, cluster)),
    nodes: ids.flatMap((id) => visibleNodesOf(state, id)).map((node) => nodeView(state, node)),
    volumes: volumesView(state),
  };
}

/** `GET /v1/volumes`: what `GET /volumes/{id}` shows, of all volumes. */
export const volumesView = (state: ControlState): readonly VolumeView[] =>
  volumeIdsOf(state)
    .map((id) => visibleVolume(state, id))
    .filter((volume) => volume !== undefined)
    .map((volume) => volumeView(state, volume));
