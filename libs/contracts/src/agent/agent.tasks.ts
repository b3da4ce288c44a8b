/** What a node agent is told to do. A task names everything: the agent has no choice to make. */
import { z } from 'zod';
import { Brick, ChapIdentity, HealCheck } from '../cluster/cluster.objects';
import { Durability } from '../durability';
import { BlockVolumeId, BrickId, DeviceId, HostName, NodeId, OperationId, VolumeId } from '../ids';
import { Kib } from '../quantities';

/** A brick as Gluster names it: host and directory. */
export const BrickLocation = z.strictObject({ brickId: BrickId, host: HostName, path: z.string() });
export type BrickLocation = z.infer<typeof BrickLocation>;

const CheckNode = z.strictObject({ type: z.literal('CheckNode'), nodeId: NodeId });
const ProbePeer = z.strictObject({ type: z.literal('ProbePeer'), nodeId: NodeId, host: HostName });
const DetachPeer = z.strictObject({ type: z.literal('DetachPeer'), nodeId: NodeId, host: HostName });

const PrepareDevice = z.strictObject({
  type: z.literal('PrepareDevice'),
  deviceId: DeviceId,
  name: z.string(),
  destroyData: z.boolean(),
  /** Devices this node already gave us: wiping must not touch them. */
  knownDevices: z.array(z.strictObject({ deviceId: DeviceId, name: z.string(), pvUuid: z.string() })),
});
const RetireDevice = z.strictObject({
  type: z.literal('RetireDevice'),
  deviceId: DeviceId,
  name: z.string(),
  /** True: what cannot be torn down is left, and that is success. */
  ignoreErrors: z.boolean(),
});

/** How large is this device now? */
const ReadDevice = z.strictObject({ type: z.literal('ReadDevice'), deviceId: DeviceId, name: z.string() });

/** One brick to carve out of a device. */
export const BrickSpec = Brick.omit({ nodeId: true, set: true, place: true, foreign: true }).extend({
  deviceName: z.string(),
  gid: z.int().min(0),
});
export type BrickSpec = z.infer<typeof BrickSpec>;

const CreateBrick = z.strictObject({ type: z.literal('CreateBrick'), brick: BrickSpec });
const DeleteBrick = z.strictObject({ type: z.literal('DeleteBrick'), brick: BrickSpec });
const ReadBrick = z.strictObject({ type: z.literal('ReadBrick'), brick: BrickSpec });

/** A brick that exists is mounted where it belongs, and served when its volume is started. */
const ServeBrick = z.strictObject({ type: z.literal('ServeBrick'), brick: BrickSpec });

/** A Gluster volume to bring into being: bricks in set order. */
export const GlusterVolumeSpec = z.strictObject({
  volumeId: VolumeId,
  name: z.string(),
  durability: Durability,
  bricks: z.array(BrickLocation).min(1),
  /** Options in order, each `key value`; empty ones are skipped. */
  options: z.array(z.string()),
  sizeKib: Kib,
});
export type GlusterVolumeSpec = z.infer<typeof GlusterVolumeSpec>;

/** An existing Gluster volume. */
export const GlusterVolumeRef = z.strictObject({ volumeId: VolumeId, name: z.string() });
export type GlusterVolumeRef = z.infer<typeof GlusterVolumeRef>;

/** More bricks for an existing volume: whole sets. */
export const GlusterExpansion = GlusterVolumeRef.extend({
  durability: Durability,
  bricks: z.array(BrickLocation).min(1),
});
export type GlusterExpansion = z.infer<typeof GlusterExpansion>;

/** One brick of a volume to be served from elsewhere; the other bricks of its set hold the data meanwhile. */
export const GlusterReplacement = GlusterVolumeRef.extend({
  durability: Durability,
  leaving: BrickLocation,
  replacement: BrickLocation,
  /** The other bricks of the set. */
  others: z.array(BrickLocation),
  healCheck: HealCheck,
});
export type GlusterReplacement = z.infer<typeof GlusterReplacement>;

