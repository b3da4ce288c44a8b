/** Decisions about block volumes. */
import {
  gibOf,
  kib,
  type BlockPlacement,
  type ClusterId,
  type CommandOf,
  type ControlEvent,
  type EventOf,
  type Rejection,
} from '@brickyard/contracts';
import { accepted, rejected } from '@brickyard/event-sourcing';
import { hostingReserveGib, type Cluster, type ControlState, type Volume } from '../control/control.state';
import type { ControlDecision } from '../control/decisions.types';
import { placeVolume } from '../placement/choose-cluster';
import { clustersForBlocks } from '../placement/eligible-clusters';
import { hostingFreeGib, isHostingBeingMade, knownBlockVolume } from './block-volumes';
import { drawnHosting, evidenceOf, lookAtHostings, portalsFor, type HostingLook } from './choose-hosting';

type Wanted = CommandOf<'CreateBlockVolume'>;

export function createBlockVolume(command: Wanted, state: ControlState): ControlDecision {
  if (state.blockVolumes.has(command.blockVolumeId)) return accepted(); // The same request, delivered twice.
  const found = clustersForBlocks(command, state);
  if (found.kind === 'refused') return rejected(found.rejection);
  const look = lookAtHostings(found.clusters, command, state);
  const hosting = drawnHosting(look, command);
  if (hosting === undefined) return onNewHosting(command, found.clusters, look, state);
  const placement = { order: 'any-that-fits', fitting: look.fitting.length, ...evidenceOf(look) } as const;
  return accepted(planned(command, hosting, placement, state));
}

/** The block volume on its hosting volume, or why too few nodes can offer it. */
function planned(
  command: Wanted,
  { volumeId: hostingVolumeId, clusterId }: Pick<Volume, 'volumeId' | 'clusterId'>,
  placement: BlockPlacement,
  state: ControlState,
): EventOf<'BlockVolumePlanned'> | EventOf<'BlockVolumeCreationRefused'> {
  const { operationId, blockVolumeId, name, sizeKib, chap } = command;
  const cluster = state.clusters.get(clusterId);
  const nodeIds = cluster === undefined ? undefined : portalsFor(command, cluster, state);
  if (nodeIds === undefined || nodeIds.length === 0) return tooFewPortals(command, clusterId, state);
  return {
    type: 'BlockVolumePlanned',
    version: 1,
    operationId,
    blockVolumeId,
    clusterId,
    hostingVolumeId,
    name,
    sizeKib,
    nodeIds: [...nodeIds],
    ...(chap === undefined ? {} : { chap }),
    placement,
  };
}

/** heketi's words, which leave out how many there are. */
function tooFewPortals(
  { operationId, blockVolumeId, portals }: Wanted,
  clusterId: ClusterId,
  state: ControlState,
): EventOf<'BlockVolumeCreationRefused'> {
  const nodeIds = state.clusters.get(clusterId)?.nodeIds ?? [];
  const answering = nodeIds.filter((nodeId) => state.nodes.get(nodeId)?.lostSince === undefined).length;
  const detail = answering === 0 ? 'Id not found' : 'insufficient block hosts online';
  const cause = `${String(portals)} nodes are to offer it and ${String(answering)} of ${String(nodeIds.length)} in cluster ${clusterId} answer`;
  return { type: 'BlockVolumeCreationRefused', version: 1, operationId, blockVolumeId, detail, cause };
}

/** Why no hosting volume is made by itself, if none is. */
function refusalToMake(
  { sizeKib, hosting }: Wanted,
  clusters: readonly Cluster[],
  look: HostingLook,
  state: ControlState,
): Rejection | undefined {
  const [hostingGib, requestedGib] = [gibOf(hosting.spec.sizeKib), gibOf(sizeKib)];
  const availableGib = hostingGib - hostingReserveGib(hostingGib);
  if (requestedGib > availableGib) {
    return { kind: 'HostingTooSmall', hostingGib, requestedGib, availableGib, ...evidenceOf(look) };
  }
  const underWay = hostingBeingMade(clusters, state);
  if (underWay?.operationId !== undefined) {
    return { kind: 'HostingBeingMade', volumeId: underWay.volumeId, operationId: underWay.operationId };
  }
  return hosting.isAllowed ? undefined : { kind: 'HostingNotMadeByItself', ...evidenceOf(look) };
}

