import type {
  AgentTask,
  BlockVolumeId,
  Brick,
  ClusterId,
  CommandOf,
  ControlCommand,
  DeviceId,
  NodeId,
  PlannedTask,
  VolumeId,
} from '@brickyard/contracts';
import { gib, kibOf } from '@brickyard/contracts';
import { encodeSnapshot } from '../control/snapshot';
import { agreeingReport } from '../drift/drift.testing';
import { judgeHost } from '../drift/judge-host';
import { freeKib, type ControlState } from '../control/control.state';
import {
  addDevice,
  addNode,
  cloneVolume,
  clusterOf,
  createBlockVolume,
  createVolume,
  defaultPolicy,
  failed,
  id,
  newOperationId,
  obedient,
  type ControlPlane,
} from '../testing';
import { sagas } from './sagas/registry';

const DEVICE_KIB = 500 * 1_048_576;
const threeNodes = (): ControlPlane => clusterOf([1, 2, 3].map((zone) => ({ zone, devicesKib: [DEVICE_KIB] })));

/** A plane with a finished 10 GiB volume. */
function withVolume(): { readonly plane: ControlPlane; readonly volumeId: VolumeId } {
  const plane = threeNodes();
  const command = createVolume('data', 10);
  expect(plane.submit(command)).toBeUndefined();
  plane.settle(obedient());
  return { plane, volumeId: command.volumeId };
}

const expand = (volumeId: VolumeId): CommandOf<'ExpandVolume'> => ({
  type: 'ExpandVolume',
  operationId: newOperationId(),
  volumeId,
  addKib: kibOf(gib(5)),
  policy: defaultPolicy,
});
const remove = (volumeId: VolumeId): CommandOf<'DeleteVolume'> => ({
  type: 'DeleteVolume',
  operationId: newOperationId(),
  volumeId,
});

/** A plane of four nodes with a finished 10 GiB volume, and the brick of it that lies on node 1 or on the first node that has one. */
function withSpare(): { readonly plane: ControlPlane; readonly brick: Brick } {
  const plane = clusterOf([1, 2, 3, 4].map((zone) => ({ zone, devicesKib: [DEVICE_KIB] })));
  const command = createVolume('data', 10);
  expect(plane.submit(command)).toBeUndefined();
  plane.settle(obedient());
  const bricks = plane.state.volumes.get(command.volumeId)?.bricks ?? [];
  const brick = bricks.find(({ nodeId }) => nodeId === id('a1')) ?? bricks[0];
  if (brick === undefined) throw new Error('the volume has no bricks');
  return { plane, brick };
}

/** Without what only says that something happened: ended operations, and why the last attempt failed. */
function essence(state: ControlState): string {
  return [...encodeSnapshot(state)]
    .filter((line) => !line.startsWith('{"kind":"ended'))
    .join('\n')
    .replace(/,"lastFailure":\{[^}]*\}/g, '');
}

