/** What becomes of a task whose host does not answer, and of what it may have done unseen. */
import type { EventOf, PlannedTask, Residue, StepDirection } from '@brickyard/contracts';
import type { ControlState } from '../control/control.state';
import { indexOf, ordersOf } from './moves';
import type { Operation } from './operation.state';
import { sagaOf } from './sagas/registry';

/** Gives up a task of a lost node; what an undo (or a step of no return) should have removed is listed for its return. */
export function abandonment(
  operation: Operation,
  state: ControlState,
  task: PlannedTask,
  direction: StepDirection,
  step: number,
): EventOf<'TaskAbandoned'> {
  const node = state.nodes.get(task.nodeId);
  const since = node?.lostSince ?? 'an unknown time';
  const reason =
    `Node ${task.nodeId} (${task.host}) does not answer: its agent has been silent since ${since}. ` +
    'Bring the host back, or set the node offline and try again.';
  const { residue, ...given } = leave(operation, state, task, direction, step, reason);
  return { ...given, residue: [...residue, ...lateEffects(operation, state, task, direction, step)] };
}

/** A volume that is served too late is not stopped but deleted; a question takes nothing back. */
const LEAVES_NOTHING: ReadonlySet<string> = new Set(['StopGlusterVolume', 'ReadGlusterClone']);

/**
 * A host that does not answer may still be at it, and do what it was told after others have taken it back: what its effect
 * would need undone is listed for its return, unless the undo goes to that host anyway and waits there behind the act.
 */
function lateEffects(
  operation: Operation,
  state: ControlState,
  { nodeId, taskId }: PlannedTask,
  direction: StepDirection,
  step: number,
): Residue[] {
  const wasGiven = operation.current?.tasks.has(taskId) === true;
  if (direction !== 'act' || !wasGiven) return [];
  const undo = ordersOf(operation, state, { step, direction: 'undo', attempt: 1 })[indexOf(taskId)];
  if (undo === undefined || undo.nodeId === nodeId || LEAVES_NOTHING.has(undo.task.type)) return [];
  return [{ nodeId, task: undo.task }];
}

/** Whether the step was under way before now: what a host was never told, it has not done. */
const hasBegun = ({ current }: Operation, step: number, direction: StepDirection): boolean =>
  current?.step === step && current.direction === direction;

/** Gives up a task; it waits for its host's return where the step goes on without it. */
export function leave(
  operation: Operation,
  state: ControlState,
  task: PlannedTask,
  direction: StepDirection,
  step: number,
  reason: string,
): EventOf<'TaskAbandoned'> {
  const { onFailure, onSilence } = sagaOf(operation.plan).steps[step] ?? {};
  const mayBeDone = onSilence === 'leave' && hasBegun(operation, step, direction);
  const leaves = direction === 'undo' || onFailure === 'leave' || mayBeDone;
  const residue = leaves ? [{ nodeId: residueOwner(state, task), task: task.task }] : [];
  return {
    type: 'TaskAbandoned',
    version: 1,
    operationId: operation.operationId,
    taskId: task.taskId,
    reason,
    residue,
  };
}

/** A Gluster command usually fails because some member is away: its residue waits for that one, not for the runner. */
function residueOwner(state: ControlState, task: PlannedTask): PlannedTask['nodeId'] {
  if (task.task.type === 'DeleteBrick' || 'target' in task.task) return task.nodeId;
  const clusterId = state.nodes.get(task.nodeId)?.clusterId;
  const members = clusterId === undefined ? [] : (state.clusters.get(clusterId)?.nodeIds ?? []);
  return members.find((nodeId) => state.nodes.get(nodeId)?.lostSince !== undefined) ?? task.nodeId;
}
