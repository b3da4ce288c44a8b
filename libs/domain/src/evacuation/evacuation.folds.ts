/** What each fact about the moving of bricks changes. */
import type { Brick, BrickId, DeviceId, EventOf, NodeId, OperationId, VolumeId } from '@brickyard/contracts';
import type { Recorded } from '@brickyard/event-sourcing';
import type { BrickMove, ControlState, Volume } from '../control/control.state';
import { changed, released } from '../control/fold-tools';
import { withBricksGivenBack, withBricksTaken } from '../control/volume.folds';
import { endOperation, startOperation } from '../operation/operation.folds';
import { isEvacuation, type EvacuationPlan, type Operation } from '../operation/operation.state';

const withVolume = (state: ControlState, volumeId: VolumeId, change: (volume: Volume) => Volume): ControlState => ({
  ...state,
  volumes: changed(state.volumes, volumeId, change),
});

function withoutMove(state: ControlState, volumeId: VolumeId, brickId: BrickId): ControlState {
  const move = state.volumes.get(volumeId)?.moves.find((each) => each.brickId === brickId);
  if (move === undefined) return state;
  const dropped = withVolume(state, volumeId, (volume) => ({
    ...volume,
    moves: volume.moves.filter((each) => each.brickId !== brickId),
  }));
  return withBricksGivenBack(dropped, [move.replacement]);
}

/** The state with one move more; an earlier one of the same brick makes way. */
function withMove(state: ControlState, volumeId: VolumeId, move: BrickMove): ControlState {
  const cleared = withoutMove(state, volumeId, move.brickId);
  if (!cleared.volumes.has(volumeId)) return cleared;
  const added = withVolume(cleared, volumeId, (volume) => ({ ...volume, moves: [...volume.moves, move] }));
  return withBricksTaken(added, volumeId, [move.replacement]);
}

function withEvacuation(
  state: ControlState,
  operationId: OperationId | undefined,
  change: (plan: EvacuationPlan) => EvacuationPlan,
): ControlState {
  if (operationId === undefined) return state;
  const operations = changed(state.operations, operationId, (operation): Operation => {
    return isEvacuation(operation.plan) ? { ...operation, plan: change(operation.plan) } : operation;
  });
  return { ...state, operations };
}

/** The state without the reservations that an evacuation still holds. */
export function withMovesReleased(state: ControlState, operationId: OperationId): ControlState {
  const plan = state.operations.get(operationId)?.plan;
  if (plan === undefined || !isEvacuation(plan)) return state;
  return plan.moves.reduce((next, { volumeId, brickId }) => {
    const move = next.volumes.get(volumeId)?.moves.find((each) => each.brickId === brickId);
    return move?.operationId === operationId ? withoutMove(next, volumeId, brickId) : next;
  }, state);
}

const begun = { moves: [], moved: 0 } as const;

export function deviceEvacuationPlanned(
  state: ControlState,
  recorded: Recorded<EventOf<'DeviceEvacuationPlanned'>>,
): ControlState {
  const { operationId, deviceId, healCheck, zoneChecking } = recorded.event;
  const devices = changed(state.devices, deviceId, (device) => ({ ...device, operationId }));
  const plan = { kind: 'evacuate-device', deviceId, healCheck, zoneChecking, ...begun } as const;
  return startOperation({ ...state, devices }, recorded, plan);
}

export function nodeEvacuationPlanned(
  state: ControlState,
  recorded: Recorded<EventOf<'NodeEvacuationPlanned'>>,
): ControlState {
  const { operationId, nodeId, healCheck, zoneChecking } = recorded.event;
  const nodes = changed(state.nodes, nodeId, (node) => ({ ...node, operationId }));
  const plan = { kind: 'evacuate-node', nodeId, healCheck, zoneChecking, ...begun } as const;
  return startOperation({ ...state, nodes }, recorded, plan);
}

/** The device as no evacuation's any more. */
export const withDeviceReleased = (
  state: ControlState,
  deviceId: DeviceId,
  operationId: OperationId,
): ControlState => ({
  ...state,
  devices: changed(state.devices, deviceId, (device) =>
    device.operationId === operationId ? released(device) : device,
  ),
});

/** The node as no evacuation's any more. */
export const withNodeReleased = (state: ControlState, nodeId: NodeId, operationId: OperationId): ControlState => ({
  ...state,
  nodes: changed(state.nodes, nodeId, (node) => (node.operationId === operationId ? released(node) : node)),
});