function hostingBeingMade(clusters: readonly Cluster[], state: ControlState): Volume | undefined {
  for (const { volumeIds } of clusters) {
    for (const volumeId of volumeIds.keys()) {
      const volume = state.volumes.get(volumeId);
      if (volume !== undefined && isHostingBeingMade(volume)) return volume;
    }
  }
  return undefined;
}

/** A hosting volume of its own, made and taken back together with the block volume. */
function onNewHosting(
  command: Wanted,
  eligible: readonly Cluster[],
  look: HostingLook,
  state: ControlState,
): ControlDecision {
  const { operationId, hosting, policy } = command;
  const { volumeId, spec } = hosting;
  const full = clustersForBlocks(command, state, policy.volumesPerClusterMax);
  if (full.kind === 'refused') return rejected(full.rejection);
  const refusal = refusalToMake(command, eligible, look, state);
  if (refusal !== undefined) return rejected(refusal);
  const clusters = full.clusters.map(({ clusterId }) => clusterId);
  const placed = placeVolume({ volumeId, spec, clusters, policy }, state);
  if (placed.kind === 'refused') return rejected(placed.rejection);
  const { clusterId, explanation, bricks } = placed;
  const block = planned(command, { volumeId, clusterId }, { order: 'new', fitting: 0, ...evidenceOf(look) }, state);
  if (block.type === 'BlockVolumeCreationRefused') return accepted<ControlEvent>(block);
  return accepted<ControlEvent>(
    {
      type: 'HostingVolumePlanned',
      version: 1,
      operationId,
      volumeId,
      clusterId,
      spec,
      bricks: [...bricks],
      placement: explanation,
    },
    block,
  );
}

export function expandBlockVolume(
  { operationId, blockVolumeId, newSizeKib }: CommandOf<'ExpandBlockVolume'>,
  state: ControlState,
): ControlDecision {
  const block = knownBlockVolume(state, blockVolumeId);
  const hosting = block === undefined ? undefined : state.volumes.get(block.hostingVolumeId);
  if (block === undefined || hosting === undefined) return rejected({ kind: 'BlockVolumeNotFound', blockVolumeId });
  if (block.operationId !== undefined) return rejected(atWork(blockVolumeId, block.operationId));
  const [requestedGib, sizeGib] = [gibOf(newSizeKib), gibOf(kib(block.sizeKib))];
  if (requestedGib <= sizeGib) return rejected({ kind: 'BlockVolumeNotGrown', requestedGib, sizeGib });
  const [freeGib, neededGib] = [hostingFreeGib(hosting, state), requestedGib - sizeGib];
  const { volumeId } = hosting;
  if (freeGib < neededGib) return rejected({ kind: 'HostingVolumeFull', volumeId, freeGib, neededGib });
  return accepted({ type: 'BlockVolumeExpansionPlanned', version: 1, operationId, blockVolumeId, newSizeKib });
}

export function deleteBlockVolume(
  { operationId, blockVolumeId }: CommandOf<'DeleteBlockVolume'>,
  state: ControlState,
): ControlDecision {
  const block = state.blockVolumes.get(blockVolumeId);
  if (block === undefined) return rejected({ kind: 'BlockVolumeNotFound', blockVolumeId });
  if (block.operationId !== undefined) return rejected(atWork(blockVolumeId, block.operationId));
  return accepted({ type: 'BlockVolumeDeletionPlanned', version: 1, operationId, blockVolumeId });
}

const atWork = (blockVolumeId: string, operationId: string): Rejection => ({
  kind: 'ConflictingOperation',
  subject: `block volume ${blockVolumeId}`,
  operationId,
});

/** The block volume that nobody would offer without this node, if there is one. */
export function onlyOfferedBy(nodeId: string, state: ControlState): string | undefined {
  for (const { blockVolumeId, nodeIds } of state.blockVolumes.values()) {
    if (nodeIds.length === 1 && nodeIds[0] === nodeId) return blockVolumeId;
  }
  return undefined;
}

/** A hosting volume stays as long as it holds something. */
export function heldBlockVolumes({ volumeId, hosting }: Volume): Rejection | undefined {
  const blockVolumes = hosting?.blockVolumeIds.length ?? 0;
  return blockVolumes === 0 ? undefined : { kind: 'HostingVolumeInUse', volumeId, blockVolumes };
}
