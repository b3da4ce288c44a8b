/** What an operation does next: from what its events say so far to the events that say what now. Pure. */
import { canonical } from '@brickyard/event-sourcing';
import type { ControlEvent, EventOf, PlannedTask } from '@brickyard/contracts';
import type { ControlState } from '../control/control.state';
import { advanceEvacuation } from '../evacuation/advance-evacuation';
import { abandonment, leave } from './abandonment';
import { indexOf, ordersOf, taskIdOf, type Move } from './moves';
import { isEvacuation, type Operation, type StepState, type TaskState } from './operation.state';
import type { Order } from './orders';
import { replanVolume } from './replan-volume';
import { doneEvent, sagaOf, undoneEvent } from './sagas/registry';

/** How often a passing failure on the way forward is tried again, unless the step says otherwise. */
const ACT_RETRIES_MAX = 2;
/** How often an undo is tried again before what it should have removed is left for later. */
const UNDO_RETRIES_MAX = 4;
const PAUSE_FIRST_MS = 500;
const PAUSE_MAX_MS = 8_000;
/** Between tries of a step that insists. */
const PAUSE_INSISTING_MAX_MS = 30_000;

const pauseMs = (attempt: number, maxMs = PAUSE_MAX_MS): number => Math.min(maxMs, PAUSE_FIRST_MS * 2 ** (attempt - 1));

function plannedTask(
  operation: Operation,
  state: ControlState,
  move: Move,
  order: Order,
  index: number,
): PlannedTask[] {
  const host = state.nodes.get(order.nodeId)?.hostnames.manage[0];
  if (host === undefined || move.only?.has(index) === false) return [];
  return [
    {
      taskId: taskIdOf(operation, move, index),
      nodeId: order.nodeId,
      host,
      resource: order.resource,
      task: order.task,
    },
  ];
}

/** The intent of one step, or undefined when the step has nothing to do. */
function begin(operation: Operation, state: ControlState, move: Move): EventOf<'StepStarted'> | undefined {
  const tasks = ordersOf(operation, state, move).flatMap((order, index) =>
    plannedTask(operation, state, move, order, index),
  );
  if (tasks.length === 0) return undefined;
  const { step, direction, attempt } = move;
  const name = sagaOf(operation.plan).steps[step]?.name ?? '';
  return { type: 'StepStarted', version: 1, operationId: operation.operationId, step, name, direction, attempt, tasks };
}

/** A step's start, with the tasks of lost nodes given up at once: nobody there would hear them. */
function beginOrSkip(
  operation: Operation,
  state: ControlState,
  move: Move,
  otherwise: () => readonly ControlEvent[],
): readonly ControlEvent[] {
  const started = begin(operation, state, move);
  if (started === undefined) return otherwise();
  const lost = started.tasks.filter(({ nodeId }) => state.nodes.get(nodeId)?.lostSince !== undefined);
  return [started, ...lost.map((task) => abandonment(operation, state, task, move.direction, move.step))];
}

function forwardFrom(operation: Operation, state: ControlState, step: number): readonly ControlEvent[] {
  if (step >= sagaOf(operation.plan).steps.length) return [doneEvent(operation, state)];
  const move = { step, direction: 'act', attempt: 1 } as const;
  return beginOrSkip(operation, state, move, () => forwardFrom(operation, state, step + 1));
}

function backFrom(operation: Operation, state: ControlState, step: number): readonly ControlEvent[] {
  if (step < 0) return [replanVolume(operation, state) ?? undoneEvent(operation)];
  const move = { step, direction: 'undo', attempt: 1 } as const;
  return beginOrSkip(operation, state, move, () => backFrom(operation, state, step - 1));
}

const tasksIn = (current: StepState, status: TaskState['status']): readonly TaskState[] =>
  [...current.tasks.values()].filter((task) => task.status === status);

function retry(operation: Operation, current: StepState, failed: readonly TaskState[]): readonly ControlEvent[] {
  return [
    {
      type: 'StepRetryPlanned',
      version: 1,
      operationId: operation.operationId,
      step: current.step,
      attempt: current.attempt + 1,
      pauseMs: pauseMs(current.attempt),
      detail: failed[0]?.failure?.detail ?? '',
    },
  ];
}

