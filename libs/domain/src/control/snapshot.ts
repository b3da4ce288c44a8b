/**
 * The folded state as text and back: a cache of the fold, nothing more. Whatever follows from something else (names,
 * rings, which brick lies where) is left out and made again.
 */
import type { BrickId, ClusterId, DeviceId, NodeId, OperationId, TaskId, VolumeId } from '@brickyard/contracts';
import { persistentMap, type SnapshotPart } from '@brickyard/event-sourcing';
import { isEvacuation, type EndedOperation, type Operation, type TaskState } from '../operation/operation.state';
import type { Drift } from '../drift/drift.state';
import {
  hostnameKey,
  isPlaceable,
  volumeNameKey,
  type BlockVolume,
  type Cluster,
  type ControlState,
  type Device,
  type Hold,
  type Node,
  type RingDevice,
  type Volume,
} from './control.state';
import { ringDevice } from './fold-tools';
import { sharedPoolsOf } from './shared-pools';

/** Changes with every change of the folding code that gives another state for the same events; then old snapshots are not read. */
export const FOLD_VERSION = 'control-6';

/** How many things stand in one line: enough to parse fast, few enough to stay near a megabyte. */
const ITEMS_PER_LINE = 500;
/** How many events may have planned the volumes of one line: at eleven for each new volume, as many as a line holds. */
const VOLUMES_RANGE = 5_000;

type Plain<T, Left extends keyof T> = Omit<T, Left>;
type PlainOperation = Plain<Operation, 'current'> & {
  readonly current?: Plain<NonNullable<Operation['current']>, 'tasks'> & {
    readonly tasks: readonly [TaskId, TaskState][];
  };
};

interface Lines {
  readonly clusters: Plain<Cluster, 'ring' | 'volumeIds'>;
  readonly nodes: Node;
  readonly devices: Plain<Device, 'bricks'>;
  readonly volumes: Volume;
  readonly blockVolumes: BlockVolume;
  readonly operations: PlainOperation;
  readonly ended: readonly [string, EndedOperation];
  readonly endedCount: number;
  readonly adminMode: ControlState['adminMode'];
  readonly drift: Drift;
  readonly generationOffset: number;
  readonly hold: Hold;
}

type Kind = keyof Lines;

/** A thing and the number that says in which line it stands. */
type Numbered<V> = readonly [number, V];

const byNumber = ([one]: Numbered<unknown>, [other]: Numbered<unknown>): number => one - other;

/** By key, and numbered so. */
const sortedValues = <V>(map: { entries(): IterableIterator<readonly [string, V]> }): Numbered<V>[] =>
  [...map.entries()]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([, value], number) => [number, value] as const);

/** Things that never change their numbers stand in the same lines for ever: whatever comes later stands behind them. */
function* partsOf<K extends Kind, V>(
  kind: K,
  things: readonly Numbered<V>[],
  plain: (thing: V, number: number) => Lines[K],
  range = ITEMS_PER_LINE,
): Generator<SnapshotPart> {
  const rangeOf = (index: number): number => Math.floor((things[index]?.[0] ?? Infinity) / range);
  for (let from = 0, to = 0; from < things.length; from = to) {
    while (to - from < ITEMS_PER_LINE && rangeOf(to) === rangeOf(from)) to += 1;
    const line = things.slice(from, to);
    yield {
      name: `${kind} from ${String(line[0]?.[0])}`,
      of: line.map(([, thing]) => thing),
      text: () => JSON.stringify({ kind, items: line.map(([number, thing]) => plain(thing, number)) }),
    };
  }
}

const asIs = <V>(thing: V): V => thing;
const numbered = <V>(...things: readonly V[]): Numbered<V>[] => things.map((thing, number) => [number, thing]);

function plainOperation({ current, ...operation }: Operation): PlainOperation {
  return current === undefined ? operation : { ...operation, current: { ...current, tasks: [...current.tasks] } };
}

const volumesInOrder = ({ volumes }: ControlState): Numbered<Volume>[] =>
  [...volumes.values()].map((volume) => [volume.plannedAt, volume] as const).sort(byNumber);

const endedInOrder = (state: ControlState): Numbered<EndedOperation>[] =>
  [...state.endedOrder.entries()]
    .flatMap(([number, operationId]) => {
      const ended = state.ended.get(operationId);
      return ended === undefined ? [] : [[Number(number), ended] as const];
    })
    .sort(byNumber);

/** The state in parts, each a line of JSON; equal states give equal lines, and most lines outlive a change of the state. */
export function* snapshotParts(state: ControlState): Generator<SnapshotPart> {
  const { endedCount, generationOffset, hold } = state;
  yield* partsOf('clusters', sortedValues(state.clusters), ({ ring: _, volumeIds: __, ...cluster }) => cluster);
  yield* partsOf('nodes', sortedValues(state.nodes), asIs);
  yield* partsOf('devices', sortedValues(state.devices), ({ bricks: _, ...device }) => device);
  yield* partsOf('volumes', volumesInOrder(state), asIs, VOLUMES_RANGE);
  yield* partsOf('blockVolumes', sortedValues(state.blockVolumes), asIs);
  yield* partsOf('operations', sortedValues(state.operations), plainOperation);
  yield* partsOf('ended', endedInOrder(state), (ended, number) => [String(number), ended]);
  yield* partsOf('endedCount', numbered(endedCount), asIs);
  // Only what is not as ever, so that states from before there were modes give the lines they always gave.
  yield* partsOf('adminMode', numbered(...modesOf(state)), asIs);
  yield* partsOf('drift', sortedValues(state.drift), asIs);
  yield* partsOf('generationOffset', generationOffset === 0 ? [] : numbered(generationOffset), asIs);
  yield* partsOf('hold', hold === undefined ? [] : numbered(hold), asIs);
}

