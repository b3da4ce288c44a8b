/** What became of a task. */
import { z } from 'zod';
import { Kib } from '../quantities';
import { HostName, OperationId } from '../ids';
import { TaskId } from './agent.tasks';

/** What a host learned while doing a task; only what later decisions need. */
export const TaskResult = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('nothing') }),
  /** A device's real size and identity. */
  z.strictObject({
    kind: z.literal('device'),
    totalKib: Kib,
    extentKib: z.int().min(1),
    pvUuid: z.string(),
    paths: z.array(z.string()),
  }),
  /** A volume that was made or grown, with the options it has by that: what it is compared with later. */
  z.strictObject({ kind: z.literal('volume'), uuid: z.string(), options: z.record(z.string(), z.string()) }),
  /** A clone as Gluster made it: the directories of its bricks, in set order; none when there is no clone. */
  z.strictObject({ kind: z.literal('clone'), paths: z.array(z.string()), options: z.record(z.string(), z.string()) }),
  /** Whether what was asked about exists on the host. */
  z.strictObject({ kind: z.literal('presence'), present: z.boolean() }),
]);
export type TaskResult = z.infer<typeof TaskResult>;

/** A task that could not be done. */
export const TaskFailure = z.strictObject({
  /** Another try, later or elsewhere, may succeed. */
  transient: z.boolean(),
  /** The effect may have happened all the same: nobody could look. */
  uncertain: z.boolean(),
  /** For the operator: what is wrong and what to do about it. */
  detail: z.string(),
  /** For the log: command line, exit code, tail of the error output. */
  cause: z.string(),
});
export type TaskFailure = z.infer<typeof TaskFailure>;

/** A driver's answer. */
export type Outcome =
  { readonly ok: true; readonly result: TaskResult } | { readonly ok: false; readonly failure: TaskFailure };

/** An agent's report on one task. */
export const TaskOutcome = z.strictObject({
  taskId: TaskId,
  operationId: OperationId,
  host: HostName,
  /** Milliseconds the host worked on it. */
  tookMs: z.int().min(0),
  outcome: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('done'), result: TaskResult }),
    z.strictObject({ kind: z.literal('failed'), failure: TaskFailure }),
    /** A newer generation for the same resource was seen before: this task did nothing. */
    z.strictObject({ kind: z.literal('stale'), seenGeneration: z.int() }),
  ]),
});
export type TaskOutcome = z.infer<typeof TaskOutcome>;

/** Reports that travel together: of tasks that one agent has done in one moment. */
export const OutcomeBatch = z.strictObject({ outcomes: z.array(TaskOutcome).min(1) });
export type OutcomeBatch = z.infer<typeof OutcomeBatch>;

/** What one message of outcomes brings, unchecked: each is looked at for itself. */
export function outcomesIn(payload: unknown): readonly unknown[] {
  const together = (payload as { readonly outcomes?: unknown } | null | undefined)?.outcomes;
  return Array.isArray(together) ? (together as readonly unknown[]) : [payload];
}