/** Is the brick's data safe without it? Changes nothing. */
const CheckReplacement = z.strictObject({ type: z.literal('CheckReplacement'), change: GlusterReplacement });
/** Gluster serves the replacement instead; looks after the set once more just before. */
const ReplaceBrick = z.strictObject({ type: z.literal('ReplaceBrick'), change: GlusterReplacement });
/** Whether Gluster serves the replacement. */
const ReadReplacement = z.strictObject({ type: z.literal('ReadReplacement'), change: GlusterReplacement });
/** Waits until the replacement holds everything; says on the way how much is missing. */
const AwaitHeal = z.strictObject({ type: z.literal('AwaitHeal'), change: GlusterReplacement });

const CreateGlusterVolume = z.strictObject({ type: z.literal('CreateGlusterVolume'), volume: GlusterVolumeSpec });
const DeleteGlusterVolume = z.strictObject({ type: z.literal('DeleteGlusterVolume'), volume: GlusterVolumeRef });
const ReadGlusterVolume = z.strictObject({ type: z.literal('ReadGlusterVolume'), volume: GlusterVolumeRef });
const StartGlusterVolume = z.strictObject({ type: z.literal('StartGlusterVolume'), volume: GlusterVolumeRef });
const StopGlusterVolume = z.strictObject({ type: z.literal('StopGlusterVolume'), volume: GlusterVolumeRef });
const AddBricks = z.strictObject({ type: z.literal('AddBricks'), expansion: GlusterExpansion });
const RemoveBricks = z.strictObject({ type: z.literal('RemoveBricks'), expansion: GlusterExpansion });
const StartRebalance = z.strictObject({ type: z.literal('StartRebalance'), volume: GlusterVolumeRef });

/** Makes a volume anew around bricks that hold its data. */
const AdoptGlusterVolume = z.strictObject({ type: z.literal('AdoptGlusterVolume'), volume: GlusterVolumeSpec });
const SetVolumeOptions = z.strictObject({
  type: z.literal('SetVolumeOptions'),
  volume: GlusterVolumeRef,
  set: z.record(z.string(), z.string()),
  /** Options that are not to be set at all. */
  unset: z.array(z.string()),
});

/** A clone of a volume, made through a snapshot that exists only meanwhile. */
export const GlusterClone = z.strictObject({
  /** What becomes of it. */
  clone: GlusterVolumeRef,
  origin: GlusterVolumeRef,
  /** Of the origin, in set order: the bricks of the clone are told in the same. */
  bricks: z.array(BrickLocation).min(1),
  /** The name of the snapshot. */
  snapshot: z.string(),
});
export type GlusterClone = z.infer<typeof GlusterClone>;

/** Snapshot, clone, owner, no snapshot any more; tells where the clone's bricks are. Does not start it. */
const CloneGlusterVolume = z.strictObject({ type: z.literal('CloneGlusterVolume'), cloning: GlusterClone });
/** Neither the clone nor the snapshot exist in Gluster any more. */
const DeleteGlusterClone = z.strictObject({ type: z.literal('DeleteGlusterClone'), cloning: GlusterClone });
/** Where are the bricks of the clone, as far as there is one? */
const ReadGlusterClone = z.strictObject({ type: z.literal('ReadGlusterClone'), cloning: GlusterClone });
/** The file that holds a block volume, on its hosting volume. */
export const BlockFile = z.strictObject({
  blockVolumeId: BlockVolumeId,
  hosting: GlusterVolumeRef,
  sizeKib: Kib,
});
export type BlockFile = z.infer<typeof BlockFile>;
/** The file exists and is so large; what it holds stays. */
const CreateBlockFile = z.strictObject({ type: z.literal('CreateBlockFile'), file: BlockFile });
/** A file that exists is at least so large; refused when it does not. */
const GrowBlockFile = z.strictObject({ type: z.literal('GrowBlockFile'), file: BlockFile });
const DeleteBlockFile = z.strictObject({ type: z.literal('DeleteBlockFile'), file: BlockFile });
/** Whether the file exists and is at least so large. */
const ReadBlockFile = z.strictObject({ type: z.literal('ReadBlockFile'), file: BlockFile });

