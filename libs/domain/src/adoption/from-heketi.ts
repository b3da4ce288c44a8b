/** From heketi's database to what is taken over: everything it knows, in the order the log takes it, ids kept. */
import {
  bricksPerSet,
  isDisperseOffered,
  type AdoptedVolume,
  type Brick,
  type BrickId,
  type ClusterId,
  type CommandOf,
  type DeviceId,
  type DumpFinding,
  type Durability,
  type HeketiBrick,
  type HeketiDevice,
  type HeketiDump,
  type HeketiVolume,
  type NodeId,
  type VolumeId,
  type VolumeSpec,
  gib,
  kib,
  kibOf,
} from '@brickyard/contracts';
import { brickFootprint } from '../placement/sizing';

/** What Gluster on the hosts says of a volume: what heketi's database does not know. */
export interface SeenVolume {
  /** Directories of its bricks, in set order. */
  readonly paths: readonly string[];
  readonly options: Readonly<Record<string, string>>;
}

export type AdoptCommand = CommandOf<'AdoptCluster' | 'AdoptNode' | 'AdoptDevice' | 'AdoptVolume'>;

/** What would be taken over, and every inconsistency with what is done about it. */
export interface ImportPlan {
  readonly commands: readonly AdoptCommand[];
  readonly findings: readonly DumpFinding[];
}

/** heketi's numbers of changes that make something: what they name is not finished. */
const MAKING: ReadonlySet<number> = new Set([1, 2, 6, 11]);

/** Plans the import. `seen` tells by name the volumes that the hosts have; without it the sets of bricks are not known. */
export function planImport(dump: HeketiDump, seen: ReadonlyMap<string, SeenVolume> = new Map()): ImportPlan {
  return planOf({
    dump,
    seen,
    findings: [],
    unfinished: new Set(),
    twins: new Set(),
    lost: new Map(),
    adoptedBricks: new Set(),
    taken: new Map(),
  });
}

/** A plan in the making. */
interface Draft {
  readonly dump: HeketiDump;
  readonly seen: ReadonlyMap<string, SeenVolume>;
  readonly findings: DumpFinding[];
  readonly unfinished: Set<string>;
  /** Nodes and devices that say they are one that is taken over. */
  readonly twins: Set<string>;
  /** Room that stays taken on a device by what is left out. */
  readonly lost: Map<string, number>;
  readonly adoptedBricks: Set<string>;
  /** KiB that the bricks which are taken over take from each device. */
  readonly taken: Map<string, number>;
}

function planOf(draft: Draft): ImportPlan {
  readOperations(draft);
  readLists(draft);
  readTwins(draft);
  const volumes = [...draft.dump.volumes.values()].flatMap((volume) => volumeOf(draft, volume) ?? []);
  tellBlockVolumes(draft);
  tellOrphans(draft);
  const clusters = [...draft.dump.clusters.values()].map(({ Info: { id, file, block } }) => {
    const clusterId = id as ClusterId;
    return { type: 'AdoptCluster', origin: 'heketi', clusterId, flags: { file, block } } as const;
  });
  const nodes = nodesOf(draft);
  const devices = [...draft.dump.devices.values()].flatMap((device) => deviceOf(draft, device) ?? []);
  return { commands: [...clusters, ...nodes, ...devices, ...volumes], findings: draft.findings };
}

function note(draft: Draft, subject: string, problem: string, done: string): void {
  draft.findings.push({ subject, problem, done });
}

/** heketi left behind what it did not finish; what was being made is not taken over, what was being removed is there still. */
function readOperations(draft: Draft): void {
  for (const { Id, Actions, Status } of draft.dump.operations.values()) {
    const making = Actions.filter(({ Change }) => MAKING.has(Change)).map((action) => action.Id);
    for (const id of making) draft.unfinished.add(id);
    const done =
      making.length === 0
        ? 'left out; what it was to remove is taken over as it is'
        : `left out, with ${String(making.length)} things it was making`;
    note(draft, `operation ${Id}`, `is pending${Status === '' ? '' : ` (${Status})`}`, done);
  }
  for (const [what, records] of [
    ['volume', draft.dump.volumes],
    ['brick', draft.dump.bricks],
  ] as const) {
    for (const [id, { Pending }] of records) {
      if (Pending === '' || draft.dump.operations.has(Pending)) continue;
      note(draft, `${what} ${id}`, `is marked by operation ${Pending}, which is not there`, 'the mark is left out');
    }
  }
}

