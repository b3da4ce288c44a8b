/** Which bricks a volume gets, where, and why there. Says everything a node agent needs; leaves nothing to choose. */
import {
  kib,
  volumeNameMax,
  type Brick,
  type ClusterRefusal,
  type DeviceId,
  type PlacementAttempt,
  type PlacementExplanation,
} from '@brickyard/contracts';
import type { PersistentMap } from '@brickyard/event-sourcing';
import type { Cluster, ControlState, Device } from '../control/control.state';
import { placementOptions, roleAt } from './filters';
import { brickIdOf, missingFor, placeSets, planningOf, type PlacedSet, type Planning } from './sets/place-sets';
import type { BrickPlan, BrickRequest } from './placement.types';
import { ringOf } from './ring';
import { arbiterKib, brickFootprint, splits, USUAL_EXTENT_KIB, type Split } from './sizing';
import type { Walk } from './sets/walk';

/** Devices a refusal names. */
const NAMED_IN_REFUSAL_MAX = 64;
const MOUNT_ROOT = '/var/lib/heketi/mounts';

/** The directory of a brick on its node: heketi's path, which clients and operators know. */
export const brickPath = (deviceId: string, brickId: string): string =>
  `${MOUNT_ROOT}/vg_${deviceId}/brick_${brickId}/brick`;

/**
 * The longest name of a volume whose bricks may come to lie on any node that the cluster has now: they are placed anew when a
 * host fails, and move. Ids are of one length, so any will do.
 */
export function volumeNameMaxIn({ clusterId, nodeIds }: Cluster, { nodes }: ControlState): number {
  const path = brickPath(clusterId, clusterId);
  const hosts = nodeIds.flatMap((nodeId) => nodes.get(nodeId)?.hostnames.storage[0] ?? []);
  return hosts.reduce((least, host) => Math.min(least, volumeNameMax(host, path)), volumeNameMax('', path));
}

/** The size of the brick at a place of a set. */
function sizeAt({ request, arbiterFileKib }: Planning, brickKib: number, place: number): number {
  const isArbiter = roleAt(place, request.durability, request.options) === 'arbiter';
  return isArbiter && arbiterFileKib !== undefined ? arbiterKib(brickKib, arbiterFileKib) : brickKib;
}

function brickAt(planning: Planning, dataKib: number, set: number, place: number, index: number): Brick[] {
  const { request, ring, devices } = planning;
  const on = ring.devices[index];
  const device = on === undefined ? undefined : devices.get(on.deviceId);
  if (on === undefined || device === undefined) return [];
  const { nodeId, deviceId } = on;
  const brickKib = sizeAt(planning, dataKib, place);
  const brickId = brickIdOf(request.seed, set, place);
  const { poolKib, metadataKib } = brickFootprint(brickKib, request.snapshotFactor, device.extentKib);
  const sizes = { sizeKib: kib(brickKib), poolKib: kib(poolKib), metadataKib: kib(metadataKib) };
  return [{ brickId, nodeId, deviceId, path: brickPath(deviceId, brickId), ...sizes, set, place }];
}

const bricksOf = (planning: Planning, brickKib: number, sets: readonly PlacedSet[]): Brick[] =>
  sets.flatMap(({ set, chosen }) => chosen.flatMap((index, place) => brickAt(planning, brickKib, set, place, index)));

function explanationOf(
  planning: Planning,
  attempts: PlacementAttempt[],
  sets: readonly PlacedSet[],
): PlacementExplanation {
  const { request, ring } = planning;
  return {
    policy: 'ring-v1',
    clusterId: request.clusterId,
    seed: request.seed,
    ringSize: ring.devices.length,
    unusable: [...ring.unusableByRule],
    attempts,
    sets: sets.map(({ set, start, order, passedOver, passedOverMore }) => {
      return { set, ringStart: start, order, passedOver: [...passedOver], passedOverMore };
    }),
  };
}

const attemptOf = (planning: Planning, split: Split, outcome: PlacementAttempt['outcome']): PlacementAttempt => ({
  sets: split.sets,
  brickKib: split.brickKib,
  neededKib: brickFootprint(split.brickKib, planning.request.snapshotFactor, USUAL_EXTENT_KIB).totalKib,
  outcome,
});

type Evidence = Omit<Extract<ClusterRefusal, { kind: 'NoSpace' }>, 'kind'>;

