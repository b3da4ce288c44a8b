/** Every refusal as a client reads it: heketi's status and text. */
import { hostingsText } from './hosting-texts';
import type { ClientCommand, ClusterRefusal, Rejection } from '@brickyard/contracts';

/** Status and text of one refusal; `remedy` is what heketi never said: why, and the smallest change that would help. */
export interface ToldRejection {
  readonly status: number;
  readonly text: string;
  readonly remedy?: string;
}

type CommandType = ClientCommand['type'];
type OfKind<Kind extends Rejection['kind']> = Extract<Rejection, { kind: Kind }>;
type Table = {
  readonly [Kind in Rejection['kind']]: (rejection: OfKind<Kind>, command: CommandType) => ToldRejection;
};

const NOT_FOUND: ToldRejection = { status: 404, text: 'Id not found' };
const IN_USE = 'The target exists, contains other items, or is in use.';
const CREATE_FAILED = 'Failed to allocate new volume: ';
const CREATE_BLOCK_FAILED = 'Failed to allocate new block volume: ';
const EXPAND_BLOCK_FAILED = 'Failed to allocate block volume expansion: ';
const EVICT_FAILED = 'Failed to set up brick eviction: ';
const EXPAND_FAILED = 'Failed to allocate volume expansion: ';

/** What heketi puts before the reason when a command fails in allocation. */
const FAILED: Partial<Record<CommandType, string>> = {
  CreateVolume: CREATE_FAILED,
  ExpandVolume: EXPAND_FAILED,
  DeleteVolume: 'Failed to set up volume delete: ',
  CreateBlockVolume: CREATE_BLOCK_FAILED,
  ExpandBlockVolume: EXPAND_BLOCK_FAILED,
  DeleteBlockVolume: 'Failed to set up block volume delete: ',
  SetBlockRestriction: 'Failed to set block restriction: ',
};

const contains = (what: string, id: string, contents: string): ToldRejection => ({
  status: 409,
  text: `Unable to delete ${what} [${id}] because it contains ${contents}`,
});

const cloneFailed = (volumeId: string, reason: string, remedy: string): ToldRejection => ({
  status: 500,
  text: `Failed clone volume ${volumeId}: ${reason}`,
  remedy,
});

const nameTooLong = (length: number, limit: number): string =>
  `Volume name has ${String(length)} characters and Gluster takes ${String(limit)} on the hosts of this cluster`;

