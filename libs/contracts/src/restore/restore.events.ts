/** What has happened to the log itself: it was put back from a backup, and is compared with the hosts before it goes on. */
import { z } from 'zod';

export const restoreEvents = {
  /** Everything before this event came from a backup. Until it is released, nothing is asked of any host. */
  LogRestored: [
    z.strictObject({
      /** Where the backup lay, as it was called. */
      source: z.string(),
      /** The last event of the backup, and its hash. */
      restoredUpTo: z.int().min(0),
      hash: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ],
  /** Somebody has looked at the differences, or at the hosts that do not answer, and wants the log to go on. */
  RestoreConfirmed: [
    z.strictObject({
      /** Differences that were open then. */
      differences: z.int().min(0),
    }),
  ],
  /** Hosts are asked again. */
  LogReleased: [
    z.strictObject({
      /** The newest order any host has seen: what is asked from now on is newer. */
      seenGeneration: z.int().min(0),
      /** Hosts that were compared, and nodes whose hosts did not answer. */
      compared: z.int().min(0),
      silent: z.int().min(0),
      /** Differences that were open. */
      differences: z.int().min(0),
    }),
  ],
} as const;
