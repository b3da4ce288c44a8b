/** Questions about block volumes and the volumes that hold them. Pure. */
import { gibOf, kib, type BlockVolumeId } from '@brickyard/contracts';
import { isVisible, type BlockVolume, type ControlState, type Volume } from '../control/control.state';

/** What a block volume takes from its hosting volume, KiB: while it grows, what it will have. */
export const promisedKib = ({ sizeKib, growingToKib }: BlockVolume): number => growingToKib ?? sizeKib;

/** The block volumes that a volume holds, those being made and taken away included. */
export const blockVolumesOn = ({ hosting }: Volume, state: ControlState): readonly BlockVolume[] =>
  (hosting?.blockVolumeIds ?? []).flatMap((id) => state.blockVolumes.get(id) ?? []);

/** GiB that a hosting volume has for more block volumes; 0 for any other volume. */
export function hostingFreeGib(volume: Volume, state: ControlState): number {
  if (volume.hosting === undefined) return 0;
  const promised = blockVolumesOn(volume, state).reduce((sum, block) => sum + promisedKib(block), 0);
  return gibOf(kib(volume.sizeKib)) - volume.hosting.reservedGib - gibOf(kib(promised));
}

/** Whether clients see a block volume: not while it is made or taken away. */
export const isBlockVisible = ({ status }: BlockVolume): boolean => status === 'ready' || status === 'expanding';

/** A block volume as clients know it. */
export function knownBlockVolume(state: ControlState, id: BlockVolumeId): BlockVolume | undefined {
  const block = state.blockVolumes.get(id);
  return block !== undefined && isBlockVisible(block) ? block : undefined;
}

/** Whether a volume is there to hold block volumes and is being made now. */
export const isHostingBeingMade = (volume: Volume): boolean =>
  volume.hosting !== undefined && volume.status === 'creating';

/** Whether a hosting volume serves: block volumes that it holds can be reached. */
export const isServing = (volume: Volume | undefined): volume is Volume => volume !== undefined && isVisible(volume);

/** The name initiators know a block volume by. */
export const iqnOf = (id: BlockVolumeId): string => `iqn.2026-01.org.brickyard:${id}`;

/** The unit within the target; the target's own unit is 0. */
export const BLOCK_LUN = 1;
