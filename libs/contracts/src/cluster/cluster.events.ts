/** What has happened to clusters, nodes, devices and volumes. Facts: never edited, never deleted. */
import { z } from 'zod';
import { BlockVolumeId, BrickId, ClusterId, DeviceId, NodeId, OperationId, VolumeId } from '../ids';
import { Kib } from '../quantities';
import {
  AdminMode,
  AdminState,
  BlockedBrick,
  BlockPlacement,
  BlockRestriction,
  Brick,
  ChapIdentity,
  ClusterFlags,
  HealCheck,
  Hostnames,
  MovePlacement,
  PlacementExplanation,
  PlacementPolicy,
  Tags,
  VolumeSpec,
  ZoneChecking,
} from './cluster.objects';

/** Why an operation was unwound, and what could not be removed from which host. */
const undone = {
  operationId: OperationId,
  detail: z.string(),
  cause: z.string(),
};

/** How the bricks of an evacuation are moved. */
const evacuation = { healCheck: HealCheck, zoneChecking: ZoneChecking };

/** Why bricks were not moved, or no further, and the smallest change that would help. */
const stopped = {
  ...undone,
  remedy: z.string(),
  blocked: z.array(BlockedBrick),
  blockedMore: z.int().min(0),
};

export const clusterEvents = {
  ClusterCreated: [z.strictObject({ clusterId: ClusterId, flags: ClusterFlags })],
  ClusterFlagsSet: [z.strictObject({ clusterId: ClusterId, flags: ClusterFlags })],
  ClusterRemoved: [z.strictObject({ clusterId: ClusterId })],

  NodeAdditionPlanned: [
    z.strictObject({
      operationId: OperationId,
      nodeId: NodeId,
      clusterId: ClusterId,
      zone: z.int(),
      hostnames: Hostnames,
      tags: Tags,
    }),
  ],
  NodeAdded: [z.strictObject({ operationId: OperationId, nodeId: NodeId })],
  NodeAdditionUndone: [z.strictObject({ ...undone, nodeId: NodeId })],
  NodeStateSet: [z.strictObject({ operationId: OperationId, nodeId: NodeId, state: AdminState })],
  /** A state change that the rules forbid: heketi answers it on the queue, not on the request. */
  NodeStateRefused: [z.strictObject({ ...undone, nodeId: NodeId })],
  /** Every brick of the node is to be moved away; the moves follow, one fact each, in the same commit. */
  NodeEvacuationPlanned: [z.strictObject({ operationId: OperationId, nodeId: NodeId, ...evacuation })],
  /** The bricks that are left stay where they are, those that were moved stay moved. */
  NodeEvacuationStopped: [z.strictObject({ ...stopped, nodeId: NodeId, moved: z.int().min(0) })],
  NodeRemovalPlanned: [z.strictObject({ operationId: OperationId, nodeId: NodeId })],
  NodeRemoved: [z.strictObject({ operationId: OperationId, nodeId: NodeId })],
  NodeRemovalUndone: [z.strictObject({ ...undone, nodeId: NodeId })],
  NodeLost: [z.strictObject({ nodeId: NodeId, silentSince: z.string() })],
  NodeReturned: [z.strictObject({ nodeId: NodeId })],
  /** All the tags the node has from now on. */
  NodeTagsSet: [z.strictObject({ nodeId: NodeId, tags: Tags })],

  DeviceAdditionPlanned: [
    z.strictObject({
      operationId: OperationId,
      deviceId: DeviceId,
      nodeId: NodeId,
      name: z.string(),
      tags: Tags,
      destroyData: z.boolean(),
    }),
  ],
  DeviceAdded: [
    z.strictObject({
      operationId: OperationId,
      deviceId: DeviceId,
      totalKib: Kib,
      extentKib: z.int().min(1),
      pvUuid: z.string(),
      paths: z.array(z.string()),
    }),
  ],
  DeviceAdditionUndone: [z.strictObject({ ...undone, deviceId: DeviceId })],
  DeviceStateSet: [z.strictObject({ operationId: OperationId, deviceId: DeviceId, state: AdminState })],
  DeviceStateRefused: [z.strictObject({ ...undone, deviceId: DeviceId })],
  DeviceEvacuationPlanned: [z.strictObject({ operationId: OperationId, deviceId: DeviceId, ...evacuation })],
  DeviceEvacuationStopped: [z.strictObject({ ...stopped, deviceId: DeviceId, moved: z.int().min(0) })],
  DeviceRemovalPlanned: [z.strictObject({ operationId: OperationId, deviceId: DeviceId, forceForget: z.boolean() })],
  DeviceRemoved: [z.strictObject({ operationId: OperationId, deviceId: DeviceId })],
  DeviceRemovalUndone: [z.strictObject({ ...undone, deviceId: DeviceId })],
  DeviceTagsSet: [z.strictObject({ deviceId: DeviceId, tags: Tags })],
  DeviceResyncPlanned: [z.strictObject({ operationId: OperationId, deviceId: DeviceId })],
  /** The device as its host has it now. */
  DeviceResynced: [
    z.strictObject({
      operationId: OperationId,
      deviceId: DeviceId,
      totalKib: Kib,
      extentKib: z.int().min(1),
      pvUuid: z.string(),
      paths: z.array(z.string()),
    }),
  ],
  DeviceResyncUndone: [z.strictObject({ ...undone, deviceId: DeviceId })],

  VolumePlanned: [
    z.strictObject({
      operationId: OperationId,
      volumeId: VolumeId,
      clusterId: ClusterId,
      spec: VolumeSpec,
      bricks: z.array(Brick).min(1),
      placement: PlacementExplanation,
      /** The limits it was planned by, for another try elsewhere; absent in the log of earlier releases. */
      policy: z.exactOptional(PlacementPolicy),
    }),
  ],
  /** Hosts failed while the volume was built; all of that is taken back, and it is tried elsewhere. */
  VolumeReplanned: [
    z.strictObject({
      operationId: OperationId,
      volumeId: VolumeId,
      bricks: z.array(Brick).min(1),
      placement: PlacementExplanation,
      /** Devices that are not asked again, and what went wrong there. */
      excluded: z.array(z.strictObject({ deviceId: DeviceId, detail: z.string() })),
      detail: z.string(),
    }),
  ],
  VolumeCreated: [z.strictObject({ operationId: OperationId, volumeId: VolumeId })],
  VolumeCreationUndone: [z.strictObject({ ...undone, volumeId: VolumeId })],
  VolumeExpansionPlanned: [
    z.strictObject({
      operationId: OperationId,
      volumeId: VolumeId,
      addKib: Kib,
      bricks: z.array(Brick).min(1),
      placement: PlacementExplanation,
    }),
  ],
  VolumeExpanded: [z.strictObject({ operationId: OperationId, volumeId: VolumeId })],
  VolumeExpansionUndone: [z.strictObject({ ...undone, volumeId: VolumeId })],
  /** One move of an evacuation, with its room reserved; a second one for the same brick takes the place of the first. */
  BrickMovePlanned: [
    z.strictObject({
      operationId: OperationId,
      volumeId: VolumeId,
      brickId: BrickId,
      replacement: Brick,
      placement: MovePlacement,
    }),
  ],
  /** The next move of an evacuation begins: an operation of its own, `parentId` names the evacuation. */
  BrickMoveStarted: [
    z.strictObject({
      operationId: OperationId,
      parentId: OperationId,
      volumeId: VolumeId,
      brickId: BrickId,
      healCheck: HealCheck,
    }),
  ],
  /** One brick is to lie elsewhere, by itself. */
  BrickEvictionPlanned: [
    z.strictObject({
      operationId: OperationId,
      volumeId: VolumeId,
      brickId: BrickId,
      replacement: Brick,
      healCheck: HealCheck,
      placement: MovePlacement,
    }),
  ],
  /** The brick lies elsewhere now, under the replacement's id, and is healed. */
  BrickEvicted: [z.strictObject({ operationId: OperationId, volumeId: VolumeId, brickId: BrickId })],
  BrickEvictionUndone: [
    z.strictObject({
      ...stopped,
      volumeId: VolumeId,
      brickId: BrickId,
      /** Whether what failed may pass: a host that did not answer, a daemon that was away. */
      passing: z.boolean(),
    }),
  ],
  VolumeDeletionPlanned: [z.strictObject({ operationId: OperationId, volumeId: VolumeId })],
  VolumeDeleted: [z.strictObject({ operationId: OperationId, volumeId: VolumeId })],
  /** The deletion could not be finished; the volume is as it was, as far as the hosts allowed. */
  VolumeDeletionUndone: [z.strictObject({ ...undone, volumeId: VolumeId })],
  /** A volume is to be cloned. Gluster chooses the paths of the clone's bricks: they are empty here, and told by the host. */
  VolumeClonePlanned: [
    z.strictObject({
      operationId: OperationId,
      volumeId: VolumeId,
      originId: VolumeId,
      clusterId: ClusterId,
      spec: VolumeSpec,
      bricks: z.array(Brick).min(1),
    }),
  ],
  VolumeCloned: [z.strictObject({ operationId: OperationId, volumeId: VolumeId, originId: VolumeId })],
  VolumeCloneUndone: [z.strictObject({ ...undone, volumeId: VolumeId, originId: VolumeId })],
  BlockRestrictionSet: [
    z.strictObject({ operationId: OperationId, volumeId: VolumeId, restriction: BlockRestriction }),
  ],

  /** A hosting volume is made in the operation of the block volume that follows, and goes with it when that fails. */
  HostingVolumePlanned: [
    z.strictObject({
      operationId: OperationId,
      volumeId: VolumeId,
      clusterId: ClusterId,
      spec: VolumeSpec,
      bricks: z.array(Brick).min(1),
      placement: PlacementExplanation,
    }),
  ],
  BlockVolumePlanned: [
    z.strictObject({
      operationId: OperationId,
      blockVolumeId: BlockVolumeId,
      clusterId: ClusterId,
      hostingVolumeId: VolumeId,
      name: z.string(),
      sizeKib: Kib,
      /** The nodes that offer it, ascending. */
      nodeIds: z.array(NodeId).min(1),
      chap: z.exactOptional(ChapIdentity),
      placement: BlockPlacement,
    }),
  ],
  BlockVolumeCreated: [z.strictObject({ operationId: OperationId, blockVolumeId: BlockVolumeId })],
  BlockVolumeCreationUndone: [z.strictObject({ ...undone, blockVolumeId: BlockVolumeId })],
  /** Too few nodes could offer it: heketi answers it on the queue, not on the request. */
  BlockVolumeCreationRefused: [z.strictObject({ ...undone, blockVolumeId: BlockVolumeId })],
  BlockVolumeExpansionPlanned: [
    z.strictObject({ operationId: OperationId, blockVolumeId: BlockVolumeId, newSizeKib: Kib }),
  ],
  BlockVolumeExpanded: [z.strictObject({ operationId: OperationId, blockVolumeId: BlockVolumeId })],
  BlockVolumeExpansionUndone: [z.strictObject({ ...undone, blockVolumeId: BlockVolumeId })],
  BlockVolumeDeletionPlanned: [z.strictObject({ operationId: OperationId, blockVolumeId: BlockVolumeId })],
  BlockVolumeDeleted: [z.strictObject({ operationId: OperationId, blockVolumeId: BlockVolumeId })],
  BlockVolumeDeletionUndone: [z.strictObject({ ...undone, blockVolumeId: BlockVolumeId })],

  AdminModeSet: [
    z.strictObject({
      mode: AdminMode,
      /** Set by a moving in, until it is confirmed: the mode that comes back then. */
      beforeAdoption: z.exactOptional(AdminMode),
    }),
  ],
} as const;
