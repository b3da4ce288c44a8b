/** What may be asked of the allocator. The caller chooses every id; the allocator decides everything else. */
import { z } from 'zod';
import { AdoptCluster, AdoptDevice, AdoptNode, AdoptVolume } from '../adoption/adoption.commands';
import { DriftFinding } from '../drift/drift.objects';
import { BlockVolumeId, BrickId, ClusterId, DeviceId, DriftId, HostName, NodeId, OperationId, VolumeId } from '../ids';
import { Kib } from '../quantities';
import { ConfirmRestore, ReleaseLog } from '../restore/restore.commands';
import { TaskOutcome } from '../agent/agent.outcomes';
import {
  AdminMode,
  AdminState,
  BlockRestriction,
  ChapIdentity,
  ClusterFlags,
  HealCheck,
  Hostnames,
  PlacementPolicy,
  TagChange,
  Tags,
  VolumeSpec,
  ZoneChecking,
} from './cluster.objects';

/** How bricks are moved away: looked after first unless the operator says otherwise. */
const evacuation = {
  /** Absent: `enable`. */
  healCheck: HealCheck.optional(),
  /** The server's default for volumes that say nothing; absent: `none`. */
  zoneChecking: ZoneChecking.optional(),
};

const CreateCluster = z.strictObject({ type: z.literal('CreateCluster'), clusterId: ClusterId, flags: ClusterFlags });
const SetClusterFlags = z.strictObject({
  type: z.literal('SetClusterFlags'),
  clusterId: ClusterId,
  flags: ClusterFlags,
});
const RemoveCluster = z.strictObject({ type: z.literal('RemoveCluster'), clusterId: ClusterId });

/** What the gateway heard when it asked the agents just before: nobody can decide on a node without it. */
export const GlusterdProbe = z.strictObject({
  /** The new node's own agent. */
  newNode: z.enum(['running', 'stopped', 'no-agent']),
  /** Any online member of the cluster; `none` when it has no node yet. */
  members: z.enum(['running', 'stopped', 'none']),
});

const AddNode = z.strictObject({
  type: z.literal('AddNode'),
  operationId: OperationId,
  nodeId: NodeId,
  clusterId: ClusterId,
  zone: z.int().min(1),
  hostnames: Hostnames,
  tags: Tags,
  probe: GlusterdProbe,
});
const RemoveNode = z.strictObject({ type: z.literal('RemoveNode'), operationId: OperationId, nodeId: NodeId });
const SetNodeState = z.strictObject({
  type: z.literal('SetNodeState'),
  operationId: OperationId,
  nodeId: NodeId,
  /** `failed` moves every brick away first. */
  state: AdminState,
  ...evacuation,
});

const ChangeNodeTags = z.strictObject({
  type: z.literal('ChangeNodeTags'),
  nodeId: NodeId,
  change: TagChange,
  /** With `delete` only the names count. */
  tags: Tags,
});

const AddDevice = z.strictObject({
  type: z.literal('AddDevice'),
  operationId: OperationId,
  deviceId: DeviceId,
  nodeId: NodeId,
  name: z.string().regex(/^\/[a-zA-Z0-9_.:/-]+$/),
  /** Wipe what is on the device if that is safe. */
  destroyData: z.boolean(),
  tags: Tags,
});
const RemoveDevice = z.strictObject({
  type: z.literal('RemoveDevice'),
  operationId: OperationId,
  deviceId: DeviceId,
  /** Forget the device even when its node cannot tear it down. */
  forceForget: z.boolean(),
});
const SetDeviceState = z.strictObject({
  type: z.literal('SetDeviceState'),
  operationId: OperationId,
  deviceId: DeviceId,
  /** `failed` moves every brick away first. */
  state: AdminState,
  ...evacuation,
});
/** Moves one brick to another device. */
const EvictBrick = z.strictObject({
  type: z.literal('EvictBrick'),
  operationId: OperationId,
  brickId: BrickId,
  ...evacuation,
});
const ChangeDeviceTags = z.strictObject({
  type: z.literal('ChangeDeviceTags'),
  deviceId: DeviceId,
  change: TagChange,
  tags: Tags,
});
/** Looks again how large a device is: it may have been grown, or its node repaired. */
const ResyncDevice = z.strictObject({ type: z.literal('ResyncDevice'), operationId: OperationId, deviceId: DeviceId });

const CreateVolume = z.strictObject({
  type: z.literal('CreateVolume'),
  operationId: OperationId,
  volumeId: VolumeId,
  spec: VolumeSpec,
  /** Clusters to try, in order; empty means all, by id. */
  clusters: z.array(z.string()),
  policy: PlacementPolicy,
});
const ExpandVolume = z.strictObject({
  type: z.literal('ExpandVolume'),
  operationId: OperationId,
  volumeId: VolumeId,
  addKib: Kib,
  policy: PlacementPolicy,
});
const DeleteVolume = z.strictObject({
  type: z.literal('DeleteVolume'),
  operationId: OperationId,
  volumeId: VolumeId,
});
/** What the hosts of a volume's bricks answered when they were asked just before: who cannot clone, and who said nothing. */
export const CloneProbe = z.strictObject({
  unable: z.array(z.strictObject({ nodeId: NodeId, brickDriver: z.string() })),
  silent: z.array(NodeId),
});
export type CloneProbe = z.infer<typeof CloneProbe>;

