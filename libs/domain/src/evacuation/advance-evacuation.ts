/** What an evacuation does next: the next brick, a new plan when a device it counted on is gone, or its end. Pure. */
import type { ControlEvent, DeviceId, OperationId } from '@brickyard/contracts';
import type { BrickMove, ControlState } from '../control/control.state';
import type { EvacuationPlan, Operation } from '../operation/operation.state';
import { deriveId } from '../placement/derive-id';
import { refusalBeforeWalk } from '../placement/filters';
import { movesPlanned, stoppedBecause, type StopReason } from './evacuation-commands';
import { withMovesReleased } from './evacuation.folds';
import type { EvacuationSubject } from './evacuation.types';
import { planEvacuation } from './plan-evacuation';

/** How often in a row an eviction may fail for a reason that passes before the evacuation stops. */
const ATTEMPTS_MAX = 5;

/** An operation that empties a device or node. */
export type Evacuation = Operation & { readonly plan: EvacuationPlan };

const subjectOf = (plan: EvacuationPlan): EvacuationSubject =>
  plan.kind === 'evacuate-node' ? { kind: 'node', nodeId: plan.nodeId } : { kind: 'device', deviceId: plan.deviceId };

/** What is still to be moved; a volume that was deleted meanwhile took its bricks along. */
function movesLeft({ operationId, plan }: Evacuation, state: ControlState): (BrickMove | 'lost')[] {
  return plan.moves.flatMap(({ volumeId, brickId }) => {
    const volume = state.volumes.get(volumeId);
    if (volume?.bricks.some((brick) => brick.brickId === brickId) !== true) return [];
    const move = volume.moves.find((each) => each.brickId === brickId);
    return [move?.operationId === operationId ? move : ('lost' as const)];
  });
}

/** Whether the device that a move counts on can still take a brick. */
function isGood({ replacement }: BrickMove, state: ControlState): boolean {
  const clusterId = state.devices.get(replacement.deviceId)?.clusterId;
  const device = clusterId === undefined ? undefined : state.clusters.get(clusterId)?.ring.get(replacement.deviceId);
  return device !== undefined && refusalBeforeWalk(device, undefined) === undefined;
}

function stopped({ operationId, plan }: Evacuation, why: StopReason): ControlEvent {
  const { moved } = plan;
  return plan.kind === 'evacuate-node'
    ? { type: 'NodeEvacuationStopped', version: 1, operationId, nodeId: plan.nodeId, moved, ...why }
    : { type: 'DeviceEvacuationStopped', version: 1, operationId, deviceId: plan.deviceId, moved, ...why };
}

function done({ operationId, plan }: Evacuation, state: ControlState): ControlEvent[] {
  if (plan.kind === 'evacuate-device') {
    return [{ type: 'DeviceStateSet', version: 1, operationId, deviceId: plan.deviceId, state: 'failed' }];
  }
  const { nodeId } = plan;
  return [
    ...drained(operationId, state.nodes.get(nodeId)?.deviceIds ?? [], state),
    { type: 'NodeStateSet', version: 1, operationId, nodeId, state: 'failed' },
  ];
}

/** The devices of a node become failed with it; each change is an operation of its own, as a device's always is. */
function drained(operationId: OperationId, deviceIds: readonly DeviceId[], state: ControlState): ControlEvent[] {
  return deviceIds
    .filter((deviceId) => state.devices.get(deviceId)?.state !== 'failed')
    .map((deviceId) => ({
      type: 'DeviceStateSet',
      version: 1,
      operationId: deriveId(operationId, `device/${deviceId}`) as OperationId,
      deviceId,
      state: 'failed',
    }));
}

/** Another plan for what is left; the devices that let an eviction down are not asked again. */
function planAgain(operation: Evacuation, state: ControlState, left: readonly (BrickMove | 'lost')[]): ControlEvent[] {
  const { operationId, plan } = operation;
  const { failed, healCheck, zoneChecking } = plan;
  const subject = subjectOf(plan);
  const seed = `${operationId}/${String(plan.moved)}/${String(failed?.attempts ?? 0)}/${String(left.length)}`;
  const again = planEvacuation({ subject, seed, zoneChecking }, withMovesReleased(state, operationId));
  if (again.kind === 'planned') return movesPlanned(operationId, again.moves);
  const why = stoppedBecause(subject, again, healCheck);
  return [stopped(operation, failed === undefined ? why : { ...why, cause: `${failed.cause}\n${why.cause}` })];
}

function next({ operationId, plan }: Evacuation, state: ControlState, left: readonly BrickMove[]): ControlEvent[] {
  const free = left.find(({ brickId }) => {
    const volumeId = plan.moves.find((move) => move.brickId === brickId)?.volumeId;
    return volumeId !== undefined && state.volumes.get(volumeId)?.operationId === undefined;
  });
  if (free === undefined) return []; // Their volumes are busy; the end of those operations brings us here again.
  const { brickId, replacement } = free;
  const volumeId = plan.moves.find((move) => move.brickId === brickId)?.volumeId;
  if (volumeId === undefined) return [];
  return [
    {
      type: 'BrickMoveStarted',
      version: 1,
      operationId: deriveId(operationId, `evict/${replacement.brickId}`) as OperationId,
      parentId: operationId,
      volumeId,
      brickId,
      healCheck: plan.healCheck,
    },
  ];
}

/** The next events of an evacuation; none while a brick is on its way or the volumes are busy. */
export function advanceEvacuation(operation: Evacuation, state: ControlState): readonly ControlEvent[] {
  const { childId, failed } = operation.plan;
  if (childId !== undefined) return [];
  if (failed !== undefined && (!failed.passing || failed.attempts >= ATTEMPTS_MAX)) {
    const { detail, cause } = failed;
    return [stopped(operation, { detail, cause, remedy: '', blocked: [], blockedMore: 0 })];
  }
  const left = movesLeft(operation, state);
  if (left.length === 0) return done(operation, state);
  const good = left.filter((move) => move !== 'lost').filter((move) => isGood(move, state));
  return good.length === left.length ? next(operation, state, good) : planAgain(operation, state, left);
}
