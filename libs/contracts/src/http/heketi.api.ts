/** Request and answer bodies of heketi's wire protocol. Sizes of volumes are GiB, sizes of devices and bricks KiB. */
import { z } from 'zod';

const tags = z.record(z.string(), z.string());
/** Go decodes a JSON null as absent. */
const optional = <T extends z.ZodType>(schema: T): z.ZodType<z.infer<T> | undefined> =>
  z.preprocess((value) => value ?? undefined, schema.optional());

/** Only types are checked here; ranges and patterns are checked after, since their texts differ from "unparsable". */
export const ClusterCreateRequest = z.object({ file: optional(z.boolean()), block: optional(z.boolean()) });
export type ClusterCreateRequest = z.infer<typeof ClusterCreateRequest>;

export const NodeAddRequest = z.object({
  zone: optional(z.int()),
  hostnames: optional(z.object({ manage: optional(z.array(z.string())), storage: optional(z.array(z.string())) })),
  cluster: optional(z.string()),
  tags: optional(tags),
});
export type NodeAddRequest = z.infer<typeof NodeAddRequest>;

export const StateRequest = z.object({ state: optional(z.string()), healcheck: optional(z.string()) });
export type StateRequest = z.infer<typeof StateRequest>;

export const DeviceAddRequest = z.object({
  name: optional(z.string()),
  node: optional(z.string()),
  destroydata: optional(z.boolean()),
  tags: optional(tags),
});
export type DeviceAddRequest = z.infer<typeof DeviceAddRequest>;

export const DeviceDeleteRequest = z.object({ forceforget: optional(z.boolean()) });
export type DeviceDeleteRequest = z.infer<typeof DeviceDeleteRequest>;

export const VolumeCreateRequest = z.object({
  size: optional(z.int()),
  name: optional(z.string()),
  clusters: optional(z.array(z.string())),
  durability: optional(
    z.object({
      type: optional(z.string()),
      replicate: optional(z.object({ replica: optional(z.int()) })),
      disperse: optional(z.object({ data: optional(z.int()), redundancy: optional(z.int()) })),
    }),
  ),
  gid: optional(z.int()),
  glustervolumeoptions: optional(z.array(z.string())),
  block: optional(z.boolean()),
  snapshot: optional(z.object({ enable: optional(z.boolean()), factor: optional(z.number()) })),
});
export type VolumeCreateRequest = z.infer<typeof VolumeCreateRequest>;

export const VolumeExpandRequest = z.object({ expand_size: optional(z.int()) });
export type VolumeExpandRequest = z.infer<typeof VolumeExpandRequest>;
