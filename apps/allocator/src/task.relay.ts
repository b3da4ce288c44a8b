/** Recorded intents → the agents' work queue. The queue is a copy: what it loses is sent again from the log. */
import {
  TaskQuestion,
  TASKS_ALL,
  TASKS_STREAM,
  TASKS_WANTED,
  tasksOf,
  type AgentTask,
  type OperationId,
  type PlannedTask,
  type TaskAnswer,
  type TaskEnvelope,
} from '@brickyard/contracts';
import type { ControlState, Operation } from '@brickyard/domain';
import { recordedEvent } from '@brickyard/domain';
import type { StoredEvent } from '@brickyard/event-sourcing';
import { describeError, type Bus, type ChapKeys, type Logger, type Subscription } from '@brickyard/service-host';
import type { ControlWriter } from './control-writer';
import { createHold } from './hold';

/** The stream of tasks: small messages, gone once done, and sent again from the log when nats-server lost them. */
export const tasksStream = {
  name: TASKS_STREAM,
  subjects: [TASKS_ALL],
  retention: 'workqueue',
  storage: 'memory',
  duplicateWindowMs: 120_000,
} as const;

/** NATS refuses messages over 1 MiB by default; what travels together stays well below. */
const MESSAGE_TASKS_MAX = 32;
const MESSAGE_CHARACTERS_MAX = 200_000;

export interface TaskRelay {
  /** Sends the tasks that these events planned; those of new volumes a moment later while many clients wait for answers. */
  offer(events: readonly StoredEvent[], state: ControlState): void;
  /** Sends every running task again, of one host or of all: the queue, the agent or this process may have lost them. */
  sendRunning(state: ControlState, host?: string): void;
  /** What is still held is for the next leader to send. */
  stop(): void;
}

export interface TaskRelayOptions {
  readonly bus: Bus;
  readonly log: Logger;
  /** Tells the messages of this leader from those of the one before, whose count began anew, too. */
  readonly epoch: number;
  /** Names the process that serves a host: tasks for the hosts of one process travel together. */
  readonly processOf?: (host: string) => string;
  /** What a task needs and the log does not hold; absent: nothing. */
  readonly secretOf?: (task: AgentTask) => string | undefined;
}

/** The secret that an export needs: it travels with the task and is written nowhere on the way but in the queue. */
export function chapSecretOf(task: AgentTask, keys: ChapKeys | undefined): string | undefined {
  if (task.type !== 'ExportBlockVolume' || task.target.chap === undefined) return undefined;
  return keys?.secretOf(task.target.chap.keyId, task.target.blockVolumeId);
}

