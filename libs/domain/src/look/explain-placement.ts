/** A placement told in full: every device as it was looked at, made again from what the log keeps and the state before it. */
import type { Brick, BrickId, DeviceId, DeviceRefusal, NodeId, PlacementExplanation } from '@brickyard/contracts';
import { freeKib, type ControlState, type RingDevice } from '../control/control.state';
import { placementOptions } from '../placement/filters';
import { ringOf, type Ring } from '../placement/ring';

/** One device in one walk. */
export interface LookedAtDevice {
  readonly deviceId: DeviceId;
  readonly nodeId: NodeId;
  readonly zone: number;
  readonly totalKib: number;
  /** What it had free when it was its turn. */
  readonly freeKib: number;
  /** Its turn in the walk, 1 for the first; absent when a rule kept it out of all walks. */
  readonly rank?: number;
  /** `not-needed`: the set was full before its turn came. */
  readonly verdict: 'chosen' | 'refused' | 'not-needed';
  readonly brickId?: BrickId;
  readonly neededKib?: number;
  /** The first rule that spoke against it. */
  readonly refusal?: DeviceRefusal;
}

/** One set of bricks and all devices that came into question for it. */
export interface ExplainedSet {
  readonly set: number;
  readonly order: 'walk' | 'most-room';
  readonly ringStart: number;
  /** By rank; of those that were not needed only the first ones. */
  readonly devices: readonly LookedAtDevice[];
  readonly notNeededMore: number;
  /** Passed over and not recorded one by one. */
  readonly passedOverMore: number;
}

/** The whole placement. */
export interface ExplainedPlacement {
  readonly sets: readonly ExplainedSet[];
  /** Devices that no walk looked at, each with the rule that kept it out. */
  readonly unusable: readonly LookedAtDevice[];
  readonly unusableMore: number;
  /** False when the state before gives another ring than the decision had. */
  readonly isSameRing: boolean;
}

/** A placement as the log has it. */
export interface RecordedPlacement {
  readonly bricks: readonly Brick[];
  readonly placement: PlacementExplanation;
  /** Gluster options of the volume, since some of them rule devices out. */
  readonly options: readonly string[];
}

const NOT_NEEDED_TOLD_MAX = 200;
const UNUSABLE_TOLD_MAX = 1_000;

interface Scene {
  readonly ring: Ring;
  readonly before: ControlState;
  readonly rankOf: (deviceId: DeviceId, start: number) => number | undefined;
  /** What earlier sets of the same placement took from each device. */
  readonly taken: Map<DeviceId, number>;
}

function lookedAt({ before, taken }: Scene, device: RingDevice): Omit<LookedAtDevice, 'verdict'> {
  const known = before.devices.get(device.deviceId);
  const { deviceId, nodeId, zone } = device;
  const free = known === undefined ? 0 : freeKib(known) - (taken.get(deviceId) ?? 0);
  return { deviceId, nodeId, zone, totalKib: known?.totalKib ?? 0, freeKib: free };
}

const takes = ({ poolKib, metadataKib }: Brick): number => poolKib + metadataKib;

function ranked(scene: Scene, device: RingDevice, start: number): { rank?: number } {
  const rank = scene.rankOf(device.deviceId, start);
  return rank === undefined ? {} : { rank };
}

function explainSet(
  scene: Scene,
  { set, order, ringStart, passedOver, passedOverMore }: PlacementExplanation['sets'][number],
  bricks: readonly Brick[],
): ExplainedSet {
  const chosen = new Map(bricks.map((brick) => [brick.deviceId, brick]));
  const refused = new Map(passedOver.map((each) => [each.deviceId, each.refusal]));
  const told: LookedAtDevice[] = [];
  const notNeeded: LookedAtDevice[] = [];
  for (const device of scene.ring.devices) {
    const brick = chosen.get(device.deviceId);
    const refusal = refused.get(device.deviceId);
    const row = { ...lookedAt(scene, device), ...ranked(scene, device, ringStart) };
    if (brick !== undefined) {
      told.push({ ...row, verdict: 'chosen', brickId: brick.brickId, neededKib: takes(brick) });
    } else if (refusal !== undefined) told.push({ ...row, verdict: 'refused', refusal });
    else notNeeded.push({ ...row, verdict: 'not-needed' });
  }
  for (const brick of bricks) scene.taken.set(brick.deviceId, (scene.taken.get(brick.deviceId) ?? 0) + takes(brick));
  const byRank = (one: LookedAtDevice, other: LookedAtDevice): number => (one.rank ?? 0) - (other.rank ?? 0);
  const others = notNeeded.sort(byRank);
  const devices = [...told, ...others.slice(0, NOT_NEEDED_TOLD_MAX)].sort(byRank);
  const more = others.length - passedOverMore;
  return { set, order, ringStart, devices, notNeededMore: Math.max(0, more - NOT_NEEDED_TOLD_MAX), passedOverMore };
}

/** Explains a placement; `before` is the state just before its event. */
export function explainPlacement(recorded: RecordedPlacement, before: ControlState): ExplainedPlacement {
  const { placement, bricks, options } = recorded;
  const cluster = before.clusters.get(placement.clusterId);
  if (cluster === undefined) return { sets: [], unusable: [], unusableMore: 0, isSameRing: false };
  const read = placementOptions(options, ANY_POLICY);
  const ring = ringOf(cluster.ring, read.kind === 'valid' ? read.options.tagRule : undefined);
  const size = ring.devices.length;
  const indices = new Map(ring.devices.map(({ deviceId }, index) => [deviceId, index]));
  const rankOf = (deviceId: DeviceId, start: number): number | undefined => {
    const index = indices.get(deviceId);
    return index === undefined ? undefined : ((index - start + size) % size) + 1;
  };
  const scene: Scene = { ring, before, rankOf, taken: new Map() };
  return {
    sets: placement.sets.map((each) =>
      explainSet(
        scene,
        each,
        bricks.filter(({ set }) => set === each.set),
      ),
    ),
    unusable: ring.unusable
      .slice(0, UNUSABLE_TOLD_MAX)
      .map(({ device, refusal }) => ({ ...lookedAt(scene, device), verdict: 'refused', refusal })),
    unusableMore: Math.max(0, ring.unusable.length - UNUSABLE_TOLD_MAX),
    isSameRing: size === placement.ringSize,
  };
}

/** Only the tag rule is read from the options; what the policy says plays no part in that. */
const ANY_POLICY = {
  brickMinKib: 0,
  brickMaxKib: 0,
  bricksPerVolumeMax: 1,
  volumesPerClusterMax: -1,
  zoneChecking: 'none',
} as Parameters<typeof placementOptions>[1];
