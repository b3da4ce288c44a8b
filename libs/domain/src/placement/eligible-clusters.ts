/** Which clusters are tried for block volumes, and why the others are not. */
import type { ClusterRefusal, CommandOf, Rejection } from '@brickyard/contracts';
import type { Cluster, ControlState } from '../control/control.state';
import { candidates, notPlaced, wantedBy } from './choose-cluster';
import type { RefusedBy } from './remedy/remedy';

type Eligible =
  | { readonly kind: 'found'; readonly clusters: readonly Cluster[] }
  | { readonly kind: 'refused'; readonly rejection: Rejection };

function ineligibility({ flags, volumeIds }: Cluster, limit: number): ClusterRefusal | undefined {
  if (!flags.file && !flags.block) return { kind: 'AllVolumeTypesDisabled' };
  if (!flags.block) return { kind: 'VolumeTypeNotSupported' };
  return limit >= 0 && volumeIds.size >= limit ? { kind: 'TooManyVolumes', count: volumeIds.size, limit } : undefined;
}

/** The clusters that were asked for and take block volumes; with a limit, that also take one volume more to hold them. */
export function clustersForBlocks(
  { clusters: requested, hosting, policy }: CommandOf<'CreateBlockVolume'>,
  state: ControlState,
  limit = -1,
): Eligible {
  if (state.clusters.size === 0) return { kind: 'refused', rejection: { kind: 'NoClusters' } };
  const found = candidates(requested, state);
  if (found.kind === 'unknown') {
    return { kind: 'refused', rejection: { kind: 'UnknownClusterRequested', clusterId: found.id } };
  }
  const refusals: RefusedBy[] = [];
  const clusters = found.clusters.filter((cluster) => {
    const refusal = ineligibility(cluster, limit);
    if (refusal !== undefined) refusals.push({ clusterId: cluster.clusterId, refusal });
    return refusal === undefined;
  });
  if (clusters.length > 0) return { kind: 'found', clusters };
  const { volumeId, spec } = hosting;
  return notPlaced(refusals, true, wantedBy({ volumeId, spec, clusters: requested, policy }), state);
}
