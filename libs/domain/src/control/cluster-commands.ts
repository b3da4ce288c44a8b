/** Decisions about clusters themselves. */
import type { CommandOf } from '@brickyard/contracts';
import { accepted, rejected } from '@brickyard/event-sourcing';
import type { ControlState } from './control.state';
import type { ControlDecision } from './decisions.types';

export function createCluster({ clusterId, flags }: CommandOf<'CreateCluster'>, state: ControlState): ControlDecision {
  if (state.clusters.has(clusterId)) return accepted();
  return accepted({ type: 'ClusterCreated', version: 1, clusterId, flags });
}

export function setClusterFlags(
  { clusterId, flags }: CommandOf<'SetClusterFlags'>,
  state: ControlState,
): ControlDecision {
  const cluster = state.clusters.get(clusterId);
  if (cluster === undefined) return rejected({ kind: 'ClusterNotFound', clusterId });
  if (cluster.flags.file === flags.file && cluster.flags.block === flags.block) return accepted();
  return accepted({ type: 'ClusterFlagsSet', version: 1, clusterId, flags });
}

export function removeCluster({ clusterId }: CommandOf<'RemoveCluster'>, state: ControlState): ControlDecision {
  const cluster = state.clusters.get(clusterId);
  if (cluster === undefined) return rejected({ kind: 'ClusterNotFound', clusterId });
  const isEmpty = cluster.nodeIds.length + cluster.joiningIds.length + cluster.volumeIds.size === 0;
  if (!isEmpty) return rejected({ kind: 'ClusterNotEmpty', clusterId });
  return accepted({ type: 'ClusterRemoved', version: 1, clusterId });
}