function envelope(operation: Operation, task: PlannedTask, traceparent: string | undefined): TaskEnvelope {
  const generation = operation.current?.generation ?? operation.startedPosition;
  return {
    ...task,
    operationId: operation.operationId,
    generation,
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}

function* runningTasks(operation: Operation): Generator<PlannedTask> {
  for (const task of operation.current?.tasks.values() ?? []) if (task.status === 'running') yield task.planned;
}

/** A step that was planned, and what to know of it for the way. */
interface PlannedStep {
  readonly operationId: OperationId;
  readonly traceparent: string | undefined;
  /** A client's command began the operation with this step. */
  readonly isFirst: boolean;
}

/** Who asks for many volumes waits for answers first; who adds hosts and devices waits for each of them. */
const isCreation = ({ plan }: Operation): boolean =>
  plan.kind === 'create-volume' || plan.kind === 'create-block-volume';

function stepsIn(events: readonly StoredEvent[]): readonly PlannedStep[] {
  const steps = new Map<OperationId, PlannedStep>();
  for (const stored of events) {
    const event = stored.type === 'StepStarted' ? recordedEvent(stored)?.event : undefined;
    if (event?.type !== 'StepStarted') continue;
    const { operationId } = event;
    const { traceparent, commandId } = stored.metadata;
    steps.set(operationId, { operationId, traceparent, isFirst: commandId !== undefined });
  }
  return [...steps.values()];
}

/** The tasks of steps as the state has them now: one that was given up meanwhile is not sent. */
function tasksFor(steps: readonly PlannedStep[], state: ControlState): readonly TaskEnvelope[] {
  return steps.flatMap(({ operationId, traceparent }) => {
    const operation = state.operations.get(operationId);
    if (operation === undefined) return [];
    return [...runningTasks(operation)].map((task) => envelope(operation, task, traceparent));
  });
}

/** Tasks by the process that will do them, cut where a message would become too large. */
export function* parcels(
  tasks: readonly TaskEnvelope[],
  processOf: (host: string) => string,
): Generator<readonly TaskEnvelope[]> {
  const open = new Map<string, { readonly tasks: TaskEnvelope[]; characters: number }>();
  for (const task of tasks) {
    const process = processOf(task.host);
    const characters = JSON.stringify(task).length;
    const parcel = open.get(process);
    const hasRoom =
      parcel !== undefined &&
      parcel.tasks.length < MESSAGE_TASKS_MAX &&
      parcel.characters + characters <= MESSAGE_CHARACTERS_MAX;
    if (hasRoom) {
      parcel.tasks.push(task);
      parcel.characters += characters;
      continue;
    }
    if (parcel !== undefined) yield parcel.tasks;
    open.set(process, { tasks: [task], characters });
  }
  for (const parcel of open.values()) yield parcel.tasks;
}

export function createTaskRelay({
  bus,
  log,
  epoch,
  processOf = (host) => host,
  secretOf = () => undefined,
}: TaskRelayOptions): TaskRelay {
  const withSecret = (envelope: TaskEnvelope): TaskEnvelope => {
    const secret = secretOf(envelope.task);
    return secret === undefined ? envelope : { ...envelope, secret };
  };
  const publish = (planned: readonly TaskEnvelope[], nth = ''): void => {
    const tasks = planned.map(withSecret);
    const [first] = tasks;
    if (first === undefined) return;
    const { taskId, host } = first;
    const message = tasks.length === 1 ? first : { tasks };
    const messageId = tasks.length === 1 ? `${taskId}${nth}` : `${taskId}*${String(tasks.length)}${nth}`;
    // A failure needs no retry here: when the bus is back, every running task is sent again.
    bus.publishDurable(tasksOf(host), message, { messageId }).catch((error: unknown) => {
      log.warn({ taskId, host, tasks: tasks.length, error: describeError(error) }, 'tasks not sent yet');
    });
  };
  let latest: ControlState | undefined;
  const send = (steps: readonly PlannedStep[]): void => {
    if (latest === undefined) return;
    for (const parcel of parcels(tasksFor(steps, latest), processOf)) publish(parcel);
  };
  const hold = createHold(send);
  let resends = 0;
  return {
    offer(events, state) {
      latest = state;
      const steps = stepsIn(events);
      const mayWait = ({ isFirst, operationId }: PlannedStep): boolean => {
        const operation = isFirst ? state.operations.get(operationId) : undefined;
        return operation !== undefined && isCreation(operation);
      };
      hold.add(steps.filter(mayWait));
      send(steps.filter((step) => !mayWait(step)));
    },
    sendRunning(state, host) {
      resends += 1;
      for (const operation of state.operations.values()) {
        for (const task of runningTasks(operation)) {
          if (host !== undefined && task.host !== host) continue;
          publish([envelope(operation, task, undefined)], `+${String(resends)}@${String(epoch)}`);
        }
      }
    },
    stop() {
      hold.stop();
    },
  };
}

/**
 * Tells agents whether a task is still wanted: it is as long as its operation waits for it. A leader that was cut off would
 * not know the tasks of its successor, and what it calls unwanted is dropped: so it makes sure first.
 */
export function answerTaskQuestions(
  bus: Bus,
  writer: Pick<ControlWriter, 'state' | 'position' | 'confirm'>,
): Subscription {
  return bus.respond(TASKS_WANTED, async (payload): Promise<TaskAnswer> => {
    const { operationId, taskId } = TaskQuestion.parse(payload);
    await writer.confirm();
    const { operations, generationOffset } = writer.state;
    const task = operations.get(operationId)?.current?.tasks.get(taskId);
    return { wanted: task?.status === 'running', position: writer.position + generationOffset };
  });
}
