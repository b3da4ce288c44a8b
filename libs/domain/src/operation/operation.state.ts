/** One run of a saga, as its events tell it. */
import type {
  BrickId,
  DeviceId,
  NodeId,
  OperationId,
  PlannedTask,
  Residue,
  StepDirection,
  TaskFailure,
  TaskId,
  TaskResult,
  VolumeId,
} from '@brickyard/contracts';

/** What an operation is about: enough, with the state, to give every order of its saga. */
export type OperationPlan =
  | { readonly kind: 'add-node'; readonly nodeId: NodeId }
  | { readonly kind: 'remove-node'; readonly nodeId: NodeId }
  | { readonly kind: 'add-device'; readonly deviceId: DeviceId; readonly destroyData: boolean }
  | { readonly kind: 'remove-device'; readonly deviceId: DeviceId; readonly forceForget: boolean }
  | { readonly kind: 'resync-device'; readonly deviceId: DeviceId }
  | { readonly kind: 'create-volume'; readonly volumeId: VolumeId }
  | {
      readonly kind: 'expand-volume';
      readonly volumeId: VolumeId;
      readonly addKib: number;
      readonly brickIds: readonly BrickId[];
    }
  | { readonly kind: 'delete-volume'; readonly volumeId: VolumeId }
  | { readonly kind: 'remove-residue'; readonly nodeId: NodeId; readonly residue: readonly Residue[] };

/** The kinds of operation that run a saga. */
export type OperationKind = OperationPlan['kind'];

/** One order to one agent and what became of it. */
export interface TaskState {
  readonly planned: PlannedTask;
  readonly status: 'running' | 'done' | 'failed' | 'abandoned';
  readonly result?: TaskResult;
  readonly failure?: TaskFailure;
}

/** The step an operation is at. */
export interface StepState {
  readonly step: number;
  readonly name: string;
  readonly direction: StepDirection;
  readonly attempt: number;
  /** The position of the intent: the fence its tasks carry. */
  readonly generation: number;
  readonly startedAt: string;
  readonly tasks: ReadonlyMap<TaskId, TaskState>;
}

/** An operation that is not over. */
export interface Operation {
  readonly operationId: OperationId;
  readonly plan: OperationPlan;
  readonly startedAt: string;
  readonly startedPosition: number;
  /** Absent until the first step's intent is in the log. */
  readonly current?: StepState;
  /** Set while a failed step waits to be tried again. */
  readonly retry?: {
    readonly attempt: number;
    readonly pauseMs: number;
    readonly since: string;
    readonly detail: string;
  };
  /** The failure that turned it round, for whoever asked. */
  readonly failure?: { readonly detail: string; readonly cause: string };
  /** What the host told about the device it prepared. */
  readonly deviceResult?: Extract<TaskResult, { kind: 'device' }>;
}

/** What remains of an operation for those who still ask. */
export interface EndedOperation {
  readonly operationId: OperationId;
  readonly kind: OperationKind | 'set-node-state' | 'set-device-state' | 'set-block-restriction' | 'clean-up';
  /** The id of the cluster thing it was about. */
  readonly subjectId: string;
  readonly result: 'done' | 'undone';
  /** Why it was undone; empty when done. */
  readonly detail: string;
  readonly endedAt: string;
  readonly endedPosition: number;
  /** Operations that do what this one only began. */
  readonly children?: readonly OperationId[];
}
