/** What each fact about a clone changes: in the clone, in its origin, and in the thin pools they share. */
import type { EventOf, VolumeId } from '@brickyard/contracts';
import type { Recorded } from '@brickyard/event-sourcing';
import { endOperation, startOperation } from '../operation/operation.folds';
import { volumeNameKey, type ControlState } from './control.state';
import { changed, released, withCluster } from './fold-tools';
import { withBricksTaken, withoutVolume } from './volume.folds';

export function volumeClonePlanned(
  state: ControlState,
  recorded: Recorded<EventOf<'VolumeClonePlanned'>>,
): ControlState {
  const { operationId, volumeId, originId, clusterId, spec, bricks } = recorded.event;
  const { sizeKib, name } = spec;
  const made = { volumeId, clusterId, plannedAt: recorded.position, spec, sizeKib, bricks, moves: [] } as const;
  const clone = { ...made, status: 'creating', operationId } as const;
  const busy = changed(state.volumes, originId, (origin) => ({ ...origin, status: 'cloning' as const, operationId }));
  const planned = {
    ...state,
    volumes: busy.set(volumeId, clone),
    volumeNames: state.volumeNames.set(volumeNameKey(clusterId, name), volumeId),
  };
  const listed = withCluster(planned, clusterId, (cluster) => ({
    ...cluster,
    volumeIds: cluster.volumeIds.set(volumeId, true),
  }));
  return startOperation(withBricksTaken(listed, volumeId, bricks), recorded, {
    kind: 'clone-volume',
    volumeId,
    originId,
  });
}

const atRest = (state: ControlState, volumeId: VolumeId): ControlState => ({
  ...state,
  volumes: changed(state.volumes, volumeId, (volume) => ({ ...released(volume), status: 'ready' as const })),
});

export function volumeCloned(state: ControlState, recorded: Recorded<EventOf<'VolumeCloned'>>): ControlState {
  const { volumeId, originId } = recorded.event;
  const end = { kind: 'clone-volume', subjectId: volumeId, result: 'done' } as const;
  return endOperation(atRest(atRest(state, volumeId), originId), recorded, end);
}

export function volumeCloneUndone(state: ControlState, recorded: Recorded<EventOf<'VolumeCloneUndone'>>): ControlState {
  const { volumeId, originId } = recorded.event;
  const end = { kind: 'clone-volume', subjectId: volumeId, result: 'undone' } as const;
  return endOperation(atRest(withoutVolume(state, volumeId), originId), recorded, end);
}
