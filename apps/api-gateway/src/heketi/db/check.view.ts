/** Whether a database of heketi's agrees with itself: every link both ways, every marker, every sum. Pure. */
import type { BlockVolumeEntry, BrickEntry, DeviceEntry, Dump, NodeEntry, VolumeEntry } from './dump.view';

/** What was found in one kind of record. */
export interface CheckedEntries {
  readonly total: number;
  readonly pending: number;
  readonly ok: number;
  readonly notok: number;
  /** heketi's list is null when it is empty. */
  readonly inconsistencies: readonly string[] | null;
}

/** `GET /db/check`. */
export interface CheckView {
  readonly clusters: CheckedEntries;
  readonly volumes: CheckedEntries;
  readonly bricks: CheckedEntries;
  readonly nodes: CheckedEntries;
  readonly devices: CheckedEntries;
  readonly blockvolumes: CheckedEntries;
  readonly dbattributes: CheckedEntries;
  readonly pendingoperations: CheckedEntries;
  readonly totalinconsistencies: number;
}

/** Checks every record of a dump. */
export function checkView(dump: Dump): CheckView {
  const checked = {
    clusters: check(dump.clusterentries, (id) => clusterProblems(dump, id)),
    volumes: check(dump.volumeentries, (id, entry) => volumeProblems(dump, id, entry), pendingIn),
    bricks: check(dump.brickentries, (id, entry) => brickProblems(dump, id, entry), pendingIn),
    nodes: check(dump.nodeentries, (id, entry) => nodeProblems(dump, id, entry)),
    devices: check(dump.deviceentries, (id, entry) => deviceProblems(dump, id, entry)),
    blockvolumes: check(dump.blockvolumeentries, (id, entry) => blockProblems(dump, id, entry), pendingIn),
    dbattributes: check(dump.dbattributeentries, () => []),
    pendingoperations: check(dump.pendingoperations, (id) => operationProblems(dump, id)),
  };
  const totalinconsistencies = Object.values(checked).reduce((sum, one) => sum + (one.inconsistencies?.length ?? 0), 0);
  return { ...checked, totalinconsistencies };
}

const pendingIn = ({ Pending }: VolumeEntry | BrickEntry | BlockVolumeEntry): boolean => Pending.Id !== '';

function check<Entry>(
  entries: Readonly<Record<string, Entry>>,
  problemsOf: (id: string, entry: Entry) => readonly string[],
  isPending: (entry: Entry) => boolean = () => false,
): CheckedEntries {
  const found = Object.entries(entries).map(([id, entry]) => ({ entry, problems: problemsOf(id, entry) }));
  const inconsistencies = found.flatMap(({ problems }) => problems);
  const notok = found.filter(({ problems }) => problems.length > 0).length;
  return {
    total: found.length,
    pending: found.filter(({ entry }) => isPending(entry)).length,
    ok: found.length - notok,
    notok,
    inconsistencies: inconsistencies.length === 0 ? null : inconsistencies,
  };
}

/** A sentence for each link that leads nowhere or is not answered. */
function links(
  from: string,
  ids: readonly string[],
  kind: string,
  back: (id: string) => boolean | undefined,
): readonly string[] {
  return ids.flatMap((id) => {
    const isBack = back(id);
    if (isBack === true) return [];
    const problem = isBack === undefined ? `unknown ${kind} ${id}` : `no link back to ${from} from ${kind} ${id}`;
    return [`${from}: ${problem}`];
  });
}

function clusterProblems(dump: Dump, id: string): readonly string[] {
  const { nodes = [], volumes = [], blockvolumes = [] } = dump.clusterentries[id]?.Info ?? {};
  const at = `Cluster ${id}`;
  return [
    ...links(at, nodes, 'node', (node) => answer(dump.nodeentries[node], ({ Info }) => Info.cluster === id)),
    ...links(at, volumes, 'volume', (volume) => answer(dump.volumeentries[volume], ({ Info }) => Info.cluster === id)),
    ...links(at, blockvolumes, 'block volume', (block) =>
      answer(dump.blockvolumeentries[block], ({ Info }) => Info.cluster === id),
    ),
  ];
}

function nodeProblems(dump: Dump, id: string, { Info, Devices }: NodeEntry): readonly string[] {
  const at = `Node ${id}`;
  return [
    ...links(at, [Info.cluster], 'cluster', (cluster) =>
      answer(dump.clusterentries[cluster], (entry) => entry.Info.nodes.includes(id)),
    ),
    ...links(at, Devices, 'device', (device) => answer(dump.deviceentries[device], ({ NodeId }) => NodeId === id)),
  ];
}

function deviceProblems(dump: Dump, id: string, { Info, Bricks, NodeId }: DeviceEntry): readonly string[] {
  const at = `Device ${id}`;
  const { total, free, used } = Info.storage;
  const promised = Bricks.reduce((sum, brick) => sum + takenBy(dump.brickentries[brick]), 0);
  return [
    ...links(at, [NodeId], 'node', (node) => answer(dump.nodeentries[node], ({ Devices }) => Devices.includes(id))),
    ...links(at, Bricks, 'brick', (brick) => answer(dump.brickentries[brick], (entry) => entry.Info.device === id)),
    ...(total === free + used ? [] : [`${at}: total ${str(total)} is not free ${str(free)} plus used ${str(used)}`]),
    ...(used === promised ? [] : [`${at}: used ${str(used)} is not the ${str(promised)} of its bricks`]),
  ];
}

