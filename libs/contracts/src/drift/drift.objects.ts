/** Where hosts and log differ: what is compared, and how a difference is called. */
import { z } from 'zod';
import { BrickId, ClusterId, DeviceId, DriftId, NodeId, VolumeId } from '../ids';

/** What kind of difference it is. */
export const DriftClass = z.enum([
  /** Hosts that carry a volume's bricks do not know the volume. */
  'volume-missing',
  /** Gluster has a volume that the log has not. */
  'volume-unknown',
  /** A volume is there, but not started. */
  'volume-stopped',
  /** A volume has other bricks than the log says. */
  'bricks-differ',
  /** An option has another value, or is set and should not be, or the reverse. */
  'option-changed',
  /** A brick's file system is there, but not mounted where it belongs. */
  'brick-unmounted',
  /** A brick is mounted, but its process does not run. */
  'brick-stopped',
  /** A brick's file system is gone from its device. */
  'brick-missing',
  /** A host holds a brick that the log has not. */
  'brick-unknown',
  /** A device is gone, or another one has taken its place. */
  'device-missing',
  /** A brick or a device has another size than the log says. */
  'size-differs',
  /** Members of the pool do not know a node of the cluster. */
  'peer-missing',
  /** The pool has a member that is no node of the cluster. */
  'peer-unknown',
]);
export type DriftClass = z.infer<typeof DriftClass>;

/** The thing a difference is about. */
export const DriftSubject = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('volume'), volumeId: VolumeId }),
  z.strictObject({ kind: z.literal('option'), volumeId: VolumeId, key: z.string() }),
  z.strictObject({ kind: z.literal('brick'), volumeId: VolumeId, brickId: BrickId, nodeId: NodeId }),
  z.strictObject({ kind: z.literal('device'), deviceId: DeviceId }),
  z.strictObject({ kind: z.literal('peer'), nodeId: NodeId }),
  z.strictObject({
    kind: z.literal('unknown-volume'),
    clusterId: ClusterId,
    name: z.string(),
    /** The volume id it is stamped with; empty when it has no stamp. */
    owner: z.string(),
    /** All its bricks lie where this system puts bricks. */
    hasOurBricks: z.boolean(),
  }),
  z.strictObject({ kind: z.literal('unknown-brick'), nodeId: NodeId, path: z.string() }),
  z.strictObject({ kind: z.literal('unknown-peer'), clusterId: ClusterId, hostname: z.string(), uuid: z.string() }),
]);
export type DriftSubject = z.infer<typeof DriftSubject>;

/** One difference between the log and what hosts say. */
export const DriftFinding = z.strictObject({
  /** Follows from class and subject: the same difference is the same finding, however often it is seen. */
  driftId: DriftId,
  class: DriftClass,
  clusterId: ClusterId,
  subject: DriftSubject,
  /** What the log says; empty: nothing. */
  expected: z.string(),
  /** What the hosts say; empty: nothing. */
  found: z.string(),
  /** The nodes whose hosts say so. */
  nodeIds: z.array(NodeId).min(1),
});
export type DriftFinding = z.infer<typeof DriftFinding>;
