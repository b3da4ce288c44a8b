/** heketi's database as text: what `/db/dump` answers and `heketi db export` writes. Read leniently, entry by entry. */
import { z } from 'zod';
import { Tags } from '../cluster/cluster.objects';
import { HostName } from '../ids';

/** Go writes an empty list or map as null. */
const listOf = <T extends z.ZodType>(item: T) =>
  z
    .array(item)
    .nullish()
    .transform((list) => list ?? []);
const ids = listOf(z.string());
const tags = Tags.nullish().transform((map) => map ?? {});
const pending = z
  .looseObject({ Id: z.string().default('') })
  .nullish()
  .transform((mark) => mark?.Id ?? '');
const State = z.enum(['online', 'offline', 'failed']);
const size = z.int().min(0);

const ClusterRecord = z.looseObject({
  Info: z.looseObject({
    id: z.string(),
    nodes: ids,
    volumes: ids,
    // A database from before there were flags has none, and its clusters took everything.
    block: z.boolean().default(true),
    file: z.boolean().default(true),
    blockvolumes: ids,
  }),
});
export type HeketiCluster = z.infer<typeof ClusterRecord>;

const NodeRecord = z.looseObject({
  State,
  Info: z.looseObject({
    id: z.string(),
    zone: z.int().min(1),
    hostnames: z.looseObject({ manage: z.array(HostName).min(1), storage: z.array(HostName).min(1) }),
    cluster: z.string(),
    tags,
  }),
  Devices: ids,
});
export type HeketiNode = z.infer<typeof NodeRecord>;

