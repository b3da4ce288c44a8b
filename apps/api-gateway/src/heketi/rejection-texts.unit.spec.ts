import type { ClientCommand, ClusterRefusal, HostingRefusal, Rejection } from '@brickyard/contracts';
import { tellRejection } from './rejection-texts';

type Row = readonly [command: ClientCommand['type'], rejection: Rejection, status: number, text: string];

const evidence = {
  attempts: [],
  byRule: [
    { rule: 'node-not-online', count: 2 },
    { rule: 'zone-in-set', count: 1 },
  ],
  devices: [],
  devicesMore: 0,
};
const noSpace: ClusterRefusal = { kind: 'NoSpace', ...evidence };
const tooMany: ClusterRefusal = { kind: 'TooManyBricks', limit: 32, ...evidence };
const tooSmall: ClusterRefusal = { kind: 'BricksTooSmall', minimumKib: 1, ...evidence };
const notPlaced = (ineligible: boolean, ...refusals: ClusterRefusal[]): Rejection => ({
  kind: 'NotPlaced',
  ineligible,
  remedy: 'add a device of 5 GiB',
  refusals: refusals.map((refusal, index) => ({ clusterId: `c${String(index + 1)}`, refusal })),
});
const expansion = (refusal: ClusterRefusal): Rejection => ({ kind: 'ExpansionNotPlaced', refusal, remedy: '' });
const create = 'Failed to allocate new volume: ';
const expand = 'Failed to allocate volume expansion: ';
const inUse = 'The target exists, contains other items, or is in use.';

