/** Decisions about moving bricks away: of a device, of a node, or one alone. */
import type {
  CommandOf,
  ControlEvent,
  DeviceId,
  EventOf,
  HealCheck,
  NodeId,
  OperationId,
  ZoneChecking,
} from '@brickyard/contracts';
import { accepted, rejected } from '@brickyard/event-sourcing';
import type { ControlState } from '../control/control.state';
import type { ControlDecision } from '../control/decisions.types';
import { causeText, IN_USE, refusalText } from './evacuation-texts';
import type { EvacuationRefusal, EvacuationSubject, PlannedMove } from './evacuation.types';
import { devicesOf, findBrick, leavingBricks, volumeOfBrick, type LeavingBrick } from './leaving';
import { planEvacuation } from './plan-evacuation';

/** What an operator asks of an evacuation. */
export interface EvacuationOrder {
  readonly operationId: OperationId;
  readonly healCheck: HealCheck;
  readonly zoneChecking: ZoneChecking;
}

const orderOf = (command: {
  readonly operationId: OperationId;
  readonly healCheck?: HealCheck | undefined;
  readonly zoneChecking?: ZoneChecking | undefined;
}): EvacuationOrder => ({
  operationId: command.operationId,
  healCheck: command.healCheck ?? 'enable',
  zoneChecking: command.zoneChecking ?? 'none',
});

/** The operation that makes, moves or takes away this very brick. */
function operationOn({ volume, brick }: LeavingBrick, state: ControlState): OperationId | undefined {
  const move = volume.moves.find(({ brickId }) => brickId === brick.brickId);
  if (move !== undefined) return move.operationId;
  if (volume.operationId === undefined) return undefined;
  if (volume.status === 'creating' || volume.status === 'deleting') return volume.operationId;
  const plan = state.operations.get(volume.operationId)?.plan;
  const isNew = plan?.kind === 'expand-volume' && plan.brickIds.includes(brick.brickId);
  return isNew ? volume.operationId : undefined;
}

/** An operation that puts a brick on a device or takes one from it. */
function operationOnDevice(deviceId: DeviceId, state: ControlState): OperationId | undefined {
  const device = state.devices.get(deviceId);
  if (device?.operationId !== undefined) return device.operationId;
  for (const [brickId, volumeId] of device?.bricks.entries() ?? []) {
    const move = state.volumes.get(volumeId)?.moves.find(({ replacement }) => replacement.brickId === brickId);
    if (move !== undefined) return move.operationId;
  }
  return undefined;
}

