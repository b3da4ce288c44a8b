/** Clients that never pause: each makes volumes, looks at them and at everything else, and notes whatever was not answered well. */
import { randomUUID } from 'node:crypto';
import { describeError } from '@brickyard/service-host';
import { z } from 'zod';

/** Longer than a gateway holds a change back while nobody leads. */
const PATIENCE_MS = 20_000;
const Named = z.object({ id: z.string(), name: z.string() });

/** Clients at work. */
export interface Load {
  /** Every request that failed, in words. */
  readonly failures: readonly string[];
  /** Names of volumes that were asked for and made. */
  readonly made: ReadonlySet<string>;
  /** Requests that were answered well. */
  answered(): number;
  /** The longest that one was waited for, milliseconds. */
  slowestMs(): number;
  /** What was begun is brought to its end. */
  stop(): Promise<void>;
}

/** Sets so many clients to work. No request is sent twice by them: one that fails, has failed. */
export function startLoad(url: string, clients: number): Load {
  const failures: string[] = [];
  const made = new Set<string>();
  let [answered, slowestMs, isOver] = [0, 0, false];

  /** Another gateway may be asked than the one that answered before: it waits until it knows as much. */
  let position = 0;

  async function ask(method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
    const from = performance.now();
    const what = `${method} ${path}`;
    try {
      const answer = await fetch(`${url}${path}${method === 'GET' ? `?after=${String(position)}` : ''}`, {
        method,
        redirect: 'manual',
        headers: { prefer: 'wait=10', ...(body === undefined ? {} : { 'idempotency-key': randomUUID() }) },
        signal: AbortSignal.timeout(PATIENCE_MS),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      const next = answer.headers.get('location');
      if (!answer.ok && next === null) throw new Error(`${String(answer.status)} ${text.slice(0, 300)}`);
      answered += 1;
      position = Math.max(position, Number(answer.headers.get('x-brickyard-position') ?? 0));
      // To the result, or to where a gateway that was about to end says that the work goes on.
      return next === null ? JSON.parse(text) : await ask('GET', next);
    } catch (error) {
      failures.push(`${what}: ${describeError(error)}`);
      return undefined;
    } finally {
      slowestMs = Math.max(slowestMs, performance.now() - from);
    }
  }

  async function work(client: number): Promise<void> {
    for (let turn = 0; !isOver; turn += 1) {
      const name = `v-${String(client)}-${String(turn)}`;
      const volume = Named.safeParse(await ask('POST', '/volumes', { size: 1, name }));
      if (!volume.success) {
        failures.push(`${name} was answered with something else than a volume`);
        continue;
      }
      made.add(name);
      await ask('GET', `/volumes/${volume.data.id}`);
      await ask('GET', '/clusters');
    }
  }

  const working = Promise.all(Array.from({ length: clients }, (_, client) => work(client)));
  return {
    failures,
    made,
    answered: () => answered,
    slowestMs: () => slowestMs,
    async stop() {
      isOver = true;
      await working;
    },
  };
}
