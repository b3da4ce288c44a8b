/** A log that was put back from a backup is compared with the hosts before anything is asked of them. */
import type { CommandOf } from '@brickyard/contracts';
import type { ControlState } from '@brickyard/domain';
import type { Logger } from '@brickyard/service-host';
import type { DriftStanding } from './drift.watcher';

const LOOK_EVERY_MS = 1_000;
const TELL_EVERY_MS = 30_000;
/** Room above what hosts have told, for those that told nothing: more orders than a backup could ever lack. */
const UNHEARD_GENERATIONS = 1_000_000;

export interface RestoreWatchOptions {
  readonly log: Logger;
  readonly state: () => ControlState;
  /** How far the comparison is. */
  readonly standing: () => DriftStanding;
  readonly submit: (command: CommandOf<'ReleaseLog'>, correlationId: string) => Promise<void>;
}

/** Watches until the log is released; does nothing when it is not held. */
export function watchRestore({ log, state, standing, submit }: RestoreWatchOptions): { stop(): void } {
  let toldAt = 0;
  let isAsked = false;
  const look = (): void => {
    const { hold, drift } = state();
    if (hold === undefined || isAsked) return;
    const { compared, silent, doubts, seenGeneration } = standing();
    const differences = drift.size;
    const agrees = silent === 0 && doubts === 0 && differences === 0;
    if (!agrees && !hold.confirmed) {
      if (Date.now() - toldAt < TELL_EVERY_MS) return;
      toldAt = Date.now();
      log.warn(
        { compared, silent, differences, doubts, restoredUpTo: hold.restoredUpTo },
        'the log was restored; nothing is asked of hosts until they agree with it, or somebody says `brickyard restore confirm`',
      );
      return;
    }
    isAsked = true;
    const above = silent === 0 ? seenGeneration : seenGeneration + UNHEARD_GENERATIONS;
    log.info({ compared, silent, differences, confirmed: hold.confirmed }, 'the restored log goes on');
    void submit({ type: 'ReleaseLog', seenGeneration: above, compared, silent, differences }, 'restore').finally(() => {
      isAsked = false; // Not recorded: asked again.
    });
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  return {
    stop() {
      clearInterval(timer);
    },
  };
}
