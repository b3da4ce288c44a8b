/** Which hosting volume takes a new block volume, and which nodes offer it. Pure. */
import {
  gibOf,
  kib,
  type BlockPlacement,
  type BlockVolumeId,
  type CommandOf,
  type HostingRefusal,
  type NodeId,
  type VolumeId,
} from '@brickyard/contracts';
import { isVisible, type Cluster, type ControlState, type Node, type Volume } from '../control/control.state';
import { deriveId } from '../placement/derive-id';
import { blockVolumesOn, hostingFreeGib } from './block-volumes';

type Wanted = CommandOf<'CreateBlockVolume'>;

/** Hosting volumes named in one fact. */
const PASSED_OVER_MAX = 64;

/** Every hosting volume of some clusters: which could take the block volume, and what speaks against the others. */
export interface HostingLook {
  readonly fitting: readonly Volume[];
  readonly passedOver: readonly { readonly volumeId: VolumeId; readonly refusal: HostingRefusal }[];
}

function refusalOf(volume: Volume, { name, sizeKib }: Wanted, state: ControlState): HostingRefusal | undefined {
  const restriction = volume.hosting?.restriction ?? '';
  if (!isVisible(volume)) return { rule: 'not-ready', status: volume.status };
  if (restriction !== '') return { rule: 'restricted', restriction };
  if (blockVolumesOn(volume, state).some((block) => block.name === name)) return { rule: 'name-in-use', name };
  const [freeGib, neededGib] = [hostingFreeGib(volume, state), gibOf(kib(sizeKib))];
  return freeGib < neededGib ? { rule: 'too-little-space', freeGib, neededGib } : undefined;
}

/** Looks at the hosting volumes of clusters, by id. */
export function lookAtHostings(clusters: readonly Cluster[], wanted: Wanted, state: ControlState): HostingLook {
  const fitting: Volume[] = [];
  const passedOver: { readonly volumeId: VolumeId; readonly refusal: HostingRefusal }[] = [];
  const ids = clusters.flatMap(({ volumeIds }) => [...volumeIds.keys()]).sort();
  for (const volumeId of ids) {
    const volume = state.volumes.get(volumeId);
    if (volume?.hosting === undefined) continue;
    const refusal = refusalOf(volume, wanted, state);
    if (refusal === undefined) fitting.push(volume);
    else passedOver.push({ volumeId, refusal });
  }
  return { fitting, passedOver };
}

/** What spoke against hosting volumes, short enough for one message. */
export const evidenceOf = ({ passedOver }: HostingLook): Pick<BlockPlacement, 'passedOver' | 'passedOverMore'> => ({
  passedOver: passedOver.slice(0, PASSED_OVER_MAX),
  passedOverMore: Math.max(0, passedOver.length - PASSED_OVER_MAX),
});

/** In an order that follows from the block volume's id and prefers none. */
function drawn<T>(things: readonly T[], blockVolumeId: BlockVolumeId, idOf: (thing: T) => string): readonly T[] {
  const ranked = things.map((thing) => ({ thing, rank: deriveId(blockVolumeId, idOf(thing)) }));
  return ranked.sort((one, other) => (one.rank < other.rank ? -1 : 1)).map(({ thing }) => thing);
}

/** One of those that could take it, drawn as heketi does. */
export const drawnHosting = ({ fitting }: HostingLook, { blockVolumeId }: Wanted): Volume | undefined =>
  drawn(fitting, blockVolumeId, ({ volumeId }) => volumeId)[0];

/** The nodes that offer a block volume, ascending; undefined when too few could. */
export function portalsFor(
  { blockVolumeId, portals }: Wanted,
  cluster: Cluster,
  state: ControlState,
): readonly NodeId[] | undefined {
  const nodes = cluster.nodeIds.flatMap((nodeId) => state.nodes.get(nodeId) ?? []);
  if (portals === 0 || portals > nodes.length) return nodes.map(({ nodeId }) => nodeId);
  const answering = nodes.filter(({ lostSince }) => lostSince === undefined);
  if (answering.length < portals) return undefined;
  const order = drawn(answering, blockVolumeId, ({ nodeId }) => nodeId);
  const isOnline = ({ state: wanted }: Node): boolean => wanted === 'online';
  const preferred = [...order.filter(isOnline), ...order.filter((node) => !isOnline(node))];
  return preferred
    .slice(0, portals)
    .map(({ nodeId }) => nodeId)
    .sort();
}
