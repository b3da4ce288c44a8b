/** What is read from the API's answers. Fields that are not named pass by. */
import { z } from 'zod';

const Tags = z.record(z.string(), z.string()).default({});
export const ClusterList = z.object({ clusters: z.array(z.string()) });
export const Cluster = z.object({
  id: z.string(),
  nodes: z.array(z.string()),
  volumes: z.array(z.string()),
  file: z.boolean(),
  block: z.boolean(),
  blockvolumes: z.array(z.string()).default([]),
});
export type Cluster = z.infer<typeof Cluster>;
export const Brick = z.object({
  id: z.string(),
  path: z.string(),
  device: z.string(),
  node: z.string(),
  volume: z.string(),
  size: z.int(),
});
export type Brick = z.infer<typeof Brick>;
export const Device = z.object({
  id: z.string(),
  name: z.string(),
  state: z.string(),
  tags: Tags,
  storage: z.object({ total: z.int(), free: z.int(), used: z.int() }),
  paths: z.array(z.string()).default([]),
  pv_uuid: z.string().default(''),
  bricks: z.array(Brick),
});
export type Device = z.infer<typeof Device>;
export const Node = z.object({
  id: z.string(),
  cluster: z.string(),
  zone: z.int(),
  state: z.string(),
  tags: Tags,
  hostnames: z.object({ manage: z.array(z.string()), storage: z.array(z.string()) }),
  devices: z.array(Device),
});
export type Node = z.infer<typeof Node>;
/** As it was asked for; heketi leaves out what is 0. */
const Durability = z.object({
  type: z.string().default('none'),
  replicate: z.object({ replica: z.int().default(0) }).default({ replica: 0 }),
  disperse: z.object({ data: z.int().default(0), redundancy: z.int().default(0) }).default({ data: 0, redundancy: 0 }),
});
export type Durability = z.infer<typeof Durability>;
/** What a volume's durability says; what heketi left out is 0. */
export const durabilityIn = (value: unknown): Durability => Durability.parse(value ?? {});
export const VolumeList = z.object({ volumes: z.array(z.string()) });
export const Volume = z.object({
  id: z.string(),
  name: z.string(),
  size: z.int(),
  cluster: z.string(),
  /** As it was asked for and is kept; `durabilityIn` reads it. */
  durability: z.unknown(),
  block: z.boolean().default(false),
  blockinfo: z
    .object({
      freesize: z.int().default(0),
      reservedsize: z.int().default(0),
      blockvolume: z.array(z.string()).default([]),
      restriction: z.string().default(''),
    })
    .default({ freesize: 0, reservedsize: 0, blockvolume: [], restriction: '' }),
  gid: z.int().default(0),
  glustervolumeoptions: z.array(z.string()).default([]),
  snapshot: z.object({ enable: z.boolean(), factor: z.number() }),
  mount: z.object({
    glusterfs: z.object({ hosts: z.array(z.string()), device: z.string(), options: z.record(z.string(), z.string()) }),
  }),
  bricks: z.array(Brick),
});
export type Volume = z.infer<typeof Volume>;
/** What lists show of a volume; a server that does not know how to be brief lists its bricks instead of counting them. */
export const VolumeLine = Volume.pick({
  id: true,
  name: true,
  size: true,
  cluster: true,
  durability: true,
  block: true,
}).extend({
  bricks: z.union([z.int(), z.array(z.unknown()).transform(({ length }) => length)]),
});
export type VolumeLine = z.infer<typeof VolumeLine>;
export const VolumeLines = z.object({ volumes: z.array(VolumeLine) });
export const Volumes = z.object({ volumes: z.array(Volume) });
export const Topology = z.object({ clusters: z.array(Cluster), nodes: z.array(Node), volumes: z.array(Volume) });
export type Topology = z.infer<typeof Topology>;
/** The same for who reads it, without what is told about volumes one by one. */
export const TopologyLines = z.object({
  clusters: z.array(Cluster),
  nodes: z.array(
    Node.extend({
      devices: z.array(Device.extend({ bricks: z.array(Brick.pick({ id: true, size: true, volume: true })) })),
    }),
  ),
  volumes: z.array(VolumeLine),
});
export type TopologyLines = z.infer<typeof TopologyLines>;
export const BlockVolumeList = z.object({ blockvolumes: z.array(z.string()) });
export const BlockVolume = z.object({
  id: z.string(),
  name: z.string(),
  size: z.int(),
  usablesize: z.int().default(0),
  cluster: z.string(),
  hacount: z.int().default(0),
  blockhostingvolume: z.string().default(''),
  blockvolume: z.object({
    hosts: z.array(z.string()).default([]),
    iqn: z.string().default(''),
    lun: z.int().default(0),
    username: z.string().default(''),
    password: z.string().default(''),
  }),
});
export type BlockVolume = z.infer<typeof BlockVolume>;
/** Counters of heketi's operations. */
export const OperationCounts = z.object({
  total: z.int(),
  in_flight: z.int(),
  new: z.int(),
  failed: z.int().default(0),
  stale: z.int(),
});
export const PendingOperation = z.object({
  id: z.string(),
  type_name: z.string(),
  status: z.string(),
  sub_status: z.string(),
  changes: z.array(z.object({ id: z.string(), description: z.string() })).default([]),
});
export type PendingOperation = z.infer<typeof PendingOperation>;
export const PendingOperations = z.object({ pendingoperations: z.array(PendingOperation) });
export const Operation = z.looseObject({
  id: z.string(),
  kind: z.string(),
  subject: z.string(),
  status: z.string(),
  startedAt: z.string().optional(),
  endedAt: z.string().optional(),
  waitsFor: z.string().optional(),
  detail: z.string().optional(),
  step: z
    .looseObject({
      name: z.string(),
      number: z.int(),
      direction: z.string(),
      attempt: z.int(),
      tasks: z.array(z.looseObject({ type: z.string(), host: z.string(), status: z.string(), id: z.string() })),
    })
    .optional(),
});
export type Operation = z.infer<typeof Operation>;
export const OperationList = z.object({ operations: z.array(Operation) });
const Actor = z.looseObject({
  name: z.string(),
  role: z.string().optional(),
  address: z.string().optional(),
  onBehalfOf: z.string().optional(),
});
export const History = z.object({
  events: z.array(
    z.looseObject({
      position: z.int(),
      time: z.string(),
      stream: z.string(),
      type: z.string(),
      actor: Actor,
      data: z.record(z.string(), z.unknown()),
    }),
  ),
});
const Agent = z.looseObject({
  heard: z.boolean(),
  alive: z.boolean().optional(),
  host: z.string().optional(),
  glusterd: z.string().optional(),
});
export const Status = z.looseObject({
  position: z.int(),
  leader: z.object({ epoch: z.int() }).optional(),
  problem: z.string().optional(),
  counts: z.record(z.string(), z.int()),
  nodes: z.array(
    z.looseObject({
      id: z.string(),
      host: z.string(),
      state: z.string(),
      lifecycle: z.string(),
      lost: z.boolean(),
      lostSince: z.string().optional(),
      residue: z.int(),
      agent: Agent,
    }),
  ),
  /** Agents of hosts that are no nodes, by host name. */
  unregistered: z.array(Agent.extend({ name: z.string() })).default([]),
});