const ROWS: readonly Row[] = [
  ['AddNode', { kind: 'ClusterNotFound', clusterId: 'c' }, 404, 'Cluster id does not exist'],
  ['RemoveCluster', { kind: 'ClusterNotFound', clusterId: 'c' }, 404, 'Id not found'],
  [
    'RemoveCluster',
    { kind: 'ClusterNotEmpty', clusterId: 'c' },
    409,
    'Unable to delete cluster [c] because it contains volumes and/or nodes',
  ],
  ['AddDevice', { kind: 'NodeNotFound', nodeId: 'n' }, 404, 'Node id does not exist'],
  ['SetNodeState', { kind: 'NodeNotFound', nodeId: 'n' }, 404, 'Id not found'],
  [
    'AddNode',
    { kind: 'HostnameInUse', hostname: 'h', nodeId: 'n' },
    409,
    'Hostname h already used by node with id n\n',
  ],
  ['AddNode', { kind: 'GlusterdNotRunning', where: 'new-node' }, 400, "New Node doesn't have glusterd running"],
  [
    'AddNode',
    { kind: 'GlusterdNotRunning', where: 'cluster' },
    400,
    'None of the nodes in cluster has glusterd running',
  ],
  ['AddNode', { kind: 'NoAgent', host: 'h' }, 400, "New Node doesn't have glusterd running"],
  ['RemoveNode', { kind: 'NodeHasDevices', nodeId: 'n' }, 409, 'Unable to delete node [n] because it contains devices'],
  ['RemoveDevice', { kind: 'DeviceNotFound', deviceId: 'd' }, 404, 'Id not found'],
  ['RemoveDevice', { kind: 'DeviceNotFailed', deviceId: 'd' }, 400, 'device: d is not in failed state'],
  [
    'RemoveDevice',
    { kind: 'DeviceHasBricks', deviceId: 'd' },
    409,
    'Unable to delete device [d] because it contains bricks',
  ],
  ['CreateVolume', { kind: 'NoClusters' }, 400, 'No clusters configured'],
  ['CreateVolume', { kind: 'UnknownClusterRequested', clusterId: 'X' }, 400, 'Cluster id X not found'],
  ['DeleteVolume', { kind: 'VolumeNotFound', volumeId: 'v' }, 404, 'Id not found'],
  [
    'DeleteVolume',
    { kind: 'VolumeHoldsDatabase', volumeId: 'v' },
    409,
    'Cannot delete volume containing the Heketi database',
  ],
  [
    'DeleteVolume',
    { kind: 'ConflictingOperation', subject: 'volume v', operationId: 'o' },
    500,
    `Failed to set up volume delete: ${inUse}`,
  ],
  ['ExpandVolume', { kind: 'ConflictingOperation', subject: 'volume v', operationId: 'o' }, 500, expand + inUse],
  ['RemoveNode', { kind: 'ConflictingOperation', subject: 'node n', operationId: 'o' }, 500, inUse],
  [
    'CreateVolume',
    { kind: 'VolumeTooSmall', requestedGib: 3, minimumKib: 4_194_304 },
    400,
    'Requested volume size (3 GB) is smaller than the minimum supported volume size (4194304)',
  ],
  [
    'CreateVolume',
    { kind: 'InvalidTagRule', rule: 'a-b' },
    500,
    `${create}Invalid tag matching rule: Invalid tag match rule: a-b`,
  ],
  ['EvictBrick', { kind: 'BrickNotFound', brickId: 'b' }, 404, 'Id not found'],
  [
    'EvictBrick',
    { kind: 'BrickPending', brickId: 'b', operationId: 'o' },
    500,
    'Failed to set up brick eviction: Can not evict brick b: brick is pending',
  ],
  [
    'EvictBrick',
    { kind: 'VolumeHasPendingBricks', brickId: 'b', volumeId: 'v', operationId: 'o' },
    500,
    'Failed to set up brick eviction: Can not evict brick b from volume v: volume has pending bricks',
  ],
  [
    'CreateVolume',
    { kind: 'AverageFileTooLarge', averageKib: 2_000_000, brickKib: 1_048_576 },
    500,
    `${create}Average file size (2000000) is greater than Brick size (1048576)`,
  ],
  ['CreateVolume', notPlaced(false, noSpace), 500, `${create}No space`],
  ['CreateVolume', notPlaced(false, tooMany), 500, `${create}No space`],
  ['CreateVolume', notPlaced(false, tooSmall), 500, `${create}No space`],
  ['CreateVolume', notPlaced(false, { kind: 'NoNodes' }), 500, `${create}No nodes in cluster`],
  ['CreateVolume', notPlaced(false, { kind: 'NoOnlineDevices' }), 500, `${create}No online storage devices in cluster`],
  [
    'CreateVolume',
    notPlaced(true, { kind: 'AllVolumeTypesDisabled' }),
    500,
    `${create}Cluster has disabled all volume types`,
  ],
  [
    'CreateVolume',
    notPlaced(true, { kind: 'VolumeTypeNotSupported' }),
    500,
    `${create}Cluster does not support requested volume type`,
  ],
  [
    'CreateVolume',
    notPlaced(true, { kind: 'VolumeNameInUse', name: 'X' }),
    500,
    `${create}Volume name 'X' already in use`,
  ],
  [
    'CreateVolume',
    notPlaced(true, { kind: 'VolumeNameTooLong', length: 133, limit: 132 }),
    500,
    `${create}Volume name has 133 characters and Gluster takes 132 on the hosts of this cluster`,
  ],
  [
    'CreateVolume',
    notPlaced(true, { kind: 'TooManyVolumes', count: 2, limit: 2 }),
    500,
    `${create}Cluster has 2 volumes and limit is 2`,
  ],
  [
    'CreateVolume',
    notPlaced(false, { kind: 'NoNodes' }, noSpace),
    500,
    `${create}Unable to create volume on any cluster:\nCluster c1: No nodes in cluster\nCluster c2: No space`,
  ],
  [
    'CreateVolume',
    notPlaced(true, { kind: 'AllVolumeTypesDisabled' }, { kind: 'VolumeNameInUse', name: 'X' }),
    500,
    `${create}No eligible cluster for volume\nCluster c1: Cluster has disabled all volume types\nCluster c2: Volume name 'X' already in use`,
  ],
  ['CreateVolume', notPlaced(false, { kind: 'AllVolumeTypesDisabled' }, noSpace), 500, `${create}No space`],
  ['ExpandVolume', expansion(noSpace), 500, `${expand}No space`],
  ['ExpandVolume', expansion(tooMany), 500, `${expand}Maximum number of bricks reached.`],
  ['ExpandVolume', expansion(tooSmall), 500, `${expand}Minimum brick size limit reached.  Out of space.`],
];

