import {
  type BlockVolumeId,
  type CommandOf,
  type DriftFinding,
  gib,
  kibOf,
  type NodeId,
  type VolumeId,
} from '@brickyard/contracts';
import type { ControlState } from '../control/control.state';
import { driftIdOf } from '../drift/judge-host';
import {
  addNode,
  clusterOf,
  type ControlPlane,
  createBlockVolume,
  createVolume,
  id,
  newOperationId,
  obedient,
} from '../testing';
import { hostingFreeGib } from './block-volumes';

const DEVICE_KIB = kibOf(gib(2_000));
const threeNodes = (): ControlPlane => clusterOf([1, 2, 3].map((zone) => ({ zone, devicesKib: [DEVICE_KIB] })));

/** A hosting volume of this size, made by hand. */
function host(plane: ControlPlane, name: string, sizeGib: number): VolumeId {
  const command = createVolume(name, sizeGib);
  expect(plane.submit({ ...command, spec: { ...command.spec, block: true } })).toBeUndefined();
  plane.settle(obedient());
  return command.volumeId;
}

function make(plane: ControlPlane, command: CommandOf<'CreateBlockVolume'>) {
  expect(plane.submit(command)).toBeUndefined();
  plane.settle(obedient());
  return plane.state.blockVolumes.get(command.blockVolumeId);
}

const freeOf = (state: ControlState, volumeId: VolumeId): number => {
  const volume = state.volumes.get(volumeId);
  return volume === undefined ? Number.NaN : hostingFreeGib(volume, state);
};
const expand = (blockVolumeId: BlockVolumeId, sizeGib: number): CommandOf<'ExpandBlockVolume'> => ({
  type: 'ExpandBlockVolume',
  operationId: newOperationId(),
  blockVolumeId,
  newSizeKib: kibOf(gib(sizeGib)),
});
const remove = (blockVolumeId: BlockVolumeId): CommandOf<'DeleteBlockVolume'> => ({
  type: 'DeleteBlockVolume',
  operationId: newOperationId(),
  blockVolumeId,
});

/** No hosting volume is made by itself. */
const byHand = (command: CommandOf<'CreateBlockVolume'>): CommandOf<'CreateBlockVolume'> => ({
  ...command,
  hosting: { ...command.hosting, isAllowed: false },
});

