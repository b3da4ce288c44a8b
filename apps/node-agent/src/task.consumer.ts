/** Takes tasks from the queue: fence, execute, remember, publish the outcome, acknowledge; in this order. */
import {
  type HostName,
  type Outcome,
  quick,
  TaskAnswer,
  TaskEnvelope,
  type TaskOutcome,
  type TaskQuestion,
  TASKS_STREAM,
  TASKS_WANTED,
  tasksIn,
} from '@brickyard/contracts';
import {
  type Bus,
  continueTrace,
  type DurableMessage,
  inSpan,
  type Logger,
  type Subscription,
  Unavailable,
} from '@brickyard/service-host';
import { keyedQueue, limited } from './concurrency';
import { failureOf } from './drivers/step-failure';
import type { Lease } from './lease';
import type { TaskLedger } from './ledger';
import { outcomePublisher, type PublishOutcome } from './outcome.publisher';

const TaskAtDoor = quick(TaskEnvelope);
/** Silence after which a task is given to the agent again; a living agent says more often that it is at work. */
const ACK_WAIT_MS = 30_000;
const QUESTION_TIMEOUT_MS = 2_000;
/** A process that did not run for this long (stopped, or its machine was) was away, too. */
const GAP_MS = 5_000;
const TICK_MS = 1_000;

/** Where tasks come from and who does them. */
export interface TaskConsumerOptions {
  readonly bus: Bus;
  readonly log: Logger;
  readonly ledger: TaskLedger;
  readonly filter: string;
  readonly consumer: string;
  /** Tasks at once. */
  readonly concurrency: number;
  /** Whether tasks for this host are for us. */
  readonly isOurs: (host: HostName) => boolean;
  /** Where outcomes of several hosts are published together; absent when there is one host. */
  readonly outcomesTo?: string;
  readonly execute: (envelope: TaskEnvelope) => Promise<Outcome>;
  /** For how long tasks may go on. */
  readonly lease: Lease;
  /** Called after a task was done, whatever came of it. */
  readonly onDone?: (envelope: TaskEnvelope, outcome: TaskOutcome) => void;
  readonly now?: () => number;
}

/** Consumes tasks until it is closed; then the running ones are finished. */
export async function consumeTasks(options: TaskConsumerOptions): Promise<Subscription> {
  const consumer = new TaskConsumer(options);
  const stop = options.bus.onConnected(() => {
    consumer.wasAway();
  });
  const { bus, filter, consumer: name, concurrency } = options;
  const consuming = await bus.consume(
    { stream: TASKS_STREAM, consumer: name, filter, concurrency, ackWaitMs: ACK_WAIT_MS },
    (message) => consumer.take(message),
  );
  const ticking = setInterval(() => {
    consumer.tick();
  }, TICK_MS);
  return {
    async close() {
      clearInterval(ticking);
      stop();
      await consuming.close();
    },
  };
}

/** A payload as it may be logged. */
const withoutSecret = (payload: unknown): unknown =>
  typeof payload === 'object' && payload !== null && 'secret' in payload ? { ...payload, secret: '***' } : payload;

class TaskConsumer {
  private readonly resources = keyedQueue();
  /**
   * Tasks planned up to this position of the log may have been given up while this agent was away, and are asked about. All
   * of them are, until the allocator has told how far the log was when it could be asked again.
   */
  private sureAbove = Infinity;
  /** How often this agent was away. */
  private absences = 0;
  private lapsesSeen: number;
  private tickedAt: number;
  private readonly now: () => number;
  /** Messages are bounded by the bus, and one of them may bring many tasks. */
  private readonly inTurn: <T>(task: () => Promise<T>) => Promise<T>;
  private readonly publish: PublishOutcome;

  constructor(private readonly options: TaskConsumerOptions) {
    this.now = options.now ?? Date.now;
    this.inTurn = limited(options.concurrency);
    this.publish = outcomePublisher(options.bus, options.outcomesTo);
    this.lapsesSeen = options.lease.lapses;
    this.tickedAt = this.now();
  }

  private isInDoubt({ generation }: TaskEnvelope): boolean {
    this.tick();
    const { lapses } = this.options.lease;
    if (lapses !== this.lapsesSeen) this.wasAway();
    this.lapsesSeen = lapses;
    return generation <= this.sureAbove;
  }

  /** Called again and again while the process runs. */
  tick(): void {
    if (this.now() - this.tickedAt > GAP_MS) this.wasAway();
    this.tickedAt = this.now();
  }

  /** What was planned until now may have lain in the queue while others gave it up. */
  wasAway(): void {
    this.sureAbove = Infinity;
    this.absences += 1;
  }

