/**
 * Finds a glusterd that listens and answers nothing any more: one that spins with its lock held (seen with 10.3, seconds after
 * a host came back, when it attached volumes to the heal daemon). Its volumes get no brick processes then, for good. Another
 * start helps; bricks that run go on meanwhile.
 */

/** It may restore thousands of volumes before it answers for the first time. */
const SILENT_AFTER_MS = 120_000;
/** Each start that did not help makes the next one wait twice as long. */
const SILENT_AFTER_MS_MAX = 30 * 60_000;

/** What somebody who asked it has seen. */
export type Sign = 'answered' | 'silent' | 'not listening';

/** Takes every sign of life, or of none; calls `restart` when it has been silent for too long. */
export function watchSilence(restart: (silentMs: number) => Promise<void>): (sign: Sign) => void {
  let since: number | undefined;
  let patienceMs = SILENT_AFTER_MS;
  return (sign) => {
    if (sign === 'answered') patienceMs = SILENT_AFTER_MS;
    if (sign !== 'silent') {
      since = undefined; // Whoever does not listen is down, and started by others.
      return;
    }
    since ??= performance.now();
    const silentMs = performance.now() - since;
    if (silentMs < patienceMs) return;
    since = undefined;
    patienceMs = Math.min(2 * patienceMs, SILENT_AFTER_MS_MAX);
    void restart(silentMs);
  };
}
