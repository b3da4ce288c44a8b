import { HostName, type NodeFacts, type TaskOf } from '@brickyard/contracts';
import type { ControlState, Volume } from '../control/control.state';
import { judgeHost } from '../drift/judge-host';
import type { HostReport } from '../drift/drift.state';
import {
  clusterOf,
  controlPlane,
  createVolume,
  defaultPolicy,
  newOperationId,
  obedient,
  type ControlPlane,
} from '../testing';
import { planRebuild } from './plan-rebuild';
import { readStamp, STAMP_OPTION, stampOption } from './volume-stamp';

const GIB = 1_048_576;

/** Three nodes with two devices each, and volumes of every kind, one of them grown. */
function site(): { readonly plane: ControlPlane; readonly options: ReadonlyMap<string, Record<string, string>> } {
  const plane = clusterOf([1, 2, 3].map((zone) => ({ zone, devicesKib: [100 * GIB, 100 * GIB] })));
  const options = new Map<string, Record<string, string>>();
  const agent = (task: Parameters<ReturnType<typeof obedient>>[0]): ReturnType<ReturnType<typeof obedient>> => {
    const { task: asked } = task;
    if (asked.type === 'CreateGlusterVolume') options.set(asked.volume.name, optionsOf(asked));
    if (asked.type !== 'StartGlusterVolume') return obedient()(task);
    const told = options.get(asked.volume.name) ?? {};
    return { kind: 'done', result: { kind: 'volume', uuid: asked.volume.name, options: told } };
  };
  const grown = createVolume('grown', 4);
  const commands = [
    grown,
    createVolume('none', 2, { kind: 'none' }),
    createVolume('disperse', 6, { kind: 'disperse', data: 2, redundancy: 1 }),
    createVolume('arbiter', 8, { kind: 'replicate', replica: 3 }, ['user.heketi.arbiter true']),
  ];
  for (const command of commands) {
    plane.submit(command);
    plane.settle(agent);
  }
  const { volumeId } = grown;
  const addKib = grown.spec.sizeKib;
  plane.submit({ type: 'ExpandVolume', operationId: newOperationId(), volumeId, addKib, policy: defaultPolicy });
  plane.settle(agent);
  return { plane, options };
}

function optionsOf({ volume }: TaskOf<'CreateGlusterVolume'>): Record<string, string> {
  const asked = volume.options.map((option) => option.split(' ') as [string, string]);
  return { ...Object.fromEntries(asked), 'user.brickyard.id': volume.volumeId };
}

/** What hosts say when they have just what the log says. */
function reportsOf(state: ControlState, optionsOfVolume: ReadonlyMap<string, Record<string, string>>): HostReport[] {
  const nodes = [...state.nodes.values()];
  const nameOf = new Map(nodes.map(({ nodeId, hostnames }) => [nodeId, hostnames.storage[0] ?? '']));
  const listed = (volume: Volume): string[] =>
    [...volume.bricks]
      .sort((one, other) => one.set - other.set || one.place - other.place)
      .map(({ nodeId, path }) => `${nameOf.get(nodeId) ?? ''}:${path}`);
  return nodes.map(({ nodeId, hostnames, deviceIds }) => ({
    host: HostName.parse(hostnames.manage[0]),
    incarnation: '1',
    observedAt: '2026-01-01T00:00:00.000Z',
    glusterd: 'running',
    simulated: true,
    seenGeneration: 500,
    devices: deviceIds.map((deviceId) => ({
      deviceId,
      name: state.devices.get(deviceId)?.name ?? '',
      totalKib: state.devices.get(deviceId)?.totalKib ?? 0,
    })),
    bricks: [...state.volumes.values()]
      .flatMap(({ bricks }) => bricks)
      .filter((brick) => brick.nodeId === nodeId)
      .map(({ path, sizeKib }) => ({ path, mounted: true, sizeKib })),
    peers: nodes.map((peer) => ({
      uuid: peer.nodeId,
      hostname: peer.nodeId === nodeId ? 'localhost' : (peer.hostnames.storage[0] ?? ''),
      names: [],
      connected: true,
    })),
    volumes: [...state.volumes.values()].map((volume) => ({
      name: volume.spec.name,
      uuid: volume.spec.name,
      status: 'started' as const,
      bricks: listed(volume),
      options: optionsOfVolume.get(volume.spec.name) ?? {},
      idle: [],
    })),
  }));
}

function rebuilt(reports: readonly HostReport[]): ControlPlane {
  const plane = controlPlane();
  for (const command of planRebuild(reports).commands) expect(plane.submit(command)).toBeUndefined();
  return plane;
}

/** What must be as it was: everything clients see. */
const seen = ({ clusters, nodes, devices, volumes }: ControlState): unknown => ({
  clusters: [...clusters.values()].map(({ clusterId, nodeIds }) => ({ clusterId, nodeIds })),
  nodes: [...nodes.values()].map(({ nodeId, zone, hostnames, deviceIds }) => ({ nodeId, zone, hostnames, deviceIds })),
  devices: [...devices.values()].map(({ deviceId, totalKib, usedKib }) => ({ deviceId, totalKib, usedKib })),
  volumes: [...volumes.values()].map(({ volumeId, spec, sizeKib, bricks, gluster }) => ({
    volumeId,
    spec,
    sizeKib,
    bricks: [...bricks].sort((one, other) => one.set - other.set || one.place - other.place),
    gluster,
  })),
});

