/** From heketi's database to what is taken over: everything it knows, in the order the log takes it, ids kept. */
import {
  bricksPerSet,
  DISPERSE_SHAPES,
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
  return new Import(dump, seen).plan();
}

class Import {
  private readonly findings: DumpFinding[] = [];
  private readonly unfinished = new Set<string>();
  /** Room that stays taken on a device by what is left out. */
  private readonly lost = new Map<string, number>();
  private readonly adoptedBricks = new Set<string>();
  /** KiB that the bricks which are taken over take from each device. */
  private readonly taken = new Map<string, number>();

  constructor(
    private readonly dump: HeketiDump,
    private readonly seen: ReadonlyMap<string, SeenVolume>,
  ) {}

  plan(): ImportPlan {
    this.readOperations();
    const volumes = [...this.dump.volumes.values()].flatMap((volume) => this.volume(volume) ?? []);
    this.blockVolumes();
    this.orphans();
    const clusters = [...this.dump.clusters.values()].map(({ Info: { id, file, block } }) => {
      const clusterId = id as ClusterId;
      return { type: 'AdoptCluster', origin: 'heketi', clusterId, flags: { file, block } } as const;
    });
    const nodes = this.nodes();
    const devices = [...this.dump.devices.values()].flatMap((device) => this.device(device) ?? []);
    return { commands: [...clusters, ...nodes, ...devices, ...volumes], findings: this.findings };
  }

  private note(subject: string, problem: string, done: string): void {
    this.findings.push({ subject, problem, done });
  }

  /** heketi left behind what it did not finish; what was being made is not taken over, what was being removed is there still. */
  private readOperations(): void {
    for (const { Id, Actions, Status } of this.dump.operations.values()) {
      const making = Actions.filter(({ Change }) => MAKING.has(Change)).map((action) => action.Id);
      for (const id of making) this.unfinished.add(id);
      const done =
        making.length === 0
          ? 'left out; what it was to remove is taken over as it is'
          : `left out, with ${String(making.length)} things it was making`;
      this.note(`operation ${Id}`, `is pending${Status === '' ? '' : ` (${Status})`}`, done);
    }
    for (const [what, records] of [
      ['volume', this.dump.volumes],
      ['brick', this.dump.bricks],
    ] as const) {
      for (const [id, { Pending }] of records) {
        if (Pending === '' || this.dump.operations.has(Pending)) continue;
        this.note(`${what} ${id}`, `is marked by operation ${Pending}, which is not there`, 'the mark is left out');
      }
    }
  }

  private nodes(): CommandOf<'AdoptNode'>[] {
    return [...this.dump.nodes.values()].flatMap(({ Info, State }): CommandOf<'AdoptNode'>[] => {
      const { id, cluster, zone, hostnames, tags } = Info;
      const owner = this.dump.clusters.get(cluster);
      if (owner === undefined) {
        this.note(`node ${id}`, `is of cluster ${cluster}, which is not there`, 'left out');
        return [];
      }
      if (!owner.Info.nodes.includes(id)) this.note(`node ${id}`, `cluster ${cluster} does not list it`, 'taken over');
      const names = { manage: [...hostnames.manage], storage: [...hostnames.storage] };
      const place = { nodeId: id as NodeId, clusterId: cluster as ClusterId, zone, hostnames: names };
      return [{ type: 'AdoptNode', origin: 'heketi', ...place, tags, state: State }];
    });
  }

  private clusterOf(nodeId: string): string | undefined {
    const cluster = this.dump.nodes.get(nodeId)?.Info.cluster;
    return cluster === undefined || !this.dump.clusters.has(cluster) ? undefined : cluster;
  }

