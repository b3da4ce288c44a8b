/** Operations for people: what they do, what they wait for, why they turned round. Pure. */
import type {
  ControlState,
  EndedOperation,
  EvacuationProgress,
  Operation,
  OperationPlan,
  TaskState,
} from '@brickyard/domain';

/** A running operation in a list. */
export interface OperationSummary {
  readonly id: string;
  readonly kind: string;
  readonly subject: string;
  readonly status: 'running' | 'done' | 'undone';
  readonly startedAt?: string;
  readonly endedAt?: string;
  /** What has to happen next, and who has to do it. */
  readonly waitsFor?: string;
  readonly detail?: string;
}

/** Ended operations shown in the list: the last ones. */
const ENDED_SHOWN = 100;

/** `GET /v1/operations`: the running ones, then those that ended last. */
export function operationListView(state: ControlState): { readonly operations: readonly OperationSummary[] } {
  const running = [...state.operations.values()].sort((one, other) => one.startedPosition - other.startedPosition);
  const ended = [...state.ended.values()].sort((one, other) => other.endedPosition - one.endedPosition);
  return {
    operations: [...running.map((one) => summary(state, one)), ...ended.slice(0, ENDED_SHOWN).map(endedSummary)],
  };
}

/** `GET /v1/operations/{id}` of a running one: its step and every task of it. */
export function operationView(state: ControlState, operation: Operation): object {
  const { current } = operation;
  return {
    ...summary(state, operation),
    startedPosition: operation.startedPosition,
    ...(operation.failure === undefined ? {} : { failure: operation.failure }),
    ...(operation.retry === undefined ? {} : { retry: operation.retry }),
    ...(current === undefined
      ? {}
      : {
          step: {
            number: current.step,
            name: current.name,
            direction: current.direction,
            attempt: current.attempt,
            startedAt: current.startedAt,
            generation: current.generation,
            tasks: [...current.tasks.values()].map((task) => taskView(state, task)),
          },
        }),
  };
}

/** `GET /v1/operations/{id}` of one that is over. */
export const endedOperationView = (ended: EndedOperation): object => ({
  ...endedSummary(ended),
  endedPosition: ended.endedPosition,
});

function summary(state: ControlState, operation: Operation): OperationSummary {
  return {
    id: operation.operationId,
    kind: operation.plan.kind,
    subject: subjectOf(operation.plan),
    status: 'running',
    startedAt: operation.startedAt,
    waitsFor: waitsFor(state, operation),
    ...(operation.failure === undefined ? {} : { detail: operation.failure.detail }),
  };
}

function endedSummary({ operationId, kind, subjectId, result, detail, endedAt }: EndedOperation): OperationSummary {
  return { id: operationId, kind, subject: subjectId, status: result, endedAt, ...(detail === '' ? {} : { detail }) };
}

function subjectOf(plan: OperationPlan): string {
  if (plan.kind === 'evict-brick') return plan.brickId;
  if ('blockVolumeId' in plan) return plan.blockVolumeId;
  if ('volumeId' in plan) return plan.volumeId;
  if (plan.kind === 'restore-drift') return plan.driftId;
  return 'deviceId' in plan ? plan.deviceId : plan.nodeId;
}

function evacuationWaitsFor(state: ControlState, { childId, moves, moved }: EvacuationProgress): string {
  const progress = `${String(moved)} bricks moved, ${String(moves.length)} to go`;
  const child = childId === undefined ? undefined : state.operations.get(childId);
  if (child !== undefined) return `${progress}: operation ${child.operationId} (${waitsFor(state, child)})`;
  const busy = moves.map(({ volumeId }) => state.volumes.get(volumeId)?.operationId).find((id) => id !== undefined);
  return `${progress}: operation ${busy ?? ''}, which is at work on the next volume`;
}

function waitsFor(state: ControlState, { plan, retry, current }: Operation): string {
  if (plan.kind === 'evacuate-device' || plan.kind === 'evacuate-node') return evacuationWaitsFor(state, plan);
  if (retry !== undefined) {
    return `attempt ${String(retry.attempt)}, ${String(retry.pauseMs)} ms after ${retry.since}: ${retry.detail}`;
  }
  if (current === undefined) return 'the allocator to begin the first step';
  const running = [...current.tasks.values()].filter(({ status }) => status === 'running');
  if (running.length === 0) return 'the allocator to go on to the next step';
  return running.map((task) => agentOf(state, task)).join('; ');
}

function agentOf(state: ControlState, { planned }: TaskState): string {
  const lostSince = state.nodes.get(planned.nodeId)?.lostSince;
  const silence = lostSince === undefined ? '' : `, which is silent since ${lostSince}`;
  return `${planned.task.type} by the agent of ${planned.host}${silence}`;
}

function taskView(state: ControlState, task: TaskState): object {
  const { planned, status, result, failure } = task;
  return {
    id: planned.taskId,
    type: planned.task.type,
    node: planned.nodeId,
    host: planned.host,
    resource: planned.resource,
    status,
    ...(status === 'running' ? { waitsFor: agentOf(state, task) } : {}),
    ...(result === undefined ? {} : { result }),
    ...(failure === undefined ? {} : { failure }),
  };
}
