/** What each fact about a volume changes: in the volume, and in the space of its devices. */
import { gibOf, kib, type Brick, type BrickId, type EventOf, type VolumeId } from '@brickyard/contracts';
import type { Recorded } from '@brickyard/event-sourcing';
import { endOperation, startOperation } from '../operation/operation.folds';
import { hostingReserveGib, volumeNameKey, type ControlState } from './control.state';
import { changed, released, withCluster } from './fold-tools';
import { withGuest, withPoolLeft } from './shared-pools';

/** What a brick takes from its device, KiB. */
const takenKib = (brick: Brick): number => brick.poolKib + brick.metadataKib;

/** What a hosting volume of this size keeps to itself, GiB. */
const reserveOf = (sizeKib: number): number => hostingReserveGib(gibOf(kib(sizeKib)));

/** The state with the room of bricks promised to a volume. */
export function withBricksTaken(state: ControlState, volumeId: VolumeId, bricks: readonly Brick[]): ControlState {
  let { devices, sharedPools } = state;
  for (const brick of bricks) {
    devices = changed(devices, brick.deviceId, (device) => ({
      ...device,
      usedKib: device.usedKib + takenKib(brick),
      bricks: device.bricks.set(brick.brickId, volumeId),
    }));
    sharedPools = withGuest(sharedPools, brick);
  }
  return { ...state, devices, sharedPools };
}

/** The state with the room of bricks free again; room that clones still live in passes to one of them. */
export function withBricksGivenBack(state: ControlState, bricks: readonly Brick[]): ControlState {
  let next = state;
  for (const brick of bricks) {
    const devices = changed(next.devices, brick.deviceId, (device) => ({
      ...device,
      usedKib: device.usedKib - takenKib(brick),
      bricks: device.bricks.delete(brick.brickId),
    }));
    next = withPoolLeft({ ...next, devices }, brick);
  }
  return next;
}

/** The state without a volume: its name, its bricks and their room are free. */
export function withoutVolume(state: ControlState, volumeId: VolumeId): ControlState {
  const volume = state.volumes.get(volumeId);
  if (volume === undefined) return state;
  const named = {
    ...state,
    volumes: state.volumes.delete(volumeId),
    volumeNames: state.volumeNames.delete(volumeNameKey(volume.clusterId, volume.spec.name)),
  };
  return withBricksGivenBack(
    withCluster(named, volume.clusterId, (cluster) => ({ ...cluster, volumeIds: cluster.volumeIds.delete(volumeId) })),
    [...volume.bricks, ...volume.moves.map(({ replacement }) => replacement)],
  );
}

/** The state with a volume that an operation is about to make. */
export function withNewVolume(
  state: ControlState,
  { event, position }: Recorded<EventOf<'VolumePlanned'> | EventOf<'HostingVolumePlanned'>>,
): ControlState {
  const { operationId, volumeId, clusterId, spec, bricks } = event;
  const planned = {
    ...state,
    volumes: state.volumes.set(volumeId, {
      volumeId,
      clusterId,
      plannedAt: position,
      spec,
      sizeKib: spec.sizeKib,
      bricks,
      moves: [],
      status: 'creating',
      operationId,
      ...(spec.block ? { hosting: { reservedGib: reserveOf(spec.sizeKib), restriction: '', blockVolumeIds: [] } } : {}),
    }),
    volumeNames: state.volumeNames.set(volumeNameKey(clusterId, spec.name), volumeId),
  };
  const listed = withCluster(planned, clusterId, (cluster) => ({
    ...cluster,
    volumeIds: cluster.volumeIds.set(volumeId, true),
  }));
  return withBricksTaken(listed, volumeId, bricks);
}

export function volumePlanned(state: ControlState, recorded: Recorded<EventOf<'VolumePlanned'>>): ControlState {
  const { policy, volumeId } = recorded.event;
  const plan = { kind: 'create-volume', volumeId, ...(policy === undefined ? {} : { policy }) } as const;
  return startOperation(withNewVolume(state, recorded), recorded, plan);
}

export function volumeReplanned(state: ControlState, { event }: Recorded<EventOf<'VolumeReplanned'>>): ControlState {
  const { operationId, volumeId, bricks } = event;
  const volume = state.volumes.get(volumeId);
  if (volume === undefined) return state;
  const freed = withBricksGivenBack(state, volume.bricks);
  const volumes = freed.volumes.set(volumeId, { ...volume, bricks });
  const operations = changed(freed.operations, operationId, ({ current: _, failure: __, retry: ___, ...operation }) => {
    const { plan } = operation;
    if (plan.kind !== 'create-volume') return operation;
    return { ...operation, plan: { ...plan, replans: (plan.replans ?? 0) + 1 } };
  });
  return withBricksTaken({ ...freed, volumes, operations }, volumeId, bricks);
}