describe('a log made anew from the hosts', () => {
  it('has every cluster, node, device, brick and volume as it was, and agrees with the hosts', () => {
    const { plane, options } = site();
    const reports = reportsOf(plane.state, options);
    const plan = planRebuild(reports);
    expect(plan.undecided).toEqual([]);
    const { state } = rebuilt(reports);
    expect(seen(state)).toEqual(seen(plane.state));
    for (const [nodeId, { hostnames }] of state.nodes.entries()) {
      const reportOf = (id: typeof nodeId) =>
        reports.find(({ host }) => host === state.nodes.get(id)?.hostnames.manage[0]);
      expect({ host: hostnames.manage[0], ...judgeHost(nodeId, state, reportOf) }).toMatchObject({ findings: [] });
    }
  });

  it('goes on: volumes grow and go, by orders newer than hosts have seen', () => {
    const { plane, options } = site();
    const again = rebuilt(reportsOf(plane.state, options));
    const volumeId = [...again.state.volumes.values()].find(({ spec }) => spec.name === 'none')?.volumeId;
    if (volumeId === undefined) throw new Error('the volume is not there');
    const grow = { operationId: newOperationId(), volumeId, addKib: (2 * GIB) as never, policy: defaultPolicy };
    expect(again.submit({ type: 'ExpandVolume', ...grow })).toBeUndefined();
    expect([...again.state.operations.values()][0]?.current?.generation).toBeGreaterThan(500);
    again.settle(obedient());
    expect(again.submit({ type: 'DeleteVolume', operationId: newOperationId(), volumeId })).toBeUndefined();
    again.settle(obedient());
    expect(again.state.volumes.has(volumeId)).toBe(false);
  });

  it('says what it could not decide, and what it assumed', () => {
    const { plane, options } = site();
    const [first, second, third] = reportsOf(plane.state, options);
    if (first === undefined || second === undefined || third === undefined) throw new Error('there are three hosts');
    const change = (name: string, more: Partial<NodeFacts['volumes'][number]>): HostReport => ({
      ...first,
      volumes: first.volumes.map((fact) => (fact.name === name ? { ...fact, ...more } : fact)),
    });
    const { [STAMP_OPTION]: __, ...unstamped } = options.get('none') ?? {};
    const only = (report: HostReport): HostReport => ({ ...report, volumes: [] });
    const told = (reports: readonly HostReport[]): string =>
      planRebuild(reports)
        .undecided.map(({ about, text }) => `${about}: ${text}`)
        .join('\n');
    expect(told([change('none', { options: {} }), only(second), only(third)])).toMatch(
      /volume none: it has no stamp[^]*brick .*: no volume that was taken over has it/,
    );
    expect(told([change('none', { options: unstamped }), only(second), only(third)])).toContain('an earlier release');
    expect(told([{ ...first, glusterd: 'stopped' }, second, third])).toContain('its glusterd does not run');
    expect(told([first, second])).toMatch(/host 10\.0\.0\.3: a member of the pool[^]*its brick .* is on no host/);
    const [device] = first.devices;
    if (device === undefined) throw new Error('there is a device');
    const { totalKib: _, ...gone } = { ...device, problem: 'gone' };
    expect(told([{ ...first, devices: [gone] }, second, third])).toContain('gone');
    const stopped = planRebuild([change('none', { status: 'stopped' }), only(second), only(third)]);
    expect(stopped.assumed.map(({ text }) => text).join()).toContain('that it shall be served; it is stopped');
  });

  it('tells pools apart', () => {
    const { plane, options } = site();
    const [first] = reportsOf(plane.state, options);
    if (first === undefined) throw new Error('there are three hosts');
    const lonely: HostReport = {
      ...first,
      host: 'alone' as HostName,
      devices: [],
      bricks: [],
      volumes: [],
      peers: [{ uuid: 'x', hostname: 'localhost', names: [], connected: true }],
    };
    const { commands } = planRebuild([...reportsOf(plane.state, options), lonely]);
    expect(commands.filter(({ type }) => type === 'AdoptCluster')).toHaveLength(2);
  });
});

describe('the stamp of a volume', () => {
  it('is one word that says what it said', () => {
    const { plane } = site();
    for (const volume of plane.state.volumes.values()) {
      const [key, value = '', ...rest] = stampOption(volume, plane.state).split(' ');
      expect([key, rest]).toEqual([STAMP_OPTION, []]);
      expect(value).toMatch(/^[A-Za-z0-9_.!~*'()%-]+$/);
      expect(readStamp(value)).toMatchObject({ volumeId: volume.volumeId, spec: volume.spec });
    }
  });

  it.each(['', '%', '{}', encodeURIComponent('{"v":2}'), encodeURIComponent('null')])('is none: %s', (value) => {
    expect(readStamp(value)).toBeUndefined();
  });
});
