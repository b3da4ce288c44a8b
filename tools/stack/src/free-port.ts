import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below the range from which the kernel takes ports for outgoing connections (32768 on): what is free stays free until it is used. */
const RANGE = { from: 20_000, to: 32_000 };
const ATTEMPTS_MAX = 50;

/** A TCP port of an address for a service that must find it again after a restart. */
export async function lastingPort(address: string): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const port = randomInt(RANGE.from, RANGE.to);
    if (await isFree(address, port)) return port;
  }
  throw new Error(`no free port on ${address}`);
}

/** True when this process could listen there now. */
export function isFree(address: string, port: number): Promise<boolean> {
  return new Promise((done) => {
    const probe = createServer();
    probe.once('error', () => {
      done(false);
    });
    probe.listen(port, address, () => {
      probe.close(() => {
        done(true);
      });
    });
  });
}
