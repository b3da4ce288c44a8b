/** Sends a change and stays with it until the hosts have done it, showing what it is at. */
import type { ApiAnswer, CallOptions } from '@brickyard/service-host/client';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Operation } from '../answers';
import type { Context } from '../context';

/** Between two looks at what an operation is at; people read it, nothing waits for it. */
const LOOK_MS = 500;
const GIVEN_UP = new Set([404, 406]);

/** The id in an answer's `Location: /queue/<id>`. */
export const operationOf = ({ location = '' }: ApiAnswer): string => location.replace(/^.*\/queue\//, '');

/** The answer of a finished change, or the `202` when nobody waits. */
export async function change(
  context: Context,
  send: (options: CallOptions) => Promise<ApiAnswer>,
  wait = true,
): Promise<ApiAnswer> {
  context.refuseAt();
  const { progress } = context.outside;
  // Asked for again when the connection breaks: with the same key that makes no second volume.
  const idempotencyKey = randomUUID();
  if (!wait || progress === undefined) return send({ follow: wait, idempotencyKey });
  const answer = await send({ follow: false, idempotencyKey });
  if (answer.status !== 202 || answer.location === undefined) return answer;
  const operationId = operationOf(answer);
  const done = new AbortController();
  const shown = showSteps(context, operationId, progress, done.signal);
  const goesOn = `The hosts go on with it: brickyard operation info ${operationId}`;
  const release = context.outside.beforeInterrupt?.(goesOn);
  try {
    return await context.api.follow(answer.location);
  } finally {
    release?.();
    done.abort();
    await shown;
    progress('');
  }
}

async function showSteps(
  context: Context,
  operationId: string,
  progress: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  try {
    while (!signal.aborted) {
      const { body } = await context.api.get(`/v1/operations/${operationId}`, { signal });
      const operation = Operation.safeParse(body);
      if (operation.success) progress(stepText(operation.data));
      await pause(LOOK_MS, undefined, { signal });
    }
  } catch (error) {
    // A server without these routes, or nobody there for a moment: the change itself tells what matters.
    if (!signal.aborted && !GIVEN_UP.has(Number((error as { status?: number }).status))) progress('…');
  }
}

/** One line: `create-volume: create-bricks, 2 of 3 done`. */
export function stepText({ kind, step, waitsFor }: Operation): string {
  if (step === undefined) return kind;
  const done = step.tasks.filter(({ status }) => status === 'done').length;
  const way = step.direction === 'act' ? '' : ` (${step.direction})`;
  const again = step.attempt > 1 ? `, attempt ${String(step.attempt)}` : '';
  const waits = waitsFor === undefined ? '' : `; ${waitsFor}`;
  return `${kind}: ${step.name}${way}${again}, ${String(done)} of ${String(step.tasks.length)} done${waits}`;
}