export function deviceEvacuationStopped(
  state: ControlState,
  recorded: Recorded<EventOf<'DeviceEvacuationStopped'>>,
): ControlState {
  const { operationId, deviceId } = recorded.event;
  const freed = withDeviceReleased(withMovesReleased(state, operationId), deviceId, operationId);
  return endOperation(freed, recorded, { kind: 'set-device-state', subjectId: deviceId, result: 'undone' });
}

export function nodeEvacuationStopped(
  state: ControlState,
  recorded: Recorded<EventOf<'NodeEvacuationStopped'>>,
): ControlState {
  const { operationId, nodeId } = recorded.event;
  const freed = withNodeReleased(withMovesReleased(state, operationId), nodeId, operationId);
  return endOperation(freed, recorded, { kind: 'set-node-state', subjectId: nodeId, result: 'undone' });
}

export function brickMovePlanned(state: ControlState, { event }: Recorded<EventOf<'BrickMovePlanned'>>): ControlState {
  const { operationId, volumeId, brickId, replacement } = event;
  const reserved = withMove(state, volumeId, { brickId, replacement, operationId });
  return withEvacuation(reserved, operationId, (plan) =>
    plan.moves.some((move) => move.brickId === brickId)
      ? plan
      : { ...plan, moves: [...plan.moves, { volumeId, brickId }] },
  );
}

export function brickEvictionPlanned(
  state: ControlState,
  recorded: Recorded<EventOf<'BrickEvictionPlanned'>>,
): ControlState {
  const { operationId, volumeId, brickId, replacement, healCheck } = recorded.event;
  const moved = withMove(state, volumeId, { brickId, replacement, operationId });
  const busy = withVolume(moved, volumeId, (volume) => ({ ...volume, status: 'replacing', operationId }));
  return startOperation(busy, recorded, { kind: 'evict-brick', volumeId, brickId, healCheck });
}

export function brickMoveStarted(state: ControlState, recorded: Recorded<EventOf<'BrickMoveStarted'>>): ControlState {
  const { operationId, parentId, volumeId, brickId, healCheck } = recorded.event;
  const busy = withVolume(state, volumeId, (volume) => ({
    ...volume,
    status: 'replacing',
    operationId,
    moves: volume.moves.map((move) => (move.brickId === brickId ? { ...move, operationId } : move)),
  }));
  const parented = withEvacuation(busy, parentId, (plan) => ({ ...plan, childId: operationId }));
  return startOperation(parented, recorded, { kind: 'evict-brick', volumeId, brickId, healCheck, parentId });
}

const parentOf = (state: ControlState, operationId: OperationId): OperationId | undefined => {
  const plan = state.operations.get(operationId)?.plan;
  return plan?.kind === 'evict-brick' ? plan.parentId : undefined;
};

const atRest = (volume: Volume): Volume => ({ ...released(volume), status: 'ready' });

export function brickEvicted(state: ControlState, recorded: Recorded<EventOf<'BrickEvicted'>>): ControlState {
  const { operationId, volumeId, brickId } = recorded.event;
  const volume = state.volumes.get(volumeId);
  const replacement = volume?.moves.find((move) => move.brickId === brickId)?.replacement;
  const old = volume?.bricks.find((brick) => brick.brickId === brickId);
  const end = { kind: 'evict-brick', subjectId: brickId, result: 'done' } as const;
  if (replacement === undefined || old === undefined) return endOperation(state, recorded, end);
  const swapped = (brick: Brick): Brick => (brick.brickId === brickId ? replacement : brick);
  const replaced = withVolume(state, volumeId, (before) => ({
    ...atRest(before),
    bricks: before.bricks.map(swapped),
    moves: before.moves.filter((move) => move.brickId !== brickId),
  }));
  const told = withEvacuation(replaced, parentOf(state, operationId), ({ childId: _, failed: __, ...plan }) => ({
    ...plan,
    moved: plan.moved + 1,
    moves: plan.moves.filter((move) => move.brickId !== brickId),
  }));
  return endOperation(withBricksGivenBack(told, [old]), recorded, end);
}

export function brickEvictionUndone(
  state: ControlState,
  recorded: Recorded<EventOf<'BrickEvictionUndone'>>,
): ControlState {
  const { operationId, volumeId, brickId, detail, cause, passing } = recorded.event;
  const end = { kind: 'evict-brick', subjectId: brickId, result: 'undone' } as const;
  if (!state.operations.has(operationId)) return endOperation(state, recorded, end); // Refused before it began.
  const back = withVolume(withoutMove(state, volumeId, brickId), volumeId, atRest);
  const told = withEvacuation(back, parentOf(state, operationId), ({ childId: _, failed, ...plan }) => ({
    ...plan,
    failed: { detail, cause, passing, attempts: (failed?.attempts ?? 0) + 1 },
  }));
  return endOperation(told, recorded, end);
}
