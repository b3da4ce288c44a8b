/** Request bodies of heketi's wire protocol. Sizes of volumes are GiB, sizes of devices and bricks KiB. */
import { z } from 'zod';

/** Go decodes a JSON null as absent. */
const optional = <T extends z.ZodType>(schema: T): z.ZodType<z.infer<T> | undefined> =>
  z.preprocess((value) => value ?? undefined, schema.optional());

/** A null inside a list or map is an empty string to Go. */
const text = z.preprocess((value) => value ?? '', z.string());
const texts = z.array(text);
const tags = z.record(z.string(), text);

/** An object as Go decodes it: field names match whatever their case, the last of two equal ones counts, others are ignored. */
const struct = <Shape extends z.ZodRawShape>(shape: Shape): z.ZodType<z.infer<z.ZodObject<Shape>>> =>
  z.preprocess((value) => withKnownNames(value ?? {}, shape), z.object(shape));

function withKnownNames(value: unknown, shape: z.ZodRawShape): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  if (Object.keys(value).every((name) => Object.hasOwn(shape, name))) return value;
  const known: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) {
    const plain = name.toLowerCase();
    if (Object.hasOwn(shape, plain)) known[plain] = field;
  }
  return known;
}

/** Only types are checked here; ranges and patterns are checked after, since their texts differ from "unparsable". */
export const ClusterCreateRequest = struct({ file: optional(z.boolean()), block: optional(z.boolean()) });
export type ClusterCreateRequest = z.infer<typeof ClusterCreateRequest>;

export const NodeAddRequest = struct({
  zone: optional(z.int()),
  hostnames: optional(struct({ manage: optional(texts), storage: optional(texts) })),
  cluster: optional(z.string()),
  tags: optional(tags),
});
export type NodeAddRequest = z.infer<typeof NodeAddRequest>;

export const StateRequest = struct({ state: optional(z.string()), healcheck: optional(z.string()) });
export type StateRequest = z.infer<typeof StateRequest>;

export const BrickEvictRequest = struct({ healcheck: optional(z.string()) });
export type BrickEvictRequest = z.infer<typeof BrickEvictRequest>;

export const DeviceAddRequest = struct({
  name: optional(z.string()),
  node: optional(z.string()),
  destroydata: optional(z.boolean()),
  tags: optional(tags),
});
export type DeviceAddRequest = z.infer<typeof DeviceAddRequest>;

export const DeviceDeleteRequest = struct({ forceforget: optional(z.boolean()) });
export type DeviceDeleteRequest = z.infer<typeof DeviceDeleteRequest>;

/** The durability part of a volume request; `replicate` and `disperse` may both be there, whatever the type. */
export const DurabilityRequest = struct({
  type: optional(z.string()),
  replicate: optional(struct({ replica: optional(z.int()) })),
  disperse: optional(struct({ data: optional(z.int()), redundancy: optional(z.int()) })),
});
export type DurabilityRequest = z.infer<typeof DurabilityRequest>;

export const VolumeCreateRequest = struct({
  size: optional(z.int()),
  name: optional(z.string()),
  clusters: optional(texts),
  durability: optional(DurabilityRequest),
  gid: optional(z.int()),
  glustervolumeoptions: optional(texts),
  block: optional(z.boolean()),
  snapshot: optional(struct({ enable: optional(z.boolean()), factor: optional(z.number()) })),
});
export type VolumeCreateRequest = z.infer<typeof VolumeCreateRequest>;

export const VolumeCloneRequest = struct({ name: optional(z.string()) });
export type VolumeCloneRequest = z.infer<typeof VolumeCloneRequest>;

export const VolumeExpandRequest = struct({ expand_size: optional(z.int()) });
export type VolumeExpandRequest = z.infer<typeof VolumeExpandRequest>;

export const TagsRequest = struct({ tags: optional(tags), change_type: optional(z.string()) });
export type TagsRequest = z.infer<typeof TagsRequest>;

export const BlockRestrictionRequest = struct({ restriction: optional(z.string()) });
export type BlockRestrictionRequest = z.infer<typeof BlockRestrictionRequest>;

export const AdminRequest = struct({ state: optional(z.string()) });
export type AdminRequest = z.infer<typeof AdminRequest>;

export const LoggingRequest = struct({ loglevel: optional(z.record(z.string(), text)) });
export type LoggingRequest = z.infer<typeof LoggingRequest>;

export const CleanupRequest = struct({ operations: optional(texts) });
export type CleanupRequest = z.infer<typeof CleanupRequest>;

export const BlockVolumeCreateRequest = struct({
  size: optional(z.int()),
  name: optional(z.string()),
  clusters: optional(texts),
  hacount: optional(z.int()),
  auth: optional(z.boolean()),
});
export type BlockVolumeCreateRequest = z.infer<typeof BlockVolumeCreateRequest>;

export const BlockVolumeExpandRequest = struct({ new_size: optional(z.int()) });
export type BlockVolumeExpandRequest = z.infer<typeof BlockVolumeExpandRequest>;