export function volumeCreated(state: ControlState, recorded: Recorded<EventOf<'VolumeCreated'>>): ControlState {
  const { volumeId } = recorded.event;
  const volumes = changed(state.volumes, volumeId, (volume) => ({ ...released(volume), status: 'ready' as const }));
  return endOperation({ ...state, volumes }, recorded, {
    kind: 'create-volume',
    subjectId: volumeId,
    result: 'done',
  });
}

export const volumeCreationUndone = (
  state: ControlState,
  recorded: Recorded<EventOf<'VolumeCreationUndone'>>,
): ControlState =>
  endOperation(withoutVolume(state, recorded.event.volumeId), recorded, {
    kind: 'create-volume',
    subjectId: recorded.event.volumeId,
    result: 'undone',
  });

export function volumeExpansionPlanned(
  state: ControlState,
  recorded: Recorded<EventOf<'VolumeExpansionPlanned'>>,
): ControlState {
  const { operationId, volumeId, addKib, bricks } = recorded.event;
  const volumes = changed(state.volumes, volumeId, (volume) => ({
    ...volume,
    status: 'expanding' as const,
    operationId,
    bricks: [...volume.bricks, ...bricks],
  }));
  const brickIds: BrickId[] = bricks.map((brick) => brick.brickId);
  const plan = { kind: 'expand-volume', volumeId, addKib, brickIds } as const;
  return startOperation(withBricksTaken({ ...state, volumes }, volumeId, bricks), recorded, plan);
}

export function volumeExpanded(state: ControlState, recorded: Recorded<EventOf<'VolumeExpanded'>>): ControlState {
  const { volumeId, operationId } = recorded.event;
  const plan = state.operations.get(operationId)?.plan;
  const addKib = plan?.kind === 'expand-volume' ? plan.addKib : 0;
  const volumes = changed(state.volumes, volumeId, (volume) => ({
    ...released(volume),
    status: 'ready' as const,
    sizeKib: volume.sizeKib + addKib,
    ...(volume.hosting === undefined
      ? {}
      : { hosting: { ...volume.hosting, reservedGib: volume.hosting.reservedGib + reserveOf(addKib) } }),
  }));
  return endOperation({ ...state, volumes }, recorded, {
    kind: 'expand-volume',
    subjectId: volumeId,
    result: 'done',
  });
}

export function volumeExpansionUndone(
  state: ControlState,
  recorded: Recorded<EventOf<'VolumeExpansionUndone'>>,
): ControlState {
  const { volumeId, operationId } = recorded.event;
  const plan = state.operations.get(operationId)?.plan;
  const brickIds = new Set<string>(plan?.kind === 'expand-volume' ? plan.brickIds : []);
  const added = (state.volumes.get(volumeId)?.bricks ?? []).filter((brick) => brickIds.has(brick.brickId));
  const volumes = changed(state.volumes, volumeId, (volume) => ({
    ...released(volume),
    status: 'ready' as const,
    bricks: volume.bricks.filter((brick) => !brickIds.has(brick.brickId)),
  }));
  return endOperation(withBricksGivenBack({ ...state, volumes }, added), recorded, {
    kind: 'expand-volume',
    subjectId: volumeId,
    result: 'undone',
  });
}

export function volumeDeletionPlanned(
  state: ControlState,
  recorded: Recorded<EventOf<'VolumeDeletionPlanned'>>,
): ControlState {
  const { volumeId, operationId } = recorded.event;
  const volumes = changed(state.volumes, volumeId, (volume) => ({
    ...volume,
    status: 'deleting' as const,
    operationId,
  }));
  return startOperation({ ...state, volumes }, recorded, { kind: 'delete-volume', volumeId });
}

export const volumeDeleted = (state: ControlState, recorded: Recorded<EventOf<'VolumeDeleted'>>): ControlState =>
  endOperation(withoutVolume(state, recorded.event.volumeId), recorded, {
    kind: 'delete-volume',
    subjectId: recorded.event.volumeId,
    result: 'done',
  });

export function volumeDeletionUndone(
  state: ControlState,
  recorded: Recorded<EventOf<'VolumeDeletionUndone'>>,
): ControlState {
  const { volumeId } = recorded.event;
  const volumes = changed(state.volumes, volumeId, (volume) => ({ ...released(volume), status: 'ready' as const }));
  return endOperation({ ...state, volumes }, recorded, {
    kind: 'delete-volume',
    subjectId: volumeId,
    result: 'undone',
  });
}

export function blockRestrictionSet(
  state: ControlState,
  recorded: Recorded<EventOf<'BlockRestrictionSet'>>,
): ControlState {
  const { volumeId, restriction } = recorded.event;
  const volumes = changed(state.volumes, volumeId, (volume) =>
    volume.hosting === undefined ? volume : { ...volume, hosting: { ...volume.hosting, restriction } },
  );
  const end = { kind: 'set-block-restriction', subjectId: volumeId, result: 'done' } as const;
  return endOperation({ ...state, volumes }, recorded, end);
}
