/** The things a cluster is made of, as commands and events spell them. */
import { z } from 'zod';
import { Durability } from '../durability';
import { BrickId, ClusterId, DeviceId, HostName, NodeId, VolumeId } from '../ids';
import { Decimal, Kib } from '../quantities';

/** The names a node is reached by: `manage` by its agent, `storage` by Gluster and its clients. Only the first of each is used. */
export const Hostnames = z.strictObject({
  manage: z.array(HostName).min(1),
  storage: z.array(HostName).min(1),
});
export type Hostnames = z.infer<typeof Hostnames>;

/** Free-form labels that placement can match. */
export const Tags = z.record(z.string(), z.string());
export type Tags = z.infer<typeof Tags>;

/** Which kinds of volume a cluster takes. */
export const ClusterFlags = z.strictObject({ file: z.boolean(), block: z.boolean() });
export type ClusterFlags = z.infer<typeof ClusterFlags>;

/** What an operator wants of a node or device: `online` takes bricks, `offline` takes no new ones, `failed` holds none and can be removed. */
export const AdminState = z.enum(['online', 'offline', 'failed']);
export type AdminState = z.infer<typeof AdminState>;

/** How a set of tags is changed: replaced, laid over, or taken from. */
export const TagChange = z.enum(['set', 'update', 'delete']);
export type TagChange = z.infer<typeof TagChange>;

/** Whom the API lets change things: everybody, nobody, or clients on the gateway's own machine. */
export const AdminMode = z.enum(['normal', 'read-only', 'local-client']);
export type AdminMode = z.infer<typeof AdminMode>;

/** Whether a block hosting volume takes new block volumes; empty: it does. */
export const BlockRestriction = z.enum(['', 'locked']);
export type BlockRestriction = z.infer<typeof BlockRestriction>;

/** One brick: where it lies and what it takes from its device. */
export const Brick = z.strictObject({
  brickId: BrickId,
  nodeId: NodeId,
  deviceId: DeviceId,
  /** The brick directory on its node. */
  path: z.string(),
  /** The size of the brick's file system. */
  sizeKib: Kib,
  /** The thin pool behind it: the size times the snapshot factor, in whole extents. */
  poolKib: Kib,
  /** The thin pool's metadata; with the pool, what the device loses. */
  metadataKib: Kib,
  /** Position in the volume: which set, and which place in the set. Gluster groups bricks by this order. */
  set: z.int().min(0),
  place: z.int().min(0),
  /** Somebody else's directory, taken over: it is served, and never made, mounted or removed by us. */
  foreign: z.exactOptional(z.literal(true)),
  /**
   * The brick whose thin pool this one lives in, when that is not its own: a clone shares the pool of what it was cloned
   * from, and takes nothing from the device as long as another brick is charged for the pool.
   */
  poolOf: z.exactOptional(BrickId),
});
export type Brick = z.infer<typeof Brick>;

/** What a client asked a volume to be. */
export const VolumeSpec = z.strictObject({
  name: z.string().regex(/^[a-zA-Z0-9_-]+$/),
  sizeKib: Kib,
  durability: Durability,
  /** The group that owns the brick directories; 0 leaves them to root. */
  gid: z.int().min(0).max(2_147_483_646),
  /** Gluster options in order, each `key value`. */
  options: z.array(z.string()),
  block: z.boolean(),
  snapshots: z.boolean(),
  /** Space in the thin pool over the brick's size; 1 when snapshots are off. */
  snapshotFactor: Decimal,
  /** The durability part of the request as it came, since heketi's answers echo it. */
  requestedDurability: z.json(),
});
export type VolumeSpec = z.infer<typeof VolumeSpec>;

/** Whether a brick is moved only when the other bricks of its set can stand in for it. */
export const HealCheck = z.enum(['enable', 'disable']);
export type HealCheck = z.infer<typeof HealCheck>;

/** Whether the bricks of a set must lie in different zones. */
export const ZoneChecking = z.enum(['none', 'strict']);
export type ZoneChecking = z.infer<typeof ZoneChecking>;

/** Why a device was not taken for a brick: the first rule it failed, with the numbers. */
export const DeviceRefusal = z.discriminatedUnion('rule', [
  z.strictObject({ rule: z.literal('node-not-online'), state: z.string() }),
  z.strictObject({ rule: z.literal('node-lost'), since: z.string() }),
  z.strictObject({ rule: z.literal('device-not-online'), state: z.string() }),
  z.strictObject({ rule: z.literal('node-in-set'), nodeId: NodeId }),
  z.strictObject({ rule: z.literal('zone-in-set'), zone: z.int() }),
  z.strictObject({ rule: z.literal('tag-mismatch'), wanted: z.string() }),
  z.strictObject({ rule: z.literal('too-little-space'), freeKib: Kib, neededKib: Kib }),
  /** The device gives up its bricks, or is the one the brick lies on. */
  z.strictObject({ rule: z.literal('being-emptied') }),
  /** Its `arbiter` tag keeps it for the other kind of brick. */
  z.strictObject({ rule: z.literal('arbiter-tag'), tag: z.string() }),
  /** An attempt of the same operation failed on it. */
  z.strictObject({ rule: z.literal('failed-before'), detail: z.string() }),
]);
export type DeviceRefusal = z.infer<typeof DeviceRefusal>;

