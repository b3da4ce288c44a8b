/** Everything at once, in heketi's own shapes: one question where heketi's clients ask one for each thing. Pure. */
import { gibOf, kib } from '@brickyard/contracts';
import type { ControlState, Volume } from '@brickyard/domain';
import { clusterView, type ClusterView } from '../heketi/cluster.view';
import { nodeView, type NodeView } from '../heketi/node.view';
import { clusterIdsOf, visibleNodesOf, visibleVolume, volumeIdsOf } from '../heketi/visible';
import { durabilityView, volumeView, type VolumeView } from '../heketi/volume.view';

/** Each object as its own route shows it, ascending by id (nodes by cluster, then id). */
export interface TopologyView {
  readonly clusters: readonly ClusterView[];
  readonly nodes: readonly NodeView[];
  readonly volumes: readonly VolumeView[];
}

/** A volume without what only one who looks at it alone wants to know: a tenth of the bytes. */
export interface VolumeLine {
  readonly id: string;
  readonly name: string;
  /** GiB. */
  readonly size: number;
  readonly durability: VolumeView['durability'];
  readonly block?: true;
  readonly cluster: string;
  /** How many there are. */
  readonly bricks: number;
}

/** `GET /v1/volumes?brief=true`. */
export const volumeLines = (state: ControlState): readonly VolumeLine[] =>
  visibleVolumesOf(state).map(({ volumeId, clusterId, sizeKib, spec, bricks }) => ({
    id: volumeId,
    name: spec.name,
    size: gibOf(kib(sizeKib)),
    durability: durabilityView(spec),
    ...(spec.block ? { block: true } : {}),
    cluster: clusterId,
    bricks: bricks.length,
  }));

/** `GET /v1/topology?brief=true`: volumes as above; bricks without their path, and where they are is where they stand. */
export function topologyLines(state: ControlState): object {
  return {
    clusters: clustersView(state),
    nodes: nodesView(state).map((node) => ({
      ...node,
      devices: node.devices.map((device) => ({
        ...device,
        bricks: device.bricks.map(({ id, volume, size }) => ({ id, volume, size })),
      })),
    })),
    volumes: volumeLines(state),
  };
}

/** `GET /v1/topology`. */
export const topologyView = (state: ControlState): TopologyView => ({
  clusters: clustersView(state),
  nodes: nodesView(state),
  volumes: volumesView(state),
});

/** `GET /v1/volumes`: what `GET /volumes/{id}` shows, of all volumes. */
export const volumesView = (state: ControlState): readonly VolumeView[] =>
  visibleVolumesOf(state).map((volume) => volumeView(state, volume));

const visibleVolumesOf = (state: ControlState): readonly Volume[] =>
  volumeIdsOf(state)
    .map((id) => visibleVolume(state, id))
    .filter((volume) => volume !== undefined);

const clustersView = (state: ControlState): readonly ClusterView[] =>
  clusterIdsOf(state)
    .map((id) => state.clusters.get(id))
    .filter((cluster) => cluster !== undefined)
    .map((cluster) => clusterView(state, cluster));

const nodesView = (state: ControlState): readonly NodeView[] =>
  clusterIdsOf(state)
    .flatMap((id) => visibleNodesOf(state, id))
    .map((node) => nodeView(state, node));