describe('CreateBlockVolume', () => {
  it('goes onto a hosting volume with room, and takes its size from it until it is deleted', () => {
    const plane = threeNodes();
    const volumeId = host(plane, 'host', 200);
    expect(freeOf(plane.state, volumeId)).toBe(196);
    const block = make(plane, byHand(createBlockVolume('disk', 10)));
    expect(block).toMatchObject({ hostingVolumeId: volumeId, name: 'disk', status: 'ready' });
    expect(block?.nodeIds).toHaveLength(2);
    expect(freeOf(plane.state, volumeId)).toBe(186);
    expect(plane.submit(remove(block?.blockVolumeId ?? (id('0') as BlockVolumeId)))).toBeUndefined();
    plane.settle(obedient());
    expect(plane.state.blockVolumes.size).toBe(0);
    expect(freeOf(plane.state, volumeId)).toBe(196);
  });

  it('is one block volume when it is asked twice with one id', () => {
    const plane = threeNodes();
    const command = createBlockVolume('disk', 10);
    make(plane, command);
    expect(plane.submit({ ...command, operationId: newOperationId() })).toBeUndefined();
    expect(plane.state.operations.size).toBe(0);
    expect(plane.state.blockVolumes.size).toBe(1);
  });

  it('passes over hosting volumes that are locked, full, or have one of the name, and says so', () => {
    const plane = threeNodes();
    const [locked, small, named, good] = ['locked', 'small', 'named', 'good'].map((name, index) =>
      host(plane, name, [100, 5, 100, 100][index] ?? 0),
    );
    const lock = (volumeId: VolumeId | undefined, restriction: '' | 'locked'): void => {
      const operationId = newOperationId();
      if (volumeId === undefined) return;
      expect(plane.submit({ type: 'SetBlockRestriction', operationId, volumeId, restriction })).toBeUndefined();
    };
    for (const volumeId of [locked, small, good]) lock(volumeId, 'locked');
    make(plane, { ...byHand(createBlockVolume('disk', 10)), blockVolumeId: id('b1') as BlockVolumeId });
    for (const volumeId of [small, good]) lock(volumeId, '');
    const block = make(plane, byHand(createBlockVolume('disk', 10)));
    expect(block?.hostingVolumeId).toBe(good);
    const event = plane.log.findLast((one) => one.event.type === 'BlockVolumePlanned')?.event;
    const placement = event?.type === 'BlockVolumePlanned' ? event.placement : undefined;
    expect(placement).toMatchObject({ order: 'any-that-fits', fitting: 1 });
    expect(new Map(placement?.passedOver.map(({ volumeId, refusal }) => [volumeId, refusal.rule]))).toEqual(
      new Map([
        [locked, 'restricted'],
        [small, 'too-little-space'],
        [named, 'name-in-use'],
      ]),
    );
  });

  it('makes a second hosting volume for a second block volume of the same name', () => {
    const plane = threeNodes();
    make(plane, createBlockVolume('disk', 10));
    const again = createBlockVolume('disk', 10);
    const volumeId = id('f2') as VolumeId;
    const spec = { ...again.hosting.spec, name: 'vol_2' };
    const other = make(plane, {
      ...again,
      blockVolumeId: id('b2') as BlockVolumeId,
      hosting: { ...again.hosting, volumeId, spec },
    });
    expect(other?.hostingVolumeId).toBe(volumeId);
    expect(plane.state.volumes.size).toBe(2);
  });

  it.each([
    [
      'when one made by itself would be too small',
      createBlockVolume('disk', 99),
      { kind: 'HostingTooSmall', hostingGib: 100, requestedGib: 99, availableGib: 98 },
    ],
    ['when none is made by itself', byHand(createBlockVolume('disk', 10)), { kind: 'HostingNotMadeByItself' }],
    [
      'when the cluster is unknown',
      createBlockVolume('disk', 1, { clusters: [id('c9')] }),
      { kind: 'UnknownClusterRequested' },
    ],
  ])('is refused %s', (_, command, rejection) => {
    expect(threeNodes().submit(command)).toMatchObject(rejection);
  });

  it('is refused while another hosting volume is being made', () => {
    const plane = threeNodes();
    const first = createBlockVolume('one', 10);
    expect(plane.submit(first)).toBeUndefined();
    expect(plane.submit(createBlockVolume('two', 10))).toMatchObject({
      kind: 'HostingBeingMade',
      volumeId: first.hosting.volumeId,
      operationId: first.operationId,
    });
    plane.settle(obedient());
    expect(make(plane, createBlockVolume('two', 10))?.hostingVolumeId).toBe(first.hosting.volumeId);
  });

  it('is refused where a cluster takes no block volumes, or no volume more', () => {
    const plane = threeNodes();
    const clusterId = id('c1') as CommandOf<'SetClusterFlags'>['clusterId'];
    const command = createBlockVolume('disk', 10);
    const policy = { ...command.policy, volumesPerClusterMax: 0 };
    const refusalOf = (wanted: CommandOf<'CreateBlockVolume'>) => {
      const rejection = plane.submit(wanted);
      return rejection?.kind === 'NotPlaced' ? rejection.refusals.map(({ refusal }) => refusal) : rejection;
    };
    expect(refusalOf({ ...command, policy })).toEqual([{ kind: 'TooManyVolumes', count: 0, limit: 0 }]);
    plane.submit({ type: 'SetClusterFlags', clusterId, flags: { file: true, block: false } });
    expect(refusalOf(command)).toEqual([{ kind: 'VolumeTypeNotSupported' }]);
  });

  it('is offered by all nodes unless fewer are asked for, by those that answer', () => {
    const plane = threeNodes();
    expect(make(plane, createBlockVolume('all', 1, { portals: 0 }))?.nodeIds).toHaveLength(3);
    expect(make(plane, createBlockVolume('more', 1, { portals: 7 }))?.nodeIds).toHaveLength(3);
    plane.submit({ type: 'DeclareNodeLost', nodeId: id('a2') as NodeId, silentSince: 'then' });
    expect(make(plane, createBlockVolume('two', 1, { portals: 2 }))?.nodeIds).toEqual([id('a1'), id('a3')]);
    const tooMany = createBlockVolume('three', 1, { portals: 3 });
    expect(make(plane, tooMany)).toBeUndefined();
    expect(plane.state.ended.get(tooMany.operationId)).toMatchObject({
      result: 'undone',
      detail: 'insufficient block hosts online',
    });
  });
});

