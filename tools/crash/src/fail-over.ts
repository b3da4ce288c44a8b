/** How long clients wait when the leading allocator is killed, again and again, while others ask all the time. */
import { setTimeout as pause } from 'node:timers/promises';
import { demand, type Estate, patiently } from './estate';
import { kill } from './strike';

const LANES = 4;
const PROBE_EVERY_MS = 20;
/** Between two kills: others than the first after a start shall be measured, too. */
const BETWEEN_MS = 1_000;

/** Waits of clients, milliseconds from the kill to the first answer to a request sent after it. */
export interface FailOver {
  readonly p50: number;
  readonly p99: number;
  readonly worst: number;
  readonly requests: number;
}

const quantile = (sorted: readonly number[], part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN;

/** Kills the leader so often; every acknowledged request must be in the log in the end. */
export async function measureFailOver(estate: Estate, kills: number, say: (text: string) => void): Promise<FailOver> {
  const { stack, api } = estate;
  const acknowledged: string[] = [];
  const state = { isOver: false };
  const change = async (key: string): Promise<void> => {
    // A change that is decided and committed at once: no host is asked.
    await api.post('/clusters', { file: true, block: true }, { idempotencyKey: key });
    acknowledged.push(key);
  };
  const lane = async (name: string): Promise<void> => {
    for (let number = 0; !state.isOver; number++) {
      const key = `load-${name}-${String(number)}`;
      await patiently(estate, 'the load is not taken', () => change(key));
      await pause(PROBE_EVERY_MS);
    }
  };
  const lanes = Array.from({ length: LANES }, (_, index) => lane(String(index)));
  const waits: number[] = [];
  for (let count = 1; count <= kills; count++) {
    const leader = await stack.leader();
    const from = performance.now();
    const dead = kill(leader);
    await patiently(estate, 'no leader takes over', () => change(`probe-${String(count)}`));
    waits.push(performance.now() - from);
    await dead;
    await leader.start();
    await stack.ready(); // Two dead at once are no fail-over.
    if (count % 10 === 0) say(`  ${String(count)} killed, the last wait was ${(waits.at(-1) ?? 0).toFixed(0)} ms`);
    await pause(BETWEEN_MS);
  }
  state.isOver = true;
  await Promise.all(lanes);
  await estate.rest();
  for (const key of acknowledged)
    demand(estate.effectOf(key) !== undefined, 'an acknowledged command is in the log', () => key);
  const sorted = waits.sort((one, other) => one - other);
  return {
    p50: quantile(sorted, 0.5),
    p99: quantile(sorted, 0.99),
    worst: sorted.at(-1) ?? 0,
    requests: acknowledged.length,
  };
}
