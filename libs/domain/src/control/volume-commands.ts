/** Decisions about volumes. */
import type { CommandOf } from '@brickyard/contracts';
import { accepted, rejected } from '@brickyard/event-sourcing';
import { heldBlockVolumes } from '../block/block-volume-commands';
import { placeExpansion } from '../placement/place-expansion';
import { placeVolume } from '../placement/choose-cluster';
import { isVisible, type ControlState } from './control.state';
import type { ControlDecision } from './decisions.types';

/** The volume heketi keeps its own database on; it cannot be deleted through the API. */
const DATABASE_VOLUME = 'heketidbstorage';

export function createVolume(command: CommandOf<'CreateVolume'>, state: ControlState): ControlDecision {
  const { operationId, volumeId, spec, clusters, policy } = command;
  if (state.volumes.has(volumeId)) return accepted(); // The same request, delivered twice.
  const placed = placeVolume({ volumeId, spec, clusters, policy }, state);
  if (placed.kind === 'refused') return rejected(placed.rejection);
  const { clusterId, explanation: placement } = placed;
  const bricks = [...placed.bricks];
  const planned = { type: 'VolumePlanned', version: 1, operationId, volumeId, clusterId, spec, bricks } as const;
  return accepted({ ...planned, placement, policy });
}

export function expandVolume(command: CommandOf<'ExpandVolume'>, state: ControlState): ControlDecision {
  const { operationId, volumeId, addKib, policy } = command;
  const volume = state.volumes.get(volumeId);
  if (volume === undefined) return rejected({ kind: 'VolumeNotFound', volumeId });
  if (volume.operationId !== undefined) {
    if (!isVisible(volume)) return rejected({ kind: 'VolumeNotFound', volumeId });
    return rejected({
      kind: 'ConflictingOperation',
      subject: `volume ${volumeId}`,
      operationId: volume.operationId,
    });
  }
  const placed = placeExpansion({ operationId, addKib, policy }, volume, state);
  if (placed.kind === 'refused') return rejected(placed.rejection);
  const { explanation: placement } = placed;
  const bricks = [...placed.bricks];
  return accepted({ type: 'VolumeExpansionPlanned', version: 1, operationId, volumeId, addKib, bricks, placement });
}

export function deleteVolume(
  { operationId, volumeId }: CommandOf<'DeleteVolume'>,
  state: ControlState,
): ControlDecision {
  const volume = state.volumes.get(volumeId);
  if (volume === undefined) return rejected({ kind: 'VolumeNotFound', volumeId });
  if (volume.spec.name === DATABASE_VOLUME) return rejected({ kind: 'VolumeHoldsDatabase', volumeId });
  const held = heldBlockVolumes(volume);
  if (held !== undefined) return rejected(held);
  if (volume.operationId !== undefined) {
    return rejected({
      kind: 'ConflictingOperation',
      subject: `volume ${volumeId}`,
      operationId: volume.operationId,
    });
  }
  return accepted({ type: 'VolumeDeletionPlanned', version: 1, operationId, volumeId });
}

export function setBlockRestriction(
  { operationId, volumeId, restriction }: CommandOf<'SetBlockRestriction'>,
  state: ControlState,
): ControlDecision {
  const volume = state.volumes.get(volumeId);
  if (volume === undefined || !isVisible(volume)) return rejected({ kind: 'VolumeNotFound', volumeId });
  if (volume.hosting === undefined) return rejected({ kind: 'NoBlockHostingVolume', volumeId });
  return accepted({ type: 'BlockRestrictionSet', version: 1, operationId, volumeId, restriction });
}