/** What a record lists twice, and what it lists that is not there; a volume's bricks are looked at with the volume. */
function readLists(draft: Draft): void {
  const { clusters, nodes, devices, volumes, bricks, blockVolumes } = draft.dump;
  type Records = ReadonlyMap<string, unknown>;
  const check = (subject: string, what: string, ids: readonly string[], known?: Records): void => {
    for (const id of new Set(ids.filter((each, index) => ids.indexOf(each) !== index))) {
      note(draft, subject, `lists ${what} ${id} more than once`, 'counts once');
    }
    for (const id of new Set(ids)) {
      if (known?.has(id) === false) note(draft, subject, `lists ${what} ${id}, which is not there`, 'left out');
    }
  };
  for (const { Info } of clusters.values()) {
    check(`cluster ${Info.id}`, 'node', Info.nodes, nodes);
    check(`cluster ${Info.id}`, 'volume', Info.volumes, volumes);
    check(`cluster ${Info.id}`, 'block volume', Info.blockvolumes, blockVolumes);
  }
  for (const { Info, Devices } of nodes.values()) check(`node ${Info.id}`, 'device', Devices, devices);
  for (const { Info, Bricks } of devices.values()) check(`device ${Info.id} (${Info.name})`, 'brick', Bricks, bricks);
  for (const { Info, Bricks } of volumes.values()) check(`volume ${Info.id} (${Info.name})`, 'brick', Bricks);
}

/** Of nodes with the same host name, and of devices of a node with the same name, the one that holds most is meant. */
function readTwins(draft: Draft): void {
  const most = <T>(records: ReadonlyMap<string, T>, held: (record: T) => readonly string[]): T[] =>
    [...records.values()].sort((one, other) => held(other).length - held(one).length);
  const meant = new Map<string, string>();
  const keep = (id: string, subject: string, names: readonly string[], what: string): void => {
    const twin = names.map((name) => meant.get(name)).find((other) => other !== undefined && other !== id);
    for (const name of names) if (twin === undefined) meant.set(name, id);
    if (twin === undefined) return;
    draft.twins.add(id);
    note(draft, subject, `has the name of ${what} ${twin}`, 'left out, with what is on it');
  };
  for (const { Info } of most(draft.dump.nodes, ({ Devices }) => Devices)) {
    keep(Info.id, `node ${Info.id}`, [...Info.hostnames.manage, ...Info.hostnames.storage], 'node');
  }
  for (const { Info, NodeId: node } of most(draft.dump.devices, ({ Bricks }) => Bricks)) {
    keep(Info.id, `device ${Info.id} (${Info.name})`, [`${node} ${Info.name}`], 'device');
  }
}

function nodesOf(draft: Draft): CommandOf<'AdoptNode'>[] {
  return [...draft.dump.nodes.values()].flatMap(({ Info, State }): CommandOf<'AdoptNode'>[] => {
    const { id, cluster, zone, hostnames, tags } = Info;
    if (draft.twins.has(id)) return [];
    const owner = draft.dump.clusters.get(cluster);
    if (owner === undefined) {
      note(draft, `node ${id}`, `is of cluster ${cluster}, which is not there`, 'left out');
      return [];
    }
    if (!owner.Info.nodes.includes(id)) note(draft, `node ${id}`, `cluster ${cluster} does not list it`, 'taken over');
    const names = { manage: [...hostnames.manage], storage: [...hostnames.storage] };
    const place = { nodeId: id as NodeId, clusterId: cluster as ClusterId, zone, hostnames: names };
    return [{ type: 'AdoptNode', origin: 'heketi', ...place, tags, state: State }];
  });
}

function clusterOf(draft: Draft, nodeId: string): string | undefined {
  const cluster = draft.dump.nodes.get(nodeId)?.Info.cluster;
  return cluster === undefined || draft.twins.has(nodeId) || !draft.dump.clusters.has(cluster) ? undefined : cluster;
}

