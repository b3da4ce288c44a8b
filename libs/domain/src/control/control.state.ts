/** What the control ledger says is: every cluster, node, device, brick, volume and operation, folded from events. */
import type {
  AdminMode,
  AdminState,
  BlockRestriction,
  BlockVolumeId,
  Brick,
  BrickId,
  ChapIdentity,
  ClusterFlags,
  ClusterId,
  DeviceId,
  DriftId,
  Hostnames,
  NodeId,
  OperationId,
  Residue,
  Tags,
  VolumeId,
  VolumeSpec,
} from '@brickyard/contracts';
import { persistentMap, type PersistentMap } from '@brickyard/event-sourcing';
import type { Drift } from '../drift/drift.state';
import type { ExpectedOptions } from '../drift/drift.state';
import type { EndedOperation, Operation } from '../operation/operation.state';

/** What placement must know of a device besides its free space; changes far less often than that. */
export interface RingDevice {
  readonly deviceId: DeviceId;
  readonly nodeId: NodeId;
  readonly zone: number;
  readonly deviceState: AdminState;
  readonly nodeState: AdminState;
  /** Since when the node's agent is silent; absent while it speaks. */
  readonly nodeLostSince?: string;
  /** The node's tags, overlaid by the device's. */
  readonly tags: Tags;
}

/** One trusted pool. */
export interface Cluster {
  readonly clusterId: ClusterId;
  readonly flags: ClusterFlags;
  /** Ascending; nodes that are still joining are not among them. */
  readonly nodeIds: readonly NodeId[];
  readonly joiningIds: readonly NodeId[];
  /** Every usable or unusable device that is fully added; a new object only when something placement cares for changes. */
  readonly ring: PersistentMap<DeviceId, RingDevice>;
  readonly volumeIds: PersistentMap<VolumeId, true>;
}

/** Whether a thing is being made, is there, or is being taken away. */
export type Lifecycle = 'adding' | 'ready' | 'removing';

/** A host in a cluster. */
export interface Node {
  readonly nodeId: NodeId;
  readonly clusterId: ClusterId;
  readonly zone: number;
  readonly hostnames: Hostnames;
  readonly tags: Tags;
  readonly state: AdminState;
  readonly lifecycle: Lifecycle;
  /** The operation at work on it, if any. */
  readonly operationId?: OperationId;
  readonly lostSince?: string;
  /** Ascending; devices being added included. */
  readonly deviceIds: readonly DeviceId[];
  /** What abandoned operations may have left on it. */
  readonly residue: readonly Residue[];
}

/** A device a node gave to Brickyard. */
export interface Device {
  readonly deviceId: DeviceId;
  readonly nodeId: NodeId;
  readonly clusterId: ClusterId;
  readonly name: string;
  readonly tags: Tags;
  readonly state: AdminState;
  readonly lifecycle: Lifecycle;
  readonly operationId?: OperationId;
  /** KiB; 0 until the device is prepared. */
  readonly totalKib: number;
  /** KiB promised to bricks, those of running operations included. */
  readonly usedKib: number;
  readonly extentKib: number;
  readonly pvUuid: string;
  readonly paths: readonly string[];
  readonly bricks: PersistentMap<BrickId, VolumeId>;
  /** A file system of somebody else's: it carries bricks that were taken over, and gets no new ones. */
  readonly foreign?: true;
}

/** What is going on with a volume. */
export type VolumeStatus = 'creating' | 'ready' | 'expanding' | 'replacing' | 'cloning' | 'deleting';

/** A brick that is to lie elsewhere: the room there is taken. */
export interface BrickMove {
  readonly brickId: BrickId;
  /** At the same set and place; its id becomes the brick's when the move is done. */
  readonly replacement: Brick;
  /** The evacuation that reserved it, or the eviction at work. */
  readonly operationId: OperationId;
}

/** Bricks served as one. */
export interface Volume {
  readonly volumeId: VolumeId;
  readonly clusterId: ClusterId;
  /** Position of the event that planned it, or took it over. */
  readonly plannedAt: number;
  readonly spec: VolumeSpec;
  /** KiB; grows when an expansion is done. */
  readonly sizeKib: number;
  /** In set order; those of a running expansion included. */
  readonly bricks: readonly Brick[];
  /** Planned and running replacements of bricks; their room counts as taken. */
  readonly moves: readonly BrickMove[];
  readonly status: VolumeStatus;
  readonly operationId?: OperationId;
  /** Present when it is there to hold block volumes. */
  readonly hosting?: BlockHosting;
  /** The options Gluster had set when the last operation on the volume was done; absent in volumes made before they were recorded. */
  readonly gluster?: ExpectedOptions;
}