const DeviceRecord = z.looseObject({
  State,
  Info: z.looseObject({
    id: z.string(),
    name: z.string().regex(/^\//, 'must be a path'),
    tags,
    storage: z.looseObject({ total: size, free: size, used: size }),
    paths: ids,
    pv_uuid: z.string().default(''),
  }),
  Bricks: ids,
  NodeId: z.string(),
  ExtentSize: z.int().min(1).default(4096),
});
export type HeketiDevice = z.infer<typeof DeviceRecord>;

const VolumeRecord = z.looseObject({
  Info: z.looseObject({
    id: z.string(),
    name: z.string(),
    size: z.int().min(1),
    cluster: z.string(),
    durability: z
      .looseObject({
        type: z.string().default('none'),
        replicate: z.looseObject({ replica: z.int().optional() }).optional(),
        disperse: z.looseObject({ data: z.int().optional(), redundancy: z.int().optional() }).optional(),
      })
      .default({ type: 'none' }),
    gid: z.int().min(0).default(0),
    block: z.boolean().default(false),
    snapshot: z
      .looseObject({ enable: z.boolean().default(false), factor: z.number().default(1) })
      .default({ enable: false, factor: 1 }),
    blockinfo: z
      .looseObject({ reservedsize: z.int().min(0).default(0), restriction: z.string().default(''), blockvolume: ids })
      .default({ reservedsize: 0, restriction: '', blockvolume: [] }),
  }),
  Bricks: ids,
  GlusterVolumeOptions: listOf(z.string()),
  Pending: pending,
});
export type HeketiVolume = z.infer<typeof VolumeRecord>;

const BrickRecord = z.looseObject({
  Info: z.looseObject({
    id: z.string(),
    path: z.string().default(''),
    device: z.string(),
    node: z.string(),
    volume: z.string(),
    size,
  }),
  TpSize: size.default(0),
  PoolMetadataSize: size.default(0),
  Pending: pending,
  LvmThinPool: z.string().default(''),
  LvmLv: z.string().default(''),
  /** 0: not told, 1: data, 2: arbiter. */
  SubType: z.int().default(0),
});
export type HeketiBrick = z.infer<typeof BrickRecord>;

const BlockVolumeRecord = z.looseObject({
  Info: z.looseObject({ id: z.string(), name: z.string().default(''), blockhostingvolume: z.string().default('') }),
  Pending: pending,
});
export type HeketiBlockVolume = z.infer<typeof BlockVolumeRecord>;

const OperationRecord = z.looseObject({
  Id: z.string(),
  Timestamp: z.int().default(0),
  Type: z.int().default(0),
  Actions: listOf(z.looseObject({ Change: z.int(), Id: z.string() })),
  Status: z.string().default(''),
});
export type HeketiOperation = z.infer<typeof OperationRecord>;

/** A database of heketi's, each kind of record by id. */
export interface HeketiDump {
  readonly clusters: ReadonlyMap<string, HeketiCluster>;
  readonly nodes: ReadonlyMap<string, HeketiNode>;
  readonly devices: ReadonlyMap<string, HeketiDevice>;
  readonly volumes: ReadonlyMap<string, HeketiVolume>;
  readonly bricks: ReadonlyMap<string, HeketiBrick>;
  readonly blockVolumes: ReadonlyMap<string, HeketiBlockVolume>;
  readonly operations: ReadonlyMap<string, HeketiOperation>;
}

/** Something in a dump that is not as it should be, and what is done about it. */
export interface DumpFinding {
  /** `cluster 3fa…`, `brick 77c…`: what it is about. */
  readonly subject: string;
  readonly problem: string;
  readonly done: string;
}

/** A dump as it could be read: what could not is told. */
export interface DumpReading {
  readonly dump: HeketiDump;
  readonly findings: readonly DumpFinding[];
}

const ID = /^[0-9a-f]{32}$/;
const Sections = z.record(z.string(), z.record(z.string(), z.unknown()).nullable());
const KNOWN_SECTIONS = new Set([
  'clusterentries',
  'nodeentries',
  'deviceentries',
  'volumeentries',
  'brickentries',
  'blockvolumeentries',
  'pendingoperations',
  'dbattributeentries',
]);

/** Names of fields of an entry, `Info.` before those of its info, that its schema does not know. */
function unknownFields(given: unknown, schema: z.ZodObject, prefix = ''): string[] {
  if (typeof given !== 'object' || given === null) return [];
  return Object.entries(given).flatMap(([name, value]) => {
    const known = (schema.shape as Record<string, unknown>)[name];
    if (known === undefined) return IGNORED.has(`${prefix}${name}`) ? [] : [`${prefix}${name}`];
    return known instanceof z.ZodObject ? unknownFields(value, known, `${prefix}${name}.`) : [];
  });
}

/**
 * Worked out from other records whenever it is asked for, so that nothing is lost by not reading it; or of block volumes,
 * which are left out as a whole.
 */
const IGNORED = new Set([
  'Info.mount',
  'Info.clusters',
  'Info.glustervolumeoptions',
  'Info.bricks',
  'Info.devices',
  'Info.state',
  'Info.size',
  'Info.hacount',
  'Info.auth',
  'Info.blockvolume',
  'Info.cluster',
  'Info.usablesize',
]);

/** Reads a dump; throws only when the text as a whole is none. */
export function readHeketiDump(value: unknown): DumpReading {
  const sections = Sections.safeParse(value);
  if (!sections.success || !('clusterentries' in sections.data)) {
    throw new RangeError('this is no dump of heketi: it has no "clusterentries"');
  }
  const findings: DumpFinding[] = [];
  const read = <T>(section: string, what: string, schema: z.ZodObject & z.ZodType<T>): ReadonlyMap<string, T> =>
    readSection(sections.data[section] ?? {}, what, schema, findings);
  for (const section of Object.keys(sections.data).filter((name) => !KNOWN_SECTIONS.has(name))) {
    findings.push({ subject: `section ${section}`, problem: 'is not known', done: 'left out' });
  }
  const dump: HeketiDump = {
    clusters: read('clusterentries', 'cluster', ClusterRecord),
    nodes: read('nodeentries', 'node', NodeRecord),
    devices: read('deviceentries', 'device', DeviceRecord),
    volumes: read('volumeentries', 'volume', VolumeRecord),
    bricks: read('brickentries', 'brick', BrickRecord),
    blockVolumes: read('blockvolumeentries', 'block volume', BlockVolumeRecord),
    operations: read('pendingoperations', 'operation', OperationRecord),
  };
  return { dump, findings };
}

function readSection<T>(
  entries: Readonly<Record<string, unknown>>,
  what: string,
  schema: z.ZodObject & z.ZodType<T>,
  findings: DumpFinding[],
): ReadonlyMap<string, T> {
  const known = new Map<string, T>();
  const unknown = new Map<string, number>();
  for (const id of Object.keys(entries).sort()) {
    const subject = `${what} ${id}`;
    const read = ID.test(id) ? schema.safeParse(entries[id]) : undefined;
    if (read?.success === true) known.set(id, read.data);
    else findings.push({ subject, problem: problemOf(read?.error), done: 'left out' });
    for (const field of unknownFields(entries[id], schema)) unknown.set(field, (unknown.get(field) ?? 0) + 1);
  }
  for (const [field, count] of unknown) {
    const problem = `have a field "${field}" that is not known`;
    findings.push({ subject: `${String(count)} of the ${what}s`, problem, done: 'left out' });
  }
  return known;
}

function problemOf(error: z.ZodError | undefined): string {
  const [issue] = error?.issues ?? [];
  if (issue === undefined) return 'its id is not 32 lowercase hexadecimal characters';
  return `cannot be read: ${issue.path.join('.')}: ${issue.message}`;
}
