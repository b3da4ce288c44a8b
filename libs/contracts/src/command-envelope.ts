/** How commands travel from the gateway to the allocator: many in one request, each with its own answer. */
import { z } from 'zod';
import { ClientCommand } from './cluster/cluster.commands';
import { Rejection } from './cluster/cluster.rejections';
import { CommandId } from './ids';

/** Who asks, and from where. */
export const Actor = z.strictObject({
  name: z.string(),
  role: z.string().optional(),
  address: z.string().optional(),
  onBehalfOf: z.string().optional(),
});
export type Actor = z.infer<typeof Actor>;

/** One command with what the log will say about its origin. */
export const CommandEnvelope = z.strictObject({
  commandId: CommandId,
  correlationId: z.string(),
  actor: Actor,
  /** Milliseconds since 1970: past it the answer is no longer wanted and nothing is decided. */
  deadline: z.int(),
  traceparent: z.string().optional(),
  command: ClientCommand,
});
export type CommandEnvelope = z.infer<typeof CommandEnvelope>;

export const CommandBatch = z.strictObject({ commands: z.array(CommandEnvelope).min(1).max(512) });
export type CommandBatch = z.infer<typeof CommandBatch>;

/** What became of one command. */
export const CommandReply = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('accepted'),
    /** The log position after which the effect is visible. */
    position: z.int(),
    /** The id was seen before: this is the first answer, nothing new happened. */
    repeated: z.boolean(),
    /** What the client may go on with; ids as first chosen, also on a repeat. */
    ids: z.record(z.string(), z.string()),
  }),
  z.strictObject({ kind: z.literal('rejected'), position: z.int(), rejection: Rejection }),
  /** Not decided: the allocator is busy, has just lost the lead, or the deadline has passed. Safe to repeat. */
  z.strictObject({ kind: z.literal('unavailable'), reason: z.string(), retryAfterMs: z.int().min(0) }),
  /** A defect on our side; the log says more. */
  z.strictObject({ kind: z.literal('defect'), reference: z.string() }),
]);
export type CommandReply = z.infer<typeof CommandReply>;

export const CommandBatchReply = z.strictObject({ replies: z.array(CommandReply) });
export type CommandBatchReply = z.infer<typeof CommandBatchReply>;
