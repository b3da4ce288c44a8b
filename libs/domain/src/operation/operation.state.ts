/** One run of a saga, as its events tell it. */
import type {
  BlockVolumeId,
  BrickId,
  DeviceId,
  HealCheck,
  DriftFinding,
  DriftId,
  NodeId,
  OperationId,
  PlacementPolicy,
  PlannedTask,
  Residue,
  StepDirection,
  TaskFailure,
  TaskId,
  TaskResult,
  VolumeId,
  ZoneChecking,
} from '@brickyard/contracts';

/** What an operation is about: enough, with the state, to give every order of its saga. */
export type OperationPlan =
  | { readonly kind: 'add-node'; readonly nodeId: NodeId }
  | { readonly kind: 'remove-node'; readonly nodeId: NodeId }
  | { readonly kind: 'add-device'; readonly deviceId: DeviceId; readonly destroyData: boolean }
  | { readonly kind: 'remove-device'; readonly deviceId: DeviceId; readonly forceForget: boolean }
  | { readonly kind: 'resync-device'; readonly deviceId: DeviceId }
  | {
      readonly kind: 'create-volume';
      readonly volumeId: VolumeId;
      /** What another try elsewhere would be planned by. */
      readonly policy?: PlacementPolicy;
      /** How often it was planned again. */
      readonly replans?: number;
    }
  | {
      readonly kind: 'expand-volume';
      readonly volumeId: VolumeId;
      readonly addKib: number;
      readonly brickIds: readonly BrickId[];
    }
  | { readonly kind: 'delete-volume'; readonly volumeId: VolumeId }
  | { readonly kind: 'clone-volume'; readonly volumeId: VolumeId; readonly originId: VolumeId }
  | {
      readonly kind: 'create-block-volume';
      readonly blockVolumeId: BlockVolumeId;
      readonly hostingVolumeId: VolumeId;
      /** The hosting volume is made by the same operation, and goes with it. */
      readonly makesHosting: boolean;
    }
  | {
      readonly kind: 'expand-block-volume';
      readonly blockVolumeId: BlockVolumeId;
      readonly newSizeKib: number;
      readonly addKib: number;
    }
  | { readonly kind: 'delete-block-volume'; readonly blockVolumeId: BlockVolumeId }
  | { readonly kind: 'remove-residue'; readonly nodeId: NodeId; readonly residue: readonly Residue[] }
  | {
      readonly kind: 'evict-brick';
      readonly volumeId: VolumeId;
      readonly brickId: BrickId;
      readonly healCheck: HealCheck;
      readonly parentId?: OperationId;
    }
  | ({ readonly kind: 'evacuate-device'; readonly deviceId: DeviceId } & EvacuationProgress)
  | ({ readonly kind: 'evacuate-node'; readonly nodeId: NodeId } & EvacuationProgress)
  | { readonly kind: 'restore-drift'; readonly driftId: DriftId; readonly finding: DriftFinding };

/** How far an evacuation is. It gives no orders of its own: it is a row of `evict-brick` operations. */
export interface EvacuationProgress {
  readonly healCheck: HealCheck;
  readonly zoneChecking: ZoneChecking;
  /** What is still to be moved, in order. */
  readonly moves: readonly { readonly volumeId: VolumeId; readonly brickId: BrickId }[];
  /** How many bricks lie elsewhere now. */
  readonly moved: number;
  /** The eviction at work. */
  readonly childId?: OperationId;
  /** The last eviction could not be done; `attempts` in a row could not. */
  readonly failed?: {
    readonly detail: string;
    readonly cause: string;
    readonly passing: boolean;
    readonly attempts: number;
  };
}

/** The plan of an operation that empties a device or a node. */
export type EvacuationPlan = Extract<OperationPlan, { readonly kind: 'evacuate-device' | 'evacuate-node' }>;

/** Whether an operation empties a device or a node. */
export const isEvacuation = (plan: OperationPlan): plan is EvacuationPlan =>
  plan.kind === 'evacuate-device' || plan.kind === 'evacuate-node';

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
  readonly failure?: { readonly detail: string; readonly cause: string; readonly passing: boolean };
  /** Devices on which a brick could not be made. */
  readonly failedOn?: readonly { readonly deviceId: DeviceId; readonly detail: string }[];
  /** What the host told about the device it prepared. */
  readonly deviceResult?: Extract<TaskResult, { kind: 'device' }>;
}

/** What remains of an operation for those who still ask. */
export interface EndedOperation {
  readonly operationId: OperationId;
  readonly kind:
    OperationKind | 'set-node-state' | 'set-device-state' | 'set-block-restriction' | 'clean-up' | 'accept-drift';
  /** The id of the cluster thing it was about. */
  readonly subjectId: string;
  readonly result: 'done' | 'undone';
  /** Why it was undone; empty when done. */
  readonly detail: string;
  /** The smallest change that would have helped, when that is known. */
  readonly remedy?: string;
  readonly endedAt: string;
  readonly endedPosition: number;
  /** Operations that do what this one only began. */
  readonly children?: readonly OperationId[];
}
