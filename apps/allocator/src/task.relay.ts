/** Recorded intents → the agents' work queue. The queue is a copy: what it loses is sent again from the log. */
import {
  TaskQuestion,
  TASKS_ALL,
  TASKS_STREAM,
  TASKS_WANTED,
  tasksOf,
  type OperationId,
  type PlannedTask,
  type TaskAnswer,
  type TaskEnvelope,
} from '@brickyard/contracts';
import type { ControlState, Operation } from '@brickyard/domain';
import { recordedEvent } from '@brickyard/domain';
import type { StoredEvent } from '@brickyard/event-sourcing';
import { describeError, type Bus, type Logger, type Subscription } from '@brickyard/service-host';

/** The stream of tasks: small messages, gone once done. */
export const tasksStream = {
  name: TASKS_STREAM,
  subjects: [TASKS_ALL],
  retention: 'workqueue',
  duplicateWindowMs: 120_000,
} as const;

export interface TaskRelay {
  /** Sends the tasks that these events planned. */
  offer(events: readonly StoredEvent[], state: ControlState): void;
  /** Sends every running task again, of one host or of all: the queue, the agent or this process may have lost them. */
  sendRunning(state: ControlState, host?: string): void;
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

export function createTaskRelay(bus: Bus, log: Logger): TaskRelay {
  const send = (operation: Operation, task: PlannedTask, nth: string, traceparent?: string): void => {
    const message = envelope(operation, task, traceparent);
    // A failure needs no retry here: when the bus is back, every running task is sent again.
    bus.publishDurable(tasksOf(task.host), message, { messageId: `${task.taskId}${nth}` }).catch((error: unknown) => {
      log.warn({ taskId: task.taskId, host: task.host, error: describeError(error) }, 'task not sent yet');
    });
  };
  let resends = 0;
  return {
    offer(events, state) {
      const planned = new Map<OperationId, string | undefined>();
      for (const stored of events) {
        const event = stored.type === 'StepStarted' ? recordedEvent(stored)?.event : undefined;
        if (event?.type === 'StepStarted') planned.set(event.operationId, stored.metadata.traceparent);
      }
      for (const [operationId, traceparent] of planned) {
        const operation = state.operations.get(operationId);
        if (operation === undefined) continue;
        for (const task of runningTasks(operation)) send(operation, task, '', traceparent);
      }
    },
    sendRunning(state, host) {
      resends += 1;
      for (const operation of state.operations.values()) {
        for (const task of runningTasks(operation)) {
          if (host === undefined || task.host === host)
            send(operation, task, `+${String(resends)}@${String(process.pid)}`);
        }
      }
    },
  };
}

/** Tells agents whether a task is still wanted: it is as long as its operation waits for it. */
export function answerTaskQuestions(bus: Bus, state: () => ControlState): Subscription {
  return bus.respond(TASKS_WANTED, (payload): Promise<TaskAnswer> => {
    const { operationId, taskId } = TaskQuestion.parse(payload);
    const task = state().operations.get(operationId)?.current?.tasks.get(taskId);
    return Promise.resolve({ wanted: task?.status === 'running' });
  });
}
