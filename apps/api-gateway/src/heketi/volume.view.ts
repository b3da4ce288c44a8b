import { gibOf, kib, type VolumeSpec } from '@brickyard/contracts';
import { type ControlState, hostingFreeGib, type Volume } from '@brickyard/domain';
import { brickView, type BrickView, byId } from './brick.view';
import { storageHostsOf, visibleBlockVolume, volumeIdsOf } from './visible';

/** One volume as heketi shows it: the size in GiB, bricks in KiB. */
export interface VolumeView {
  readonly size: number;
  readonly name: string;
  readonly durability: VolumeSpec['requestedDurability'];
  readonly gid?: number;
  readonly glustervolumeoptions: readonly string[];
  readonly block?: true;
  readonly snapshot: { readonly enable: boolean; readonly factor: number };
  readonly id: string;
  readonly cluster: string;
  readonly mount: { readonly glusterfs: MountView };
  readonly blockinfo: BlockInfoView;
  readonly bricks: readonly BrickView[];
}

/** What a block hosting volume has left, GiB; empty for any other, and without what is zero or empty. */
interface BlockInfoView {
  readonly freesize?: number;
  readonly reservedsize?: number;
  readonly blockvolume?: readonly string[];
  readonly restriction?: string;
}

/** How a client mounts a volume. */
interface MountView {
  readonly hosts: readonly string[];
  readonly device: string;
  readonly options: { readonly 'backup-volfile-servers': string };
}

/** `GET /volumes`. */
export const volumeListView = (state: ControlState): { readonly volumes: readonly string[] } => ({
  volumes: volumeIdsOf(state),
});

/** `GET /volumes/{id}`; an expansion shows in the size when it is done and in the bricks at once. */
export function volumeView(state: ControlState, volume: Volume): VolumeView {
  const { spec, volumeId } = volume;
  return {
    size: gibOf(kib(volume.sizeKib)),
    name: spec.name,
    durability: durabilityView(spec),
    ...(spec.gid === 0 ? {} : { gid: spec.gid }),
    glustervolumeoptions: spec.options,
    ...(spec.block ? { block: true } : {}),
    snapshot: { enable: spec.snapshots, factor: Number(spec.snapshotFactor) },
    id: volumeId,
    cluster: volume.clusterId,
    mount: { glusterfs: mountView(state, volume) },
    blockinfo: blockInfoView(state, volume),
    bricks: volume.bricks.map((brick) => brickView(brick, volumeId)).sort(byId),
  };
}

const DURABILITY_FIELDS = ['type', 'replicate', 'disperse'];
const rankOf = (field: string): number => DURABILITY_FIELDS.indexOf(field) + 1 || DURABILITY_FIELDS.length + 1;

/** As it was asked for, its fields in heketi's order: the log keeps them in the order of the alphabet. */
export function durabilityView({ requestedDurability: asked }: VolumeSpec): VolumeView['durability'] {
  if (typeof asked !== 'object' || asked === null || Array.isArray(asked)) return asked;
  return Object.fromEntries(Object.entries(asked).sort(([a], [b]) => rankOf(a) - rankOf(b)));
}

function blockInfoView(state: ControlState, volume: Volume): BlockInfoView {
  if (volume.hosting === undefined) return {};
  const { reservedGib, restriction, blockVolumeIds } = volume.hosting;
  const freesize = hostingFreeGib(volume, state);
  const blockvolume = blockVolumeIds.filter((id) => visibleBlockVolume(state, id) !== undefined);
  return {
    ...(freesize === 0 ? {} : { freesize }),
    ...(reservedGib === 0 ? {} : { reservedsize: reservedGib }),
    ...(blockvolume.length === 0 ? {} : { blockvolume }),
    ...(restriction === '' ? {} : { restriction }),
  };
}

/** Any node of the cluster serves the volume's description to a client, whatever state an operator gave it. */
function mountView(state: ControlState, { clusterId, spec }: Volume): MountView {
  const { hosts, backup } = storageHostsOf(state, clusterId);
  return { hosts, device: `${hosts[0] ?? ''}:${spec.name}`, options: { 'backup-volfile-servers': backup } };
}