  private device({ Info, State, NodeId: nodeId, ExtentSize }: HeketiDevice): CommandOf<'AdoptDevice'> | undefined {
    const { id, name, tags, storage, paths, pv_uuid: pvUuid } = Info;
    const subject = `device ${id} (${name})`;
    if (this.clusterOf(nodeId) === undefined) {
      this.note(subject, `is of node ${nodeId}, which is not there`, 'left out');
      return undefined;
    }
    if (this.dump.nodes.get(nodeId)?.Devices.includes(id) === false) {
      this.note(subject, `node ${nodeId} does not list it`, 'taken over');
    }
    if (storage.free + storage.used !== storage.total) {
      const told = `${String(storage.free)} + ${String(storage.used)} KiB, not ${String(storage.total)} KiB`;
      this.note(subject, `its free and used space are ${told} together`, 'free space follows from its bricks');
    }
    const takenKib = this.taken.get(id) ?? 0;
    const lostKib = this.lost.get(id) ?? 0;
    if (storage.used !== takenKib + lostKib) {
      const told = `says ${String(storage.used)} KiB are used, its bricks take ${String(takenKib + lostKib)} KiB`;
      this.note(subject, told, 'what its bricks take counts');
    }
    const isTaken = lostKib > 0 && State === 'online';
    if (isTaken) {
      const told = `holds ${String(lostKib)} KiB of bricks that are left out`;
      this.note(subject, told, 'taken over offline: remove them on its host, then set it online');
    }
    const size = { totalKib: kib(storage.total), extentKib: ExtentSize };
    const ref = { deviceId: id as DeviceId, nodeId: nodeId as NodeId, name };
    const state = isTaken ? 'offline' : State;
    return { type: 'AdoptDevice', origin: 'heketi', ...ref, tags, state, ...size, pvUuid, paths };
  }

  private volume(volume: HeketiVolume): CommandOf<'AdoptVolume'> | undefined {
    const { id, name } = volume.Info;
    const problem = this.unusable(volume);
    const bricks = problem === undefined ? this.bricksOf(volume) : problem;
    if (typeof bricks === 'string') {
      this.note(`volume ${id} (${name})`, bricks, 'left out, with its bricks');
      return undefined;
    }
    for (const { brickId, deviceId, poolKib, metadataKib } of bricks) {
      this.adoptedBricks.add(brickId);
      this.taken.set(deviceId, (this.taken.get(deviceId) ?? 0) + poolKib + metadataKib);
    }
    if (volume.Info.blockinfo.restriction === 'locked-by-update') {
      this.note(`volume ${id} (${name})`, 'is locked by an update of heketi', 'taken over as locked');
    }
    const seen = this.seen.get(name);
    return {
      type: 'AdoptVolume',
      ...adopted(volume, bricks),
      ...(seen === undefined ? {} : { options: seen.options }),
    };
  }

  /** Why a volume cannot be taken over, whatever its bricks are. */
  private unusable({ Info }: HeketiVolume): string | undefined {
    const { id, name, cluster, blockinfo } = Info;
    if (this.unfinished.has(id)) return 'was being made when the dump was written';
    if (!this.dump.clusters.has(cluster)) return `is of cluster ${cluster}, which is not there`;
    if (!/^[a-zA-Z0-9_-]+$/.test(name)) return 'has a name that cannot be one';
    const shape = durabilityOf(Info.durability);
    if (typeof shape === 'string') return shape;
    const held = [...this.dump.blockVolumes.values()].filter((each) => each.Info.blockhostingvolume === id);
    const count = Math.max(held.length, blockinfo.blockvolume.length);
    if (count > 0) return `holds ${String(count)} block volumes, which cannot be taken over`;
    return undefined;
  }

  /** Its bricks in set order, or why they make no volume. */
  private bricksOf(volume: HeketiVolume): Brick[] | string {
    const records: HeketiBrick[] = [];
    for (const id of volume.Bricks) {
      if (this.unfinished.has(id)) continue;
      const record = this.dump.bricks.get(id);
      if (record === undefined) return `lists brick ${id}, which is not there`;
      const problem = this.brickProblem(record, volume);
      if (problem !== undefined) return problem;
      records.push(record);
    }
    if (records.length === 0) return 'has no bricks';
    const durability = durabilityOf(volume.Info.durability);
    if (typeof durability === 'string') return durability;
    const ordered = this.ordered(volume, records, durability);
    if (typeof ordered === 'string') return ordered;
    const perSet = bricksPerSet(durability);
    return ordered.map((record, index) => this.brick(record, volume, Math.floor(index / perSet), index % perSet));
  }