/** One line for each kind of refusal: a kind without its line does not compile. */
const TABLE: Table = {
  ClusterNotFound: (_rejection, command) =>
    command === 'AddNode' ? { status: 404, text: 'Cluster id does not exist' } : NOT_FOUND,
  ClusterNotEmpty: ({ clusterId }) => contains('cluster', clusterId, 'volumes and/or nodes'),
  NodeNotFound: (_rejection, command) =>
    command === 'AddDevice' ? { status: 404, text: 'Node id does not exist' } : NOT_FOUND,
  // heketi ends this text with a line break of its own.
  HostnameInUse: ({ hostname, nodeId }) => ({
    status: 409,
    text: `Hostname ${hostname} already used by node with id ${nodeId}\n`,
  }),
  GlusterdNotRunning: ({ where }) => ({
    status: 400,
    text:
      where === 'new-node'
        ? "New Node doesn't have glusterd running"
        : 'None of the nodes in cluster has glusterd running',
  }),
  NoAgent: ({ host }) => ({
    status: 400,
    text: "New Node doesn't have glusterd running",
    remedy: `no node agent answers for ${host}; start one there under exactly this name`,
  }),
  NodeHasDevices: ({ nodeId }) => contains('node', nodeId, 'devices'),
  DeviceNotFound: () => NOT_FOUND,
  DeviceNotFailed: ({ deviceId }) => ({ status: 400, text: `device: ${deviceId} is not in failed state` }),
  DeviceHasBricks: ({ deviceId }) => contains('device', deviceId, 'bricks'),
  BrickNotFound: () => NOT_FOUND,
  BrickPending: ({ brickId, operationId }) => ({
    status: 500,
    text: `${EVICT_FAILED}Can not evict brick ${brickId}: brick is pending`,
    remedy: `operation ${operationId} is at work on the brick; ask again when it is over`,
  }),
  VolumeHasPendingBricks: ({ brickId, volumeId, operationId }) => ({
    status: 500,
    text: `${EVICT_FAILED}Can not evict brick ${brickId} from volume ${volumeId}: volume has pending bricks`,
    remedy: `operation ${operationId} is at work on the volume; ask again when it is over`,
  }),
  NoClusters: () => ({ status: 400, text: 'No clusters configured' }),
  UnknownClusterRequested: ({ clusterId }) => ({ status: 400, text: `Cluster id ${clusterId} not found` }),
  VolumeNotFound: () => NOT_FOUND,
  NoBlockHostingVolume: () => ({
    status: 500,
    text: 'Failed to set block restriction: Block restrictions can only be set on block hosting volumes',
  }),
  CloneOfHostingVolume: ({ volumeId }) =>
    cloneFailed(volumeId, 'Cloning of block hosting volumes is not supported', 'clone a file volume'),
  CloneNameInUse: ({ volumeId, name }) =>
    cloneFailed(volumeId, `Volume name '${name}' already in use`, 'choose another name, or none'),
  CloneNameTooLong: ({ volumeId, length, limit }) =>
    cloneFailed(volumeId, nameTooLong(length, limit), `choose a name of at most ${String(limit)} characters, or none`),
  CloneNotSupported: ({ volumeId, nodeId, brickDriver }) =>
    cloneFailed(
      volumeId,
      `bricks on node ${nodeId} cannot be cloned: its brick driver is ${brickDriver}, and snapshots need thin LVM volumes`,
      'make the volume on hosts whose brick driver is lvm-thin',
    ),
  CloneNodeSilent: ({ volumeId, nodeId }) =>
    cloneFailed(
      volumeId,
      `node ${nodeId} does not answer, and a snapshot needs every brick of the volume`,
      'bring the host back and ask again',
    ),
  VolumeHoldsDatabase: () => ({ status: 409, text: 'Cannot delete volume containing the Heketi database' }),
  ConflictingOperation: ({ subject, operationId }, command) => ({
    status: 500,
    text: `${FAILED[command] ?? ''}${IN_USE}`,
    remedy: `operation ${operationId} is at work on ${subject}; ask again when it is over`,
  }),
  VolumeTooSmall: ({ requestedGib, minimumKib }) => ({
    status: 400,
    text: `Requested volume size (${String(requestedGib)} GB) is smaller than the minimum supported volume size (${String(minimumKib)})`,
  }),
  NotPlaced: (rejection, command) => ({
    status: 500,
    text: (FAILED[command] ?? CREATE_FAILED) + notPlacedText(rejection),
    remedy: remedyWith(
      rejection.remedy,
      rejection.refusals.map(({ refusal }) => refusal),
    ),
  }),
  InvalidTagRule: ({ rule }, command) => ({
    status: 500,
    text: `${FAILED[command] ?? ''}Invalid tag matching rule: Invalid tag match rule: ${rule}`,
  }),
  AverageFileTooLarge: ({ averageKib, brickKib }, command) => ({
    status: 500,
    text: `${FAILED[command] ?? ''}Average file size (${String(averageKib)}) is greater than Brick size (${String(brickKib)})`,
  }),
  DriftNotFound: () => NOT_FOUND,
  DriftNotReconcilable: ({ driftId, way, reason }) => ({
    status: 409,
    text: `Drift ${driftId} cannot be settled by ${way}: ${reason}`,
  }),
  LogHeld: ({ since, source }) => ({
    status: 503,
    text: `The log was restored from ${source} at ${since} and is being compared with the hosts; nothing is changed meanwhile`,
    remedy: 'look at `brickyard restore status`; `brickyard restore confirm` goes on all the same',
  }),
  NotAdoptable: ({ subject, reason }) => ({ status: 409, text: `${subject} cannot be taken over: ${reason}` }),
  BlockVolumeNotFound: () => NOT_FOUND,
  HostingVolumeInUse: ({ blockVolumes }) => ({
    status: 409,
    text: 'Cannot delete a block hosting volume containing block volumes',
    remedy: `delete its block volumes first: it holds ${String(blockVolumes)}`,
  }),
  HostingTooSmall: ({ hostingGib, requestedGib, availableGib, passedOver, passedOverMore }) => ({
    status: 500,
    text:
      `${CREATE_BLOCK_FAILED}The size configured for automatic creation of block hosting volumes (${String(hostingGib)}) ` +
      `is too small to host the requested block volume of size ${String(requestedGib)}. The available size on this ` +
      `block hosting volume, minus overhead, is ${String(availableGib)}. Please create a sufficiently large block ` +
      'hosting volume manually.',
    remedy: hostingsText(passedOver, passedOverMore),
  }),
  HostingBeingMade: ({ volumeId, operationId }) => ({
    status: 429,
    text: 'Server busy. Retry operation later.',
    remedy: `hosting volume ${volumeId} is being made by operation ${operationId}; ask again when it is over`,
  }),
  HostingNotMadeByItself: ({ passedOver, passedOverMore }) => ({
    status: 500,
    text: `${CREATE_BLOCK_FAILED}Block Hosting Volume Creation is disabled. Create a Block hosting volume and try again.`,
    remedy: hostingsText(passedOver, passedOverMore),
  }),
  BlockVolumeNotGrown: ({ requestedGib, sizeGib }) => ({
    status: 500,
    text:
      EXPAND_BLOCK_FAILED +
      (requestedGib === sizeGib
        ? `Requested new-size ${String(requestedGib)} is same as current block volume size ${String(sizeGib)}, nothing to be done.`
        : `Requested new-size ${String(requestedGib)} is less than current block volume size ${String(sizeGib)}, shrinking is not allowed.`),
  }),
  HostingVolumeFull: ({ volumeId, freeGib, neededGib }) => ({
    status: 500,
    text: `${EXPAND_BLOCK_FAILED}No space`,
    remedy: `hosting volume ${volumeId} has ${String(freeGib)} GiB free of ${String(neededGib)} needed; expand it first`,
  }),
  NodeIsLastPortal: ({ nodeId, blockVolumeId }) => ({
    ...contains('node', nodeId, 'block volumes'),
    remedy: `no other node offers block volume ${blockVolumeId}; delete it first`,
  }),
  ExpansionNotPlaced: ({ refusal, remedy }) => ({
    status: 500,
    text: EXPAND_FAILED + expansionText(refusal),
    remedy: remedyWith(remedy, [refusal]),
  }),
};

