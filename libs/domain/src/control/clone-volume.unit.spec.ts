import type { Brick, ClusterId, CommandOf, NodeId, OperationId, VolumeId } from '@brickyard/contracts';
import {
  clusterOf,
  cloneVolume,
  createVolume,
  failed,
  id,
  newOperationId,
  obedient,
  type ControlPlane,
} from '../testing';
import { driftIdOf } from '../drift/judge-host';
import { proposalsFor } from '../drift/reconcile';
import { decodeSnapshot, encodeSnapshot } from './snapshot';

const DEVICE_KIB = 500 * 1_048_576;

function withVolume(): { readonly plane: ControlPlane; readonly originId: VolumeId } {
  const plane = clusterOf([1, 2, 3].map((zone) => ({ zone, devicesKib: [DEVICE_KIB] })));
  const command = createVolume('data', 10);
  plane.submit(command);
  plane.settle(obedient());
  return { plane, originId: command.volumeId };
}

const remove = (volumeId: VolumeId): CommandOf<'DeleteVolume'> => ({
  type: 'DeleteVolume',
  operationId: newOperationId(),
  volumeId,
});
const usedOf = ({ state }: ControlPlane): readonly number[] =>
  [...state.devices.values()].map(({ usedKib }) => usedKib);
const bricksOf = ({ state }: ControlPlane, volumeId: VolumeId): readonly Brick[] =>
  state.volumes.get(volumeId)?.bricks ?? [];