/** What a block hosting volume keeps to itself, and whether it takes more block volumes. */
export interface BlockHosting {
  /** GiB that no block volume gets: 2 % of the size, and of each expansion. */
  readonly reservedGib: number;
  readonly restriction: BlockRestriction;
  /** Ascending; those being made and taken away included. */
  readonly blockVolumeIds: readonly BlockVolumeId[];
}

/** A file on a hosting volume, offered over iSCSI by some nodes of its cluster. */
export interface BlockVolume {
  readonly blockVolumeId: BlockVolumeId;
  readonly clusterId: ClusterId;
  readonly hostingVolumeId: VolumeId;
  /** Unique among those of the hosting volume. */
  readonly name: string;
  readonly sizeKib: number;
  /** What it will have when the expansion at work is done; already taken from the hosting volume. */
  readonly growingToKib?: number;
  /** The nodes that offer it, ascending. */
  readonly nodeIds: readonly NodeId[];
  /** Absent: initiators need not say who they are. */
  readonly chap?: ChapIdentity;
  readonly status: 'creating' | 'ready' | 'expanding' | 'deleting';
  readonly operationId?: OperationId;
}

/** The part of a hosting volume, or of its expansion, that stays free: what is left of 98 %, in whole GiB. */
export const hostingReserveGib = (sizeGib: number): number => sizeGib - Math.floor((sizeGib * 98) / 100);

/** Everything, at one position of the log. */
export interface ControlState {
  readonly clusters: PersistentMap<ClusterId, Cluster>;
  readonly nodes: PersistentMap<NodeId, Node>;
  readonly devices: PersistentMap<DeviceId, Device>;
  readonly volumes: PersistentMap<VolumeId, Volume>;
  /** Bricks that live in a thin pool another brick is charged for, ascending, by the pool: clones. */
  readonly sharedPools: PersistentMap<BrickId, readonly BrickId[]>;
  /** Volume by `cluster/name`: names are taken from the plan until the deletion is done. */
  readonly volumeNames: PersistentMap<string, VolumeId>;
  readonly blockVolumes: PersistentMap<BlockVolumeId, BlockVolume>;
  /** Node by `manage/name` and `storage/name`. */
  readonly hostnames: PersistentMap<string, NodeId>;
  /** Operations that are not over. */
  readonly operations: PersistentMap<OperationId, Operation>;
  /** Those of them that empty a device or node: they go on when another operation ends. */
  readonly evacuations: PersistentMap<OperationId, true>;
  /** The last ones that are. */
  readonly ended: PersistentMap<OperationId, EndedOperation>;
  /** The ended operations in order, by number: what falls out when there are too many. */
  readonly endedOrder: PersistentMap<string, OperationId>;
  readonly endedCount: number;
  readonly adminMode: AdminMode;
  /** While a moving in is not confirmed: the mode before it. */
  readonly modeBeforeAdoption?: AdminMode;
  /** Where hosts and log differ, as far as it is known and not settled. */
  readonly drift: PersistentMap<DriftId, Drift>;
  /** How much newer orders are than their positions: hosts may remember those of an earlier log. */
  readonly generationOffset: number;
  /** Present while the log, put back from a backup, is compared with the hosts. */
  readonly hold?: Hold;
}

/** Why nothing is asked of any host. */
export interface Hold {
  readonly since: string;
  readonly sincePosition: number;
  /** The backup, and its last event. */
  readonly source: string;
  readonly restoredUpTo: number;
  /** Somebody wants it to go on all the same. */
  readonly confirmed: boolean;
}

/** Before the first event. */
export const emptyControlState: ControlState = {
  clusters: persistentMap(),
  nodes: persistentMap(),
  devices: persistentMap(),
  volumes: persistentMap(),
  sharedPools: persistentMap(),
  volumeNames: persistentMap(),
  blockVolumes: persistentMap(),
  hostnames: persistentMap(),
  operations: persistentMap(),
  evacuations: persistentMap(),
  ended: persistentMap(),
  endedOrder: persistentMap(),
  endedCount: 0,
  adminMode: 'normal',
  drift: persistentMap(),
  generationOffset: 0,
};

/** The key of a volume's name within its cluster. */
export const volumeNameKey = (clusterId: ClusterId, name: string): string => `${clusterId}/${name}`;

/** The key of a host name of one kind. */
export const hostnameKey = (kind: keyof Hostnames, name: string): string => `${kind}/${name}`;

/** Free space as the fold says: what is not promised, in KiB. */
export const freeKib = (device: Device): number => device.totalKib - device.usedKib;

/** Whether bricks may ever be placed on a device; whether they may just now, its state tells. */
export const isPlaceable = ({ lifecycle, foreign }: Pick<Device, 'lifecycle' | 'foreign'>): boolean =>
  lifecycle !== 'adding' && foreign !== true;

/** Whether clients see a volume: not while it is made or taken away. */
export const isVisible = ({ status }: Volume): boolean => status !== 'creating' && status !== 'deleting';
