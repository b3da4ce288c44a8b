/** Why a command was refused: values, one kind for each text a client may see. */
import { z } from 'zod';
import { DeviceRefusal, HostingRefusal, PlacementAttempt } from './cluster.objects';

/** What was tried before giving up, and what spoke against each device in the last walk that failed. */
const noSpaceEvidence = {
  attempts: z.array(PlacementAttempt),
  /** How many devices each rule spoke against first, those that were not usable at all included. */
  byRule: z.array(z.strictObject({ rule: z.string(), count: z.int().min(1) })),
  /** The devices themselves, at most 64, each with the first rule against it. */
  devices: z.array(z.strictObject({ deviceId: z.string(), refusal: DeviceRefusal })),
  /** How many more there are. */
  devicesMore: z.int().min(0),
};

/** Why one cluster could not take a volume. */
export const ClusterRefusal = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('AllVolumeTypesDisabled') }),
  z.strictObject({ kind: z.literal('VolumeTypeNotSupported') }),
  z.strictObject({ kind: z.literal('VolumeNameInUse'), name: z.string() }),
  /** Gluster makes names of files of the volume's name, its hosts' and its bricks', and no file system has longer ones. */
  z.strictObject({ kind: z.literal('VolumeNameTooLong'), length: z.int(), limit: z.int() }),
  z.strictObject({ kind: z.literal('TooManyVolumes'), count: z.int(), limit: z.int() }),
  z.strictObject({ kind: z.literal('NoNodes') }),
  z.strictObject({ kind: z.literal('NoOnlineDevices') }),
  z.strictObject({ kind: z.literal('NoSpace'), ...noSpaceEvidence }),
  /** The search for smaller bricks ended at the limit of bricks a volume. */
  z.strictObject({ kind: z.literal('TooManyBricks'), limit: z.int(), ...noSpaceEvidence }),
  /** The search for smaller bricks ended at the smallest brick. */
  z.strictObject({ kind: z.literal('BricksTooSmall'), minimumKib: z.int(), ...noSpaceEvidence }),
]);
export type ClusterRefusal = z.infer<typeof ClusterRefusal>;

const id = z.string();

/** What spoke against each hosting volume, at most 64 by name. */
const hostingEvidence = {
  passedOver: z.array(z.strictObject({ volumeId: id, refusal: HostingRefusal })),
  passedOverMore: z.int().min(0),
};

