/** The whole state as heketi's database would hold it: what its offline tools import and export. Pure. */
import type { Brick } from '@brickyard/contracts';
import {
  type BlockVolume,
  type Cluster,
  type ControlState,
  type Device,
  isBlockVisible,
  type Node,
  type Operation,
  type Volume,
} from '@brickyard/domain';
import type { ChapKeys } from '@brickyard/service-host';
import { type BlockVolumeView, blockVolumeView } from '../blocks/block-volume.view';
import { brickView, type BrickView } from '../brick.view';
import { type ClusterView, clusterView } from '../cluster.view';
import { deviceView, type DeviceView } from '../device.view';
import { type NodeView, nodeView } from '../node.view';
import { type ChangeView, changesOf } from '../operations/pending-operation.view';
import { visibleDevice, visibleNode } from '../visible';
import { volumeView, type VolumeView } from '../volume.view';

/** Names the operation that is at work on a record; empty when none is. */
interface Pending {
  readonly Id: string;
}

export interface ClusterEntry {
  readonly Info: ClusterView;
}
export interface NodeEntry {
  readonly State: string;
  readonly Info: Omit<NodeView, 'devices' | 'state'>;
  readonly Devices: readonly string[];
}
export interface DeviceEntry {
  readonly State: string;
  readonly Info: Omit<DeviceView, 'bricks' | 'state'>;
  readonly Bricks: readonly string[];
  readonly NodeId: string;
  readonly ExtentSize: number;
}
export interface VolumeEntry {
  readonly Info: Omit<VolumeView, 'bricks'> & { readonly clusters: readonly string[] };
  readonly Bricks: readonly string[];
  readonly GlusterVolumeOptions: readonly string[];
  readonly Pending: Pending;
}
export interface BrickEntry {
  readonly Info: BrickView;
  readonly TpSize: number;
  readonly PoolMetadataSize: number;
  readonly Pending: Pending;
  readonly LvmThinPool: string;
  readonly LvmLv: string;
  /** 1: data, 2: arbiter. */
  readonly SubType: 1 | 2;
}
export interface BlockVolumeEntry {
  readonly Info: BlockVolumeView;
  readonly Pending: Pending;
}
export interface PendingOperationEntry {
  readonly Id: string;
  /** Seconds since 1970. */
  readonly Timestamp: number;
  readonly Type: number;
  readonly Actions: readonly { readonly Change: number; readonly Id: string; readonly Delta: number | null }[];
  readonly Status: '';
}

type Entries<T> = Readonly<Record<string, T>>;

/** `GET /db/dump`. */
export interface Dump {
  readonly clusterentries: Entries<ClusterEntry>;
  readonly volumeentries: Entries<VolumeEntry>;
  readonly brickentries: Entries<BrickEntry>;
  readonly nodeentries: Entries<NodeEntry>;
  readonly deviceentries: Entries<DeviceEntry>;
  readonly blockvolumeentries: Entries<BlockVolumeEntry>;
  readonly dbattributeentries: Entries<{ readonly Key: string; readonly Value: string }>;
  readonly pendingoperations: Entries<PendingOperationEntry>;
}

/** What a database of heketi 10 says of itself: its importer asks for it. */
const ATTRIBUTES = ['DB_BRICK_HAS_SUBTYPE_FIELD', 'DB_CLUSTER_HAS_FILE_BLOCK_FLAG', 'DB_HAS_PENDING_OPS_BUCKET'];

/** heketi's numbers for what an operation is and changes. */
const TYPES: Partial<Record<Operation['plan']['kind'], number>> = {
  'create-volume': 1,
  'delete-volume': 2,
  'expand-volume': 3,
  'clone-volume': 7,
  'create-block-volume': 4,
  'delete-block-volume': 5,
  'expand-block-volume': 9,
};
const CHANGES: Readonly<Record<string, number>> = {
  'Add brick': 1,
  'Add volume': 2,
  'Delete brick': 3,
  'Delete volume': 4,
  'Expand volume': 5,
  'Clone volume from': 9,
  'Snapshot volume': 10,
  'Expand volume to': 11,
  'Add block volume': 6,
  'Delete block volume': 7,
  'Expand block volume': 14,
};

/** Everything, what is being made and taken away included; the secrets of initiators, too, as in heketi's. */
export function dumpView(state: ControlState, keys?: ChapKeys): Dump {
  const volumes = [...state.volumes.values()];
  const nodes = [...state.nodes.keys()].flatMap((id) => visibleNode(state, id) ?? []);
  const devices = [...state.devices.keys()].flatMap((id) => visibleDevice(state, id) ?? []);
  const operations = [...state.operations.values()].filter(({ plan }) => TYPES[plan.kind] !== undefined);
  return {
    clusterentries: entries([...state.clusters.values()], ({ clusterId }) => clusterId, clusterEntry(state)),
    volumeentries: entries(volumes, ({ volumeId }) => volumeId, volumeEntry(state)),
    brickentries: entries(
      volumes.flatMap((volume) => volume.bricks.map((brick) => ({ volume, brick }))),
      ({ brick }) => brick.brickId,
      brickEntry(state),
    ),
    nodeentries: entries(nodes, ({ nodeId }) => nodeId, nodeEntry(state)),
    deviceentries: entries(devices, ({ deviceId }) => deviceId, deviceEntry(state)),
    blockvolumeentries: entries(
      [...state.blockVolumes.values()],
      ({ blockVolumeId }) => blockVolumeId,
      (block) => ({
        Info: blockVolumeView(state, block, keys),
        Pending: { Id: isBlockVisible(block) ? '' : (block.operationId ?? '') },
      }),
    ),
    dbattributeentries: entries(
      ATTRIBUTES,
      (name) => name,
      (name) => ({ Key: name, Value: 'yes' }),
    ),
    pendingoperations: entries(operations, ({ operationId }) => operationId, operationEntry(state)),
  };
}

