/** What has happened where hosts and log differ: seen, gone again, settled one way or the other. */
import { z } from 'zod';
import { DriftId, OperationId } from '../ids';
import { DriftClass, DriftFinding, DriftSubject } from './drift.objects';

const settled = { operationId: OperationId, driftId: DriftId, subject: DriftSubject };

export const driftEvents = {
  /** Seen twice in a row while no operation was at work on it; told again only when what is found changes. */
  DriftObserved: [DriftFinding],
  /** The hosts say what the log says, or the thing is gone from the log. */
  DriftResolved: [
    z.strictObject({ driftId: DriftId, class: DriftClass, subject: DriftSubject, reason: z.enum(['agrees', 'gone']) }),
  ],
  /** What the hosts have is what is wanted from now on. */
  DriftAccepted: [z.strictObject({ ...settled, finding: DriftFinding })],
  /** The hosts are being made to have what the log says. */
  DriftRestorationPlanned: [z.strictObject({ ...settled, finding: DriftFinding })],
  DriftRestored: [z.strictObject(settled)],
  DriftRestorationUndone: [z.strictObject({ ...settled, detail: z.string(), cause: z.string() })],
} as const;
