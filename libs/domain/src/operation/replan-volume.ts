/** A volume whose hosts failed while it was built is planned once more, elsewhere: as heketi does, up to four times. */
import type { EventOf } from '@brickyard/contracts';
import type { Cluster, ControlState, Volume } from '../control/control.state';
import { withBricksGivenBack } from '../control/volume.folds';
import { planBricks } from '../placement/plan-bricks';
import type { Operation } from './operation.state';

/** heketi's default: five attempts in all. */
const REPLANS_MAX = 4;

/** The cluster as if the devices that failed were not there. */
function withoutFailed(cluster: Cluster, { failedOn = [] }: Operation): Cluster {
  return failedOn.reduce((left, { deviceId }) => ({ ...left, ring: left.ring.delete(deviceId) }), cluster);
}

/** Whether it was a host that failed: what Gluster refuses on one host it refuses on all. */
const isHostFailure = ({ failure, failedOn = [] }: Operation): boolean =>
  failure?.passing === true || failedOn.length > 0;

function volumeToReplan({ plan }: Operation, state: ControlState): Volume | undefined {
  const isOver = plan.kind !== 'create-volume' || plan.policy === undefined || (plan.replans ?? 0) >= REPLANS_MAX;
  return isOver ? undefined : state.volumes.get(plan.volumeId);
}

/** The fact that it is tried again, once everything of the last try is taken back; nothing when there is no other place. */
export function replanVolume(operation: Operation, state: ControlState): EventOf<'VolumeReplanned'> | undefined {
  const { operationId, plan, failure, failedOn = [] } = operation;
  const volume = volumeToReplan(operation, state);
  const cluster = volume === undefined ? undefined : state.clusters.get(volume.clusterId);
  if (volume === undefined || cluster === undefined || plan.kind !== 'create-volume') return undefined;
  if (plan.policy === undefined || !isHostFailure(operation)) return undefined;
  const { volumeId, clusterId, spec } = volume;
  const request = {
    volumeId,
    seed: `${volumeId}/${String((plan.replans ?? 0) + 1)}`,
    clusterId,
    durability: spec.durability,
    sizeKib: spec.sizeKib,
    snapshotFactor: spec.snapshotFactor,
    options: spec.options,
    existingBricks: 0,
    firstSet: 0,
    policy: plan.policy,
  };
  const { devices } = withBricksGivenBack(state, volume.bricks);
  const placed = planBricks(request, withoutFailed(cluster, operation), devices);
  if (placed.kind !== 'placed') return undefined;
  return {
    type: 'VolumeReplanned',
    version: 1,
    operationId,
    volumeId,
    bricks: placed.bricks,
    placement: placed.explanation,
    excluded: [...failedOn],
    detail: failure?.detail ?? '',
  };
}