/** Every kind of operation that a client can start, on a plane that is ready for it. */
const cases: Readonly<Record<string, () => { plane: ControlPlane; command: ControlCommand }>> = {
  'create-volume': () => ({ plane: threeNodes(), command: createVolume('data', 10) }),
  'resync-device': () => {
    const deviceId = id('d101') as DeviceId;
    return { plane: threeNodes(), command: { type: 'ResyncDevice', operationId: newOperationId(), deviceId } };
  },
  'expand-volume': () => {
    const { plane, volumeId } = withVolume();
    return { plane, command: expand(volumeId) };
  },
  'delete-volume': () => {
    const { plane, volumeId } = withVolume();
    return { plane, command: remove(volumeId) };
  },
  'clone-volume': () => {
    const { plane, volumeId } = withVolume();
    return { plane, command: cloneVolume(volumeId, 'copy') };
  },
  'add-node': () => ({ plane: threeNodes(), command: addNode(4, 4) }),
  'remove-node': () => {
    const plane = threeNodes();
    plane.submit(addNode(4, 4));
    plane.settle(obedient());
    return { plane, command: { type: 'RemoveNode', operationId: newOperationId(), nodeId: id('a4') as NodeId } };
  },
  'add-device': () => ({ plane: threeNodes(), command: addDevice(1, 2) }),
  'remove-device': () => {
    const plane = threeNodes();
    const deviceId = id('d101') as DeviceId;
    for (const state of ['offline', 'failed'] as const) {
      plane.submit({ type: 'SetDeviceState', operationId: newOperationId(), deviceId, state });
    }
    return {
      plane,
      command: { type: 'RemoveDevice', operationId: newOperationId(), deviceId, forceForget: false },
    };
  },
  'evict-brick': () => {
    const { plane, brick } = withSpare();
    return { plane, command: { type: 'EvictBrick', operationId: newOperationId(), brickId: brick.brickId } };
  },
  'evacuate-device': () => {
    const { plane, brick } = withSpare();
    const { deviceId } = brick;
    plane.submit({ type: 'SetDeviceState', operationId: newOperationId(), deviceId, state: 'offline' });
    return {
      plane,
      command: { type: 'SetDeviceState', operationId: newOperationId(), deviceId, state: 'failed' },
    };
  },
  'evacuate-node': () => {
    const { plane, brick } = withSpare();
    const { nodeId } = brick;
    plane.submit({ type: 'SetNodeState', operationId: newOperationId(), nodeId, state: 'offline' });
    return { plane, command: { type: 'SetNodeState', operationId: newOperationId(), nodeId, state: 'failed' } };
  },
  'restore-drift': withVolumeGone,
  'create-block-volume': () => ({ plane: withBlockVolume('first').plane, command: createBlockVolume('second', 10) }),
  'expand-block-volume': () => {
    const { plane, blockVolumeId } = withBlockVolume('disk');
    const newSizeKib = kibOf(gib(20));
    return { plane, command: { type: 'ExpandBlockVolume', operationId: newOperationId(), blockVolumeId, newSizeKib } };
  },
  'delete-block-volume': () => {
    const { plane, blockVolumeId } = withBlockVolume('disk');
    return { plane, command: { type: 'DeleteBlockVolume', operationId: newOperationId(), blockVolumeId } };
  },
};

/** A plane with a hosting volume and one block volume of 10 GiB on it. */
function withBlockVolume(name: string): { readonly plane: ControlPlane; readonly blockVolumeId: BlockVolumeId } {
  const plane = threeNodes();
  const command = createBlockVolume(name, 10);
  expect(plane.submit(command)).toBeUndefined();
  plane.settle(obedient());
  return { plane, blockVolumeId: command.blockVolumeId };
}

/** A plane whose hosts have lost their volume by somebody's hand. */
function withVolumeGone(): { plane: ControlPlane; command: ControlCommand } {
  const { plane } = withVolume();
  const nodeId = id('a1') as NodeId;
  const reportOf = (node: NodeId) => ({ ...agreeingReport(node, plane.state), volumes: [] });
  const { findings } = judgeHost(nodeId, plane.state, reportOf);
  plane.submit({ type: 'RecordDrift', observed: [...findings], resolved: [] });
  const [driftId] = plane.state.drift.keys();
  if (driftId === undefined) throw new Error('nothing was found');
  return { plane, command: { type: 'RestoreDrift', operationId: newOperationId(), driftId } };
}

/** Steps from which there is no way back: once begun, they are finished or left for later. */
const noReturn: readonly (readonly [kind: string, step: number, onFailure: string])[] = [
  ['delete-volume', 2, 'leave'],
  ['evict-brick', 3, 'insist'],
  ['evict-brick', 4, 'leave'],
  ['expand-block-volume', 1, 'leave'],
  ['delete-block-volume', 0, 'leave'],
];

const clientKinds = Object.keys(sagas).filter((kind) => kind !== 'remove-residue');

