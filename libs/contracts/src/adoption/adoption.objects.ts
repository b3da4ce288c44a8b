/** Things that exist on hosts and were not made by an operation of this log: taken over as they are. */
import { z } from 'zod';
import {
  AdminState,
  BlockRestriction,
  Brick,
  ClusterFlags,
  Hostnames,
  Tags,
  VolumeSpec,
} from '../cluster/cluster.objects';
import { ClusterId, DeviceId, NodeId, VolumeId } from '../ids';
import { Kib } from '../quantities';

/** Where what is known of it comes from: a heketi database, a Gluster pool that nobody managed, or stamps of an earlier log. */
export const Origin = z.enum(['heketi', 'gluster', 'hosts']);
export type Origin = z.infer<typeof Origin>;

/** A trusted pool that is there. */
export const AdoptedCluster = z.strictObject({ origin: Origin, clusterId: ClusterId, flags: ClusterFlags });
export type AdoptedCluster = z.infer<typeof AdoptedCluster>;

/** A member of the pool. */
export const AdoptedNode = z.strictObject({
  origin: Origin,
  nodeId: NodeId,
  clusterId: ClusterId,
  zone: z.int().min(1),
  hostnames: Hostnames,
  tags: Tags,
  state: AdminState,
  /** The newest order of an earlier log that its host has seen: what this log asks of it must be newer. */
  seenGeneration: z.exactOptional(z.int().min(0)),
});
export type AdoptedNode = z.infer<typeof AdoptedNode>;

/** A device of a node, with the size it has. */
export const AdoptedDevice = z.strictObject({
  origin: Origin,
  deviceId: DeviceId,
  nodeId: NodeId,
  name: z.string(),
  tags: Tags,
  state: AdminState,
  totalKib: Kib,
  extentKib: z.int().min(1),
  pvUuid: z.string(),
  paths: z.array(z.string()),
  /** A file system of somebody else's that carries foreign bricks: no brick is ever placed on it. */
  foreign: z.exactOptional(z.literal(true)),
});
export type AdoptedDevice = z.infer<typeof AdoptedDevice>;

/** A volume with its bricks, in set order. */
export const AdoptedVolume = z.strictObject({
  origin: Origin,
  volumeId: VolumeId,
  clusterId: ClusterId,
  /** As it was asked for, as far as that is known. */
  spec: VolumeSpec,
  /** What it holds by now: the size asked for and every expansion. */
  sizeKib: Kib,
  bricks: z.array(Brick).min(1),
  /** The Gluster options it has; absent: only those of `spec` are known. */
  options: z.exactOptional(z.record(z.string(), z.string())),
  /** Of a volume that holds block volumes: GiB that none of them gets, and whether it takes more of them. */
  hosting: z.exactOptional(z.strictObject({ reservedGib: z.int().min(0), restriction: BlockRestriction })),
});
export type AdoptedVolume = z.infer<typeof AdoptedVolume>;