export const Rejection = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('ClusterNotFound'), clusterId: id }),
  z.strictObject({ kind: z.literal('ClusterNotEmpty'), clusterId: id }),
  z.strictObject({ kind: z.literal('NodeNotFound'), nodeId: id }),
  z.strictObject({ kind: z.literal('HostnameInUse'), hostname: z.string(), nodeId: id }),
  z.strictObject({ kind: z.literal('GlusterdNotRunning'), where: z.enum(['new-node', 'cluster']) }),
  z.strictObject({ kind: z.literal('NoAgent'), host: z.string() }),
  z.strictObject({ kind: z.literal('NodeHasDevices'), nodeId: id }),
  z.strictObject({ kind: z.literal('DeviceNotFound'), deviceId: id }),
  z.strictObject({ kind: z.literal('DeviceNotFailed'), deviceId: id }),
  z.strictObject({ kind: z.literal('DeviceHasBricks'), deviceId: id }),
  z.strictObject({ kind: z.literal('BrickNotFound'), brickId: id }),
  /** The brick is being made, moved or taken away. */
  z.strictObject({ kind: z.literal('BrickPending'), brickId: id, operationId: id }),
  /** Another operation is at work on the brick's volume. */
  z.strictObject({ kind: z.literal('VolumeHasPendingBricks'), brickId: id, volumeId: id, operationId: id }),
  z.strictObject({ kind: z.literal('NoClusters') }),
  z.strictObject({ kind: z.literal('UnknownClusterRequested'), clusterId: id }),
  z.strictObject({ kind: z.literal('VolumeNotFound'), volumeId: id }),
  z.strictObject({ kind: z.literal('VolumeHoldsDatabase'), volumeId: id }),
  z.strictObject({ kind: z.literal('NoBlockHostingVolume'), volumeId: id }),
  z.strictObject({ kind: z.literal('CloneOfHostingVolume'), volumeId: id }),
  /** The name the clone should have is another volume's. */
  z.strictObject({ kind: z.literal('CloneNameInUse'), volumeId: id, name: z.string() }),
  z.strictObject({ kind: z.literal('CloneNameTooLong'), volumeId: id, length: z.int(), limit: z.int() }),
  /** A brick lies on a host whose kind of bricks cannot be cloned. */
  z.strictObject({ kind: z.literal('CloneNotSupported'), volumeId: id, nodeId: id, brickDriver: z.string() }),
  /** A snapshot needs every brick, and the host of one does not answer. */
  z.strictObject({ kind: z.literal('CloneNodeSilent'), volumeId: id, nodeId: id }),
  /** Another operation is at work on it. */
  z.strictObject({ kind: z.literal('ConflictingOperation'), subject: z.string(), operationId: id }),
  z.strictObject({
    kind: z.literal('VolumeTooSmall'),
    requestedGib: z.int(),
    minimumKib: z.int(),
  }),
  z.strictObject({
    kind: z.literal('NotPlaced'),
    refusals: z.array(z.strictObject({ clusterId: id, refusal: ClusterRefusal })),
    /** How many more clusters refused, when there are too many to name; absent: none. */
    refusalsMore: z.exactOptional(z.int().min(1)),
    /** True when no cluster was even eligible: heketi words that differently. */
    ineligible: z.boolean(),
    /** The smallest change that would have made it succeed, for people. */
    remedy: z.string(),
  }),
  z.strictObject({ kind: z.literal('InvalidTagRule'), rule: z.string() }),
  /** Files on average larger than a brick: no size for an arbiter follows from that. */
  z.strictObject({ kind: z.literal('AverageFileTooLarge'), averageKib: z.int(), brickKib: z.int() }),
  z.strictObject({ kind: z.literal('DriftNotFound'), driftId: id }),
  /** There is no such way to settle this difference; the reason says what else can be done. */
  z.strictObject({
    kind: z.literal('DriftNotReconcilable'),
    driftId: id,
    way: z.enum(['accept', 'restore']),
    reason: z.string(),
  }),
  /** The log was put back from a backup and is being compared with the hosts. */
  z.strictObject({ kind: z.literal('LogHeld'), since: z.string(), source: z.string() }),
  /** It does not fit what the log knows already. */
  z.strictObject({ kind: z.literal('NotAdoptable'), subject: z.string(), reason: z.string() }),
  z.strictObject({ kind: z.literal('BlockVolumeNotFound'), blockVolumeId: id }),
  z.strictObject({ kind: z.literal('HostingVolumeInUse'), volumeId: id, blockVolumes: z.int().min(1) }),
  /** No hosting volume takes it, and one made by itself would be too small. */
  z.strictObject({
    kind: z.literal('HostingTooSmall'),
    hostingGib: z.int(),
    requestedGib: z.int(),
    availableGib: z.int(),
    ...hostingEvidence,
  }),
  /** No hosting volume takes it, and one is being made: asked again when that is there. */
  z.strictObject({ kind: z.literal('HostingBeingMade'), volumeId: id, operationId: id }),
  /** No hosting volume takes it, and none is made by itself. */
  z.strictObject({ kind: z.literal('HostingNotMadeByItself'), ...hostingEvidence }),
  /** The new size is the size there is, or less. */
  z.strictObject({ kind: z.literal('BlockVolumeNotGrown'), requestedGib: z.int(), sizeGib: z.int() }),
  z.strictObject({
    kind: z.literal('HostingVolumeFull'),
    volumeId: id,
    freeGib: z.int(),
    neededGib: z.int(),
  }),
  /** Nobody else offers this block volume. */
  z.strictObject({ kind: z.literal('NodeIsLastPortal'), nodeId: id, blockVolumeId: id }),
  z.strictObject({ kind: z.literal('ExpansionNotPlaced'), refusal: ClusterRefusal, remedy: z.string() }),
]);
export type Rejection = z.infer<typeof Rejection>;