describe('every saga', () => {
  it('has a case here', () => {
    expect(Object.keys(cases).sort()).toEqual([...clientKinds].sort());
  });

  it.each(clientKinds)('%s ends done when every agent obeys, and no operation is left', (kind) => {
    const { plane, command } = prepared(kind);
    expect(plane.submit(command)).toBeUndefined();
    plane.settle(obedient());
    expect(plane.state.operations.size).toBe(0);
    expect(lastEnded(plane)?.result).toBe('done');
  });

  const steps = clientKinds.flatMap((kind) =>
    sagas[kind as keyof typeof sagas].steps.map((step, index) => ({
      kind,
      step: step.name,
      index,
      onFailure: step.onFailure,
    })),
  );

  it.each(steps)(
    '$kind unwinds when $step fails for good, and leaves the state as it was',
    ({ kind, index, onFailure }) => {
      const { plane, command } = prepared(kind);
      const before = essence(plane.state);
      plane.submit(command);
      let hits = 0;
      plane.settle((task) => {
        if (!task.taskId.includes(`.${String(index)}.act.`)) return obedient(DEVICE_KIB)(task);
        hits += 1;
        return failed('the disk is on fire');
      });
      expect(plane.state.operations.size).toBe(0);
      // A step that has nothing to do in this case, or whose failure does not matter, stops nothing.
      const matters = hits > 0 && onFailure === undefined;
      expect(lastEnded(plane)?.result).toBe(matters ? 'undone' : 'done');
      if (!matters) return;
      expect(lastEnded(plane)).toMatchObject({ result: 'undone', detail: 'the disk is on fire' });
      expect(essence(plane.state)).toBe(before);
    },
  );

  it.each(steps)('$kind tries $step again when the failure passes', ({ kind, index }) => {
    const { plane, command } = prepared(kind);
    plane.submit(command);
    const seen = new Set<string>();
    plane.settle((task) => {
      const isFirst = task.taskId.includes(`.${String(index)}.act.1.`) && !seen.has(task.resource);
      seen.add(task.resource);
      return isFirst ? failed('busy', { transient: true }) : obedient(DEVICE_KIB)(task);
    });
    expect(plane.state.operations.size).toBe(0);
    expect(lastEnded(plane)?.result).toBe('done');
  });

  const losses = steps.flatMap((step) => ['a1', 'a3'].map((node) => ({ ...step, node })));

  it.each(losses)('$kind ends, and its residue goes, when node $node is lost during $step', ({ kind, index, node }) => {
    const { plane, command } = prepared(kind);
    const nodeId = id(node) as NodeId;
    let held = 0;
    plane.submit(command);
    plane.settle((task) => {
      if (task.nodeId === nodeId && (held > 0 || task.taskId.includes(`.${String(index)}.act.`))) {
        held += 1;
        return undefined;
      }
      return obedient(DEVICE_KIB)(task);
    });
    if (held === 0) {
      expect(lastEnded(plane)?.result).toBe('done'); // No task of this step runs on that node.
      return;
    }
    expect(plane.state.operations.size).toBe(1);
    plane.submit({ type: 'DeclareNodeLost', nodeId, silentSince: 'then' });
    plane.settle(obedient(DEVICE_KIB));
    expect(plane.state.operations.size).toBe(0);
    const left = plane.state.nodes.get(nodeId)?.residue ?? [];
    if (kind === 'create-volume' || sagas[kind as keyof typeof sagas].steps[index]?.onFailure === 'leave') {
      expect(left.length).toBeGreaterThan(0);
    }
    const removed: string[] = [];
    plane.submit({ type: 'DeclareNodeReturned', nodeId });
    plane.settle((task) => {
      removed.push(task.task.type);
      return obedient(DEVICE_KIB)(task);
    });
    expect([...removed].sort()).toEqual(left.map(({ task }) => task.type).sort());
    expect(plane.state.operations.size).toBe(0);
    expect([...plane.state.nodes.values()].flatMap(({ residue }) => residue)).toEqual([]);
  });

  it.each(noReturn)('%s does not turn round at step %i', (kind, index, onFailure) => {
    expect(sagas[kind as keyof typeof sagas].steps[index]?.onFailure).toBe(onFailure);
  });
});

