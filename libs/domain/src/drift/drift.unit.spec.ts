import type { CommandOf, DriftId, NodeId, Rejection, VolumeId } from '@brickyard/contracts';
import type { ControlState } from '../control/control.state';
import { decodeSnapshot, encodeSnapshot } from '../control/snapshot';
import { clusterOf, createVolume, failed, id, newOperationId, obedient, type ControlPlane } from '../testing';
import { agreeingReport } from './drift.testing';
import type { Drift, HostReport } from './drift.state';
import { judgeHost } from './judge-host';
import { proposalsFor } from './reconcile';

const DEVICE_KIB = 500 * 1_048_576;
const NODE = id('a1') as NodeId;
type Change = (report: HostReport) => HostReport;

/** Three hosts with a volume of three replicas whose options were told when it was made. */
function withVolume(): { readonly plane: ControlPlane; readonly volumeId: VolumeId } {
  const plane = clusterOf([1, 2, 3].map((zone) => ({ zone, devicesKib: [DEVICE_KIB] })));
  const command = createVolume('data', 10, undefined, ['performance.readdir-ahead on']);
  plane.submit(command);
  plane.settle((task) =>
    task.task.type === 'StartGlusterVolume'
      ? {
          kind: 'done',
          result: {
            kind: 'volume',
            uuid: 'u',
            options: { 'performance.readdir-ahead': 'on', 'nfs.disable': 'on', 'user.brickyard.id': command.volumeId },
          },
        }
      : obedient()(task),
  );
  return { plane, volumeId: command.volumeId };
}

/** What all hosts say; the first one's word is changed. */
const told =
  (state: ControlState, change: Change = (report) => report) =>
  (nodeId: NodeId): HostReport => {
    const report = agreeingReport(nodeId, state);
    return nodeId === NODE ? change(report) : report;
  };

const judged = ({ state }: ControlPlane, change?: Change) => judgeHost(NODE, state, told(state, change));

/** The only difference there is. */
function first(drifts: readonly (Drift | undefined)[]): Drift {
  const [drift] = drifts;
  if (drift === undefined) throw new Error('there is no difference');
  return drift;
}

/** The first host's word, recorded. */
function record(plane: ControlPlane, change?: Change): readonly Drift[] {
  const { findings, over } = judged(plane, change);
  plane.submit({ type: 'RecordDrift', observed: [...findings], resolved: [...over] });
  return [...plane.state.drift.values()];
}

const volumes =
  (change: (volume: HostReport['volumes'][number]) => HostReport['volumes'][number]): Change =>
  (report) => ({ ...report, volumes: report.volumes.map(change) });
const bricks =
  (change: (brick: HostReport['bricks'][number]) => HostReport['bricks'][number]): Change =>
  (report) => ({ ...report, bricks: report.bricks.map(change) });
const option = (key: string, value: string): Change =>
  volumes((volume) => ({ ...volume, options: { ...volume.options, [key]: value } }));

const restore = (driftId: DriftId): CommandOf<'RestoreDrift'> => ({
  type: 'RestoreDrift',
  operationId: newOperationId(),
  driftId,
});
const accept = (driftId: DriftId): CommandOf<'AcceptDrift'> => ({ ...restore(driftId), type: 'AcceptDrift' });

const noVolumes: Change = (report) => ({ ...report, volumes: [] });
const GHOST = {
  name: 'ghost',
  uuid: 'u2',
  status: 'created' as const,
  bricks: [`10.0.0.1:/m/vg_${id('d1')}/brick_${id('b9')}/brick`],
  idle: [],
};