/** How a refusal is told to whoever sent the command. */
export function tellRejection(rejection: Rejection, command: CommandType): ToldRejection {
  const tell = TABLE[rejection.kind] as (rejection: Rejection, command: CommandType) => ToldRejection;
  return tell(rejection, command);
}

/** Clusters ruled out at the door are told of only when no other is left. */
function notPlacedText({ refusals, refusalsMore, ineligible }: OfKind<'NotPlaced'>): string {
  const tried = ineligible ? refusals : refusals.filter(({ refusal }) => !isAtTheDoor(refusal));
  const told = tried.length === 0 ? refusals : tried;
  const [only, ...others] = told;
  if (only === undefined) return 'No space';
  if (others.length === 0) return creationText(only.refusal);
  const title = ineligible ? 'No eligible cluster for volume' : 'Unable to create volume on any cluster:';
  const lines = told.map(({ clusterId, refusal }) => `Cluster ${clusterId}: ${creationText(refusal)}`);
  const rest = refusalsMore === undefined ? [] : [`and ${String(refusalsMore)} more clusters`];
  return [title, ...lines, ...rest].join('\n');
}

function isAtTheDoor({ kind }: ClusterRefusal): boolean {
  return [
    'AllVolumeTypesDisabled',
    'VolumeTypeNotSupported',
    'VolumeNameInUse',
    'VolumeNameTooLong',
    'TooManyVolumes',
  ].includes(kind);
}

function creationText(refusal: ClusterRefusal): string {
  switch (refusal.kind) {
    case 'AllVolumeTypesDisabled':
      return 'Cluster has disabled all volume types';
    case 'VolumeTypeNotSupported':
      return 'Cluster does not support requested volume type';
    case 'VolumeNameInUse':
      return `Volume name '${refusal.name}' already in use`;
    case 'VolumeNameTooLong':
      return nameTooLong(refusal.length, refusal.limit);
    case 'TooManyVolumes':
      return `Cluster has ${String(refusal.count)} volumes and limit is ${String(refusal.limit)}`;
    case 'NoNodes':
      return 'No nodes in cluster';
    case 'NoOnlineDevices':
      return 'No online storage devices in cluster';
    case 'NoSpace':
    case 'TooManyBricks':
    case 'BricksTooSmall':
      return 'No space';
  }
}

/** Only an expansion tells bricks too many or too small from lack of space. */
function expansionText(refusal: ClusterRefusal): string {
  if (refusal.kind === 'TooManyBricks') return 'Maximum number of bricks reached.';
  if (refusal.kind === 'BricksTooSmall') return 'Minimum brick size limit reached.  Out of space.';
  return creationText(refusal);
}

/** The remedy, and for lack of space how many devices failed which rule. */
function remedyWith(remedy: string, refusals: readonly ClusterRefusal[]): string {
  const counts = new Map<string, number>();
  for (const refusal of refusals) {
    if (!('byRule' in refusal)) continue;
    for (const { rule, count } of refusal.byRule) counts.set(rule, (counts.get(rule) ?? 0) + count);
  }
  if (counts.size === 0) return remedy;
  const told = [...counts].map(([rule, count]) => `${rule} ${String(count)}`).join(', ');
  return `${remedy} (devices refused by rule: ${told})`;
}