function prepared(kind: string): { plane: ControlPlane; command: ControlCommand } {
  const make = cases[kind];
  if (make === undefined) throw new Error(`no case for ${kind}`);
  return make();
}

function lastEnded({ state }: ControlPlane) {
  const operationId = state.endedOrder.get(String(state.endedCount - 1));
  return operationId === undefined ? undefined : state.ended.get(operationId);
}

describe('what a lost host may still do after its task was given up', () => {
  const lostWithCreation = (): ControlPlane => {
    const plane = threeNodes();
    plane.submit(createVolume('data', 10));
    plane.settle((task) => (task.task.type === 'CreateGlusterVolume' ? undefined : obedient()(task)));
    plane.submit({ type: 'DeclareNodeLost', nodeId: id('a1') as NodeId, silentSince: 'then' });
    plane.settle(obedient());
    return plane;
  };
  const cleanUp = (plane: ControlPlane): string[] => {
    const done: string[] = [];
    plane.submit({ type: 'DeclareNodeReturned', nodeId: id('a1') as NodeId });
    plane.settle((task) => {
      done.push(`${task.task.type} on ${task.host}`);
      return obedient()(task);
    });
    return done.sort();
  };

  it('is taken back by that host itself, behind what it may be at', () => {
    const plane = lostWithCreation();
    expect(lastEnded(plane)?.result).toBe('undone');
    expect(cleanUp(plane)).toEqual(['DeleteBrick on n1', 'DeleteGlusterVolume on n1']);
    expect([...plane.state.nodes.values()].flatMap(({ residue }) => residue)).toEqual([]);
  });

  it('is not taken back from a later volume of the same name', () => {
    const plane = lostWithCreation();
    plane.submit({ type: 'DeclareNodeReturned', nodeId: id('a2') as NodeId });
    plane.submit(createVolume('data', 10, { kind: 'none' }));
    plane.settle(obedient());
    expect(cleanUp(plane)).toEqual(['DeleteBrick on n1']);
  });
});

describe('create-block-volume, with a hosting volume of its own', () => {
  const steps = sagas['create-block-volume'].steps.map(({ name }, index) => ({ name, index }));

  it('makes both', () => {
    const plane = threeNodes();
    const command = createBlockVolume('disk', 10, { portals: 0 });
    plane.submit(command);
    const tasks: string[] = [];
    plane.settle((task) => {
      tasks.push(task.task.type);
      return obedient()(task);
    });
    expect(tasks).toEqual([
      ...Array<string>(3).fill('CreateBrick'),
      'CreateGlusterVolume',
      'StartGlusterVolume',
      'CreateBlockFile',
      ...Array<string>(3).fill('ExportBlockVolume'),
    ]);
    expect(plane.state.volumes.get(command.hosting.volumeId)?.status).toBe('ready');
    expect(plane.state.blockVolumes.get(command.blockVolumeId)).toMatchObject({
      status: 'ready',
      sizeKib: kibOf(gib(10)),
    });
  });

  it.each(steps)('takes back both when $name fails for good', ({ index }) => {
    const plane = threeNodes();
    const before = essence(plane.state);
    plane.submit(createBlockVolume('disk', 10));
    plane.settle((task) =>
      task.taskId.includes(`.${String(index)}.act.`) ? failed('the disk is on fire') : obedient()(task),
    );
    expect(lastEnded(plane)).toMatchObject({ result: 'undone', detail: 'the disk is on fire' });
    expect(essence(plane.state)).toBe(before);
  });

  it.each(steps)('leaves nothing anywhere when a node is lost during $name', ({ index }) => {
    const plane = threeNodes();
    plane.submit(createBlockVolume('disk', 10, { portals: 0 }));
    const nodeId = id('a1') as NodeId;
    let held = 0;
    plane.settle((task) => {
      if (task.nodeId !== nodeId || (held === 0 && !task.taskId.includes(`.${String(index)}.act.`))) {
        return obedient()(task);
      }
      held += 1;
      return undefined;
    });
    expect(held).toBeGreaterThan(0);
    plane.submit({ type: 'DeclareNodeLost', nodeId, silentSince: 'then' });
    plane.settle(obedient());
    expect(lastEnded(plane)?.result).toBe('undone');
    plane.submit({ type: 'DeclareNodeReturned', nodeId });
    plane.settle(obedient());
    expect(plane.state.operations.size).toBe(0);
    expect(plane.state.volumes.size + plane.state.blockVolumes.size).toBe(0);
    expect([...plane.state.nodes.values()].flatMap(({ residue }) => residue)).toEqual([]);
  });
});

