/** One crash of the matrix: an operation is held at a step, a process dies, everything comes back; then what must hold is looked at. */
import { createHash, randomUUID } from 'node:crypto';
import { sagas } from '@brickyard/domain';
import { type ApiAnswer, ApiError, type CallOptions } from '@brickyard/service-host';
import { eventually } from '@brickyard/stack';
import { demand, describeError, type Estate, patiently } from './estate';
import { heldTasks, planFaults, type PlannedFault } from './faults-file';
import { turningStep, type Point } from './points';
import { type Ask, recipes, tidy } from './recipes';
import { agentsOf, strike } from './strike';

/** The faults that lead an operation to a place and hold it there. */
export function faultsFor(point: Point): PlannedFault[] {
  const { saga, step, direction, moment } = point;
  const hold = { step, direction, hang: moment } as const;
  if (direction === 'act') return [hold];
  const asked = sagas[saga].steps[step];
  const uncertain = direction === 'probe';
  const detail = `planned, to see ${asked?.name ?? ''} ${uncertain ? 'asked about' : 'taken back'}`;
  return [
    hold,
    {
      step: uncertain ? step : turningStep(point),
      direction: 'act',
      fail: { transient: uncertain, detail, uncertain },
    },
  ];
}

/** What a client was told, if it was told anything. */
export type Told = { readonly answer: ApiAnswer } | { readonly problem: unknown };

/** Sends a request as its method says. */
export function send({ api }: Estate, { method, path, body }: Ask, call: CallOptions): Promise<ApiAnswer> {
  return method === 'get'
    ? api.get(path, call)
    : method === 'post'
      ? api.post(path, body, call)
      : api.delete(path, call);
}

/** The answer, or what was heard instead of one. */
export const told = (answer: Promise<ApiAnswer>): Promise<Told> =>
  answer.then(
    (it) => ({ answer: it }),
    (problem: unknown) => ({ problem }),
  );

/** Runs one point; throws the first thing that does not hold. */
export async function runPoint(estate: Estate, point: Point): Promise<void> {
  const { stack, faultsFile } = estate;
  planFaults(faultsFile, []);
  await stack.ready();
  const unique = createHash('sha256').update(randomUUID()).digest('hex').slice(0, 10);
  const ready = await recipes[point.saga](estate, unique);
  await estate.read();
  const begunBefore = estate.begun.length;
  const before = heldBy(estate);
  const faults = faultsFor(point);
  const key = `crash-${unique}`;
  let first: Promise<Told> | undefined;
  let refusal = '';
  if ('ask' in ready) {
    planFaults(faultsFile, faults);
    first = told(send(estate, ready.ask, { idempotencyKey: key, follow: false }));
    void first.then((answer) => {
      if ('problem' in answer) refusal = `; the request was refused: ${describeError(answer.problem)}`;
    });
  } else await ready.happen(faults);
  const host = await eventually('the step is never under way', estate.patienceMs, async () => {
    const holder = heldBy(estate).find(({ held }, index) => held > (before[index]?.held ?? 0));
    if (holder !== undefined) return holder.host;
    const state = await estate.read();
    const open = [...state.operations.values()].map(
      ({ plan, current }) => `${plan.kind} at ${current?.name ?? 'its start'}`,
    );
    throw new Error((open.length === 0 ? 'no operation is open' : open.join(', ')) + refusal);
  });
  const dead = await strike(stack, point.victim, host);
  planFaults(faultsFile, []);
  await dead.revive();
  const heard = await first;
  await estate.rest();
  const begun = estate.begun.slice(begunBefore).map(({ kind }) => kind);
  demand(
    begun.includes(point.saga),
    'the operation is in the log',
    () => `${point.saga} is not among ${begun.join(', ')}`,
  );
  if ('ask' in ready && heard !== undefined) await checkAcknowledged(estate, ready.ask, key, heard);
  await tidy(estate);
}

/** How many tasks each agent has held, and on which host; the agent of simulated hosts is one for all. */
const heldBy = ({ stack }: Estate): readonly { readonly host: string; readonly held: number }[] =>
  agentsOf(stack).map(({ name, logFile }) => ({ host: name.replace('node-agent-', ''), held: heldTasks(logFile) }));

/** What was acknowledged is in the log, and the same id gets the same answer and nothing more. */
export async function checkAcknowledged(estate: Estate, ask: Ask, key: string, heard: Told): Promise<void> {
  if ('answer' in heard) {
    demand(estate.effectOf(key) !== undefined, 'an acknowledged command is in the log', () => `${ask.path} as ${key}`);
  }
  const effect = estate.effectOf(key);
  const again = await patiently(estate, 'the request cannot be repeated', async () => {
    const said = await told(send(estate, ask, { idempotencyKey: key, follow: false }));
    if ('problem' in said && (!(said.problem instanceof ApiError) || said.problem.status >= 500)) throw said.problem;
    return said;
  });
  await estate.read();
  if (effect !== undefined) {
    demand('answer' in again, 'the same command id gets the same answer', () =>
      'problem' in again ? describeError(again.problem) : '',
    );
    demand(estate.effectOf(key)?.last === effect.last, 'a command has its effect once', () => key);
  }
  if (!('answer' in heard) || !('answer' in again)) return;
  demand(
    heard.answer.location === again.answer.location,
    'the same command id gets the same answer',
    () => `${String(heard.answer.location)}, then ${String(again.answer.location)}`,
  );
}