/** What somebody may do to a host by hand, what it is called, and what can be done about it. */
const cases: readonly (readonly [what: string, kind: string, change: Change, ways: string])[] = [
  ['deletes a volume', 'volume-missing', noVolumes, 'accept'],
  ['stops a volume', 'volume-stopped', volumes((volume) => ({ ...volume, status: 'stopped' })), 'restore'],
  ['sets an option nobody asked for', 'option-changed', option('performance.cache-size', '64MB'), 'accept restore'],
  ['changes an option', 'option-changed', option('nfs.disable', 'off'), 'accept restore'],
  ['adds a brick', 'bricks-differ', volumes((volume) => ({ ...volume, bricks: [...volume.bricks, 'h:/b'] })), ''],
  ['unmounts a brick', 'brick-unmounted', bricks((brick) => ({ ...brick, mounted: false })), 'restore'],
  [
    'kills a brick',
    'brick-stopped',
    (report) => volumes((volume) => ({ ...volume, idle: report.bricks.map(({ path }) => path) }))(report),
    'restore',
  ],
  ['removes a brick', 'brick-missing', (report) => ({ ...report, bricks: [] }), ''],
  ['grows a brick', 'size-differs', bricks((brick) => ({ ...brick, sizeKib: (brick.sizeKib ?? 0) + 4 })), ''],
  [
    'grows a device',
    'size-differs',
    (report) => ({ ...report, devices: report.devices.map((device) => ({ ...device, totalKib: DEVICE_KIB + 4096 })) }),
    'accept',
  ],
  ['pulls a device', 'device-missing', (report) => ({ ...report, devices: [] }), ''],
  [
    'makes a volume',
    'volume-unknown',
    (report) => ({ ...report, volumes: [...report.volumes, { ...GHOST, bricks: ['h:/b'], options: {} }] }),
    '',
  ],
  [
    'leaves a half-made volume',
    'volume-unknown',
    (report) => ({ ...report, volumes: [...report.volumes, { ...GHOST, options: {} }] }),
    'restore',
  ],
  [
    'brings a volume of ours back',
    'volume-unknown',
    (report) => ({ ...report, volumes: [...report.volumes, { ...GHOST, options: { 'user.brickyard.id': id('9') } }] }),
    'restore',
  ],
  [
    'leaves a brick',
    'brick-unknown',
    (report) => ({
      ...report,
      bricks: [...report.bricks, { path: `/m/vg_${id('d101')}/brick_${id('b9')}/brick`, mounted: true }],
    }),
    'restore',
  ],
  ['detaches a peer', 'peer-missing', (report) => ({ ...report, peers: report.peers.slice(0, 2) }), 'restore'],
  [
    'makes a stranger a peer',
    'peer-unknown',
    (report) => ({ ...report, peers: [...report.peers, { uuid: 'x', hostname: 'x', names: ['x'], connected: true }] }),
    '',
  ],
];