function deviceOf(
  draft: Draft,
  { Info, State, NodeId: nodeId, ExtentSize }: HeketiDevice,
): CommandOf<'AdoptDevice'> | undefined {
  const { id, name, tags, storage, paths, pv_uuid: pvUuid } = Info;
  const subject = `device ${id} (${name})`;
  if (draft.twins.has(id)) return undefined;
  if (clusterOf(draft, nodeId) === undefined) {
    const whose = draft.twins.has(nodeId) ? 'is left out' : 'is not there';
    note(draft, subject, `is of node ${nodeId}, which ${whose}`, 'left out');
    return undefined;
  }
  if (draft.dump.nodes.get(nodeId)?.Devices.includes(id) === false) {
    note(draft, subject, `node ${nodeId} does not list it`, 'taken over');
  }
  if (storage.free + storage.used !== storage.total) {
    const told = `${String(storage.free)} + ${String(storage.used)} KiB, not ${String(storage.total)} KiB`;
    note(draft, subject, `its free and used space are ${told} together`, 'free space follows from its bricks');
  }
  const takenKib = draft.taken.get(id) ?? 0;
  const lostKib = draft.lost.get(id) ?? 0;
  if (storage.used !== takenKib + lostKib) {
    const told = `says ${String(storage.used)} KiB are used, its bricks take ${String(takenKib + lostKib)} KiB`;
    note(draft, subject, told, 'what its bricks take counts');
  }
  const isTaken = lostKib > 0 && State === 'online';
  if (isTaken) {
    const told = `holds ${String(lostKib)} KiB of bricks that are left out`;
    note(draft, subject, told, 'taken over offline: remove them on its host, then set it online');
  }
  const size = { totalKib: kib(storage.total), extentKib: ExtentSize };
  const ref = { deviceId: id as DeviceId, nodeId: nodeId as NodeId, name };
  const state = isTaken ? 'offline' : State;
  return { type: 'AdoptDevice', origin: 'heketi', ...ref, tags, state, ...size, pvUuid, paths };
}

function volumeOf(draft: Draft, volume: HeketiVolume): CommandOf<'AdoptVolume'> | undefined {
  const { id, name } = volume.Info;
  const problem = unusable(draft, volume);
  const bricks = problem ?? bricksOf(draft, volume);
  if (typeof bricks === 'string') {
    note(draft, `volume ${id} (${name})`, bricks, 'left out, with its bricks');
    return undefined;
  }
  for (const { brickId, deviceId, poolKib, metadataKib } of bricks) {
    draft.adoptedBricks.add(brickId);
    draft.taken.set(deviceId, (draft.taken.get(deviceId) ?? 0) + poolKib + metadataKib);
  }
  if (draft.dump.clusters.get(volume.Info.cluster)?.Info.volumes.includes(id) === false) {
    note(draft, `volume ${id} (${name})`, `cluster ${volume.Info.cluster} does not list it`, 'taken over');
  }
  if (volume.Info.blockinfo.restriction === 'locked-by-update') {
    note(draft, `volume ${id} (${name})`, 'is locked by an update of heketi', 'taken over as locked');
  }
  const seen = draft.seen.get(name);
  return {
    type: 'AdoptVolume',
    ...adopted(volume, bricks),
    // Our stamp is wanted: it shows as drift until it is restored.
    ...(seen === undefined ? {} : { options: { ...seen.options, 'user.brickyard.id': id } }),
  };
}

/** Why a volume cannot be taken over, whatever its bricks are. */
function unusable(draft: Draft, { Info }: HeketiVolume): string | undefined {
  const { id, name, cluster, blockinfo } = Info;
  if (draft.unfinished.has(id)) return 'was being made when the dump was written';
  if (!draft.dump.clusters.has(cluster)) return `is of cluster ${cluster}, which is not there`;
  if (!/^[a-zA-Z0-9_-]+$/.test(name)) return 'has a name that cannot be one';
  const shape = durabilityOf(Info.durability);
  if (typeof shape === 'string') return shape;
  const held = [...draft.dump.blockVolumes.values()].filter((each) => each.Info.blockhostingvolume === id);
  const count = Math.max(held.length, blockinfo.blockvolume.length);
  if (count > 0) return `holds ${String(count)} block volumes, which cannot be taken over`;
  return undefined;
}

