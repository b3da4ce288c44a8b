/** How big bricks are and what they take from a device: heketi's arithmetic, to the KiB. */
import { bricksPerSet, dataBricks, type Durability, type PlacementPolicy } from '@brickyard/contracts';

/** The share of a thin pool that its metadata takes: heketi's 0.5 %. */
const METADATA_SHARE = 0.005;
/** The most metadata a thin pool can use, 16 GiB: lvmthin(7). */
const METADATA_MAX_KIB = 16_777_216;
/** The extent size devices are prepared with unless their host says otherwise, 4 MiB. */
export const USUAL_EXTENT_KIB = 4096;

/** What one brick takes from its device, in KiB. */
export interface BrickFootprint {
  readonly poolKib: number;
  readonly metadataKib: number;
  /** Both: what the device's free space falls by. */
  readonly totalKib: number;
}

const inWholeExtents = (sizeKib: number, extentKib: number): number => Math.ceil(sizeKib / extentKib) * extentKib;

/**
 * What a brick of this size takes from a device with extents of `extentKib`. The factor is rounded to 32 bits first,
 * since heketi stores it so and a difference would show in the devices' free space.
 */
export function brickFootprint(brickKib: number, snapshotFactor: string, extentKib: number): BrickFootprint {
  const poolKib = inWholeExtents(Math.floor(brickKib * Math.fround(Number(snapshotFactor))), extentKib);
  const metadataKib = inWholeExtents(Math.min(Math.floor(poolKib * METADATA_SHARE), METADATA_MAX_KIB), extentKib);
  return { poolKib, metadataKib, totalKib: poolKib + metadataKib };
}

/** The smallest arbiter brick, 16 MiB: heketi's. */
const ARBITER_MIN_KIB = 16_384;

/** The size of the arbiter beside data bricks of this size: room for the names of so many files, in KiB. */
export const arbiterKib = (brickKib: number, averageFileKib: number): number =>
  Math.max(ARBITER_MIN_KIB, Math.floor(brickKib / averageFileKib));

/** Whether a brick fits: something must be left over, as heketi wants it. */
export const fits = (freeKib: number, totalKib: number): boolean => freeKib > totalKib;

/** The smallest volume of this durability, in KiB. */
export const minimumVolumeKib = (durability: Durability, policy: PlacementPolicy): number =>
  dataBricks(durability) * policy.brickMinKib;

/** What is to be cut into bricks. */
export interface SplitRequest {
  readonly sizeKib: number;
  readonly durability: Durability;
  /** Bricks the volume has already. */
  readonly existingBricks: number;
  readonly policy: PlacementPolicy;
}

/** One way to cut a volume: so many sets of bricks of this size, and whether it may be tried. */
export interface Split {
  readonly sets: number;
  readonly brickKib: number;
  readonly verdict: 'may-be-tried' | 'brick-too-large' | 'brick-too-small' | 'too-many-bricks';
}

function verdictOn(
  sets: number,
  brickKib: number,
  { durability, existingBricks, policy }: SplitRequest,
): Split['verdict'] {
  if (brickKib < policy.brickMinKib) return 'brick-too-small';
  if (brickKib > policy.brickMaxKib) return 'brick-too-large';
  if (sets * bricksPerSet(durability) + existingBricks > policy.bricksPerVolumeMax) return 'too-many-bricks';
  return 'may-be-tried';
}

/** The size of a brick when this much is cut into so many sets, in KiB. */
export const brickKibOf = (sizeKib: number, sets: number, durability: Durability): number =>
  Math.floor(Math.floor(sizeKib / sets) / dataBricks(durability));

/** Every way to cut a volume, fewest and largest bricks first; the last is the one that says why there are no more. */
export function* splits(request: SplitRequest): Generator<Split, void> {
  for (let sets = 1; ; sets *= 2) {
    const brickKib = brickKibOf(request.sizeKib, sets, request.durability);
    const verdict = verdictOn(sets, brickKib, request);
    yield { sets, brickKib, verdict };
    if (verdict === 'brick-too-small' || verdict === 'too-many-bricks') return;
  }
}
