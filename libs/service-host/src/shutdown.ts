import { leaveSignals } from './early-signals';
import { describeError } from './errors';
import type { Logger } from './logger';

const PARENT_CHECK_MS = 1_000;

/** What has to happen before the process may end. */
export interface ShutdownOptions {
  readonly log: Logger;
  /** Time for all steps together, milliseconds; the process ends when it is over. */
  readonly deadlineMs: number;
  /** Done one after the other; one that fails does not keep the next from being done. */
  readonly steps: readonly { readonly name: string; readonly run: () => Promise<void> }[];
}

/**
 * Ends the process in order on SIGTERM and SIGINT, or when the parent named by `BRICKYARD_PARENT_PID` is gone: exit code 0,
 * or 1 when a step failed or time ran out. A second signal ends it at once. The result does the same by hand.
 */
export function onShutdown(options: ShutdownOptions): (reason: string) => Promise<void> {
  let isBegun = false;
  const begin = async (reason: string): Promise<void> => {
    if (isBegun) {
      options.log.warn({ reason }, 'told to stop again: stopping at once');
      process.exit(1);
    }
    isBegun = true;
    options.log.info({ reason }, 'stopping');
    process.exit(await runSteps(options));
  };
  leaveSignals();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void begin(signal));
  watchParent(() => {
    if (!isBegun) void begin('the parent process is gone');
  });
  return begin;
}

async function runSteps({ log, deadlineMs, steps }: ShutdownOptions): Promise<number> {
  let current = 'nothing';
  let failures = 0;
  const inOrder = async (): Promise<void> => {
    for (const step of steps) {
      current = step.name;
      try {
        await step.run();
      } catch (error) {
        failures += 1;
        log.error({ step: step.name, reason: describeError(error) }, 'a step of stopping failed');
      }
    }
  };
  const isLate = await raceWith(inOrder(), deadlineMs);
  if (isLate) log.error({ step: current, deadlineMs }, 'stopping takes too long: ending now');
  else log.info('stopped');
  return isLate || failures > 0 ? 1 : 0;
}

/** True when the time was over first. The timer keeps the process alive on purpose: a step may hang with nothing to wait for. */
function raceWith(work: Promise<void>, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      resolve(true);
    }, timeoutMs);
    void work.then(() => {
      clearTimeout(timer);
      resolve(false);
    });
  });
}

function watchParent(onGone: () => void): void {
  const parent = Number(process.env['BRICKYARD_PARENT_PID'] ?? 0);
  if (parent === 0) return;
  if (process.channel !== undefined) {
    process.once('disconnect', onGone); // A parent that started us with a channel is gone when the channel is.
    process.channel.unref();
    return;
  }
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    onGone();
  }, PARENT_CHECK_MS);
  timer.unref();
}