const createBlock = 'Failed to allocate new block volume: ';
const growBlock = 'Failed to allocate block volume expansion: ';
const tooLittle: HostingRefusal = { rule: 'too-little-space', freeGib: 3, neededGib: 10 };
const passedOver = { passedOver: [{ volumeId: 'v1', refusal: tooLittle }], passedOverMore: 2 };
const BLOCK_ROWS: readonly Row[] = [
  [
    'CreateBlockVolume',
    { kind: 'HostingTooSmall', hostingGib: 100, requestedGib: 99, availableGib: 98, ...passedOver },
    500,
    `${createBlock}The size configured for automatic creation of block hosting volumes (100) is too small to host the requested block volume of size 99. The available size on this block hosting volume, minus overhead, is 98. Please create a sufficiently large block hosting volume manually.`,
  ],
  [
    'CreateBlockVolume',
    { kind: 'HostingNotMadeByItself', ...passedOver },
    500,
    `${createBlock}Block Hosting Volume Creation is disabled. Create a Block hosting volume and try again.`,
  ],
  [
    'CreateBlockVolume',
    { kind: 'HostingBeingMade', volumeId: 'v1', operationId: 'o1' },
    429,
    'Server busy. Retry operation later.',
  ],
  ['CreateBlockVolume', notPlaced(false, noSpace), 500, `${createBlock}No space`],
  ['ExpandBlockVolume', { kind: 'BlockVolumeNotFound', blockVolumeId: 'b1' }, 404, 'Id not found'],
  [
    'ExpandBlockVolume',
    { kind: 'BlockVolumeNotGrown', requestedGib: 5, sizeGib: 5 },
    500,
    `${growBlock}Requested new-size 5 is same as current block volume size 5, nothing to be done.`,
  ],
  [
    'ExpandBlockVolume',
    { kind: 'BlockVolumeNotGrown', requestedGib: 4, sizeGib: 5 },
    500,
    `${growBlock}Requested new-size 4 is less than current block volume size 5, shrinking is not allowed.`,
  ],
  [
    'ExpandBlockVolume',
    { kind: 'HostingVolumeFull', volumeId: 'v1', freeGib: 1, neededGib: 2 },
    500,
    `${growBlock}No space`,
  ],
  [
    'DeleteBlockVolume',
    { kind: 'ConflictingOperation', subject: 'block volume b1', operationId: 'o1' },
    500,
    `Failed to set up block volume delete: ${inUse}`,
  ],
  [
    'DeleteVolume',
    { kind: 'HostingVolumeInUse', volumeId: 'v1', blockVolumes: 3 },
    409,
    'Cannot delete a block hosting volume containing block volumes',
  ],
  [
    'RemoveNode',
    { kind: 'NodeIsLastPortal', nodeId: 'n1', blockVolumeId: 'b1' },
    409,
    'Unable to delete node [n1] because it contains block volumes',
  ],
];

describe('a rejection', () => {
  it.each(BLOCK_ROWS.map((row) => [row[1].kind, ...row] as const))(
    '%s of %s is told in heketi’s words',
    (_, ...row) => {
      const [type, rejection, status, text] = row;
      expect(tellRejection(rejection, type)).toMatchObject({ status, text });
    },
  );

  it('of a block volume names the hosting volumes that did not take it', () => {
    expect(tellRejection({ kind: 'HostingNotMadeByItself', ...passedOver }, 'CreateBlockVolume').remedy).toBe(
      'hosting volume v1 has 3 GiB free of 10 needed; and 2 more',
    );
  });

  it.each(ROWS.map((row) => [row[1].kind, ...row] as const))('%s of %s is told in heketi’s words', (_kind, ...row) => {
    const [command, rejection, status, text] = row;
    expect(tellRejection(rejection, command)).toMatchObject({ status, text });
  });

  it('of lack of space comes with the remedy and the rules that spoke against devices', () => {
    expect(tellRejection(notPlaced(false, noSpace), 'CreateVolume').remedy).toBe(
      'add a device of 5 GiB (devices refused by rule: node-not-online 2, zone-in-set 1)',
    );
  });
});
