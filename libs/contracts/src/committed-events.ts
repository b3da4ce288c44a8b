/** How committed events travel from the log to everybody: one message for each stretch of the log. */
import { z } from 'zod';
import { Actor } from './command-envelope';

export const EventMetadata = z.object({
  commandId: z.string().optional(),
  correlationId: z.string(),
  causationId: z.string().optional(),
  actor: Actor,
  traceparent: z.string().optional(),
});

/** One event as it stands in the log. */
export const CommittedEvent = z.object({
  ledger: z.string(),
  position: z.int(),
  streamId: z.string(),
  streamVersion: z.int(),
  eventId: z.string(),
  type: z.string(),
  version: z.int(),
  data: z.record(z.string(), z.json()),
  metadata: EventMetadata,
  recordedAt: z.string(),
  hash: z.string(),
});

/** Consecutive events, in order. */
export const CommittedEvents = z.object({ events: z.array(CommittedEvent).min(1) });
export type CommittedEvents = z.infer<typeof CommittedEvents>;
