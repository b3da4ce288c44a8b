/** How an operation went, what it waits for and what comes next. Pure. */
import type { EventOf, PlannedTask } from '@brickyard/contracts';
import { type ControlState, outlook, recordedEvent } from '@brickyard/domain';
import type { StoredEvent } from '@brickyard/event-sourcing';
import { withCauses } from '../history';

/** One task of a step and how it ended. */
interface TaskLine {
  readonly id: string;
  readonly type: string;
  readonly host: string;
  readonly status: 'running' | 'done' | 'failed' | 'abandoned';
  readonly tookMs?: number;
  readonly detail?: string;
}

/** One start of a step. */
interface StepLine {
  readonly position: number;
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly tookMs?: number;
  readonly number: number;
  readonly name: string;
  readonly direction: string;
  readonly attempt: number;
  readonly tasks: readonly TaskLine[];
}

/** The steps of an operation in the order they were started, from its events. */
export function stepsOf(events: readonly StoredEvent[]): StepLine[] {
  const ends = new Map<string, StoredEvent>();
  for (const event of events) {
    const { taskId } = event.data;
    if (typeof taskId === 'string') ends.set(taskId, event);
  }
  return events.flatMap((stored) => {
    const event = recordedEvent(stored)?.event;
    return event?.type === 'StepStarted' ? [stepLine(stored, event, ends)] : [];
  });
}

function stepLine(
  { position, recordedAt }: StoredEvent,
  { step, name, direction, attempt, tasks }: EventOf<'StepStarted'>,
  ends: ReadonlyMap<string, StoredEvent>,
): StepLine {
  const times = tasks.flatMap(({ taskId }) => ends.get(taskId)?.recordedAt ?? []);
  const endedAt = times.length === tasks.length ? times.sort().at(-1) : undefined;
  return {
    position,
    startedAt: recordedAt,
    ...(endedAt === undefined ? {} : { endedAt, tookMs: Date.parse(endedAt) - Date.parse(recordedAt) }),
    number: step,
    name,
    direction,
    attempt,
    tasks: tasks.map((task) => taskLine(task, ends.get(task.taskId))),
  };
}

function taskLine({ taskId, host, task }: PlannedTask, end: StoredEvent | undefined): TaskLine {
  const head = { id: taskId, type: task.type, host };
  const event = end === undefined ? undefined : recordedEvent(end)?.event;
  if (event?.type === 'TaskSucceeded') return { ...head, status: 'done', tookMs: event.tookMs };
  if (event?.type === 'TaskAbandoned') return { ...head, status: 'abandoned', detail: event.reason };
  if (event?.type !== 'TaskFailed') return { ...head, status: 'running' };
  return { ...head, status: 'failed', tookMs: event.tookMs, detail: event.failure.detail };
}

/** The explanation; `head` is what is shown of the operation elsewhere too. */
export function operationExplanation(
  id: string,
  head: object,
  events: readonly StoredEvent[],
  state: ControlState,
): object {
  const entries = withCauses(events);
  const [first] = entries;
  const running = [...state.operations.values()].find(({ operationId }) => operationId === id);
  return {
    ...head,
    ...(first === undefined
      ? {}
      : {
          trigger: {
            position: first.position,
            time: first.time,
            type: first.type,
            actor: first.actor,
            ...(first.request === undefined ? {} : { request: first.request }),
            correlationId: first.correlationId,
            ...(first.traceId === undefined ? {} : { traceId: first.traceId }),
          },
        }),
    steps: stepsOf(events),
    ...(running === undefined ? {} : { plan: outlook(running), next: nextText(running) }),
  };
}

type Running = Parameters<typeof outlook>[0];

/** What happens when what it waits for comes, and when it does not. */
function nextText(operation: Running): string {
  const steps = outlook(operation);
  const [current] = steps.filter(({ status }) => status === 'current' || status === 'being-undone');
  if (operation.current?.direction === 'undo') {
    const left = steps.filter(({ status, canBeUndone }) => status === 'to-undo' && canBeUndone).map(({ name }) => name);
    return left.length === 0
      ? 'the operation ends as undone when this step is taken back'
      : `then it takes back ${left.reverse().join(', ')}, and ends as undone`;
  }
  const left = steps.filter(({ status }) => status === 'to-do').map(({ name }) => name);
  const then = left.length === 0 ? 'then it is done' : `then ${left.join(', ')}, and it is done`;
  const back = steps.filter(({ status, canBeUndone }) => status === 'done' && canBeUndone).map(({ name }) => name);
  const undoing = [...back, ...(current?.canBeUndone === true ? [current.name] : [])].reverse();
  const otherwise = undoing.length === 0 ? 'it ends with nothing to take back' : `it takes back ${undoing.join(', ')}`;
  return `${then}; should the step fail for good, ${otherwise}`;
}