describe('what a host says', () => {
  it('is no drift while it is what the log says', () => {
    const { plane } = withVolume();
    expect(judged(plane)).toEqual({ findings: [], over: [] });
  });

  it.each(cases)('when somebody %s: %s', (_, kind, change, ways) => {
    const { plane } = withVolume();
    const [drift, ...others] = record(plane, change);
    expect(others).toEqual([]);
    expect(drift).toMatchObject({ class: kind, nodeIds: [NODE] });
    const { accept: one, restore: other } = proposalsFor(first([drift]), plane.state);
    expect([...(one.possible ? ['accept'] : []), ...(other.possible ? ['restore'] : [])].join(' ')).toBe(ways);
  });

  it.each(cases)('is told once, and its end, when somebody %s (%s)', (_, __, change) => {
    const { plane } = withVolume();
    record(plane, change);
    const position = plane.log.length;
    record(plane, change);
    expect(plane.log).toHaveLength(position);
    expect(plane.log.at(-1)?.event.type).toBe('DriftObserved');
    expect(record(plane)).toEqual([]);
    expect(plane.log.at(-1)?.event).toMatchObject({ type: 'DriftResolved', reason: 'agrees' });
  });

  it('is told again when it becomes another difference', () => {
    const { plane } = withVolume();
    record(plane, option('nfs.disable', 'off'));
    const { since } = first([...plane.state.drift.values()]);
    const [drift] = record(plane, option('nfs.disable', 'perhaps'));
    expect(drift).toMatchObject({ found: 'perhaps', since });
    expect(plane.state.drift.size).toBe(1);
  });

  it('counts for nothing while an operation is at work on the volume', () => {
    const { plane, volumeId } = withVolume();
    const before = judged(plane, noVolumes).findings;
    plane.submit({ type: 'DeleteVolume', operationId: newOperationId(), volumeId });
    expect(judged(plane, noVolumes).findings).toEqual([]);
    plane.submit({ type: 'RecordDrift', observed: [...before], resolved: [] });
    expect(plane.state.drift.size).toBe(0);
  });

  it('is not asked for a volume that will have a brick there, and has none yet', () => {
    const plane = clusterOf([1, 2, 3, 4].map((zone) => ({ zone, devicesKib: [DEVICE_KIB] })));
    for (const name of ['first', 'second']) {
      plane.submit(createVolume(name, 10));
      plane.settle(obedient());
    }
    const nodeIds = [...plane.state.nodes.keys()];
    const bricks = [...plane.state.volumes.values()].map((volume) => new Set(volume.bricks.map((one) => one.nodeId)));
    const leaving = nodeIds.find((nodeId) => bricks.every((nodes) => nodes.has(nodeId))) ?? NODE;
    for (const state of ['offline', 'failed'] as const) {
      plane.submit({ type: 'SetNodeState', operationId: newOperationId(), nodeId: leaving, state });
    }
    // The first brick is on its way; the second waits for its turn, its new place taken.
    expect(plane.state.operations.size).toBeGreaterThan(1);
    for (const nodeId of nodeIds) {
      expect(judgeHost(nodeId, plane.state, told(plane.state))).toEqual({ findings: [], over: [] });
    }
  });

  it.each([2, 3, 4])('of its pool counts for nothing once it was sent away from its peers, of %d', (count) => {
    const { state } = clusterOf(Array.from({ length: count }, (_, zone) => ({ zone, devicesKib: [DEVICE_KIB] })));
    const [cluster] = [...state.clusters.values()];
    const nodeIds = [...(cluster?.nodeIds ?? [])];
    const sentAway = nodeIds.at(-1);
    const reportOf = (nodeId: NodeId): HostReport => {
      const report = agreeingReport(nodeId, state);
      const own = report.peers.filter(({ hostname }) => hostname === 'localhost');
      const others = report.peers.filter((_, index) => nodeIds[index] !== sentAway);
      return { ...report, peers: nodeId === sentAway ? own : others };
    };
    const found = nodeIds.map((nodeId) => judgeHost(nodeId, state, reportOf).findings.map(({ subject }) => subject));
    expect(found.at(-1)).toEqual([]);
    for (const subjects of found.slice(0, -1)) expect(subjects).toEqual([{ kind: 'peer', nodeId: sentAway }]);
  });

  it('of volumes counts for nothing while its Gluster sees no majority or is down', () => {
    const { plane } = withVolume();
    const alone: Change = (report) => ({
      ...report,
      peers: report.peers.map((peer) => ({ ...peer, connected: peer.hostname === 'localhost' })),
    });
    expect(judged(plane, (report) => alone(noVolumes(report))).findings).toEqual([]);
    expect(judged(plane, (report) => ({ ...noVolumes(report), glusterd: 'stopped', peers: [] })).findings).toEqual([]);
    expect(
      judged(plane, (report) => alone(bricks((brick) => ({ ...brick, mounted: false }))(report))).findings,
    ).toHaveLength(1);
  });

  it('ends with its subject', () => {
    const { plane, volumeId } = withVolume();
    record(plane, option('nfs.disable', 'off'));
    plane.submit({ type: 'DeleteVolume', operationId: newOperationId(), volumeId });
    plane.settle(obedient());
    plane.submit({ type: 'RecordDrift', observed: [], resolved: [] });
    expect(plane.state.drift.size).toBe(0);
    expect(plane.log.at(-1)?.event).toMatchObject({ type: 'DriftResolved', reason: 'gone' });
  });

  it('survives a snapshot', () => {
    const { plane } = withVolume();
    record(plane, option('nfs.disable', 'off'));
    const lines = [...encodeSnapshot(plane.state)];
    expect([...encodeSnapshot(decodeSnapshot(lines))]).toEqual(lines);
    expect(decodeSnapshot(lines).drift.size).toBe(1);
  });
});

/** A difference that all hosts show. */
function recordEverywhere(plane: ControlPlane, change: Change): Drift {
  const reports = (nodeId: NodeId): HostReport => change(agreeingReport(nodeId, plane.state));
  const { findings } = judgeHost(NODE, plane.state, reports);
  plane.submit({ type: 'RecordDrift', observed: [...findings], resolved: [] });
  const [drift] = plane.state.drift.values();
  if (drift === undefined) throw new Error('nothing was found');
  return drift;
}

const tasksOf = (plane: ControlPlane, how = obedient()): string[] => {
  const tasks: string[] = [];
  plane.settle((task) => {
    tasks.push(task.task.type);
    return how(task);
  });
  return tasks;
};