  /** Does the tasks of a message; when one of them cannot be done now, all come again, and those that are done are known. */
  async take(message: DurableMessage): Promise<void> {
    const taken = tasksIn(message.payload).map((payload) => this.takeOne({ ...message, payload }));
    const failed = (await Promise.allSettled(taken)).find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  private async takeOne(message: DurableMessage): Promise<void> {
    const parsed = TaskAtDoor.safeParse(message.payload);
    if (!parsed.success) return this.reject(message, parsed.error.message);
    const envelope = parsed.data;
    if (!this.options.isOurs(envelope.host)) return this.reject(message, `it is for host ${envelope.host}`);
    const traceparent = envelope.traceparent ?? message.traceparent;
    await continueTrace(traceparent, () =>
      inSpan(`task ${envelope.task.type}`, { 'brickyard.task': envelope.taskId, 'brickyard.host': envelope.host }, () =>
        this.inTurn(() =>
          this.resources.run(`${envelope.host} ${envelope.resource}`, () => this.handle(envelope, message.redelivered)),
        ),
      ),
    );
  }

  /** Never executed and never retried: nobody could make sense of it later, either. */
  private async reject({ payload, subject }: DurableMessage, problem: string): Promise<void> {
    this.options.log.error(
      { subject, problem, payload: withoutSecret(payload) },
      'a task makes no sense to this agent and is dropped',
    );
    const about = TaskEnvelope.pick({ taskId: true, operationId: true, host: true, generation: true }).loose();
    const known = about.safeParse(payload);
    // An order that was meant for another host is dropped in silence: this agent may not speak for that one.
    if (!known.success || !this.options.isOurs(known.data.host)) return;
    const { taskId, operationId, host, generation } = known.data;
    const detail = 'the agent of this host does not understand the task; is it older than the allocator?';
    const failure = { transient: false, uncertain: false, detail, cause: problem };
    await this.publish(generation, { taskId, operationId, host, tookMs: 0, outcome: { kind: 'failed', failure } });
  }

  private async handle(envelope: TaskEnvelope, isRedelivered: boolean): Promise<void> {
    const known = this.options.ledger.outcomeOf(envelope) ?? this.staleness(envelope);
    const outcome = known ?? (await this.settle(envelope, isRedelivered));
    if (outcome === undefined) return; // Nobody waits for it any more.
    await this.publish(envelope.generation, outcome);
  }

  /** Remembered is only what a task came to while this host was heard: what it made of the lease's refusal never happened. */
  private async settle(envelope: TaskEnvelope, isRedelivered: boolean): Promise<TaskOutcome | undefined> {
    const { ledger, lease, log, onDone } = this.options;
    // From before the question on: an answer from before this host was away is worth nothing.
    const outcome = await lease.during(() => this.perform(envelope, isRedelivered || this.isInDoubt(envelope)));
    if (outcome === undefined) return undefined;
    const { taskId, operationId, host, resource, task } = envelope;
    const fields = { taskId, operationId, host, resource, task: task.type, tookMs: outcome.tookMs };
    if (outcome.outcome.kind === 'done') log.info(fields, 'task done');
    else log.warn({ ...fields, ...outcome.outcome }, 'task failed');
    await ledger.record(envelope, outcome);
    onDone?.(envelope, outcome);
    return outcome;
  }

  private staleness(envelope: TaskEnvelope): TaskOutcome | undefined {
    const seenGeneration = this.options.ledger.seen(envelope);
    if (envelope.generation >= seenGeneration) return undefined;
    const { taskId, operationId, host } = envelope;
    return { taskId, operationId, host, tookMs: 0, outcome: { kind: 'stale', seenGeneration } };
  }

  private async perform(envelope: TaskEnvelope, isDoubtful: boolean): Promise<TaskOutcome | undefined> {
    const { ledger, log } = this.options;
    const { taskId, operationId, host, task } = envelope;
    if (isDoubtful && !(await this.isWanted(envelope))) {
      log.info(
        { taskId, operationId, task: task.type },
        'a task was given up while this agent was away; it is not done',
      );
      return undefined;
    }
    await ledger.accept(envelope);
    const startedAt = this.now();
    const result = await this.options.execute(envelope).catch((error: unknown): Outcome => {
      if (error instanceof Unavailable) throw error; // The host cannot take tasks now: they wait in the queue.
      log.error({ err: error, taskId }, 'a driver failed in a way it should have caught');
      return { ok: false, failure: failureOf(error) };
    });
    const tookMs = Math.max(0, Math.round(this.now() - startedAt));
    return {
      taskId,
      operationId,
      host,
      tookMs,
      outcome: result.ok ? { kind: 'done', result: result.result } : { kind: 'failed', failure: result.failure },
    };
  }

  private async isWanted({ taskId, operationId }: TaskEnvelope): Promise<boolean> {
    const question: TaskQuestion = { taskId, operationId };
    const { absences } = this;
    const answer = await this.options.bus.request(TASKS_WANTED, question, { timeoutMs: QUESTION_TIMEOUT_MS });
    const { wanted, position } = TaskAnswer.parse(answer);
    if (position !== undefined && absences === this.absences) this.sureAbove = Math.min(this.sureAbove, position);
    return wanted;
  }
}
