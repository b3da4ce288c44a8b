/** What has happened in operations: intents before effects, outcomes after them. */
import { z } from 'zod';
import { AgentTask, TaskEnvelope, TaskId } from '../agent/agent.tasks';
import { TaskFailure, TaskResult } from '../agent/agent.outcomes';
import { NodeId, OperationId } from '../ids';

/** A task as planned: an envelope without what the log itself adds. */
export const PlannedTask = TaskEnvelope.omit({ operationId: true, generation: true, secret: true, traceparent: true });
export type PlannedTask = z.infer<typeof PlannedTask>;

/** Which way a saga is going: `act` builds, `undo` takes back, `probe` asks the host what really is. */
export const StepDirection = z.enum(['act', 'undo', 'probe']);
export type StepDirection = z.infer<typeof StepDirection>;

/** What a host still holds after an operation gave up on it. */
export const Residue = z.strictObject({ nodeId: NodeId, task: AgentTask });
export type Residue = z.infer<typeof Residue>;

export const operationEvents = {
  /** The intent: these tasks may from now on have happened. */
  StepStarted: [
    z.strictObject({
      operationId: OperationId,
      step: z.int().min(0),
      name: z.string(),
      direction: StepDirection,
      attempt: z.int().min(1),
      tasks: z.array(PlannedTask),
    }),
  ],
  TaskSucceeded: [
    z.strictObject({ operationId: OperationId, taskId: TaskId, result: TaskResult, tookMs: z.int().min(0) }),
  ],
  TaskFailed: [
    z.strictObject({ operationId: OperationId, taskId: TaskId, failure: TaskFailure, tookMs: z.int().min(0) }),
  ],
  /** The task's node is lost; what it may have left there is listed for its return. */
  TaskAbandoned: [
    z.strictObject({ operationId: OperationId, taskId: TaskId, reason: z.string(), residue: z.array(Residue) }),
  ],
  /** A passing failure: the step is tried again after a pause. */
  StepRetryPlanned: [
    z.strictObject({
      operationId: OperationId,
      step: z.int().min(0),
      attempt: z.int().min(2),
      pauseMs: z.int().min(0),
      detail: z.string(),
    }),
  ],
  /** Removal of what earlier operations left on a node that was lost and is back. */
  ResidueRemovalPlanned: [z.strictObject({ operationId: OperationId, nodeId: NodeId, residue: z.array(Residue) })],
  ResidueRemoved: [z.strictObject({ operationId: OperationId, nodeId: NodeId })],
  /** Somebody asked to have it removed now; these are the operations that do it. */
  CleanUpStarted: [z.strictObject({ operationId: OperationId, removals: z.array(OperationId) })],
  ResidueRemovalUndone: [
    z.strictObject({ operationId: OperationId, nodeId: NodeId, detail: z.string(), cause: z.string() }),
  ],
} as const;
