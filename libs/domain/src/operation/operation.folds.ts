/** What each fact about an operation changes. */
import type { EventOf, NodeId, OperationId, Residue, TaskId, VolumeId } from '@brickyard/contracts';
import type { Recorded } from '@brickyard/event-sourcing';
import type { ControlState, Volume } from '../control/control.state';
import { changed } from '../control/fold-tools';
import { inSetOrder } from './orders';
import { residueWithout } from './residue';
import {
  isEvacuation,
  type EndedOperation,
  type Operation,
  type OperationPlan,
  type TaskState,
} from './operation.state';

/** How many ended operations the state remembers, for clients that still poll. */
const ENDED_KEPT = 10_000;

type OperationEvent = Recorded<{ readonly operationId: OperationId }>;

/** The state with a new operation that has not begun its first step. */
export function startOperation(state: ControlState, recorded: OperationEvent, plan: OperationPlan): ControlState {
  const { operationId } = recorded.event;
  const operation: Operation = { operationId, plan, startedAt: recorded.at, startedPosition: recorded.position };
  const evacuations = isEvacuation(plan) ? state.evacuations.set(operationId, true) : state.evacuations;
  return { ...state, operations: state.operations.set(operationId, operation), evacuations };
}

/** The state with an operation over; the oldest ended one is forgotten when there are too many. */
export function endOperation(
  state: ControlState,
  recorded: Recorded<{ readonly operationId: OperationId; readonly detail?: string; readonly remedy?: string }>,
  end: Pick<EndedOperation, 'kind' | 'subjectId' | 'result' | 'children'>,
): ControlState {
  const { operationId, detail = '', remedy = '' } = recorded.event;
  const entry: EndedOperation = {
    operationId,
    ...end,
    detail,
    ...(remedy === '' ? {} : { remedy }),
    endedAt: recorded.at,
    endedPosition: recorded.position,
  };
  const oldestKey = String(state.endedCount - ENDED_KEPT);
  const oldest = state.endedOrder.get(oldestKey);
  return {
    ...state,
    operations: state.operations.delete(operationId),
    evacuations: state.evacuations.delete(operationId),
    ended: (oldest === undefined ? state.ended : state.ended.delete(oldest)).set(operationId, entry),
    endedOrder: state.endedOrder.delete(oldestKey).set(String(state.endedCount), operationId),
    endedCount: state.endedCount + 1,
  };
}

const withOperation = (
  state: ControlState,
  operationId: OperationId,
  change: (operation: Operation) => Operation,
): ControlState => ({ ...state, operations: changed(state.operations, operationId, change) });

function withTask(
  state: ControlState,
  operationId: OperationId,
  taskId: TaskId,
  change: (task: TaskState) => TaskState,
): ControlState {
  return withOperation(state, operationId, (operation) => {
    const { current } = operation;
    const task = current?.tasks.get(taskId);
    if (current === undefined || task === undefined) return operation;
    return { ...operation, current: { ...current, tasks: new Map(current.tasks).set(taskId, change(task)) } };
  });
}

export function stepStarted(
  state: ControlState,
  { event, position, at }: Recorded<EventOf<'StepStarted'>>,
): ControlState {
  return withOperation(state, event.operationId, ({ retry: _, ...operation }) => ({
    ...operation,
    current: {
      step: event.step,
      name: event.name,
      direction: event.direction,
      attempt: event.attempt,
      generation: position + state.generationOffset,
      startedAt: at,
      tasks: new Map(event.tasks.map((planned) => [planned.taskId, { planned, status: 'running' }])),
    },
  }));
}

export function taskSucceeded(state: ControlState, { event }: Recorded<EventOf<'TaskSucceeded'>>): ControlState {
  const { operationId, taskId, result } = event;
  const done = withTask(state, operationId, taskId, (task) => ({ ...task, status: 'done', result }));
  if (result.kind === 'device') {
    return withOperation(done, operationId, (operation) => ({ ...operation, deviceResult: result }));
  }
  if (result.kind === 'clone') return withClonePaths(done, operationId, result.paths);
  return result.kind === 'volume' ? withGlusterOptions(done, operationId, result.options) : done;
}

/** Where Gluster put the bricks of a clone, in set order; a host that knows of none changes nothing. */
function withClonePaths(state: ControlState, operationId: OperationId, paths: readonly string[]): ControlState {
  const plan = state.operations.get(operationId)?.plan;
  if (plan?.kind !== 'clone-volume') return state;
  const volumes = changed(state.volumes, plan.volumeId, (volume) => {
    const { bricks } = volume;
    if (paths.length !== bricks.length) return volume;
    return { ...volume, bricks: inSetOrder(bricks).map((brick, index) => ({ ...brick, path: paths[index] ?? '' })) };
  });
  return { ...state, volumes };
}

/**
 * What Gluster has set is right at this moment, since an operation of ours has just made the volume; one that has grown
 * got the options told, and keeps what it had.
 */
function withGlusterOptions(
  state: ControlState,
  operationId: OperationId,
  options: Readonly<Record<string, string>>,
): ControlState {
  const plan = state.operations.get(operationId)?.plan;
  if (plan === undefined) return state;
  if (plan.kind === 'expand-volume') {
    const volumes = changed(state.volumes, plan.volumeId, (volume) => grown(volume, options));
    return { ...state, volumes };
  }
  const volumeId = madeBy(plan);
  if (volumeId === undefined) return state;
  const gluster = { options, isComplete: true };
  return { ...state, volumes: changed(state.volumes, volumeId, (volume) => ({ ...volume, gluster })) };
}

