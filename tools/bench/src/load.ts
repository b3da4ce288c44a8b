/** Clients that ask as fast as they are answered. */
import { Agent, request } from 'node:http';
import { signRequest } from '@brickyard/service-host';

export interface Door {
  readonly apiUrl: string;
  readonly adminKey: string;
}

export interface Told {
  readonly status: number;
  readonly location: string | undefined;
}

/** A way to send one kind of request. */
export interface Sender {
  readonly send: (body: string) => Promise<Told>;
  readonly close: () => void;
}

/** Sends one kind of request over kept connections; the token is made once, as it stays good for minutes. */
export function sender({ apiUrl, adminKey }: Door, method: string, path: string, clients: number): Sender {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const token = signRequest('admin', adminKey, method, path, Math.floor(Date.now() / 1_000));
  const url = new URL(path, apiUrl);
  const send = (body: string): Promise<Told> =>
    new Promise((resolve, reject) => {
      const headers = { authorization: `bearer ${token}`, 'content-length': Buffer.byteLength(body) };
      const sent = request(url, { method, agent, headers }, (answer) => {
        answer.resume();
        answer.on('end', () => {
          resolve({ status: answer.statusCode ?? 0, location: answer.headers.location });
        });
      });
      sent.on('error', reject);
      sent.end(body);
    });
  return {
    send,
    close: () => {
      agent.destroy();
    },
  };
}

/** Runs `count` requests, `clients` at a time; milliseconds in all, and the answers. */
export async function storm(
  clients: number,
  count: number,
  ask: (number: number) => Promise<Told>,
): Promise<{ readonly ms: number; readonly told: readonly Told[] }> {
  const told: Told[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) told.push(await ask(next++));
  };
  const from = performance.now();
  await Promise.all(Array.from({ length: clients }, lane));
  return { ms: performance.now() - from, told };
}
