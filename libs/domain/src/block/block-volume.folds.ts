/** What each fact about a block volume changes: in it, and in the room of the volume that holds it. */
import type { BlockVolumeId, EventOf, VolumeId } from '@brickyard/contracts';
import type { Recorded } from '@brickyard/event-sourcing';
import type { BlockHosting, BlockVolume, ControlState } from '../control/control.state';
import { changed, released, withMember, withoutMember } from '../control/fold-tools';
import { withNewVolume, withoutVolume } from '../control/volume.folds';
import { endOperation, startOperation } from '../operation/operation.folds';

type BlockList = BlockHosting['blockVolumeIds'];

const withHeld = (
  state: ControlState,
  volumeId: VolumeId,
  change: (held: BlockList) => BlockList,
): ControlState['volumes'] =>
  changed(state.volumes, volumeId, (volume) =>
    volume.hosting === undefined
      ? volume
      : { ...volume, hosting: { ...volume.hosting, blockVolumeIds: change(volume.hosting.blockVolumeIds) } },
  );

const withBlock = (
  state: ControlState,
  id: BlockVolumeId,
  change: (block: BlockVolume) => BlockVolume,
): ControlState => ({ ...state, blockVolumes: changed(state.blockVolumes, id, change) });

function withoutBlock(state: ControlState, id: BlockVolumeId): ControlState {
  const block = state.blockVolumes.get(id);
  if (block === undefined) return state;
  return {
    ...state,
    volumes: withHeld(state, block.hostingVolumeId, (held) => withoutMember(held, id)),
    blockVolumes: state.blockVolumes.delete(id),
  };
}

const settled = (block: BlockVolume): BlockVolume => {
  const { growingToKib: _, ...rest } = released(block);
  return { ...rest, status: 'ready' };
};

/** The operation begins with the block volume's own fact, in the same commit. */
export const hostingVolumePlanned = (
  state: ControlState,
  recorded: Recorded<EventOf<'HostingVolumePlanned'>>,
): ControlState => withNewVolume(state, recorded);

export function blockVolumePlanned(
  state: ControlState,
  recorded: Recorded<EventOf<'BlockVolumePlanned'>>,
): ControlState {
  const { operationId, blockVolumeId, clusterId, hostingVolumeId, name, sizeKib, nodeIds, chap } = recorded.event;
  const block: BlockVolume = {
    blockVolumeId,
    clusterId,
    hostingVolumeId,
    name,
    sizeKib,
    nodeIds,
    ...(chap === undefined ? {} : { chap }),
    status: 'creating',
    operationId,
  };
  const next = {
    ...state,
    volumes: withHeld(state, hostingVolumeId, (held) => withMember(held, blockVolumeId)),
    blockVolumes: state.blockVolumes.set(blockVolumeId, block),
  };
  const makesHosting = state.volumes.get(hostingVolumeId)?.operationId === operationId;
  return startOperation(next, recorded, { kind: 'create-block-volume', blockVolumeId, hostingVolumeId, makesHosting });
}

/** The hosting volume that the operation makes beside, if it does. */
function hostingMadeBy(state: ControlState, operationId: EventOf<'BlockVolumeCreated'>['operationId']) {
  const plan = state.operations.get(operationId)?.plan;
  return plan?.kind === 'create-block-volume' && plan.makesHosting ? plan.hostingVolumeId : undefined;
}

export function blockVolumeCreated(
  state: ControlState,
  recorded: Recorded<EventOf<'BlockVolumeCreated'>>,
): ControlState {
  const { operationId, blockVolumeId } = recorded.event;
  const made = hostingMadeBy(state, operationId);
  const volumes =
    made === undefined
      ? state.volumes
      : changed(state.volumes, made, (volume) => ({ ...released(volume), status: 'ready' as const }));
  return endOperation(withBlock({ ...state, volumes }, blockVolumeId, settled), recorded, {
    kind: 'create-block-volume',
    subjectId: blockVolumeId,
    result: 'done',
  });
}

