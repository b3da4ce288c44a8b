/** A small cluster as events, for specs. */
import {
  type Brick,
  type ControlEvent,
  type ControlEventType,
  currentVersionOf,
  type EventOf,
  type VolumeSpec,
  upcast,
  VolumeSpec as VolumeSpecSchema,
} from '@brickyard/contracts';

/** An id made of one repeated character. */
export const idOf = (char: string): string => char.repeat(32);

/** An event of today's version. */
export function event<Type extends ControlEventType>(
  type: Type,
  data: Omit<EventOf<Type>, 'type' | 'version'>,
): ControlEvent {
  return upcast(type, currentVersionOf(type), data);
}

/** A volume's specification; everything but its name is the simplest. */
export const volumeSpec = (name: string, changes: Partial<VolumeSpec> = {}): VolumeSpec =>
  VolumeSpecSchema.parse({
    name,
    sizeKib: 10_485_760,
    durability: { kind: 'none' },
    gid: 0,
    options: ['', ''],
    block: false,
    snapshots: false,
    snapshotFactor: '1',
    requestedDurability: { type: 'none', replicate: {}, disperse: {} },
    ...changes,
  });

export const CLUSTER = idOf('c') as EventOf<'ClusterCreated'>['clusterId'];
export const NODE_1 = idOf('1') as EventOf<'NodeAdded'>['nodeId'];
export const NODE_2 = idOf('2') as EventOf<'NodeAdded'>['nodeId'];
export const DEVICE_1 = idOf('d') as EventOf<'DeviceAdded'>['deviceId'];
export const DEVICE_2 = idOf('e') as EventOf<'DeviceAdded'>['deviceId'];
export const VOLUME = idOf('a') as EventOf<'VolumeCreated'>['volumeId'];

type OperationId = EventOf<'NodeAdded'>['operationId'];
type Host = EventOf<'NodeAdditionPlanned'>['hostnames']['manage'][number];

let operations = 0;
/** Another operation's id each time. */
export const nextOperation = (): OperationId => (++operations).toString(16).padStart(32, '0') as OperationId;

/** A node on its way in, and there. */
export function nodeEvents(nodeId: typeof NODE_1, host: string, operationId = nextOperation()): ControlEvent[] {
  const hostnames = { manage: [host as Host], storage: [`10.0.0.${nodeId.charAt(0)}` as Host] };
  return [
    event('NodeAdditionPlanned', { operationId, nodeId, clusterId: CLUSTER, zone: 1, hostnames, tags: {} }),
    event('NodeAdded', { operationId, nodeId }),
  ];
}

/** A device of 500 GiB on its way in, and there. */
export function deviceEvents(deviceId: typeof DEVICE_1, nodeId: typeof NODE_1): ControlEvent[] {
  const operationId = nextOperation();
  const totalKib = 524_288_000 as EventOf<'DeviceAdded'>['totalKib'];
  const found = { totalKib, extentKib: 4_096, pvUuid: `pv-${deviceId.charAt(0)}`, paths: ['/dev/sdb'] };
  const planned = { operationId, deviceId, nodeId, name: '/dev/sdb', tags: { b: '2', a: '1' }, destroyData: false };
  return [event('DeviceAdditionPlanned', planned), event('DeviceAdded', { operationId, deviceId, ...found })];
}

/** One brick of a volume on a device. */
export function brick(char: string, deviceId: typeof DEVICE_1, nodeId: typeof NODE_1, place = 0): Brick {
  return {
    brickId: idOf(char) as Brick['brickId'],
    nodeId,
    deviceId,
    path: `/var/lib/heketi/mounts/vg_${deviceId}/brick_${char}/brick`,
    sizeKib: 10_485_760 as Brick['sizeKib'],
    poolKib: 10_485_760 as Brick['poolKib'],
    metadataKib: 53_248 as Brick['metadataKib'],
    set: 0,
    place,
  };
}

/** A volume's plan. */
export function volumePlanned(
  volumeId: typeof VOLUME,
  spec: VolumeSpec,
  bricks: Brick[],
  operationId = nextOperation(),
): ControlEvent {
  const empty = { ringSize: 2, unusable: [], attempts: [], sets: [] };
  const placement = { policy: 'ring-v1' as const, clusterId: CLUSTER, seed: 'seed', ...empty };
  return event('VolumePlanned', { operationId, volumeId, clusterId: CLUSTER, spec, bricks, placement });
}

/** One cluster, two nodes with a device each. */
export const smallCluster = (): ControlEvent[] => [
  event('ClusterCreated', { clusterId: CLUSTER, flags: { file: true, block: false } }),
  ...nodeEvents(NODE_2, 'node2.example'),
  ...nodeEvents(NODE_1, 'node1.example'),
  ...deviceEvents(DEVICE_1, NODE_1),
  ...deviceEvents(DEVICE_2, NODE_2),
];