const takenBy = (brick: BrickEntry | undefined): number => (brick?.TpSize ?? 0) + (brick?.PoolMetadataSize ?? 0);

function volumeProblems(dump: Dump, id: string, { Info, Bricks, Pending }: VolumeEntry): readonly string[] {
  const at = `Volume ${id}`;
  const nodes = dump.clusterentries[Info.cluster]?.Info.nodes.length ?? 0;
  const hosts = Info.mount.glusterfs.hosts.length;
  return [
    ...links(at, [Info.cluster], 'cluster', (cluster) =>
      answer(dump.clusterentries[cluster], (entry) => entry.Info.volumes.includes(id)),
    ),
    ...links(at, Bricks, 'brick', (brick) => answer(dump.brickentries[brick], (entry) => entry.Info.volume === id)),
    ...markerProblems(dump, at, Pending.Id),
    ...hostingProblems(dump, id, Info),
    ...(hosts === nodes ? [] : [`${at}: ${str(hosts)} mount hosts and ${str(nodes)} nodes in its cluster`]),
  ];
}

/** A hosting volume's room is what its block volumes, its reserve and what is free add up to. */
function hostingProblems(dump: Dump, id: string, { size, block, blockinfo }: VolumeEntry['Info']): readonly string[] {
  if (block !== true) return [];
  const at = `Volume ${id}`;
  const { freesize = 0, reservedsize = 0, blockvolume = [] } = blockinfo;
  const promised = blockvolume.reduce((sum, one) => sum + promisedTo(dump, one), 0);
  const used = size - freesize - reservedsize;
  return [
    ...links(at, blockvolume, 'block volume', (one) =>
      answer(dump.blockvolumeentries[one], ({ Info }) => Info.blockhostingvolume === id),
    ),
    ...(used === promised ? [] : [`${at}: used ${str(used)} is not the ${str(promised)} of its block volumes`]),
  ];
}

/** One that grows has taken its new size already. */
function promisedTo(dump: Dump, id: string): number {
  const added = Object.values(dump.pendingoperations).flatMap(({ Actions }) =>
    Actions.map(({ Id, Delta }) => (Id === id ? (Delta ?? 0) : 0)),
  );
  return (dump.blockvolumeentries[id]?.Info.size ?? 0) + added.reduce((sum, one) => sum + one, 0);
}

function blockProblems(dump: Dump, id: string, { Info, Pending }: BlockVolumeEntry): readonly string[] {
  const at = `Block volume ${id}`;
  return [
    ...links(at, [Info.cluster], 'cluster', (cluster) =>
      answer(dump.clusterentries[cluster], (entry) => entry.Info.blockvolumes.includes(id)),
    ),
    ...links(at, [Info.blockhostingvolume], 'volume', (volume) =>
      answer(dump.volumeentries[volume], (entry) => entry.Info.blockinfo.blockvolume?.includes(id) === true),
    ),
    ...markerProblems(dump, at, Pending.Id),
  ];
}

function brickProblems(dump: Dump, id: string, { Info, Pending }: BrickEntry): readonly string[] {
  const at = `Brick ${id}`;
  return [
    ...links(at, [Info.volume], 'volume', (volume) =>
      answer(dump.volumeentries[volume], ({ Bricks }) => Bricks.includes(id)),
    ),
    ...links(at, [Info.device], 'device', (device) =>
      answer(dump.deviceentries[device], ({ Bricks }) => Bricks.includes(id)),
    ),
    ...links(at, [Info.node], 'node', (node) =>
      answer(dump.nodeentries[node], ({ Devices }) => Devices.includes(Info.device)),
    ),
    ...markerProblems(dump, at, Pending.Id),
  ];
}

const markerProblems = (dump: Dump, at: string, operationId: string): readonly string[] =>
  operationId === '' || operationId in dump.pendingoperations
    ? []
    : [`${at}: unknown pending operation ${operationId}`];

/** The reverse: what an operation says it changes carries its mark, or is gone already when it is a deletion. */
function operationProblems(dump: Dump, id: string): readonly string[] {
  const { Actions = [] } = dump.pendingoperations[id] ?? {};
  return Actions.flatMap(({ Change, Id }) => {
    if (!MARKED.has(Change)) return [];
    const entry = dump.volumeentries[Id] ?? dump.brickentries[Id] ?? dump.blockvolumeentries[Id];
    if (entry?.Pending.Id === id) return [];
    return [`Pending operation ${id}: ${Id} ${entry === undefined ? 'is unknown' : 'does not carry its mark'}`];
  });
}

/** Adding and deleting bricks and volumes marks them; growing a volume does not. */
const MARKED: ReadonlySet<number> = new Set([1, 2, 3, 4, 6, 7]);

const str = (value: number): string => String(value);

function answer<Entry>(entry: Entry | undefined, isBack: (entry: Entry) => boolean): boolean | undefined {
  return entry === undefined ? undefined : isBack(entry);
}