describe('RestoreDrift', () => {
  it('mounts the bricks of a volume that was deleted by hand, makes it around their data, and starts it', () => {
    const { plane } = withVolume();
    const { driftId } = recordEverywhere(plane, noVolumes);
    expect(plane.submit(restore(driftId))).toBeUndefined();
    expect(tasksOf(plane)).toEqual([
      'ServeBrick',
      'ServeBrick',
      'ServeBrick',
      'AdoptGlusterVolume',
      'StartGlusterVolume',
    ]);
    expect(plane.state.drift.size).toBe(0);
  });

  it('sets an option as it was, and takes one away that nobody asked for', () => {
    const { plane } = withVolume();
    const change: Change = (report) => option('performance.cache-size', '64MB')(option('nfs.disable', 'off')(report));
    const changes = record(plane, change).map(({ driftId }) => {
      plane.submit(restore(driftId));
      const [task] = plane.waiting();
      plane.settle(obedient());
      return task?.task;
    });
    expect(changes.map((task) => JSON.stringify(task)).sort()).toEqual([
      expect.stringMatching(/"set":\{"nfs.disable":"on"\}.*"unset":\[\]/),
      expect.stringMatching(/"set":\{\}.*"unset":\["performance.cache-size"\]/),
    ]);
  });

  it('keeps the volume to itself while it goes on, and says why it failed', () => {
    const { plane, volumeId } = withVolume();
    const [drift] = record(
      plane,
      bricks((brick) => ({ ...brick, mounted: false })),
    );
    const driftId = first([drift]).driftId;
    const command = restore(driftId);
    plane.submit(command);
    const refusal = plane.submit({ type: 'DeleteVolume', operationId: newOperationId(), volumeId });
    expect(refusal).toMatchObject({ kind: 'ConflictingOperation', operationId: command.operationId });
    expect(plane.submit(restore(driftId))).toMatchObject({ kind: 'ConflictingOperation' });
    plane.settle(() => failed('the disk is on fire'));
    expect(plane.state.drift.get(driftId)).toMatchObject({ lastFailure: { detail: 'the disk is on fire' } });
    expect(plane.state.volumes.get(volumeId)?.operationId).toBeUndefined();
    expect(plane.submit(restore(driftId))).toBeUndefined();
  });

  it('asks the member that shows an unknown volume to delete it', () => {
    const { plane } = withVolume();
    const [drift] = record(plane, (report) => ({
      ...report,
      volumes: [...report.volumes, { ...GHOST, options: { 'user.brickyard.id': id('9') } }],
    }));
    plane.submit(restore(first([drift]).driftId));
    expect(plane.waiting()).toMatchObject([
      { nodeId: NODE, task: { type: 'DeleteGlusterVolume', volume: { volumeId: id('9'), name: 'ghost' } } },
    ]);
  });
});

describe('AcceptDrift', () => {
  it('makes the option that was found the wanted one', () => {
    const { plane } = withVolume();
    const [drift] = record(plane, option('nfs.disable', 'off'));
    const command = accept(first([drift]).driftId);
    expect(plane.submit(command)).toBeUndefined();
    expect(judged(plane).findings).toEqual([]);
    expect(judged(plane, option('nfs.disable', 'on')).findings).toHaveLength(1);
    expect(plane.state.ended.get(command.operationId)).toMatchObject({ kind: 'accept-drift', result: 'done' });
  });

  it('makes the size that was found the device’s', () => {
    const { plane } = withVolume();
    const grown: Change = (report) => ({
      ...report,
      devices: report.devices.map((device) => ({ ...device, totalKib: DEVICE_KIB + 4096 })),
    });
    const [drift] = record(plane, grown);
    plane.submit(accept(first([drift]).driftId));
    expect(plane.state.devices.get(id('d101') as never)?.totalKib).toBe(DEVICE_KIB + 4096);
  });

  it('forgets a volume that is gone, and removes its bricks', () => {
    const { plane, volumeId } = withVolume();
    const { driftId } = recordEverywhere(plane, noVolumes);
    plane.submit(accept(driftId));
    expect(tasksOf(plane).filter((type) => type === 'DeleteBrick')).toHaveLength(3);
    expect(plane.state.volumes.has(volumeId)).toBe(false);
  });

  it.each<[string, Rejection['kind'], Change]>([
    ['a way that makes no sense', 'DriftNotReconcilable', bricks((brick) => ({ ...brick, mounted: false }))],
    ['a difference that is over', 'DriftNotFound', (report) => report],
  ])('is refused for %s', (_, kind, change) => {
    const { plane } = withVolume();
    const [drift] = record(plane, change);
    const operationId = newOperationId();
    const driftId = drift?.driftId ?? (id('d') as DriftId);
    expect(plane.submit({ type: 'AcceptDrift', operationId, driftId })).toMatchObject({ kind });
    expect(plane.state.ended.has(operationId)).toBe(false);
  });
});
