/** What a node agent says of its host, unasked. */
import { z } from 'zod';
import { DeviceId, HostName } from '../ids';

/** Sent every few seconds: the agent lives. Also carries what is cheap to know. */
export const Heartbeat = z.strictObject({
  host: HostName,
  /** Changes with every start of the agent. */
  incarnation: z.string(),
  glusterd: z.enum(['running', 'stopped']),
  simulated: z.boolean(),
  /** What carves the host's bricks, and whether volumes on them can be cloned; agents of earlier releases do not say. */
  brickDriver: z.exactOptional(z.string()),
  clones: z.exactOptional(z.boolean()),
  /** Milliseconds until the next one is due. */
  intervalMs: z.int().min(1),
});
export type Heartbeat = z.infer<typeof Heartbeat>;

/** An agent's answer when asked whether it is there. */
export const ProbeReply = Heartbeat.omit({ intervalMs: true });
export type ProbeReply = z.infer<typeof ProbeReply>;

/** One brick as its host sees it. */
export const BrickFact = z.strictObject({
  path: z.string(),
  mounted: z.boolean(),
  /** Set when the brick should be mounted and is not. */
  problem: z.string().optional(),
  /** Of what carries its file system; absent when that could not be read. */
  sizeKib: z.int().min(0).optional(),
});
export type BrickFact = z.infer<typeof BrickFact>;

/** One device that was given to Brickyard, as its host sees it. */
export const DeviceFact = z.strictObject({
  deviceId: DeviceId,
  name: z.string(),
  /** Absent when the device is gone, or is not this one. */
  totalKib: z.int().min(0).optional(),
  /** Set when the device cannot be used. */
  problem: z.string().optional(),
});
export type DeviceFact = z.infer<typeof DeviceFact>;

/** A member of the trusted pool as this host's Gluster sees it; the host itself is `localhost`. */
export const PeerFact = z.strictObject({
  uuid: z.string(),
  hostname: z.string(),
  names: z.array(z.string()),
  connected: z.boolean(),
});
export type PeerFact = z.infer<typeof PeerFact>;

/** Where a brick of somebody else's lies: the file system its directory is on. */
export const BrickGround = z.strictObject({
  /** Gluster's own id of the host. */
  hostUuid: z.string(),
  /** The brick directory. */
  path: z.string(),
  /** Where the file system is mounted, and what is mounted there. */
  mount: z.string(),
  source: z.string(),
  /** Of the whole file system. */
  sizeKib: z.int().min(0),
});
export type BrickGround = z.infer<typeof BrickGround>;

/** The shape of a volume in Gluster's own words and numbers; 0 where a number does not apply. */
export const VolumeShape = z.strictObject({
  type: z.string(),
  replica: z.int().min(0),
  arbiter: z.int().min(0),
  /** Bricks in one dispersed set, redundancy included. */
  disperse: z.int().min(0),
  redundancy: z.int().min(0),
});
export type VolumeShape = z.infer<typeof VolumeShape>;

/** One volume as this host's Gluster sees it. */
export const VolumeFact = z.strictObject({
  name: z.string(),
  /** Gluster's own id of it. */
  uuid: z.string(),
  status: z.enum(['created', 'started', 'stopped']),
  /** `host:path`, in set order. */
  bricks: z.array(z.string()),
  options: z.record(z.string(), z.string()),
  /** Bricks of this host, by path, that should be served and whose process does not run. */
  idle: z.array(z.string()),
  /** Entries waiting to be healed; absent when it could not be read. */
  healPending: z.int().min(0).optional(),
  /** Of a volume without a stamp of ours, what taking it over needs; hosts that cannot tell leave it out. */
  found: z.exactOptional(
    z.strictObject({
      shape: VolumeShape,
      /** Gluster's ids of the hosts of its bricks, in the order of the bricks. */
      hostUuids: z.array(z.string()),
      /** Of the bricks on this host whose directories are there. */
      grounds: z.array(BrickGround),
    }),
  ),
});
export type VolumeFact = z.infer<typeof VolumeFact>;

/**
 * A host's devices, bricks and Gluster view at one moment. Volumes are those with a brick on this host, and those that
 * carry no stamp of ours: every volume of a pool is told by somebody, and none by all.
 */
export const NodeFacts = z.strictObject({
  host: HostName,
  incarnation: z.string(),
  /** When the look began; names it, too. */
  observedAt: z.iso.datetime({ precision: 3 }),
  /** A host with many volumes tells them in several messages of one look: which one this is, and of how many. */
  part: z.int().min(0),
  parts: z.int().min(1),
  glusterd: z.enum(['running', 'stopped']),
  simulated: z.boolean(),
  /** The newest order this host has seen. */
  seenGeneration: z.exactOptional(z.int().min(0)),
  devices: z.array(DeviceFact),
  bricks: z.array(BrickFact),
  peers: z.array(PeerFact),
  volumes: z.array(VolumeFact),
});
export type NodeFacts = z.infer<typeof NodeFacts>;

/** A look at a host, its parts put together. */
export type HostLook = Omit<NodeFacts, 'part' | 'parts'>;

/** Puts together the parts of one look; undefined when there is none. */
export function wholeLook(parts: readonly NodeFacts[]): HostLook | undefined {
  const ordered = [...parts].sort((one, other) => one.part - other.part);
  const [first] = ordered;
  if (first === undefined) return undefined;
  const { part: _, parts: __, ...look } = first;
  return {
    ...look,
    devices: ordered.flatMap(({ devices }) => devices),
    bricks: ordered.flatMap(({ bricks }) => bricks),
    peers: ordered.flatMap(({ peers }) => peers),
    volumes: ordered.flatMap(({ volumes }) => volumes),
  };
}