export function blockVolumeCreationUndone(
  state: ControlState,
  recorded: Recorded<EventOf<'BlockVolumeCreationUndone'>>,
): ControlState {
  const { operationId, blockVolumeId } = recorded.event;
  const made = hostingMadeBy(state, operationId);
  const gone = withoutBlock(state, blockVolumeId);
  return endOperation(made === undefined ? gone : withoutVolume(gone, made), recorded, {
    kind: 'create-block-volume',
    subjectId: blockVolumeId,
    result: 'undone',
  });
}

export const blockVolumeCreationRefused = (
  state: ControlState,
  recorded: Recorded<EventOf<'BlockVolumeCreationRefused'>>,
): ControlState =>
  endOperation(state, recorded, {
    kind: 'create-block-volume',
    subjectId: recorded.event.blockVolumeId,
    result: 'undone',
  });

export function blockVolumeExpansionPlanned(
  state: ControlState,
  recorded: Recorded<EventOf<'BlockVolumeExpansionPlanned'>>,
): ControlState {
  const { operationId, blockVolumeId, newSizeKib } = recorded.event;
  const fromKib = state.blockVolumes.get(blockVolumeId)?.sizeKib ?? 0;
  const growing = withBlock(state, blockVolumeId, (block) => ({
    ...block,
    status: 'expanding',
    operationId,
    growingToKib: newSizeKib,
  }));
  return startOperation(growing, recorded, {
    kind: 'expand-block-volume',
    blockVolumeId,
    newSizeKib,
    addKib: newSizeKib - fromKib,
  });
}

export function blockVolumeExpanded(
  state: ControlState,
  recorded: Recorded<EventOf<'BlockVolumeExpanded'>>,
): ControlState {
  const { blockVolumeId } = recorded.event;
  const grown = withBlock(state, blockVolumeId, (block) => ({
    ...settled(block),
    sizeKib: block.growingToKib ?? block.sizeKib,
  }));
  return endOperation(grown, recorded, { kind: 'expand-block-volume', subjectId: blockVolumeId, result: 'done' });
}

export const blockVolumeExpansionUndone = (
  state: ControlState,
  recorded: Recorded<EventOf<'BlockVolumeExpansionUndone'>>,
): ControlState =>
  endOperation(withBlock(state, recorded.event.blockVolumeId, settled), recorded, {
    kind: 'expand-block-volume',
    subjectId: recorded.event.blockVolumeId,
    result: 'undone',
  });

export function blockVolumeDeletionPlanned(
  state: ControlState,
  recorded: Recorded<EventOf<'BlockVolumeDeletionPlanned'>>,
): ControlState {
  const { operationId, blockVolumeId } = recorded.event;
  const leaving = withBlock(state, blockVolumeId, (block) => ({ ...block, status: 'deleting', operationId }));
  return startOperation(leaving, recorded, { kind: 'delete-block-volume', blockVolumeId });
}

export const blockVolumeDeleted = (
  state: ControlState,
  recorded: Recorded<EventOf<'BlockVolumeDeleted'>>,
): ControlState =>
  endOperation(withoutBlock(state, recorded.event.blockVolumeId), recorded, {
    kind: 'delete-block-volume',
    subjectId: recorded.event.blockVolumeId,
    result: 'done',
  });

export const blockVolumeDeletionUndone = (
  state: ControlState,
  recorded: Recorded<EventOf<'BlockVolumeDeletionUndone'>>,
): ControlState =>
  endOperation(withBlock(state, recorded.event.blockVolumeId, settled), recorded, {
    kind: 'delete-block-volume',
    subjectId: recorded.event.blockVolumeId,
    result: 'undone',
  });

/** The state in which a node that has left offers nothing any more. */
export function withoutPortal(state: ControlState, nodeId: BlockVolume['nodeIds'][number]): ControlState {
  let { blockVolumes } = state;
  for (const { blockVolumeId, nodeIds } of state.blockVolumes.values()) {
    if (!nodeIds.includes(nodeId)) continue;
    blockVolumes = changed(blockVolumes, blockVolumeId, (block) => ({
      ...block,
      nodeIds: withoutMember(block.nodeIds, nodeId),
    }));
  }
  return blockVolumes === state.blockVolumes ? state : { ...state, blockVolumes };
}