describe('ExpandBlockVolume', () => {
  it('takes what is added from the hosting volume at once, and gives it back when it fails', () => {
    const plane = threeNodes();
    const volumeId = host(plane, 'host', 100);
    const blockVolumeId = make(plane, createBlockVolume('disk', 10))?.blockVolumeId ?? (id('0') as BlockVolumeId);
    const sizeOf = () => plane.state.blockVolumes.get(blockVolumeId)?.sizeKib;
    expect(plane.submit(expand(blockVolumeId, 30))).toBeUndefined();
    expect(freeOf(plane.state, volumeId)).toBe(68);
    expect(sizeOf()).toBe(kibOf(gib(10)));
    expect(plane.submit(expand(blockVolumeId, 40))).toMatchObject({ kind: 'ConflictingOperation' });
    plane.settle((task) =>
      task.task.type === 'GrowBlockFile'
        ? { kind: 'failed', failure: { transient: false, uncertain: false, detail: 'no', cause: 'no' } }
        : obedient()(task),
    );
    expect(freeOf(plane.state, volumeId)).toBe(88);
    expect(plane.submit(expand(blockVolumeId, 98))).toBeUndefined();
    plane.settle(obedient());
    expect(sizeOf()).toBe(kibOf(gib(98)));
    expect(freeOf(plane.state, volumeId)).toBe(0);
  });

  it('is refused for a size that is not larger, and for more than there is', () => {
    const plane = threeNodes();
    host(plane, 'host', 100);
    const blockVolumeId = make(plane, createBlockVolume('disk', 10))?.blockVolumeId ?? (id('0') as BlockVolumeId);
    expect(plane.submit(expand(blockVolumeId, 10))).toEqual({
      kind: 'BlockVolumeNotGrown',
      requestedGib: 10,
      sizeGib: 10,
    });
    expect(plane.submit(expand(blockVolumeId, 9))).toMatchObject({ kind: 'BlockVolumeNotGrown' });
    expect(plane.submit(expand(blockVolumeId, 99))).toMatchObject({
      kind: 'HostingVolumeFull',
      freeGib: 88,
      neededGib: 89,
    });
    expect(plane.submit(expand(id('9') as BlockVolumeId, 9))).toMatchObject({ kind: 'BlockVolumeNotFound' });
  });
});

describe('what holds block volumes', () => {
  it('stays as long as it holds one', () => {
    const plane = threeNodes();
    const volumeId = host(plane, 'host', 100);
    const block = make(plane, createBlockVolume('disk', 10));
    const deletion = { type: 'DeleteVolume', operationId: newOperationId(), volumeId } as const;
    expect(plane.submit(deletion)).toEqual({ kind: 'HostingVolumeInUse', volumeId, blockVolumes: 1 });
    plane.submit(remove(block?.blockVolumeId ?? (id('0') as BlockVolumeId)));
    plane.settle(obedient());
    expect(plane.submit(deletion)).toBeUndefined();
    plane.settle(obedient());
    expect(plane.state.volumes.size).toBe(0);
  });

  it('is not given up as missing while it holds one', () => {
    const plane = threeNodes();
    const volumeId = host(plane, 'host', 100);
    make(plane, createBlockVolume('disk', 10));
    const { clusterId } = plane.state.volumes.get(volumeId) ?? {};
    const nodeIds = [...plane.state.nodes.keys()];
    const facts = {
      class: 'volume-missing',
      subject: { kind: 'volume', volumeId },
      expected: 'host',
      found: '',
    } as const;
    const missing = { ...facts, driftId: driftIdOf(facts), clusterId: clusterId ?? id('0'), nodeIds } as DriftFinding;
    plane.submit({ type: 'RecordDrift', observed: [missing], resolved: [] });
    expect(
      plane.submit({ type: 'AcceptDrift', operationId: newOperationId(), driftId: missing.driftId }),
    ).toMatchObject({
      kind: 'DriftNotReconcilable',
      reason: 'block volumes lie on it: restore it, or delete them first',
    });
  });

  it('is offered by the others when a node goes, which must not be the last', () => {
    const plane = threeNodes();
    host(plane, 'host', 100);
    // A fourth node without devices can go.
    const nodeId = id('a4') as NodeId;
    plane.submit(addNode(4, 4));
    plane.settle(obedient());
    const block = make(plane, createBlockVolume('disk', 10, { portals: 4 }));
    expect(block?.nodeIds).toContain(nodeId);
    const tasks: string[] = [];
    const removal = (): CommandOf<'RemoveNode'> => ({ type: 'RemoveNode', operationId: newOperationId(), nodeId });
    expect(plane.submit(removal())).toBeUndefined();
    plane.settle((task) => {
      tasks.push(task.task.type);
      return obedient()(task);
    });
    expect(tasks).toEqual(['UnexportBlockVolume', 'DetachPeer']);
    expect([...plane.state.blockVolumes.values()][0]?.nodeIds).toEqual([id('a1'), id('a2'), id('a3')]);
  });
});