type Step = ReturnType<typeof sagaOf>['steps'][number];

/** What hosts are asked about before anything is taken back: it may have been done unseen. */
function unseen({ proof, probe }: Partial<Step>, failed: readonly TaskState[], given: readonly TaskState[]) {
  const isUncertain = failed.some((task) => task.failure?.uncertain === true);
  if (proof === true) return isUncertain || given.length > 0 ? [...failed, ...given] : [];
  return probe !== undefined && isUncertain && given.length === 0 ? failed : [];
}

/** Whether all that failed may go well the next time, and there is a next time. */
const mayPass = (failed: readonly TaskState[], attempt: number, retriesMax: number): boolean =>
  failed.length > 0 && attempt <= retriesMax && failed.every((task) => task.failure?.transient === true);

/** After a forward step all of whose tasks have an end, and not all a good one. */
function afterFailedAct(operation: Operation, state: ControlState, current: StepState): readonly ControlEvent[] {
  const step: Partial<Step> = sagaOf(operation.plan).steps[current.step] ?? {};
  const { onFailure = 'undo', retriesMax = ACT_RETRIES_MAX } = step;
  const failed = tasksIn(current, 'failed');
  const given = tasksIn(current, 'abandoned');
  if (onFailure === 'ignore') return forwardFrom(operation, state, current.step + 1);
  if (onFailure === 'insist') return insist(operation, state, current, failed);
  const asked = unseen(step, failed, given);
  if (asked.length > 0) return probe(operation, state, current, asked);
  const isWorthwhile = given.length === 0 || onFailure === 'leave';
  if (isWorthwhile && mayPass(failed, current.attempt, retriesMax)) return retry(operation, current, failed);
  if (onFailure === 'leave') return leaveFailed(operation, state, current, failed);
  return backFrom(operation, state, current.step);
}

/** Tries again as long as the failure may pass; what nobody will ever do is gone on without. */
function insist(
  operation: Operation,
  state: ControlState,
  current: StepState,
  failed: readonly TaskState[],
): readonly ControlEvent[] {
  if (failed.some(({ failure }) => failure?.transient === false)) {
    return forwardFrom(operation, state, current.step + 1);
  }
  return [retryLater(operation, current)];
}

const retryLater = (operation: Operation, current: StepState): EventOf<'StepRetryPlanned'> => ({
  type: 'StepRetryPlanned',
  version: 1,
  operationId: operation.operationId,
  step: current.step,
  attempt: current.attempt + 1,
  pauseMs: pauseMs(current.attempt, PAUSE_INSISTING_MAX_MS),
  detail: operation.failure?.detail ?? '',
});

function leaveFailed(
  operation: Operation,
  state: ControlState,
  current: StepState,
  failed: readonly TaskState[],
): readonly ControlEvent[] {
  const left = failed.map(({ planned, failure }) =>
    leave(operation, state, planned, current.direction, current.step, failure?.detail ?? 'failed'),
  );
  if (left.length > 0) return left; // They are abandoned now; the next look at the operation goes on.
  return current.direction === 'undo'
    ? backFrom(operation, state, current.step - 1)
    : forwardFrom(operation, state, current.step + 1);
}

function probe(
  operation: Operation,
  state: ControlState,
  current: StepState,
  failed: readonly TaskState[],
): readonly ControlEvent[] {
  const only = new Set(failed.map(({ planned }) => indexOf(planned.taskId)));
  const move = { step: current.step, direction: 'probe', attempt: current.attempt, only } as const;
  return beginOrSkip(operation, state, move, () => backFrom(operation, state, current.step));
}

/** Whether the answer to a question says that something is there; undefined when it says nothing of the kind. */
function tellsOf(result: TaskState['result'], plan: Operation['plan']): boolean | undefined {
  if (result?.kind === 'presence') return result.present;
  if (result?.kind !== 'clone' || plan.kind !== 'clone-volume') return undefined;
  // Its owner is set last; until then the clone has that of its origin.
  return result.options['user.brickyard.id'] === plan.volumeId;
}