/** Its bricks in set order, or why they make no volume. */
function bricksOf(draft: Draft, volume: HeketiVolume): Brick[] | string {
  const records: HeketiBrick[] = [];
  for (const id of new Set(volume.Bricks)) {
    if (draft.unfinished.has(id)) continue;
    const record = draft.dump.bricks.get(id);
    if (record === undefined) return `lists brick ${id}, which is not there`;
    const problem = brickProblem(draft, record, volume);
    if (problem !== undefined) return problem;
    records.push(record);
  }
  if (records.length === 0) return 'has no bricks';
  const durability = durabilityOf(volume.Info.durability);
  if (typeof durability === 'string') return durability;
  const ordered = inSets(draft, volume, records, durability);
  if (typeof ordered === 'string') return ordered;
  const perSet = bricksPerSet(durability);
  return ordered.map((record, index) => brickOf(draft, record, volume, Math.floor(index / perSet), index % perSet));
}

function brickProblem(draft: Draft, { Info }: HeketiBrick, volume: HeketiVolume): string | undefined {
  const { id, device, node, path } = Info;
  if (Info.volume !== volume.Info.id) return `lists brick ${id}, which says it is of volume ${Info.volume}`;
  if (path === '') return `has brick ${id} without a path`;
  const lies = draft.dump.devices.get(device);
  if (lies === undefined) return `has brick ${id} on device ${device}, which is not there`;
  if (draft.twins.has(device) || draft.twins.has(node)) return `has brick ${id} on device ${device}, which is left out`;
  if (lies.NodeId !== node) return `has brick ${id} on device ${device}, which is not of node ${node}`;
  if (clusterOf(draft, node) !== volume.Info.cluster) return `has brick ${id} on node ${node} of another cluster`;
  if (!lies.Bricks.includes(id)) note(draft, `brick ${id}`, `device ${device} does not list it`, 'taken over');
  return undefined;
}

/** heketi keeps no order; Gluster on the hosts has it. One set needs none, but for the arbiter, which heketi marks. */
function inSets(
  draft: Draft,
  volume: HeketiVolume,
  records: readonly HeketiBrick[],
  durability: Durability,
): HeketiBrick[] | string {
  const { name } = volume.Info;
  const perSet = bricksPerSet(durability);
  if (records.length % perSet !== 0) {
    return `has ${String(records.length)} bricks, which make no whole sets of ${String(perSet)}`;
  }
  const seen = draft.seen.get(name);
  if (seen !== undefined) {
    const byPath = new Map(records.map((record) => [record.Info.path, record] as const));
    const found = seen.paths.flatMap((path) => byPath.get(path) ?? []);
    if (found.length === records.length && seen.paths.length === found.length) return found;
    return 'has other bricks on its hosts than in the dump';
  }
  if (records.length > perSet && perSet > 1) {
    return 'has several sets of bricks, and no host told which of them belong together';
  }
  const role = ({ SubType }: HeketiBrick): number => (SubType === 2 ? 1 : 0);
  return [...records].sort((one, other) => role(one) - role(other) || (one.Info.id < other.Info.id ? -1 : 1));
}

function brickOf(draft: Draft, record: HeketiBrick, volume: HeketiVolume, set: number, place: number): Brick {
  const { id, node, device, path, size } = record.Info;
  const poolOf = poolIdOf(record);
  const room = roomOf(draft, record, volume);
  return {
    brickId: id as BrickId,
    nodeId: node as NodeId,
    deviceId: device as DeviceId,
    path,
    sizeKib: kib(size),
    poolKib: kib(room.poolKib),
    metadataKib: kib(room.metadataKib),
    set,
    place,
    ...(poolOf === undefined ? {} : { poolOf: poolOf as BrickId }),
  };
}

/** A pool that several bricks live in is charged once: to the brick it was made for, or else to one that says so. */
function roomOf(
  draft: Draft,
  record: HeketiBrick,
  { Info }: HeketiVolume,
): { readonly poolKib: number; readonly metadataKib: number } {
  const poolOf = poolIdOf(record);
  if (poolOf !== undefined && payerOf(draft, poolOf, record) !== record.Info.id) return { poolKib: 0, metadataKib: 0 };
  if (record.TpSize > 0) return { poolKib: record.TpSize, metadataKib: record.PoolMetadataSize };
  // A database from before pools were recorded: what heketi works out for such a brick.
  const extentKib = draft.dump.devices.get(record.Info.device)?.ExtentSize ?? 4096;
  const { poolKib, metadataKib } = brickFootprint(record.Info.size, factorOf(Info.snapshot), extentKib);
  return { poolKib, metadataKib };
}

