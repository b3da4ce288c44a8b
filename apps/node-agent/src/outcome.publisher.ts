/** Reports what became of tasks: those done in one turn of the event loop in one message. */
import { createHash } from 'node:crypto';
import { outcomesOf, type TaskOutcome } from '@brickyard/contracts';
import { currentTraceparent, type Bus } from '@brickyard/service-host';

/** Keeps a message far below the 1 MiB that NATS takes: a success is a few hundred bytes. */
const TOGETHER_MAX = 64;

/** Publishes an outcome; resolves when JetStream has it. */
export type PublishOutcome = (generation: number, outcome: TaskOutcome) => Promise<void>;

interface Waiting {
  readonly messageId: string;
  readonly outcome: TaskOutcome;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** `subject` is where outcomes of several hosts go; absent: there is one host, and they go where its single ones go. */
export function outcomePublisher(bus: Bus, subject?: string): PublishOutcome {
  let waiting: Waiting[] = [];

  const alone = (
    { messageId, outcome }: Pick<Waiting, 'messageId' | 'outcome'>,
    traceparent?: string,
  ): Promise<unknown> => {
    return bus.publishDurable(outcomesOf(outcome.host), outcome, {
      messageId,
      ...(traceparent === undefined ? {} : { traceparent }),
    });
  };
  const together = (some: readonly [Waiting, ...Waiting[]]): Promise<unknown> => {
    if (some.length === 1) return alone(some[0]);
    // Of every outcome in it: two messages that differ in one must not pass for the same.
    const ids = some.map(({ messageId }) => messageId).join(' ');
    const messageId = createHash('sha256').update(ids).digest('hex');
    const outcomes = some.map(({ outcome }) => outcome);
    return bus.publishDurable(subject ?? outcomesOf(some[0].outcome.host), { outcomes }, { messageId });
  };
  const flush = (): void => {
    const all = waiting;
    waiting = [];
    for (let from = 0; from < all.length; from += TOGETHER_MAX) {
      const [first, ...more] = all.slice(from, from + TOGETHER_MAX);
      if (first === undefined) return;
      together([first, ...more]).then(
        () => {
          for (const { resolve } of [first, ...more]) resolve();
        },
        (error: unknown) => {
          for (const { reject } of [first, ...more]) reject(error);
        },
      );
    }
  };
  return async (generation, outcome) => {
    const messageId = `${outcome.taskId}@${String(generation)}`;
    const traceparent = currentTraceparent();
    // A failure may carry much text; a trace goes on through a message of its own.
    if (outcome.outcome.kind === 'failed' || traceparent !== undefined) {
      await alone({ messageId, outcome }, traceparent);
      return;
    }
    await new Promise<void>((resolve, reject) => {
      waiting.push({ messageId, outcome, resolve, reject });
      if (waiting.length === 1) setImmediate(flush);
    });
  };
}