function evidenceOf({ ring }: Planning, attempts: PlacementAttempt[], failed: Walk | undefined): Evidence {
  const walked = (failed?.passedOver ?? []).map(({ deviceId, refusal }) => ({ deviceId, refusal }));
  const unusable = ring.unusable.slice(0, Math.max(0, NAMED_IN_REFUSAL_MAX - walked.length));
  const devices = [...walked, ...unusable.map(({ device, refusal }) => ({ deviceId: device.deviceId, refusal }))];
  const byRule = Object.entries(failed?.counts ?? {}).flatMap(([rule, count]) => (count > 0 ? [{ rule, count }] : []));
  const all = [...byRule, ...ring.unusableByRule];
  const total = all.reduce((sum, { count }) => sum + count, 0);
  return { attempts, byRule: all, devices, devicesMore: total - devices.length };
}

/** The refusal in the words of what ended the search, as heketi's expansion answers. */
function refusalOf(planning: Planning, last: Split | undefined, evidence: Evidence): ClusterRefusal {
  const { policy } = planning.request;
  if (last?.verdict === 'too-many-bricks')
    return { kind: 'TooManyBricks', limit: policy.bricksPerVolumeMax, ...evidence };
  if (last?.verdict === 'brick-too-small')
    return { kind: 'BricksTooSmall', minimumKib: policy.brickMinKib, ...evidence };
  return { kind: 'NoSpace', ...evidence };
}

/** One way to cut the volume and what became of it. */
interface Trial {
  readonly split: Split;
  readonly outcome: PlacementAttempt['outcome'];
  readonly placed?: readonly PlacedSet[];
  /** Absent when counting was enough to know. */
  readonly failed?: Walk;
}

function walked(planning: Planning, split: Split): Trial {
  const result = placeSets(planning, split);
  return result.kind === 'placed'
    ? { split, outcome: 'placed', placed: result.sets }
    : { split, outcome: 'no-space', failed: result.failed };
}

/** Tries one cut; when a larger one failed, first counts whether it can succeed at all, which spares a walk for each set. */
function tryCut(planning: Planning, split: Split, before: readonly Trial[]): Trial {
  if (split.verdict !== 'may-be-tried') return { split, outcome: split.verdict };
  const spaceIsShort = before.some((trial) => trial.outcome === 'no-space');
  const isCountable = planning.arbiterFileKib === undefined;
  if (spaceIsShort && isCountable && missingFor(planning, split) > 0) return { split, outcome: 'no-space' };
  return walked(planning, split);
}

const attemptsOf = (planning: Planning, trials: readonly Trial[]): PlacementAttempt[] =>
  trials.map(({ split, outcome }) => attemptOf(planning, split, outcome));

function refused(planning: Planning, trials: readonly Trial[]): BrickPlan {
  const lastTried = trials.findLast((trial) => trial.outcome === 'no-space');
  const failed = lastTried === undefined ? undefined : (lastTried.failed ?? walked(planning, lastTried.split).failed);
  const evidence = evidenceOf(planning, attemptsOf(planning, trials), failed);
  return { kind: 'refused', refusal: refusalOf(planning, trials.at(-1)?.split, evidence) };
}

function search(planning: Planning): BrickPlan {
  const trials: Trial[] = [];
  for (const split of splits(planning.request)) {
    const averageKib = planning.arbiterFileKib ?? 0;
    const { brickKib } = split;
    if (split.verdict === 'may-be-tried' && brickKib < averageKib) {
      return { kind: 'average-file-too-large', averageKib, brickKib };
    }
    const trial = tryCut(planning, split, trials);
    trials.push(trial);
    if (trial.placed === undefined) continue;
    const bricks = bricksOf(planning, split.brickKib, trial.placed);
    return { kind: 'placed', bricks, explanation: explanationOf(planning, attemptsOf(planning, trials), trial.placed) };
  }
  return refused(planning, trials);
}

/**
 * Plans the bricks of a volume or an expansion: the fewest and largest that fit, each set on different nodes, in
 * different zones when those are strict. Same request and state, same plan. Refuses when no arrangement exists.
 */
export function planBricks(
  request: BrickRequest,
  cluster: Cluster,
  devices: PersistentMap<DeviceId, Device>,
): BrickPlan {
  const read = placementOptions(request.options, request.policy);
  if (read.kind === 'invalid-tag-rule') return read;
  return search(planningOf(request, read.options, ringOf(cluster.ring, read.options.tagRule), devices));
}