function payerOf(draft: Draft, pool: string, { Info: { device } }: HeketiBrick): string | undefined {
  const owner = draft.dump.bricks.get(pool);
  if (owner?.Info.device === device && !draft.unfinished.has(pool)) return pool;
  const guests = [...draft.dump.bricks.values()].filter(
    (brick) => poolIdOf(brick) === pool && brick.Info.device === device && !draft.unfinished.has(brick.Info.id),
  );
  return (guests.find(({ TpSize }) => TpSize > 0) ?? guests[0])?.Info.id;
}

/** Whether the room of the pool that a brick lives in is told with this brick. */
function isPayer(draft: Draft, record: HeketiBrick): boolean {
  const poolOf = poolIdOf(record);
  const payer = poolOf === undefined ? undefined : payerOf(draft, poolOf, record);
  return payer === undefined || payer === record.Info.id;
}

function tellBlockVolumes(draft: Draft): void {
  for (const { Info } of draft.dump.blockVolumes.values()) {
    note(draft, `block volume ${Info.id} (${Info.name})`, 'block volumes cannot be taken over', 'left out');
  }
}

/** Bricks that no volume that is taken over has: they still take room on their devices. */
function tellOrphans(draft: Draft): void {
  for (const record of draft.dump.bricks.values()) {
    const { id, volume, device, path } = record.Info;
    if (draft.adoptedBricks.has(id)) continue;
    const kept = draft.dump.volumes.get(volume);
    const isListed = kept?.Bricks.includes(id) === true;
    if (!isListed) {
      const whose =
        kept === undefined ? `is of volume ${volume}, which is not there` : `volume ${volume} does not list it`;
      note(draft, `brick ${id}`, `${whose}; it lies at ${path === '' ? 'no path' : path}`, 'left out');
    } else if (draft.unfinished.has(id))
      note(draft, `brick ${id}`, 'was being made; it may lie at ' + path, 'left out');
    if (!isPayer(draft, record)) continue;
    draft.lost.set(device, (draft.lost.get(device) ?? 0) + record.TpSize + record.PoolMetadataSize);
  }
}

/** The brick whose thin pool this one lives in; undefined when it has one of its own. */
function poolIdOf({ LvmThinPool, Info }: HeketiBrick): string | undefined {
  const [, pool] = /^tp_([0-9a-f]{32})$/.exec(LvmThinPool) ?? [];
  return pool === undefined || pool === Info.id ? undefined : pool;
}

const factorOf = ({ enable, factor }: HeketiVolume['Info']['snapshot']): string => {
  const told = String(factor);
  return enable && /^\d+(\.\d+)?$/.test(told) ? told : '1';
};

function durabilityOf({ type, replicate, disperse }: HeketiVolume['Info']['durability']): Durability | string {
  if (type === 'none' || type === '') return { kind: 'none' };
  if (type === 'replicate') {
    const replica = replicate?.replica ?? 0;
    if (replica < 0 || replica > 3) return `has ${String(replica)} replicas`;
    return { kind: 'replicate', replica: replica === 0 ? 2 : replica };
  }
  const { data = 0, redundancy = 0 } = disperse ?? {};
  if (type === 'disperse' && isDisperseOffered(data, redundancy)) return { kind: 'disperse', data, redundancy };
  return `has a durability that is not known: ${type} ${String(data)}+${String(redundancy)}`;
}

/** The volume as the log takes it. */
function adopted({ Info, GlusterVolumeOptions }: HeketiVolume, bricks: Brick[]): AdoptedVolume {
  const { id, name, size, cluster, durability, gid, block, snapshot, blockinfo } = Info;
  const read = durabilityOf(durability);
  const spec: VolumeSpec = {
    name,
    sizeKib: kibOf(gib(size)),
    durability: typeof read === 'string' ? { kind: 'none' } : read,
    gid,
    options: [...GlusterVolumeOptions],
    block,
    snapshots: snapshot.enable,
    snapshotFactor: factorOf(snapshot),
    requestedDurability: JSON.parse(JSON.stringify(durability)) as VolumeSpec['requestedDurability'],
  };
  const restriction = blockinfo.restriction === '' ? ('' as const) : ('locked' as const);
  const hosting = block ? { hosting: { reservedGib: blockinfo.reservedsize, restriction } } : {};
  const place = { volumeId: id as VolumeId, clusterId: cluster as ClusterId };
  return { origin: 'heketi', ...place, spec, sizeKib: spec.sizeKib, bricks, ...hosting };
}