function grown(volume: Volume, options: Readonly<Record<string, string>>): Volume {
  if (volume.gluster === undefined) return volume;
  return { ...volume, gluster: { ...volume.gluster, options: { ...volume.gluster.options, ...options } } };
}

function madeBy(plan: OperationPlan): VolumeId | undefined {
  if (plan.kind === 'create-volume' || plan.kind === 'clone-volume') return plan.volumeId;
  if (plan.kind === 'create-block-volume') return plan.hostingVolumeId;
  const isAdopted = plan.kind === 'restore-drift' && plan.finding.class === 'volume-missing';
  return isAdopted && 'volumeId' in plan.finding.subject ? plan.finding.subject.volumeId : undefined;
}

/** The first failure on the way forward is the one that is told. */
const withFailure = (operation: Operation, failure: NonNullable<Operation['failure']>): Operation =>
  operation.failure !== undefined || operation.current?.direction === 'undo' ? operation : { ...operation, failure };

export function taskFailed(state: ControlState, { event }: Recorded<EventOf<'TaskFailed'>>): ControlState {
  const { operationId, taskId, failure } = event;
  const failed = withTask(state, operationId, taskId, (task) => ({ ...task, status: 'failed', failure }));
  const { detail, cause, transient: passing } = failure;
  return withOperation(failed, operationId, (operation) =>
    withDeviceBlamed(withFailure(operation, { detail, cause, passing }), taskId, detail),
  );
}

/** A device that could not take a brick is remembered: another try goes elsewhere. */
function withDeviceBlamed(operation: Operation, taskId: TaskId, detail: string): Operation {
  const task = operation.current?.tasks.get(taskId)?.planned.task;
  if (task?.type !== 'CreateBrick' || operation.current?.direction !== 'act') return operation;
  const { deviceId } = task.brick;
  const others = (operation.failedOn ?? []).filter((each) => each.deviceId !== deviceId);
  return { ...operation, failedOn: [...others, { deviceId, detail }] };
}

const withResidue = (state: ControlState, nodeId: NodeId, residue: readonly Residue[]): ControlState => ({
  ...state,
  nodes: changed(state.nodes, nodeId, (node) => ({ ...node, residue: [...node.residue, ...residue] })),
});

export function taskAbandoned(state: ControlState, { event }: Recorded<EventOf<'TaskAbandoned'>>): ControlState {
  const { operationId, taskId, reason, residue } = event;
  const abandoned = withTask(state, operationId, taskId, (task) => ({ ...task, status: 'abandoned' }));
  const told = withOperation(abandoned, operationId, (operation) =>
    withDeviceBlamed(withFailure(operation, { detail: reason, cause: reason, passing: true }), taskId, reason),
  );
  return residue.reduce((next, left) => withResidue(next, left.nodeId, [left]), told);
}

/** A step that is tried again has not failed; a failure that turned the operation round, or that is looked into, stays. */
function forgiven({ failure, ...operation }: Operation): Operation {
  return operation.current?.direction === 'act' || failure === undefined ? operation : { ...operation, failure };
}

export const stepRetryPlanned = (
  state: ControlState,
  { event, at }: Recorded<EventOf<'StepRetryPlanned'>>,
): ControlState =>
  withOperation(state, event.operationId, (operation) => ({
    ...forgiven(operation),
    retry: { attempt: event.attempt, pauseMs: event.pauseMs, since: at, detail: event.detail },
  }));

export function residueRemovalPlanned(
  state: ControlState,
  recorded: Recorded<EventOf<'ResidueRemovalPlanned'>>,
): ControlState {
  const { nodeId, residue } = recorded.event;
  const nodes = changed(state.nodes, nodeId, (node) => ({
    ...node,
    residue: residueWithout(node.residue, residue),
  }));
  return startOperation({ ...state, nodes }, recorded, { kind: 'remove-residue', nodeId, residue });
}

/** Over as soon as it began: what goes on are the removals. */
export const cleanUpStarted = (state: ControlState, recorded: Recorded<EventOf<'CleanUpStarted'>>): ControlState =>
  endOperation(state, recorded, {
    kind: 'clean-up',
    subjectId: recorded.event.operationId,
    result: 'done',
    children: recorded.event.removals,
  });

export const residueRemoved = (state: ControlState, recorded: Recorded<EventOf<'ResidueRemoved'>>): ControlState =>
  endOperation(state, recorded, { kind: 'remove-residue', subjectId: recorded.event.nodeId, result: 'done' });

export function residueRemovalUndone(
  state: ControlState,
  recorded: Recorded<EventOf<'ResidueRemovalUndone'>>,
): ControlState {
  const { nodeId, operationId } = recorded.event;
  const plan = state.operations.get(operationId)?.plan;
  const back = plan?.kind === 'remove-residue' ? withResidue(state, nodeId, plan.residue) : state;
  return endOperation(back, recorded, { kind: 'remove-residue', subjectId: nodeId, result: 'undone' });
}