/** The state as lines of JSON; equal states give equal lines. */
export function* encodeSnapshot(state: ControlState): Generator<string> {
  for (const { text } of snapshotParts(state)) yield text();
}

/** Lines of a snapshot, sorted by kind. */
function collect(lines: Iterable<string>): { readonly [K in Kind]: Lines[K][] } {
  const all: { [K in Kind]: Lines[K][] } = {
    clusters: [],
    nodes: [],
    devices: [],
    volumes: [],
    blockVolumes: [],
    operations: [],
    ended: [],
    endedCount: [],
    adminMode: [],
    drift: [],
    generationOffset: [],
    hold: [],
  };
  for (const line of lines) {
    const { kind, items } = JSON.parse(line) as { readonly kind: Kind; readonly items: readonly never[] };
    for (const item of items) all[kind].push(item);
  }
  return all;
}

/** Values grouped under a key, each group in the order of its values. */
function grouped<K, V>(pairs: Iterable<readonly [K, V]>): Map<K, V[]> {
  const groups = new Map<K, V[]>();
  for (const [key, value] of pairs) {
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}

function* bricksByDevice(volumes: readonly Volume[]): Generator<readonly [DeviceId, readonly [BrickId, VolumeId]]> {
  for (const volume of volumes) {
    for (const brick of volume.bricks) yield [brick.deviceId, [brick.brickId, volume.volumeId]];
    for (const { replacement } of volume.moves) yield [replacement.deviceId, [replacement.brickId, volume.volumeId]];
  }
}

function devicesOf(plain: readonly Lines['devices'][], volumes: readonly Volume[]): Device[] {
  const bricks = grouped(bricksByDevice(volumes));
  return plain.map((device) => ({ ...device, bricks: persistentMap(bricks.get(device.deviceId) ?? []) }));
}

function clustersOf(all: ReturnType<typeof collect>, devices: readonly Device[]): Cluster[] {
  const nodes = new Map(all.nodes.map((node) => [node.nodeId, node] as const));
  const rings = grouped<ClusterId, readonly [DeviceId, RingDevice]>(
    devices.flatMap((device) => {
      const node = nodes.get(device.nodeId);
      const isListed = node !== undefined && isPlaceable(device);
      return isListed ? [[device.clusterId, [device.deviceId, ringDevice(device, node)]] as const] : [];
    }),
  );
  const volumes = grouped(
    all.volumes.map(({ clusterId, volumeId }) => [clusterId, [volumeId, true] as const] as const),
  );
  return all.clusters.map((cluster) => ({
    ...cluster,
    ring: persistentMap(rings.get(cluster.clusterId) ?? []),
    volumeIds: persistentMap(volumes.get(cluster.clusterId) ?? []),
  }));
}

const namesOf = ({ nodeId, hostnames }: Node): (readonly [string, NodeId])[] => [
  ...hostnames.manage.map((name) => [hostnameKey('manage', name), nodeId] as const),
  ...hostnames.storage.map((name) => [hostnameKey('storage', name), nodeId] as const),
];

function operationOf({ current, ...operation }: PlainOperation): readonly [OperationId, Operation] {
  if (current === undefined) return [operation.operationId, operation];
  return [operation.operationId, { ...operation, current: { ...current, tasks: new Map(current.tasks) } }];
}

/** The state that these lines were made of. */
export function decodeSnapshot(lines: Iterable<string>): ControlState {
  const all = collect(lines);
  const devices = devicesOf(all.devices, all.volumes);
  const [hold] = all.hold;
  return {
    clusters: persistentMap(clustersOf(all, devices).map((cluster) => [cluster.clusterId, cluster] as const)),
    nodes: persistentMap(all.nodes.map((node) => [node.nodeId, node] as const)),
    devices: persistentMap(devices.map((device) => [device.deviceId, device] as const)),
    volumes: persistentMap(all.volumes.map((volume) => [volume.volumeId, volume] as const)),
    sharedPools: sharedPoolsOf(all.volumes, persistentMap()),
    blockVolumes: persistentMap(all.blockVolumes.map((block) => [block.blockVolumeId, block] as const)),
    volumeNames: persistentMap(
      all.volumes.map(({ clusterId, spec, volumeId }) => [volumeNameKey(clusterId, spec.name), volumeId] as const),
    ),
    hostnames: persistentMap(all.nodes.flatMap(namesOf)),
    operations: persistentMap(all.operations.map(operationOf)),
    evacuations: persistentMap(
      all.operations.flatMap(({ operationId, plan }) => (isEvacuation(plan) ? [[operationId, true] as const] : [])),
    ),
    ended: persistentMap(all.ended.map(([, ended]) => [ended.operationId, ended] as const)),
    endedOrder: persistentMap(all.ended.map(([number, ended]) => [number, ended.operationId] as const)),
    endedCount: all.endedCount[0] ?? 0,
    adminMode: all.adminMode[0] ?? 'normal',
    ...(all.adminMode[1] === undefined ? {} : { modeBeforeAdoption: all.adminMode[1] }),
    drift: persistentMap(all.drift.map((drift) => [drift.driftId, drift] as const)),
    generationOffset: all.generationOffset[0] ?? 0,
    ...(hold === undefined ? {} : { hold }),
  };
}

/** The mode, and the one before a moving in while that is not confirmed; nothing when all is as ever. */
function modesOf({ adminMode, modeBeforeAdoption }: ControlState): readonly ControlState['adminMode'][] {
  if (modeBeforeAdoption !== undefined) return [adminMode, modeBeforeAdoption];
  return adminMode === 'normal' ? [] : [adminMode];
}