  private brickProblem({ Info }: HeketiBrick, volume: HeketiVolume): string | undefined {
    const { id, device, node, path } = Info;
    if (Info.volume !== volume.Info.id) return `lists brick ${id}, which says it is of volume ${Info.volume}`;
    if (path === '') return `has brick ${id} without a path`;
    const lies = this.dump.devices.get(device);
    if (lies === undefined) return `has brick ${id} on device ${device}, which is not there`;
    if (lies.NodeId !== node) return `has brick ${id} on device ${device}, which is not of node ${node}`;
    if (this.clusterOf(node) !== volume.Info.cluster) return `has brick ${id} on node ${node} of another cluster`;
    if (!lies.Bricks.includes(id)) this.note(`brick ${id}`, `device ${device} does not list it`, 'taken over');
    return undefined;
  }

  /** heketi keeps no order; Gluster on the hosts has it. One set needs none, but for the arbiter, which heketi marks. */
  private ordered(
    volume: HeketiVolume,
    records: readonly HeketiBrick[],
    durability: Durability,
  ): HeketiBrick[] | string {
    const { name } = volume.Info;
    const perSet = bricksPerSet(durability);
    if (records.length % perSet !== 0) {
      return `has ${String(records.length)} bricks, which make no whole sets of ${String(perSet)}`;
    }
    const seen = this.seen.get(name);
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

  private brick(record: HeketiBrick, volume: HeketiVolume, set: number, place: number): Brick {
    const { id, node, device, path, size } = record.Info;
    const poolOf = poolIdOf(record);
    const room = this.roomOf(record, volume);
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
  private roomOf(
    record: HeketiBrick,
    { Info }: HeketiVolume,
  ): { readonly poolKib: number; readonly metadataKib: number } {
    const poolOf = poolIdOf(record);
    if (poolOf !== undefined && this.payerOf(poolOf, record) !== record.Info.id) return { poolKib: 0, metadataKib: 0 };
    if (record.TpSize > 0) return { poolKib: record.TpSize, metadataKib: record.PoolMetadataSize };
    // A database from before pools were recorded: what heketi works out for such a brick.
    const extentKib = this.dump.devices.get(record.Info.device)?.ExtentSize ?? 4096;
    const { poolKib, metadataKib } = brickFootprint(record.Info.size, factorOf(Info.snapshot), extentKib);
    return { poolKib, metadataKib };
  }

  private payerOf(pool: string, { Info: { device } }: HeketiBrick): string | undefined {
    const owner = this.dump.bricks.get(pool);
    if (owner !== undefined && owner.Info.device === device && !this.unfinished.has(pool)) return pool;
    const guests = [...this.dump.bricks.values()].filter(
      (brick) => poolIdOf(brick) === pool && brick.Info.device === device && !this.unfinished.has(brick.Info.id),
    );
    return (guests.find(({ TpSize }) => TpSize > 0) ?? guests[0])?.Info.id;
  }

  private blockVolumes(): void {
    for (const { Info } of this.dump.blockVolumes.values()) {
      this.note(`block volume ${Info.id} (${Info.name})`, 'block volumes cannot be taken over', 'left out');
    }
  }

  /** Bricks that no volume that is taken over has: they still take room on their devices. */
  private orphans(): void {
    for (const record of this.dump.bricks.values()) {
      const { id, volume, device, path } = record.Info;
      if (this.adoptedBricks.has(id)) continue;
      const kept = this.dump.volumes.get(volume);
      const isListed = kept?.Bricks.includes(id) === true;
      if (!isListed) {
        const whose =
          kept === undefined ? `is of volume ${volume}, which is not there` : `volume ${volume} does not list it`;
        this.note(`brick ${id}`, `${whose}; it lies at ${path === '' ? 'no path' : path}`, 'left out');
      } else if (this.unfinished.has(id)) this.note(`brick ${id}`, 'was being made; it may lie at ' + path, 'left out');
      if (poolIdOf(record) !== undefined) continue;
      this.lost.set(device, (this.lost.get(device) ?? 0) + record.TpSize + record.PoolMetadataSize);
    }
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
  const isOffered = DISPERSE_SHAPES.some((shape) => shape[0] === data && shape[1] === redundancy);
  if (type === 'disperse' && isOffered) return { kind: 'disperse', data, redundancy };
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