describe('what a lost host left, when it is back before the operation has ended', () => {
  const nodeId = id('a1') as NodeId;
  const types = (plane: ControlPlane): string[] =>
    (plane.state.nodes.get(nodeId)?.residue ?? []).map(({ task }) => task.type).sort();
  const isBack = (plane: ControlPlane, isHeld: (task: AgentTask) => boolean = () => false): string[] => {
    const done: string[] = [];
    plane.submit({ type: 'DeclareNodeReturned', nodeId });
    plane.settle((task) => {
      if (isHeld(task.task)) return undefined;
      done.push(`${task.task.type} on ${task.host}`);
      return obedient()(task);
    });
    return done;
  };

  it('is a target that goes when the creation has been taken back, not before', () => {
    const plane = threeNodes();
    plane.submit(createBlockVolume('disk', 10, { portals: 0 }));
    plane.settle((task) => {
      if (task.task.type === 'UnexportBlockVolume' && task.nodeId === nodeId) return undefined;
      if (task.task.type === 'DeleteBlockFile') return undefined;
      return task.task.type === 'ExportBlockVolume' && task.nodeId !== nodeId ? failed('no') : obedient()(task);
    });
    plane.submit({ type: 'DeclareNodeLost', nodeId, silentSince: 'then' });
    plane.settle((task) => (task.task.type === 'DeleteBlockFile' ? undefined : obedient()(task)));
    expect(types(plane)).toContain('UnexportBlockVolume');
    expect(isBack(plane, ({ type }) => type === 'DeleteBlockFile')).toEqual([]);
    expect(types(plane)).toContain('UnexportBlockVolume');
    plane.settle(obedient());
    expect(plane.state.blockVolumes.size).toBe(0);
    expect(isBack(plane)).toContain('UnexportBlockVolume on n1');
    expect([...plane.state.nodes.values()].flatMap(({ residue }) => residue)).toEqual([]);
    expect(plane.state.operations.size).toBe(0);
  });

  it('is a volume that its daemon alone may know', () => {
    const plane = threeNodes();
    plane.submit(createVolume('data', 10));
    const isHeld = ({ task, host }: PlannedTask): boolean => task.type === 'DeleteGlusterVolume' && host === 'n2';
    plane.settle((task) => {
      if (task.task.type === 'StartGlusterVolume') return failed('no');
      return task.task.type === 'DeleteGlusterVolume' ? undefined : obedient()(task);
    });
    plane.submit({ type: 'DeclareNodeLost', nodeId, silentSince: 'then' });
    plane.settle((task) => (isHeld(task) ? undefined : obedient()(task)));
    expect(types(plane)).toEqual(['DeleteGlusterVolume']);
    plane.submit({ type: 'DeclareNodeReturned', nodeId });
    expect(types(plane)).toEqual(['DeleteGlusterVolume']);
    plane.settle(obedient());
    expect(plane.state.volumes.size).toBe(0);
    expect(isBack(plane)).toEqual(['DeleteGlusterVolume on n1']);
    expect(types(plane)).toEqual([]);
  });
});

