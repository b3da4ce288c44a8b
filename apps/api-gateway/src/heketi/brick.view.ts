import type { Brick, VolumeId } from '@brickyard/contracts';

/** One brick as heketi shows it. */
export interface BrickView {
  readonly id: string;
  readonly path: string;
  readonly device: string;
  readonly node: string;
  readonly volume: string;
  /** KiB, without what snapshots and metadata take. */
  readonly size: number;
}

/** A brick of a volume. */
export function brickView(brick: Brick, volumeId: VolumeId): BrickView {
  const { brickId, path, deviceId, nodeId, sizeKib } = brick;
  return { id: brickId, path, device: deviceId, node: nodeId, volume: volumeId, size: sizeKib };
}

/** Ascending by id: the order says nothing of replica sets. */
export const byId = (left: { readonly id: string }, right: { readonly id: string }): number =>
  left.id < right.id ? -1 : 1;