/** A map in ascending order of its keys, as Go writes one. */
function entries<T, Entry>(
  things: readonly T[],
  idOf: (thing: T) => string,
  entryOf: (thing: T) => Entry,
): Entries<Entry> {
  const pairs = things.map((thing) => [idOf(thing), entryOf(thing)] as const);
  return Object.fromEntries(pairs.sort(([one], [other]) => (one < other ? -1 : 1)));
}

const clusterEntry =
  (state: ControlState) =>
  (cluster: Cluster): ClusterEntry => ({
    Info: {
      ...clusterView(state, cluster),
      volumes: [...cluster.volumeIds.keys()].sort(),
      blockvolumes: blockIdsIn(state, cluster),
    },
  });

const blockIdsIn = (state: ControlState, { clusterId }: Cluster): readonly string[] =>
  [...state.blockVolumes.values()]
    .filter((block: BlockVolume) => block.clusterId === clusterId)
    .map(({ blockVolumeId }) => blockVolumeId)
    .sort();

const nodeEntry =
  (state: ControlState) =>
  (node: Node): NodeEntry => {
    const { devices, state: adminState, ...Info } = nodeView(state, node);
    return { State: adminState, Info, Devices: devices.map(({ id }) => id) };
  };

const deviceEntry =
  (state: ControlState) =>
  (device: Device): DeviceEntry => {
    const { bricks, state: adminState, ...Info } = deviceView(state, device);
    const Bricks = bricks.map(({ id }) => id);
    return { State: adminState, Info, Bricks, NodeId: device.nodeId, ExtentSize: device.extentKib };
  };

const volumeEntry =
  (state: ControlState) =>
  (volume: Volume): VolumeEntry => {
    const { bricks, blockinfo, ...info } = volumeView(state, volume);
    const held = volume.hosting?.blockVolumeIds ?? [];
    return {
      Info: {
        ...info,
        blockinfo: { ...blockinfo, ...(held.length === 0 ? {} : { blockvolume: held }) },
        clusters: [volume.clusterId],
      },
      Bricks: bricks.map(({ id }) => id),
      GlusterVolumeOptions: volume.spec.options,
      Pending: { Id: isPending(volume) ? (volume.operationId ?? '') : '' },
    };
  };

/** A volume that grows carries no marker: only its new bricks do. */
const isPending = ({ status }: Volume): boolean => status === 'creating' || status === 'deleting';

const brickEntry =
  (state: ControlState) =>
  ({ volume, brick }: { readonly volume: Volume; readonly brick: Brick }): BrickEntry => ({
    Info: brickView(brick, volume.volumeId),
    TpSize: brick.poolKib,
    PoolMetadataSize: brick.metadataKib,
    Pending: { Id: pendingOf(state, volume, brick) },
    LvmThinPool: `tp_${brick.poolOf ?? brick.brickId}`,
    LvmLv: '',
    SubType: isArbiter(volume, brick) ? 2 : 1,
  });

function pendingOf(state: ControlState, volume: Volume, { brickId }: Brick): string {
  const { operationId } = volume;
  if (operationId === undefined) return '';
  const plan = state.operations.get(operationId)?.plan;
  const isAdded = plan !== undefined && 'brickIds' in plan && plan.brickIds.includes(brickId);
  return isPending(volume) || isAdded ? operationId : '';
}

/** The third brick of a set that is smaller than its first holds names only. */
function isArbiter({ bricks }: Volume, brick: Brick): boolean {
  if (brick.place !== 2) return false;
  const first = bricks.find(({ set, place }) => set === brick.set && place === 0);
  return first !== undefined && brick.sizeKib < first.sizeKib;
}

const operationEntry =
  (state: ControlState) =>
  ({ operationId, plan, startedAt }: Operation): PendingOperationEntry => ({
    Id: operationId,
    Timestamp: Math.floor(Date.parse(startedAt) / 1_000),
    Type: TYPES[plan.kind] ?? 0,
    Actions: changesOf(state, plan).map((change) => actionOf(change, plan)),
    Status: '',
  });

function actionOf({ id, description }: ChangeView, plan: Operation['plan']): PendingOperationEntry['Actions'][number] {
  const isGrown =
    (plan.kind === 'expand-volume' && id === plan.volumeId) ||
    (plan.kind === 'expand-block-volume' && id === plan.blockVolumeId);
  const Delta = isGrown ? plan.addKib / 1_048_576 : null;
  return { Change: CHANGES[description] ?? 0, Id: id, Delta };
}