describe('CloneVolume', () => {
  it('makes a volume like its origin, on the same devices, that takes no room', () => {
    const { plane, originId } = withVolume();
    const before = usedOf(plane);
    const command = cloneVolume(originId, 'copy');
    expect(plane.submit(command)).toBeUndefined();
    expect(plane.state.volumes.get(originId)?.status).toBe('cloning');
    plane.settle(obedient());
    const [origin, clone] = [originId, command.volumeId].map((volumeId) => plane.state.volumes.get(volumeId));
    expect(clone).toMatchObject({ status: 'ready', clusterId: origin?.clusterId, sizeKib: origin?.sizeKib });
    expect(clone?.spec).toEqual({ ...origin?.spec, name: 'copy' });
    expect(clone?.bricks.map(({ deviceId, set, place, poolOf }) => ({ deviceId, set, place, poolOf }))).toEqual(
      origin?.bricks.map(({ deviceId, set, place, brickId }) => ({ deviceId, set, place, poolOf: brickId })),
    );
    expect(clone?.bricks.map(({ path }) => path)).toEqual(
      [1, 2, 3].map((number) => `/run/gluster/snaps/${command.volumeId}/brick${String(number)}/brick`),
    );
    expect(usedOf(plane)).toEqual(before);
    expect(origin).toMatchObject({ status: 'ready' });
    expect(origin).not.toHaveProperty('operationId');
  });

  it.each([
    ['origin, then clone', 0, 1],
    ['clone, then origin', 1, 0],
  ])('gives the room back with the last one of both: %s', (_, first, second) => {
    const { plane, originId } = withVolume();
    const used = usedOf(plane);
    const command = cloneVolume(originId, 'copy');
    plane.submit(command);
    plane.settle(obedient());
    const both = [originId, command.volumeId];
    for (const [at, expected] of [[first, used] as const, [second, [0, 0, 0]] as const]) {
      plane.submit(remove(both[at] ?? originId));
      plane.settle(obedient());
      expect(usedOf(plane)).toEqual(expected);
      expect([...encodeSnapshot(decodeSnapshot(encodeSnapshot(plane.state)))]).toEqual([
        ...encodeSnapshot(plane.state),
      ]);
      expect(decodeSnapshot(encodeSnapshot(plane.state)).sharedPools.size).toBe(plane.state.sharedPools.size);
    }
    expect(plane.state.sharedPools.size).toBe(0);
  });

  it('lets a clone of a clone live in the pool of the first', () => {
    const { plane, originId } = withVolume();
    const first = cloneVolume(originId, 'first');
    plane.submit(first);
    plane.settle(obedient());
    const second = cloneVolume(first.volumeId, 'second');
    plane.submit(second);
    plane.settle(obedient());
    const pools = bricksOf(plane, originId).map(({ brickId }) => brickId);
    expect(bricksOf(plane, second.volumeId).map(({ poolOf }) => poolOf)).toEqual(pools);
    for (const volumeId of [originId, first.volumeId]) {
      plane.submit(remove(volumeId));
      plane.settle(obedient());
    }
    expect(bricksOf(plane, second.volumeId).every(({ poolKib }) => poolKib > 0)).toBe(true);
  });

  it('removes what Gluster made when the clone cannot be started, each brick by the path that was told', () => {
    const { plane, originId } = withVolume();
    const command = cloneVolume(originId, 'copy');
    plane.submit(command);
    const done: string[] = [];
    plane.settle((task) => {
      done.push(task.task.type);
      return task.task.type === 'StartGlusterVolume' ? failed('no') : obedient()(task);
    });
    expect(done).toEqual([
      'CloneGlusterVolume',
      'StartGlusterVolume',
      'StopGlusterVolume',
      'ReadGlusterClone',
      ...Array.from({ length: 3 }, () => 'DeleteGlusterClone'),
      ...Array.from({ length: 3 }, () => 'DeleteBrick'),
    ]);
    expect(plane.state.volumes.has(command.volumeId)).toBe(false);
    expect(plane.state.volumes.get(originId)?.status).toBe('ready');
    expect(plane.state.ended.get(command.operationId)).toMatchObject({
      kind: 'clone-volume',
      result: 'undone',
      detail: 'no',
    });
  });

  it('is not taken for whole while it still has the owner of its origin', () => {
    const { plane, originId } = withVolume();
    const command = cloneVolume(originId, 'copy');
    plane.submit(command);
    const done: string[] = [];
    plane.settle((task) => {
      const { type } = task.task;
      done.push(type);
      if (type === 'CloneGlusterVolume' && done.length === 1) return failed('no answer', { uncertain: true });
      const answer = obedient()(task);
      if (type !== 'ReadGlusterClone' || answer.kind !== 'done' || answer.result.kind !== 'clone') return answer;
      return { kind: 'done', result: { ...answer.result, options: { 'user.brickyard.id': originId } } };
    });
    expect(done).toEqual(['CloneGlusterVolume', 'ReadGlusterClone', 'CloneGlusterVolume', 'StartGlusterVolume']);
    expect(plane.state.volumes.get(command.volumeId)?.status).toBe('ready');
  });

  it('cannot be made anew around its bricks when somebody has deleted it by hand', () => {
    const { plane, originId } = withVolume();
    const command = cloneVolume(originId, 'copy');
    plane.submit(command);
    plane.settle(obedient());
    const missing = (volumeId: VolumeId) => {
      const facts = {
        class: 'volume-missing',
        subject: { kind: 'volume', volumeId },
        expected: '',
        found: '',
      } as const;
      return proposalsFor(
        { ...facts, driftId: driftIdOf(facts), clusterId: id('c1') as ClusterId, nodeIds: [] },
        plane.state,
      );
    };
    expect(missing(command.volumeId)).toMatchObject({ accept: { possible: true }, restore: { possible: false } });
    expect(missing(originId)).toMatchObject({ accept: { possible: true }, restore: { possible: true } });
  });

  it('moves a brick of a clone to a pool of its own', () => {
    const plane = clusterOf([1, 2, 3, 4].map((zone) => ({ zone, devicesKib: [DEVICE_KIB] })));
    const origin = createVolume('data', 10);
    plane.submit(origin);
    plane.settle(obedient());
    const command = cloneVolume(origin.volumeId, 'copy');
    plane.submit(command);
    plane.settle(obedient());
    const [brick] = bricksOf(plane, command.volumeId);
    if (brick === undefined) throw new Error('the clone has no bricks');
    const operationId = newOperationId();
    expect(plane.submit({ type: 'EvictBrick', operationId, brickId: brick.brickId })).toBeUndefined();
    plane.settle(obedient());
    const moved = bricksOf(plane, command.volumeId).filter(({ poolOf }) => poolOf === undefined);
    expect(moved).toHaveLength(1);
    expect(moved[0]?.poolKib).toBe(bricksOf(plane, origin.volumeId)[0]?.poolKib);
  });

  describe('is refused before anything is touched', () => {
    it('when a host cannot clone', () => {
      const { plane, originId } = withVolume();
      const unable = [{ nodeId: id('a2') as NodeId, brickDriver: 'loop-xfs' }];
      const command = { ...cloneVolume(originId, 'copy'), probe: { unable, silent: [] } };
      const refused = { kind: 'CloneNotSupported', volumeId: originId, nodeId: id('a2'), brickDriver: 'loop-xfs' };
      expect(plane.submit(command)).toEqual(refused);
    });

    it('when a host does not answer, or is known to be lost', () => {
      const { plane, originId } = withVolume();
      const asked = { ...cloneVolume(originId, 'copy'), probe: { unable: [], silent: [id('a3') as NodeId] } };
      expect(plane.submit(asked)).toEqual({ kind: 'CloneNodeSilent', volumeId: originId, nodeId: id('a3') });
      plane.submit({ type: 'DeclareNodeLost', nodeId: id('a1') as NodeId, silentSince: 'then' });
      expect(plane.submit(cloneVolume(originId, 'copy'))).toMatchObject({ kind: 'CloneNodeSilent', nodeId: id('a1') });
    });

    it('when the name is taken or too long, the volume is busy, is not there, or holds block volumes', () => {
      const { plane, originId } = withVolume();
      expect(plane.submit(cloneVolume(originId, 'data'))).toMatchObject({ kind: 'CloneNameInUse' });
      expect(plane.submit(cloneVolume(originId, 'n'.repeat(200)))).toMatchObject({ kind: 'CloneNameTooLong' });
      expect(plane.submit(cloneVolume(id('404') as VolumeId, 'copy'))).toMatchObject({ kind: 'VolumeNotFound' });
      const hosting = createVolume('hosting', 10);
      plane.submit({ ...hosting, spec: { ...hosting.spec, block: true } });
      plane.settle(obedient());
      expect(plane.submit(cloneVolume(hosting.volumeId, 'copy'))).toMatchObject({ kind: 'CloneOfHostingVolume' });
      plane.submit(cloneVolume(originId, 'copy'));
      expect(plane.submit(cloneVolume(originId, 'again'))).toMatchObject({ kind: 'ConflictingOperation' });
      expect(plane.submit(remove(originId))).toMatchObject({ kind: 'ConflictingOperation' });
    });

    it('not twice: the same request delivered again changes nothing', () => {
      const { plane, originId } = withVolume();
      const command = cloneVolume(originId, 'copy');
      plane.submit(command);
      const { length } = plane.log;
      expect(plane.submit({ ...command, operationId: id('fe77') as OperationId })).toBeUndefined();
      expect(plane.log).toHaveLength(length);
    });
  });
});
