/** Is everybody there? Asked again and again, for a bounded time, with the reason when the answer stays no. */
import { request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { HostName, probeOf } from '@brickyard/contracts';
import { type Bus, type BusSettings, connectBus, createLogger, describeError } from '@brickyard/service-host';
import { z } from 'zod';
import type { HostPlace } from './fleet';

const POLL_MS = 25;
const PROBE_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 2_000;

const Verdict = z.object({
  checks: z.record(z.string(), z.object({ ok: z.boolean(), detail: z.string().optional() })),
});

/** Why waiting on is in vain; undefined while it is not. */
export type Hopeless = () => string | undefined;

/** Waits until an attempt succeeds; fails with the last reason when time is over, or when there is no hope. */
export async function eventually<T>(
  what: string,
  timeoutMs: number,
  attempt: () => Promise<T>,
  hopeless: Hopeless = () => undefined,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await attempt();
    } catch (cause) {
      const why = hopeless();
      if (why !== undefined) throw new Error(`${what}: ${why}`, { cause });
      if (Date.now() >= deadline) throw new Error(`${what}: ${describeError(cause)}`, { cause });
      await pause(POLL_MS);
    }
  }
}

/** Throws unless the service at this health port is ready. */
export async function checkReady(healthPort: number): Promise<void> {
  const { status, body } = await getHealth(healthPort);
  if (status !== 200) throw new Error(`not ready: ${body}`);
}

/** Throws unless the allocator at this health port leads. */
export async function checkLeader(healthPort: number): Promise<void> {
  const { body } = await getHealth(healthPort);
  const role = Verdict.parse(JSON.parse(body)).checks['role']?.detail ?? 'unknown';
  if (!role.startsWith('leader')) throw new Error(role);
}

/** Asks every agent over the bus until each has answered. */
export async function awaitAgents(
  places: readonly HostPlace[],
  bus: BusSettings,
  timeoutMs: number,
  hopeless: Hopeless,
): Promise<void> {
  const log = createLogger({ service: 'launcher', level: 'silent' });
  const connection = await connectBus({ ...bus, name: 'launcher', log, waitOnFirstConnect: true });
  try {
    const ask = ({ name, address }: HostPlace): Promise<unknown> =>
      eventually(`the agent of ${name} does not answer`, timeoutMs, () => probe(connection, address), hopeless);
    await Promise.all(places.map(ask));
  } finally {
    await connection.drain();
  }
}

const probe = (bus: Bus, address: string): Promise<unknown> =>
  bus.request(probeOf(HostName.parse(address)), {}, { timeoutMs: PROBE_TIMEOUT_MS });

function getHealth(port: number): Promise<{ status: number; body: string }> {
  return new Promise((done, reject) => {
    const asked = request(
      { host: '127.0.0.1', port, path: '/health/ready', agent: false, timeout: REQUEST_TIMEOUT_MS },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.once('error', reject);
        answer.once('end', () => {
          done({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8').trim() });
        });
      },
    );
    asked.once('timeout', () => asked.destroy(new Error('no answer')));
    asked.once('error', reject);
    asked.end();
  });
}
