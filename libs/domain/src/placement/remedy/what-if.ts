/** Questions about requests that were not made: what would fit, and how far the refused one is from fitting. */
import { bricksPerSet, dataBricks, KIB_PER_GIB } from '@brickyard/contracts';
import type { BrickRequest } from '../placement.types';
import { brickFootprint, brickKibOf, splits, USUAL_EXTENT_KIB, type Split } from '../sizing';
import { bricksMissing, footprints, roomByGroup, type Stock } from '../sets/stock';

/** A cut of a refused request and what it lacks. */
export interface Shortfall {
  readonly sets: number;
  /** What one brick takes from a device with extents of 4 MiB. */
  readonly neededKib: number;
  /** Bricks each group of devices can take, at most one for each set. */
  readonly room: Int32Array;
  /** Bricks there is no place for. */
  readonly missing: number;
}

function shortfallOf(stock: Stock, request: BrickRequest, { sets, brickKib }: Split): Shortfall {
  const room = roomByGroup(stock, sets, footprints(brickKib, request.snapshotFactor));
  const neededKib = brickFootprint(brickKib, request.snapshotFactor, USUAL_EXTENT_KIB).totalKib;
  return { sets, neededKib, room, missing: bricksMissing(room, sets, bricksPerSet(request.durability)) };
}

/** The cut that lacks the least space; nothing when limits allow no cut at all. */
export function smallestShortfall(stock: Stock, request: BrickRequest): Shortfall | undefined {
  return [...splits(request)]
    .filter((split) => split.verdict === 'may-be-tried')
    .map((split) => shortfallOf(stock, request, split))
    .sort((one, other) => one.missing * one.neededKib - other.missing * other.neededKib)[0];
}

/** Whether a request fits into this stock, cut one way or another. */
export function wouldFit(stock: Stock, request: BrickRequest): boolean {
  return smallestShortfall(stock, request)?.missing === 0;
}

/** More bricks a volume than this are no advice to anybody. */
const BRICKS_ADVISED_MAX = 1024;

/** The limit of bricks a volume at which the request would be placed; nothing when its own is enough or none is. */
export function brickLimitNeeded(stock: Stock, request: BrickRequest): number | undefined {
  const policy = { ...request.policy, bricksPerVolumeMax: BRICKS_ADVISED_MAX };
  const bricksOf = (split: Split): number => split.sets * bricksPerSet(request.durability) + request.existingBricks;
  const enough = [...splits({ ...request, policy })]
    .filter((split) => split.verdict === 'may-be-tried' && bricksOf(split) > request.policy.bricksPerVolumeMax)
    .find((split) => shortfallOf(stock, request, split).missing === 0);
  return enough === undefined ? undefined : bricksOf(enough);
}

/** The greatest whole number in a range that passes, if all below it pass too; `low - 1` when none does. */
function greatest(low: number, high: number, passes: (value: number) => boolean): number {
  let [good, bad] = [low - 1, high + 1];
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (passes(middle)) good = middle;
    else bad = middle;
  }
  return good;
}

/** The largest size in GiB that fits when cut into so many sets, up to the size requested; 0 when none does. */
function largestGibIn(sets: number, stock: Stock, request: BrickRequest): number {
  const { durability, policy, sizeKib } = request;
  const parts = sets * dataBricks(durability);
  const low = Math.max(1, Math.ceil((policy.brickMinKib * parts) / KIB_PER_GIB));
  const high = Math.floor(Math.min(sizeKib, (policy.brickMaxKib + 1) * parts - 1) / KIB_PER_GIB);
  const found = greatest(low, high, (gib) => {
    const brickKib = brickKibOf(gib * KIB_PER_GIB, sets, durability);
    return shortfallOf(stock, request, { sets, brickKib, verdict: 'may-be-tried' }).missing === 0;
  });
  return found < low ? 0 : found;
}

/**
 * The largest volume of the same shape that would be placed, in whole GiB up to the size requested; 0 when none would.
 * What fits in so many sets grows with falling size, so each number of sets is searched by halving.
 */
export function largestGib(stock: Stock, request: BrickRequest): number {
  const { durability, existingBricks, policy } = request;
  let largest = 0;
  for (let sets = 1; sets * bricksPerSet(durability) + existingBricks <= policy.bricksPerVolumeMax; sets *= 2) {
    largest = Math.max(largest, largestGibIn(sets, stock, request));
  }
  return largest;
}
