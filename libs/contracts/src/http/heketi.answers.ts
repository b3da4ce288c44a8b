/** Answers of heketi's wire protocol, for the API's description. Sizes of volumes are GiB, sizes of devices and bricks KiB. */
import { z } from 'zod';

const id = z.string().regex(/^[0-9a-f]{32}$/);
const ids = z.array(id);
const tags = z.record(z.string(), z.string());
const kibibytes = z.int().min(0).describe('KiB');
const gibibytes = z.int().min(0).describe('GiB');

export const ClusterAnswer = z.object({
  id,
  nodes: ids,
  volumes: ids,
  block: z.boolean(),
  file: z.boolean(),
  blockvolumes: ids,
});
export const ClusterListAnswer = z.object({ clusters: ids });

export const BrickAnswer = z.object({
  id,
  path: z.string(),
  device: id,
  node: id,
  volume: id,
  size: kibibytes,
});

export const DeviceAnswer = z.object({
  name: z.string(),
  tags: tags.optional(),
  storage: z.object({ total: kibibytes, free: kibibytes, used: kibibytes }),
  id,
  paths: z.array(z.string()).optional(),
  pv_uuid: z.string().optional(),
  state: z.enum(['online', 'offline', 'failed']),
  bricks: z.array(BrickAnswer),
});

export const NodeAnswer = z.object({
  zone: z.int(),
  hostnames: z.object({ manage: z.array(z.string()), storage: z.array(z.string()) }),
  cluster: id,
  tags: tags.optional(),
  id,
  state: z.enum(['online', 'offline', 'failed']),
  devices: z.array(DeviceAnswer),
});

export const VolumeAnswer = z.object({
  size: gibibytes,
  name: z.string(),
  durability: z.looseObject({ type: z.string() }),
  gid: z.int().optional(),
  glustervolumeoptions: z.array(z.string()),
  block: z.literal(true).optional(),
  snapshot: z.object({ enable: z.boolean(), factor: z.number() }),
  id,
  cluster: id,
  mount: z.object({
    glusterfs: z.object({
      hosts: z.array(z.string()),
      device: z.string(),
      options: z.record(z.string(), z.string()),
    }),
  }),
  blockinfo: z.object({
    freesize: gibibytes.optional(),
    reservedsize: gibibytes.optional(),
    blockvolume: ids.optional(),
    restriction: z.string().optional(),
  }),
  bricks: z.array(BrickAnswer),
});
export const VolumeListAnswer = z.object({ volumes: ids });
export const BlockVolumeAnswer = z.object({
  size: gibibytes,
  name: z.string(),
  hacount: z.int(),
  id,
  blockvolume: z.object({
    hosts: z.array(z.string()),
    iqn: z.string(),
    lun: z.int(),
    username: z.string(),
    password: z.string(),
  }),
  cluster: id,
  blockhostingvolume: id,
  usablesize: gibibytes,
});
export const BlockVolumeListAnswer = z.object({ blockvolumes: ids });
export const TagsAnswer = tags;

export const OperationCountsAnswer = z.object({
  total: z.int(),
  in_flight: z.int(),
  stale: z.int(),
  failed: z.int(),
  new: z.int(),
});
const pending = {
  id,
  type_name: z.string(),
  status: z.enum(['', 'stale', 'failed']),
  sub_status: z.enum(['', 'in-flight']),
};
export const PendingOperationListAnswer = z.object({ pendingoperations: z.array(z.object(pending)) });
export const PendingOperationAnswer = z.object({
  ...pending,
  changes: z.array(z.object({ id, description: z.string() })),
});

export const AdminAnswer = z.object({ state: z.enum(['normal', 'read-only', 'local-client']) });
export const LoggingAnswer = z.object({ loglevel: z.object({ glusterfs: z.string() }) });

const entries = z.record(z.string(), z.looseObject({}));
export const DumpAnswer = z.object({
  clusterentries: entries,
  volumeentries: entries,
  brickentries: entries,
  nodeentries: entries,
  deviceentries: entries,
  blockvolumeentries: entries,
  dbattributeentries: entries,
  pendingoperations: entries,
});
const checked = z.object({
  total: z.int(),
  pending: z.int(),
  ok: z.int(),
  notok: z.int(),
  inconsistencies: z.array(z.string()).nullable(),
});
export const CheckAnswer = z.object({
  clusters: checked,
  volumes: checked,
  bricks: checked,
  nodes: checked,
  devices: checked,
  blockvolumes: checked,
  dbattributes: checked,
  pendingoperations: checked,
  totalinconsistencies: z.int(),
});
export const ExamineAnswer = z.object({
  heketidb: DumpAnswer,
  report: z.array(z.string()),
  clusters: z.array(z.looseObject({ ClusterHeketiID: id })),
});
