/** Ending without cutting anybody off: running requests go on, and each service says what may still begin. */
import type { ServerResponse } from 'node:http';
import type { Logger } from '@brickyard/service-host';

const POLL_MS = 50;

/** Whether a server is ending, and how many requests it answers. */
export interface DrainState {
  isOn: boolean;
  running: number;
}

/** A server that is not ending and answers nobody. */
export const drainState = (): DrainState => ({ isOn: false, running: 0 });

/** Counts a request; its connection is not used again once the server is ending. */
export function whileDraining(drain: DrainState, response: ServerResponse): void {
  drain.running += 1;
  response.once('close', () => (drain.running -= 1));
  if (drain.isOn) response.setHeader('connection', 'close');
}

/** Begins the end; resolves when no request runs any more or the patience is at its end. */
export async function drained(drain: DrainState, patienceMs: number, log: Logger): Promise<void> {
  drain.isOn = true;
  const until = performance.now() + patienceMs;
  while (drain.running > 0 && performance.now() < until) await new Promise((done) => setTimeout(done, POLL_MS));
  if (drain.running > 0) log.warn({ running: drain.running }, 'requests are cut off');
}
