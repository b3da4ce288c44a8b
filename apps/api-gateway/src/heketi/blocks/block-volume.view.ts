import { gibOf, kib } from '@brickyard/contracts';
import { BLOCK_LUN, type BlockVolume, type ControlState, iqnOf } from '@brickyard/domain';
import type { ChapKeys } from '@brickyard/service-host';
import { blockVolumeIdsOf } from '../visible';

/** One block volume as heketi shows it; the order of the fields is part of it. */
export interface BlockVolumeView {
  readonly size: number;
  readonly name: string;
  /** How many nodes offer it. */
  readonly hacount: number;
  readonly id: string;
  readonly blockvolume: {
    readonly hosts: readonly string[];
    readonly iqn: string;
    readonly lun: number;
    /** Empty, like the password, when initiators need not say who they are. */
    readonly username: string;
    readonly password: string;
  };
  readonly cluster: string;
  readonly blockhostingvolume: string;
  readonly usablesize: number;
}

/** `GET /blockvolumes`. */
export const blockVolumeListView = (state: ControlState): { readonly blockvolumes: readonly string[] } => ({
  blockvolumes: blockVolumeIdsOf(state),
});

/** `GET /blockvolumes/{id}`; without the key that its secret follows from, the password is empty. */
export function blockVolumeView(
  state: ControlState,
  { blockVolumeId, clusterId, hostingVolumeId, name, sizeKib, nodeIds, chap }: BlockVolume,
  keys: ChapKeys | undefined,
): BlockVolumeView {
  const size = gibOf(kib(sizeKib));
  return {
    size,
    name,
    hacount: nodeIds.length,
    id: blockVolumeId,
    blockvolume: {
      hosts: nodeIds.flatMap((nodeId) => state.nodes.get(nodeId)?.hostnames.storage.slice(0, 1) ?? []),
      iqn: iqnOf(blockVolumeId),
      lun: BLOCK_LUN,
      username: chap?.username ?? '',
      password: chap === undefined ? '' : (keys?.secretOf(chap.keyId, blockVolumeId) ?? ''),
    },
    cluster: clusterId,
    blockhostingvolume: hostingVolumeId,
    usablesize: size,
  };
}
