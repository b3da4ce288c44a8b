/** What an agent process is, real or simulated: something that starts, is more or less ready, and stops. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Check, describeError, type Logger } from '@brickyard/service-host';

/** A running agent. */
export interface Agent {
  /** Resolves when tasks are taken. */
  start(): Promise<void>;
  ready(): Promise<Record<string, Check>>;
  /** Finishes running tasks and takes no more. */
  stop(): Promise<void>;
}

const PAUSE_MS_MAX = 5_000;

/** Tries until it works: the queue is made by others, who may start later. Undefined when the agent stops first. */
export async function eventually<T>(
  what: string,
  work: () => Promise<T>,
  { log, signal }: { readonly log: Logger; readonly signal: AbortSignal },
): Promise<T | undefined> {
  for (let pauseMs = 100; ; pauseMs = Math.min(PAUSE_MS_MAX, pauseMs * 2)) {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted) return undefined;
      log.info({ reason: describeError(error) }, `${what}: not yet`);
      await pause(pauseMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
    }
  }
}