/** A block volume as one host offers it over iSCSI: the same name, unit and identity on each. */
export const BlockTarget = BlockFile.extend({
  iqn: z.string().regex(/^iqn\.[a-z0-9.:-]{1,200}$/),
  lun: z.int().min(1).max(255),
  /** Absent: anybody may sign in. The secret travels beside the task. */
  chap: ChapIdentity.optional(),
});
export type BlockTarget = z.infer<typeof BlockTarget>;
/** Offers the block volume with the size its file has, from now on and after every restart. */
const ExportBlockVolume = z.strictObject({ type: z.literal('ExportBlockVolume'), target: BlockTarget });
const UnexportBlockVolume = z.strictObject({ type: z.literal('UnexportBlockVolume'), target: BlockTarget });
/** Whether the block volume is offered. */
const ReadBlockTarget = z.strictObject({ type: z.literal('ReadBlockTarget'), target: BlockTarget });

export const AgentTask = z.discriminatedUnion('type', [
  CheckNode,
  ProbePeer,
  DetachPeer,
  PrepareDevice,
  RetireDevice,
  ReadDevice,
  CreateBrick,
  DeleteBrick,
  ReadBrick,
  CreateGlusterVolume,
  DeleteGlusterVolume,
  ReadGlusterVolume,
  StartGlusterVolume,
  StopGlusterVolume,
  AddBricks,
  RemoveBricks,
  StartRebalance,
  CheckReplacement,
  ReplaceBrick,
  ReadReplacement,
  AwaitHeal,
  ServeBrick,
  AdoptGlusterVolume,
  SetVolumeOptions,
  CloneGlusterVolume,
  DeleteGlusterClone,
  ReadGlusterClone,
  CreateBlockFile,
  GrowBlockFile,
  DeleteBlockFile,
  ReadBlockFile,
  ExportBlockVolume,
  UnexportBlockVolume,
  ReadBlockTarget,
]);
export type AgentTask = z.infer<typeof AgentTask>;
export type TaskOf<Type extends AgentTask['type']> = Extract<AgentTask, { type: Type }>;

/** Names one order to one agent; derived from its operation, so a second issue of it is recognised. */
export const TaskId = z
  .string()
  .regex(/^[0-9a-f]{32}\.[a-z0-9.-]+$/)
  .brand('TaskId');
export type TaskId = z.infer<typeof TaskId>;

/** A task on its way to an agent. */
export const TaskEnvelope = z.strictObject({
  taskId: TaskId,
  operationId: OperationId,
  /** The node that shall do it, and the name its agent answers to. */
  nodeId: NodeId,
  host: HostName,
  /** What is changed: one task at a time on it, and none that was planned earlier than one already seen. */
  resource: z.string(),
  /** The log position that planned the task. */
  generation: z.int().min(1),
  task: AgentTask,
  /** What the task needs and the log does not hold: the CHAP secret of an export. */
  secret: z.string().min(12).max(64).optional(),
  traceparent: z.string().optional(),
});
export type TaskEnvelope = z.infer<typeof TaskEnvelope>;

/** Tasks that travel together: planned in one moment, for hosts that one process serves. */
export const TaskBatch = z.strictObject({ tasks: z.array(TaskEnvelope).min(1) });
export type TaskBatch = z.infer<typeof TaskBatch>;

/** What one message of the work queue brings, unchecked: each task is looked at for itself, so that one that makes no sense takes no other with it. */
export function tasksIn(payload: unknown): readonly unknown[] {
  const together = (payload as { readonly tasks?: unknown } | null | undefined)?.tasks;
  return Array.isArray(together) ? (together as readonly unknown[]) : [payload];
}

/** Whether a task is still wanted: asked and answered on `TASKS_WANTED`. */
export const TaskQuestion = z.strictObject({ taskId: TaskId, operationId: OperationId });
export type TaskQuestion = z.infer<typeof TaskQuestion>;
export const TaskAnswer = z.strictObject({
  wanted: z.boolean(),
  /** How far the log was when this was answered, as generations count: what is planned later cannot have been given up before. */
  position: z.int().min(0).optional(),
});
export type TaskAnswer = z.infer<typeof TaskAnswer>;
