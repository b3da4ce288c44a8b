/** How a process ends when it is told to before `onShutdown` knows how. */
import { constants } from 'node:os';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
/** What a shell says of a program that a signal has ended. */
const ENDED_BY_SIGNAL = 128;

const end = (signal: NodeJS.Signals): void => {
  process.exit(ENDED_BY_SIGNAL + constants.signals[signal]);
};

/**
 * The first process of a container is ended by no signal that it does not listen to: one that waits for Postgres could not be
 * stopped. Any other process ends by itself.
 */
export function endWhenTold(): void {
  if (process.pid !== 1) return;
  for (const signal of SIGNALS) process.on(signal, end);
}

/** From here on somebody else listens. */
export function leaveSignals(): void {
  for (const signal of SIGNALS) process.off(signal, end);
}