/** Makes a second volume that begins with the content of a first one and shares its space. */
const CloneVolume = z.strictObject({
  type: z.literal('CloneVolume'),
  operationId: OperationId,
  /** Of the clone. */
  volumeId: VolumeId,
  originId: VolumeId,
  name: VolumeSpec.shape.name,
  probe: CloneProbe,
});
/** Keeps new block volumes off a hosting volume, or lets them in again. */
const SetBlockRestriction = z.strictObject({
  type: z.literal('SetBlockRestriction'),
  operationId: OperationId,
  volumeId: VolumeId,
  restriction: BlockRestriction,
});

/** A hosting volume to make when no other takes a block volume. */
export const NewHosting = z.strictObject({
  volumeId: VolumeId,
  spec: VolumeSpec,
  /** False: it is only what would have been made; somebody has to make one. */
  isAllowed: z.boolean(),
});
export type NewHosting = z.infer<typeof NewHosting>;

const CreateBlockVolume = z.strictObject({
  type: z.literal('CreateBlockVolume'),
  operationId: OperationId,
  blockVolumeId: BlockVolumeId,
  name: z.string().regex(/^[a-zA-Z0-9_-]+$/),
  sizeKib: Kib,
  /** How many nodes offer it; 0: all of its cluster. */
  portals: z.int().min(0),
  /** Absent: initiators need not say who they are. */
  chap: ChapIdentity.optional(),
  /** Clusters to try; empty means all. */
  clusters: z.array(z.string()),
  hosting: NewHosting,
  policy: PlacementPolicy,
});
const ExpandBlockVolume = z.strictObject({
  type: z.literal('ExpandBlockVolume'),
  operationId: OperationId,
  blockVolumeId: BlockVolumeId,
  /** The whole size, not what is added. */
  newSizeKib: Kib,
});
const DeleteBlockVolume = z.strictObject({
  type: z.literal('DeleteBlockVolume'),
  operationId: OperationId,
  blockVolumeId: BlockVolumeId,
});

/** Whom the API lets change things. For a moving in, `read-only` begins a pause and `normal` ends it: only what it began. */
const SetAdminMode = z.strictObject({
  type: z.literal('SetAdminMode'),
  mode: AdminMode,
  adoption: z.exactOptional(z.boolean()),
});
/** Tries again to remove what operations could not remove: on these nodes, on all when there are none. */
const CleanUp = z.strictObject({ type: z.literal('CleanUp'), operationId: OperationId, nodeIds: z.array(z.string()) });

/** Takes what the hosts have for what is wanted. */
const AcceptDrift = z.strictObject({ type: z.literal('AcceptDrift'), operationId: OperationId, driftId: DriftId });
/** Makes the hosts have what the log says. */
const RestoreDrift = z.strictObject({ type: z.literal('RestoreDrift'), operationId: OperationId, driftId: DriftId });

/** What a client may ask. */
export const ClientCommand = z.discriminatedUnion('type', [
  CreateCluster,
  SetClusterFlags,
  RemoveCluster,
  AddNode,
  RemoveNode,
  SetNodeState,
  ChangeNodeTags,
  AddDevice,
  RemoveDevice,
  SetDeviceState,
  ChangeDeviceTags,
  ResyncDevice,
  EvictBrick,
  CreateVolume,
  ExpandVolume,
  DeleteVolume,
  CloneVolume,
  SetBlockRestriction,
  CreateBlockVolume,
  ExpandBlockVolume,
  DeleteBlockVolume,
  SetAdminMode,
  CleanUp,
  AcceptDrift,
  RestoreDrift,
  AdoptCluster,
  AdoptNode,
  AdoptDevice,
  AdoptVolume,
  ConfirmRestore,
]);
export type ClientCommand = z.infer<typeof ClientCommand>;

const RecordOutcome = z.strictObject({ type: z.literal('RecordOutcome'), outcome: TaskOutcome });
/** A node's agent has been silent for too long: its running tasks are given up. */
const DeclareNodeLost = z.strictObject({ type: z.literal('DeclareNodeLost'), nodeId: NodeId, silentSince: z.string() });
/** A lost node's agent speaks again. */
const DeclareNodeReturned = z.strictObject({ type: z.literal('DeclareNodeReturned'), nodeId: NodeId });
/** The pause before a step is tried again is over. */
const RetryStep = z.strictObject({ type: z.literal('RetryStep'), operationId: OperationId, attempt: z.int().min(1) });

/** What the hosts say where it differs from the log, and which differences are over. */
const RecordDrift = z.strictObject({
  type: z.literal('RecordDrift'),
  observed: z.array(DriftFinding),
  resolved: z.array(DriftId),
});

/** What the allocator asks of itself, on what it heard from the agents. */
export const InternalCommand = z.discriminatedUnion('type', [
  RecordOutcome,
  DeclareNodeLost,
  DeclareNodeReturned,
  RetryStep,
  RecordDrift,
  ReleaseLog,
]);
export type InternalCommand = z.infer<typeof InternalCommand>;

export type ControlCommand = ClientCommand | InternalCommand;

/** Every command by its type. */
export type CommandOf<Type extends ControlCommand['type']> = Extract<ControlCommand, { type: Type }>;

/** The agent a host name is addressed by. */
export const AgentAddress = z.strictObject({ host: HostName });