describe('delete-block-volume', () => {
  it('is not turned round by a runner that was lost and may have removed the file', () => {
    const { plane, blockVolumeId } = withBlockVolume('disk');
    plane.submit({ type: 'DeleteBlockVolume', operationId: newOperationId(), blockVolumeId });
    let runner: NodeId | undefined;
    plane.settle((task) => {
      if (task.task.type !== 'DeleteBlockFile') return obedient()(task);
      runner ??= task.nodeId;
      return task.nodeId === runner ? undefined : obedient()(task);
    });
    plane.submit({ type: 'DeclareNodeLost', nodeId: runner ?? (id('a1') as NodeId), silentSince: 'then' });
    const asked: string[] = [];
    plane.settle((task) => {
      asked.push(task.task.type);
      return obedient()(task);
    });
    expect(asked[0]).toBe('ReadBlockFile');
    expect(lastEnded(plane)?.result).toBe('done');
    expect(plane.state.blockVolumes.size).toBe(0);
  });
});

describe('create-volume', () => {
  it('asks the host when an attempt ends without an answer, and goes on when the effect is there', () => {
    const plane = threeNodes();
    plane.submit(createVolume('data', 10));
    const tasks: AgentTask['type'][] = [];
    plane.settle((task) => {
      tasks.push(task.task.type);
      const isLost = task.task.type === 'CreateGlusterVolume';
      return isLost ? failed('timed out', { transient: true, uncertain: true }) : obedient()(task);
    });
    expect(tasks.filter((type) => type === 'CreateGlusterVolume')).toHaveLength(1);
    expect(tasks).toContain('ReadGlusterVolume');
    expect(lastEnded(plane)?.result).toBe('done');
  });

  it('asks, and tries again, when the effect is not there', () => {
    const plane = threeNodes();
    plane.submit(createVolume('data', 10));
    let tries = 0;
    plane.settle((task) => {
      if (task.task.type === 'ReadGlusterVolume') return { kind: 'done', result: { kind: 'presence', present: false } };
      if (task.task.type !== 'CreateGlusterVolume') return obedient()(task);
      tries += 1;
      return tries === 1 ? failed('timed out', { transient: true, uncertain: true }) : obedient()(task);
    });
    expect(tries).toBe(2);
    expect(lastEnded(plane)?.result).toBe('done');
  });

  it('is tried elsewhere when a host fails, with other bricks, and says which device is left out', () => {
    const plane = clusterOf([1, 2, 3, 4].map((zone) => ({ zone, devicesKib: [DEVICE_KIB] })));
    const command = createVolume('data', 10);
    plane.submit(command);
    const first = plane.state.volumes.get(command.volumeId)?.bricks ?? [];
    const bad = first[1]?.deviceId;
    const created: string[] = [];
    const taskIds: string[] = [];
    plane.settle((task) => {
      taskIds.push(task.taskId);
      if (task.task.type === 'CreateBrick' && task.task.brick.deviceId === bad) return failed('the disk is on fire');
      if (task.task.type === 'CreateBrick') created.push(task.task.brick.brickId);
      return obedient()(task);
    });
    expect(lastEnded(plane)?.result).toBe('done');
    const bricks = plane.state.volumes.get(command.volumeId)?.bricks ?? [];
    expect(bricks.map(({ deviceId }) => deviceId)).not.toContain(bad);
    expect(new Set(taskIds).size).toBe(taskIds.length);
    expect(new Set(created).size).toBe(created.length);
    expect(plane.log.find(({ event }) => event.type === 'VolumeReplanned')?.event).toMatchObject({
      excluded: [{ deviceId: bad, detail: 'the disk is on fire' }],
    });
    const used = [...plane.state.devices.values()].map(({ usedKib, deviceId }) => [deviceId === bad, usedKib]);
    expect(used.filter(([isBad]) => isBad === true)).toEqual([[true, 0]]);
  });

  it('is tried five times in all, then undone without a trace', () => {
    const plane = clusterOf(Array.from({ length: 30 }, (_, index) => ({ zone: index + 1, devicesKib: [DEVICE_KIB] })));
    const before = essence(plane.state);
    plane.submit(createVolume('data', 10));
    plane.settle((task) => (task.task.type === 'CreateBrick' ? failed('no') : obedient()(task)));
    expect(plane.log.filter(({ event }) => event.type === 'VolumeReplanned')).toHaveLength(4);
    expect(lastEnded(plane)).toMatchObject({ result: 'undone', detail: 'no' });
    expect(essence(plane.state)).toBe(before);
  });

  it('is not tried again when Gluster refuses it', () => {
    const plane = clusterOf([1, 2, 3, 4].map((zone) => ({ zone, devicesKib: [DEVICE_KIB] })));
    plane.submit(createVolume('data', 10));
    plane.settle((task) => (task.task.type === 'CreateGlusterVolume' ? failed('no such option') : obedient()(task)));
    expect(plane.log.some(({ event }) => event.type === 'VolumeReplanned')).toBe(false);
    expect(lastEnded(plane)?.result).toBe('undone');
  });

  it('gives every byte back after its deletion', () => {
    const plane = threeNodes();
    const free = () => [...plane.state.devices.values()].map(freeKib);
    const before = free();
    const command = createVolume('data', 100);
    plane.submit(command);
    expect(free()).not.toEqual(before);
    plane.settle(obedient());
    plane.submit(remove(command.volumeId));
    plane.settle(obedient());
    expect(free()).toEqual(before);
  });

  it('hears an outcome once: late and repeated ones change nothing', () => {
    const plane = threeNodes();
    plane.submit(createVolume('data', 10));
    const [task] = plane.waiting();
    if (task === undefined) throw new Error('no task waits');
    plane.answer(task, obedient()(task));
    const position = plane.log.length;
    plane.answer(task, obedient()(task));
    plane.answer(task, failed('too late'));
    expect(plane.log).toHaveLength(position);
  });

  it('runs its Gluster commands on a member that speaks', () => {
    const plane = clusterOf([1, 2, 3, 4].map((zone) => ({ zone, devicesKib: [DEVICE_KIB] })));
    plane.submit({ type: 'DeclareNodeLost', nodeId: id('a1') as NodeId, silentSince: 'then' });
    plane.submit(createVolume('data', 10));
    const runners: PlannedTask[] = [];
    plane.settle((task) => {
      if (task.task.type === 'CreateGlusterVolume') runners.push(task);
      return obedient()(task);
    });
    expect(runners.map(({ nodeId }) => nodeId)).toEqual([id('a2')]);
    expect([...plane.state.volumes.values()][0]?.bricks.map(({ nodeId }) => nodeId)).not.toContain(id('a1'));
  });
});