/** How one set of bricks was placed: where the walk round the ring began and what it passed over. */
export const SetPlacement = z.strictObject({
  set: z.int().min(0),
  /** Index in the ring of usable devices at which the walk began; drawn from the volume's id. */
  ringStart: z.int().min(0),
  /** `walk`: the first devices round the ring that fit; `most-room`: the emptiest nodes first, since the walk ran out of room. */
  order: z.enum(['walk', 'most-room']),
  /** Devices in the order walked that were not taken, each with the rule that spoke against it; at most 64. */
  passedOver: z.array(z.strictObject({ deviceId: DeviceId, place: z.int().min(0), refusal: DeviceRefusal })),
  /** How many more were passed over. */
  passedOverMore: z.int().min(0),
});

/** One number of sets that was tried, largest bricks first. */
export const PlacementAttempt = z.strictObject({
  sets: z.int().min(1),
  brickKib: z.int().min(0),
  /** What one brick takes from a device whose extents are 4 MiB. */
  neededKib: z.int().min(0),
  /** `placed`, or why this number of sets was given up. */
  outcome: z.enum(['placed', 'brick-too-large', 'brick-too-small', 'too-many-bricks', 'no-space']),
});
export type PlacementAttempt = z.infer<typeof PlacementAttempt>;

/**
 * Why the bricks lie where they lie. Devices ruled out before the walk are counted by rule; the full list is
 * what the same decision gives when it is made again on the state at that position.
 */
export const PlacementExplanation = z.strictObject({
  policy: z.literal('ring-v1'),
  clusterId: ClusterId,
  seed: z.string(),
  ringSize: z.int().min(0),
  /** How many devices each rule took out before the walk. */
  unusable: z.array(z.strictObject({ rule: z.string(), count: z.int().min(1) })),
  attempts: z.array(PlacementAttempt),
  sets: z.array(SetPlacement),
});
export type PlacementExplanation = z.infer<typeof PlacementExplanation>;

/** Why a brick goes where it goes: the devices walked over before it, each with the rule that spoke against it. */
export const MovePlacement = z.strictObject({
  policy: z.literal('ring-v1'),
  ringSize: z.int().min(0),
  ringStart: z.int().min(0),
  /** How many devices each rule took out before the walk. */
  unusable: z.array(z.strictObject({ rule: z.string(), count: z.int().min(1) })),
  /** `walk`: the first device that fits; `search`: another one, so that the other bricks find room, too. */
  order: z.enum(['walk', 'search']),
  passedOver: z.array(z.strictObject({ deviceId: DeviceId, refusal: DeviceRefusal })),
  passedOverMore: z.int().min(0),
});
export type MovePlacement = z.infer<typeof MovePlacement>;

/** A brick that cannot be moved: what speaks against each device, or that its data has no other copy. */
export const BlockedBrick = z.strictObject({
  volumeId: VolumeId,
  brickId: BrickId,
  deviceId: DeviceId,
  reason: z.enum(['no-device', 'only-copy', 'volume-busy', 'bad-tag-rule']),
  neededKib: Kib,
  devices: z.array(z.strictObject({ deviceId: DeviceId, refusal: DeviceRefusal })),
  devicesMore: z.int().min(0),
});
export type BlockedBrick = z.infer<typeof BlockedBrick>;

/** Limits and defaults that decide sizes and counts; heketi's configuration keys by other names. */
export const PlacementPolicy = z.strictObject({
  brickMinKib: Kib,
  brickMaxKib: Kib,
  bricksPerVolumeMax: z.int().min(1),
  /** Negative: no limit. */
  volumesPerClusterMax: z.int(),
  zoneChecking: ZoneChecking,
  /** KiB, for the size of arbiter bricks when a volume says nothing of it; absent: heketi's 64. */
  averageFileKib: z.exactOptional(z.int().min(1)),
});
export type PlacementPolicy = z.infer<typeof PlacementPolicy>;

/** What initiators sign in with. The secret is in no event: it follows from this key, which only gateways and allocators have, and the block volume's id. */
export const ChapIdentity = z.strictObject({
  username: z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/),
  /** Which key the secret follows from. */
  keyId: z.string().regex(/^[0-9a-f]{16}$/),
});
export type ChapIdentity = z.infer<typeof ChapIdentity>;

/** Why a hosting volume does not take a block volume: the first rule it failed, with the numbers. */
export const HostingRefusal = z.discriminatedUnion('rule', [
  /** It is being made, or taken away. */
  z.strictObject({ rule: z.literal('not-ready'), status: z.string() }),
  z.strictObject({ rule: z.literal('restricted'), restriction: z.string() }),
  z.strictObject({ rule: z.literal('name-in-use'), name: z.string() }),
  z.strictObject({ rule: z.literal('too-little-space'), freeGib: z.int(), neededGib: z.int() }),
]);
export type HostingRefusal = z.infer<typeof HostingRefusal>;

/** The hosting volumes that did not take a block volume, at most 64 by name. */
const hostingsPassedOver = {
  passedOver: z.array(z.strictObject({ volumeId: VolumeId, refusal: HostingRefusal })),
  passedOverMore: z.int().min(0),
};

/** Why a block volume lies where it lies. */
export const BlockPlacement = z.strictObject({
  /** `any-that-fits`: drawn from those that could take it, by the block volume's id; `new`: none could, so one is made. */
  order: z.enum(['any-that-fits', 'new']),
  fitting: z.int().min(0),
  ...hostingsPassedOver,
});
export type BlockPlacement = z.infer<typeof BlockPlacement>;

/** A volume as a refusal or task names it. */
export const VolumeRef = z.strictObject({ volumeId: VolumeId, name: z.string() });