/** What has to end before the bricks of a subject can be moved. */
function operationInTheWay(subject: EvacuationSubject, state: ControlState): OperationId | undefined {
  for (const deviceId of devicesOf(subject, state)) {
    const found = operationOnDevice(deviceId, state);
    if (found !== undefined) return found;
  }
  for (const leaving of leavingBricks(subject, state)) {
    const found = operationOn(leaving, state);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The facts that say which brick goes where. */
export const movesPlanned = (operationId: OperationId, moves: readonly PlannedMove[]): ControlEvent[] =>
  moves.map((move) => ({ type: 'BrickMovePlanned', version: 1, operationId, ...move }));

/** What the facts say of an evacuation that does not begin, or ends early. */
export type StopReason = Pick<
  EventOf<'DeviceEvacuationStopped'>,
  'detail' | 'cause' | 'remedy' | 'blocked' | 'blockedMore'
>;

/** Why an evacuation does not begin, or goes no further, as the facts tell it. */
export const stoppedBecause = (
  subject: EvacuationSubject,
  { blocked, blockedMore, remedy }: EvacuationRefusal,
  healCheck: HealCheck,
): StopReason => ({
  detail: refusalText(subject, blocked, healCheck),
  cause: causeText(blocked, blockedMore),
  remedy,
  blocked: [...blocked],
  blockedMore,
});

const inTheWay = (operationId: OperationId): StopReason => ({
  detail: IN_USE,
  cause: `operation ${operationId} is at work on a brick there`,
  remedy: `Ask again when operation ${operationId} is over.`,
  blocked: [],
  blockedMore: 0,
});

type Begun = readonly ControlEvent[];

/** All moves, or the reason why none is made. */
function begin(
  subject: EvacuationSubject,
  { operationId, healCheck, zoneChecking }: EvacuationOrder,
  state: ControlState,
  facts: {
    planned(): ControlEvent;
    stopped(why: StopReason): ControlEvent;
  },
): Begun {
  const busy = operationInTheWay(subject, state);
  if (busy !== undefined) return [facts.stopped(inTheWay(busy))];
  const plan = planEvacuation({ subject, seed: operationId, zoneChecking }, state);
  if (plan.kind === 'refused') return [facts.stopped(stoppedBecause(subject, plan, healCheck))];
  return [facts.planned(), ...movesPlanned(operationId, plan.moves)];
}

/** Empties a device. */
export function evacuateDevice(command: CommandOf<'SetDeviceState'>, state: ControlState): readonly ControlEvent[] {
  const { operationId, deviceId } = command;
  const order = orderOf(command);
  const { healCheck, zoneChecking } = order;
  return begin({ kind: 'device', deviceId }, order, state, {
    planned: () => ({ type: 'DeviceEvacuationPlanned', version: 1, operationId, deviceId, healCheck, zoneChecking }),
    stopped: (why) => ({ type: 'DeviceEvacuationStopped', version: 1, operationId, deviceId, moved: 0, ...why }),
  });
}

/** Empties every device of a node. */
export function evacuateNode(command: CommandOf<'SetNodeState'>, state: ControlState): readonly ControlEvent[] {
  const { operationId, nodeId } = command;
  const order = orderOf(command);
  const { healCheck, zoneChecking } = order;
  return begin({ kind: 'node', nodeId }, order, state, {
    planned: () => ({ type: 'NodeEvacuationPlanned', version: 1, operationId, nodeId, healCheck, zoneChecking }),
    stopped: (why) => ({ type: 'NodeEvacuationStopped', version: 1, operationId, nodeId, moved: 0, ...why }),
  });
}

/** Whether a node or one of its devices has bricks that would have to be moved. */
export const holdsBricks = (nodeId: NodeId, state: ControlState): boolean =>
  devicesOf({ kind: 'node', nodeId }, state).some((deviceId) => (state.devices.get(deviceId)?.bricks.size ?? 0) > 0);

/** Moves one brick to another device of its cluster. */
export function evictBrick(command: CommandOf<'EvictBrick'>, state: ControlState): ControlDecision {
  const { operationId, brickId } = command;
  const { healCheck, zoneChecking } = orderOf(command);
  const found = findBrick(brickId, state);
  if (found === undefined) return notServing(command, state);
  const { volume } = found;
  const pending = operationOn(found, state);
  if (pending !== undefined) return rejected({ kind: 'BrickPending', brickId, operationId: pending });
  const { volumeId } = volume;
  if (volume.operationId !== undefined) {
    return rejected({ kind: 'VolumeHasPendingBricks', brickId, volumeId, operationId: volume.operationId });
  }
  const subject = { kind: 'brick', brickId } as const;
  const plan = planEvacuation({ subject, seed: operationId, zoneChecking }, state);
  const [move] = plan.kind === 'planned' ? plan.moves : [];
  if (move !== undefined) {
    return accepted({ type: 'BrickEvictionPlanned', version: 1, operationId, healCheck, ...move });
  }
  const refusal = plan.kind === 'refused' ? plan : { blocked: [], blockedMore: 0, remedy: '' };
  const why = stoppedBecause(subject, refusal, healCheck);
  return accepted({ type: 'BrickEvictionUndone', version: 1, operationId, volumeId, brickId, passing: false, ...why });
}

/** A brick that does not serve yet, or none at all. */
function notServing({ brickId }: CommandOf<'EvictBrick'>, state: ControlState): ControlDecision {
  const volumeId = volumeOfBrick(brickId, state);
  const moves = volumeId === undefined ? [] : (state.volumes.get(volumeId)?.moves ?? []);
  const move = moves.find(({ replacement }) => replacement.brickId === brickId);
  if (move === undefined) return rejected({ kind: 'BrickNotFound', brickId });
  return rejected({ kind: 'BrickPending', brickId, operationId: move.operationId });
}