describe('delete-volume', () => {
  it.each([
    [true, 2],
    [false, 1],
  ])('whose attempt ends without an answer while the volume is there: %s, is tried %i times', (present, times) => {
    const { plane, volumeId } = withVolume();
    plane.submit(remove(volumeId));
    let tries = 0;
    plane.settle((task) => {
      if (task.task.type === 'ReadGlusterVolume') return { kind: 'done', result: { kind: 'presence', present } };
      if (task.task.type !== 'DeleteGlusterVolume') return obedient()(task);
      tries += 1;
      return tries === 1 ? failed('timed out', { transient: true, uncertain: true }) : obedient()(task);
    });
    expect(tries).toBe(times);
    expect(lastEnded(plane)?.result).toBe('done');
    expect(plane.state.volumes.has(volumeId)).toBe(false);
  });
});

describe('resync-device', () => {
  const deviceId = id('d101') as DeviceId;
  const resync = (): ControlCommand => ({ type: 'ResyncDevice', operationId: newOperationId(), deviceId });

  it('takes over what the host says', () => {
    const { plane } = withVolume();
    const usedKib = plane.state.devices.get(deviceId)?.usedKib ?? 0;
    plane.submit(resync());
    plane.settle(obedient(2 * DEVICE_KIB));
    expect(plane.state.devices.get(deviceId)).toMatchObject({ totalKib: 2 * DEVICE_KIB, usedKib });
    expect(plane.state.devices.get(deviceId)?.operationId).toBeUndefined();
  });

  it('changes nothing when the device has become too small for its bricks', () => {
    const { plane } = withVolume();
    plane.submit(resync());
    plane.settle(obedient(1_048_576));
    expect(lastEnded(plane)).toMatchObject({
      result: 'undone',
      detail: expect.stringContaining('less than the') as unknown,
    });
    expect(plane.state.devices.get(deviceId)).toMatchObject({ totalKib: DEVICE_KIB });
  });

  it('is refused while bricks are put on the device', () => {
    const plane = threeNodes();
    plane.submit(createVolume('data', 10));
    expect(plane.submit(resync())).toMatchObject({ kind: 'ConflictingOperation' });
    plane.settle(obedient());
    const [volumeId] = [...plane.state.volumes.keys()];
    if (volumeId === undefined) throw new Error('no volume');
    plane.submit(expand(volumeId));
    expect(plane.submit(resync())).toMatchObject({ kind: 'ConflictingOperation' });
    plane.settle(obedient());
    expect(plane.submit(resync())).toBeUndefined();
    expect(plane.submit(resync())).toMatchObject({ kind: 'ConflictingOperation' });
  });
});

