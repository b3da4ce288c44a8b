/** What is asked of a log that was put back from a backup. */
import { z } from 'zod';
import { restoreEvents } from './restore.events';

/** Goes on in spite of differences, or of hosts that do not answer. */
export const ConfirmRestore = z.strictObject({ type: z.literal('ConfirmRestore') });
/** The comparison is over. */
export const ReleaseLog = z.strictObject({ type: z.literal('ReleaseLog'), ...restoreEvents.LogReleased[0].shape });
