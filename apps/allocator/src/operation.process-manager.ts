/** Outcomes and pauses → the next steps of operations. Holds nothing that the log does not hold. */
import {
  OUTCOMES_ALL,
  OUTCOMES_CONSUMER,
  OUTCOMES_STREAM,
  outcomesIn,
  outcomesOf,
  quick,
  SIMULATED_OUTCOMES,
  TaskOutcome,
  type ControlCommand,
  type OperationId,
} from '@brickyard/contracts';
import { recordedEvent, type ControlState } from '@brickyard/domain';
import type { StoredEvent } from '@brickyard/event-sourcing';
import {
  currentTraceparent,
  describeError,
  inSpan,
  type Bus,
  type DurableMessage,
  type Logger,
  type Subscription,
} from '@brickyard/service-host';
import type { ControlWriter } from './control-writer';

/** The stream of outcomes: emptied by the leading allocator. An agent tells one again when its task is sent again. */
export const outcomesStream = {
  name: OUTCOMES_STREAM,
  subjects: [OUTCOMES_ALL],
  retention: 'workqueue',
  storage: 'memory',
  duplicateWindowMs: 120_000,
} as const;

const OutcomeAtDoor = quick(TaskOutcome);
const OUTCOMES_AT_ONCE = 512;
/** A leader that is killed takes with it what it had just been told: the next one is told after this time. */
const OUTCOME_ACK_WAIT_MS = 5_000;

export interface ProcessManager {
  /** Notices pauses that begin with these events. */
  offer(events: readonly StoredEvent[]): void;
  /** Takes up every pause the state knows of: this process may be new. */
  resume(state: ControlState): void;
  /** Begins, or after a reconnect begins again, to take outcomes from the queue. */
  consumeOutcomes(): Promise<Subscription>;
  /** Submits a command of the allocator's own; trouble is logged, the cause will come again. */
  readonly submit: (command: ControlCommand, correlationId: string) => Promise<void>;
  stop(): void;
}

export function createProcessManager(writer: () => ControlWriter, bus: Bus, log: Logger): ProcessManager {
  const pauses = new Map<OperationId, NodeJS.Timeout>();

  const submit = async (command: ControlCommand, correlationId: string, actor = 'allocator'): Promise<void> => {
    const traceparent = currentTraceparent();
    const trace = traceparent === undefined ? {} : { traceparent };
    await writer().submit({ command, metadata: { correlationId, actor: { name: actor }, ...trace } });
  };
  const trySubmit = async (command: ControlCommand, correlationId: string): Promise<void> => {
    try {
      await submit(command, correlationId);
    } catch (error) {
      log.warn({ command: command.type, error: describeError(error) }, 'own command not recorded');
    }
  };
  const pause = (operationId: OperationId, attempt: number, pauseMs: number): void => {
    clearTimeout(pauses.get(operationId));
    const over = (): void => {
      pauses.delete(operationId);
      void trySubmit({ type: 'RetryStep', operationId, attempt }, operationId);
    };
    pauses.set(operationId, setTimeout(over, pauseMs));
  };
  const recordOutcome = async (payload: unknown, subject: string): Promise<void> => {
    const parsed = OutcomeAtDoor.safeParse(payload);
    if (!parsed.success) {
      log.error({ subject, error: parsed.error.message }, 'an outcome that cannot be read was dropped');
      return;
    }
    const outcome = parsed.data;
    // NATS lets an agent write below its own name only; what it writes there must be about itself, too.
    if (subject !== outcomesOf(outcome.host) && subject !== SIMULATED_OUTCOMES) {
      log.error(
        { subject, host: outcome.host, taskId: outcome.taskId },
        'an outcome in the name of another host was dropped',
      );
      return;
    }
    await inSpan(`outcome ${outcome.outcome.kind}`, { 'brickyard.task': outcome.taskId }, () =>
      submit({ type: 'RecordOutcome', outcome }, outcome.operationId, `agent:${outcome.host}`),
    );
  };
  /** Outcomes that came together go into one commit; when one of them is not recorded, all come again, which changes nothing for the rest. */
  const recordOutcomes = async ({ payload, subject }: DurableMessage): Promise<void> => {
    await Promise.all(outcomesIn(payload).map((outcome) => recordOutcome(outcome, subject)));
  };

  return {
    offer(events) {
      for (const stored of events) {
        const event = stored.type === 'StepRetryPlanned' ? recordedEvent(stored)?.event : undefined;
        if (event?.type === 'StepRetryPlanned') pause(event.operationId, event.attempt, event.pauseMs);
      }
    },
    resume(state) {
      for (const { operationId, retry } of state.operations.values()) {
        if (retry !== undefined) pause(operationId, retry.attempt, retry.pauseMs);
      }
    },
    consumeOutcomes: () =>
      bus.consume(
        {
          stream: OUTCOMES_STREAM,
          consumer: OUTCOMES_CONSUMER,
          filter: OUTCOMES_ALL,
          concurrency: OUTCOMES_AT_ONCE,
          ackWaitMs: OUTCOME_ACK_WAIT_MS,
        },
        recordOutcomes,
      ),
    submit: trySubmit,
    stop() {
      for (const timer of pauses.values()) clearTimeout(timer);
      pauses.clear();
    },
  };
}