describe('CleanUp', () => {
  it('removes now what could not be removed then, and tells which operations do it', () => {
    const plane = threeNodes();
    plane.submit(createVolume('data', 10));
    plane.settle((task) =>
      task.task.type === 'StartGlusterVolume' || task.task.type === 'DeleteBrick' ? failed('no') : obedient()(task),
    );
    const left = (): number => [...plane.state.nodes.values()].filter(({ residue }) => residue.length > 0).length;
    expect(left()).toBe(3);
    const operationId = newOperationId();
    plane.submit({ type: 'CleanUp', operationId, nodeIds: [id('a1')] });
    const children = plane.state.ended.get(operationId)?.children ?? [];
    expect([...plane.state.operations.keys()]).toEqual(children);
    expect(children).toHaveLength(1);
    plane.settle(obedient());
    expect(left()).toBe(2);
    plane.submit({ type: 'CleanUp', operationId: newOperationId(), nodeIds: [] });
    plane.settle(obedient());
    expect(left()).toBe(0);
  });

  it('leaves a lost node for its return', () => {
    const plane = threeNodes();
    plane.submit(createVolume('data', 10));
    plane.settle((task) =>
      task.task.type === 'StartGlusterVolume' || task.task.type === 'DeleteBrick' ? failed('no') : obedient()(task),
    );
    plane.submit({ type: 'DeclareNodeLost', nodeId: id('a1') as NodeId, silentSince: 'then' });
    plane.submit({ type: 'CleanUp', operationId: newOperationId(), nodeIds: [] });
    plane.settle(obedient());
    expect(
      [...plane.state.nodes.values()].filter(({ residue }) => residue.length > 0).map(({ nodeId }) => nodeId),
    ).toEqual([id('a1')]);
  });
});

describe('RemoveCluster', () => {
  it('is refused while a node is joining', () => {
    const plane = threeNodes();
    const clusterId = id('c1') as ClusterId;
    expect(plane.submit({ type: 'RemoveCluster', clusterId })).toEqual({ kind: 'ClusterNotEmpty', clusterId });
  });
});