/** After the hosts were asked: what is there counts as done, what is not is tried once more or taken back. */
function afterProbe(operation: Operation, state: ControlState, current: StepState): readonly ControlEvent[] {
  const step = sagaOf(operation.plan).steps[current.step];
  const wanted = step?.effect !== 'absent';
  const isThere = ({ result }: TaskState): boolean => tellsOf(result, operation.plan) === wanted;
  const missing = [...current.tasks.values()].filter((task) => !isThere(task));
  if (missing.length === 0) return forwardFrom(operation, state, current.step + 1);
  const answered = missing.every((task) => task.status === 'done');
  if (!answered && step?.proof === true) return [retryLater(operation, current)];
  if (!answered || current.attempt > (step?.retriesMax ?? ACT_RETRIES_MAX)) {
    return backFrom(operation, state, current.step);
  }
  const only = new Set(missing.map(({ planned }) => indexOf(planned.taskId)));
  const move = { step: current.step, direction: 'act', attempt: current.attempt + 1, only } as const;
  return beginOrSkip(operation, state, move, () => backFrom(operation, state, current.step));
}

function afterUndo(operation: Operation, state: ControlState, current: StepState): readonly ControlEvent[] {
  const failed = tasksIn(current, 'failed');
  if (failed.length === 0) return backFrom(operation, state, current.step - 1);
  if (mayPass(failed, current.attempt, UNDO_RETRIES_MAX)) return retry(operation, current, failed);
  return leaveFailed(operation, state, current, failed);
}

/** The next events of an operation; none while it waits for agents or for the end of a pause. */
export function advance(operation: Operation, state: ControlState): readonly ControlEvent[] {
  const { current, plan } = operation;
  if (isEvacuation(plan)) return advanceEvacuation({ ...operation, plan }, state);
  if (current === undefined) return forwardFrom(operation, state, 0);
  if (operation.retry !== undefined || tasksIn(current, 'running').length > 0) return [];
  if (current.direction === 'undo') return afterUndo(operation, state, current);
  if (current.direction === 'probe') return afterProbe(operation, state, current);
  const clean = [...current.tasks.values()].every(
    (task) => task.status === 'done' || isLeft(operation, state, current, task),
  );
  return clean ? forwardFrom(operation, state, current.step + 1) : afterFailedAct(operation, state, current);
}

/** A task given up in a step that goes on without it. */
function isLeft(operation: Operation, state: ControlState, current: StepState, task: TaskState): boolean {
  if (task.status !== 'abandoned') return false;
  const { onFailure, onSilence } = sagaOf(operation.plan).steps[current.step] ?? {};
  return onFailure === 'leave' || (onSilence === 'leave' && isResidue(task, state));
}

/** Whether it waits for its host's return: only what the host may have done already does. */
const isResidue = ({ planned: { nodeId, task } }: TaskState, state: ControlState): boolean =>
  state.nodes.get(nodeId)?.residue.some((left) => canonical(left.task).text === canonical(task).text) === true;

/** The step's second start, after its pause: only the orders that failed, perhaps on other nodes. */
export function retryStep(operation: Operation, state: ControlState): readonly ControlEvent[] {
  const { current, retry: pause } = operation;
  if (current === undefined || pause === undefined) return [];
  const { step, direction } = current;
  const asked = sagaOf(operation.plan).steps[step];
  const isPatient = asked?.onFailure === 'insist' || (asked?.proof === true && direction === 'probe');
  const again = [...tasksIn(current, 'failed'), ...(isPatient ? tasksIn(current, 'abandoned') : [])];
  const only = new Set(again.map(({ planned }) => indexOf(planned.taskId)));
  return beginOrSkip(operation, state, { step, direction, attempt: pause.attempt, only }, () =>
    direction === 'undo' ? backFrom(operation, state, step - 1) : forwardFrom(operation, state, step + 1),
  );
}
