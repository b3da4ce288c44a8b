/** What the specs read from the API's answers. */
import { z } from 'zod';

export const VolumeInfo = z.object({
  id: z.string(),
  name: z.string(),
  size: z.int(),
  cluster: z.string(),
  mount: z.object({
    glusterfs: z.object({ hosts: z.array(z.string()), device: z.string(), options: z.record(z.string(), z.string()) }),
  }),
  bricks: z.array(z.object({ id: z.string(), path: z.string(), device: z.string(), node: z.string(), size: z.int() })),
});
export type VolumeInfo = z.infer<typeof VolumeInfo>;

export const ClusterList = z.object({ clusters: z.array(z.string()) });
export const ClusterInfo = z.object({ id: z.string(), nodes: z.array(z.string()), volumes: z.array(z.string()) });
export const VolumeList = z.object({ volumes: z.array(z.string()) });
export const DeviceInfo = z.object({
  id: z.string(),
  name: z.string(),
  storage: z.object({ total: z.int(), free: z.int(), used: z.int() }),
  bricks: z.array(z.object({ id: z.string() })),
});
export type NodeInfo = z.infer<typeof NodeInfo>;
export const NodeInfo = z.object({
  id: z.string(),
  state: z.string(),
  hostnames: z.object({ manage: z.array(z.string()), storage: z.array(z.string()) }),
  devices: z.array(DeviceInfo),
});
export const BlockVolumeInfo = z.object({
  id: z.string(),
  name: z.string(),
  size: z.int(),
  usablesize: z.int(),
  hacount: z.int(),
  blockhostingvolume: z.string(),
  blockvolume: z.object({
    hosts: z.array(z.string()),
    iqn: z.string(),
    lun: z.int(),
    username: z.string(),
    password: z.string(),
  }),
});
export type BlockVolumeInfo = z.infer<typeof BlockVolumeInfo>;
