import {
  HostName,
  kib,
  type DeviceId,
  type HostsAnswer,
  type VolumeFact,
  type VolumeShape,
} from '@brickyard/contracts';
import fc from 'fast-check';
import { controlPlane, createVolume, defaultPolicy, id, newOperationId, obedient } from '../testing';
import { planAdoption, type PoolPlan } from './from-gluster';
import type { KnownNode } from './gluster-pools';

type Look = HostsAnswer['hosts'][number];

const GIB_KIB = 1_048_576;
const uuidOf = (number: number): string => `0000000${String(number)}-0000-4000-8000-000000000000`;
const hostOf = (number: number): HostName => HostName.parse(`n${String(number)}`);
const idOf = (uuid: string): string => uuid.replaceAll('-', '');

const plain: VolumeShape = { type: 'Distribute', replica: 1, arbiter: 0, disperse: 0, redundancy: 0 };
const mirrored: VolumeShape = { ...plain, type: 'Replicate', replica: 3 };

/** Where a brick is: its host, its directory, and the file system it is on. */
interface At {
  readonly host: number;
  readonly path: string;
  readonly mount: string;
  readonly gib?: number;
}

interface Given {
  readonly name: string;
  readonly shape: VolumeShape;
  readonly bricks: readonly At[];
  readonly status?: VolumeFact['status'];
  readonly options?: Readonly<Record<string, string>>;
}

const volumeUuid = (name: string): string =>
  `${Buffer.from(name.padEnd(4)).toString('hex')}-0000-4000-8000-000000000000`;

/** What each host of a pool tells of the volumes in it. */
function told(hosts: readonly number[], volumes: readonly Given[], pool: readonly number[] = hosts): Look[] {
  return hosts.map((self) => ({
    host: hostOf(self),
    incarnation: 'i',
    observedAt: '2026-01-01T00:00:00.000Z',
    glusterd: 'running',
    simulated: false,
    seenGeneration: 7,
    devices: [],
    bricks: [],
    peers: pool.map((number) => ({
      uuid: uuidOf(number),
      hostname: number === self ? 'localhost' : `10.0.0.${String(number)}`,
      names: [],
      connected: true,
    })),
    volumes: volumes.map(({ name, shape, bricks, status = 'started', options = {} }) => ({
      name,
      uuid: volumeUuid(name),
      status,
      bricks: bricks.map(({ host, path }) => `10.0.0.${String(host)}:${path}`),
      options: { ...options },
      idle: [],
      found: {
        shape,
        hostUuids: bricks.map(({ host }) => uuidOf(host)),
        grounds: bricks
          .filter(({ host }) => host === self)
          .map(({ path, mount, gib = 100 }) => ({
            hostUuid: uuidOf(self),
            path,
            mount,
            source: `/dev/${mount.slice(1)}`,
            sizeKib: gib * GIB_KIB,
          })),
      },
    })),
  }));
}

const each = (path: string, mount: string, hosts = [1, 2, 3]): At[] => hosts.map((host) => ({ host, path, mount }));
const data: Given = { name: 'data', shape: mirrored, bricks: each('/data/brick', '/data') };

const leftOut = ({ findings }: PoolPlan): string[] =>
  findings.filter(({ done }) => done === 'left out').map(({ subject, problem }) => `${subject}: ${problem}`);
const typesOf = ({ commands }: PoolPlan): string[] => commands.map(({ type }) => type);

/** Everything a plan says is taken over without a refusal, and again without an event. */
function takenOver(plan: PoolPlan): ReturnType<typeof controlPlane> {
  const plane = controlPlane();
  for (const command of plan.commands) expect(plane.submit(command)).toBeUndefined();
  const { length } = plane.log;
  for (const command of plan.commands) plane.submit(command);
  expect(plane.log).toHaveLength(length);
  return plane;
}

describe('a Gluster pool that nobody managed', () => {
  it("is taken over under Gluster's own ids, its bricks where they lie", () => {
    const plan = planAdoption(told([1, 2, 3], [data]));
    expect(typesOf(plan)).toEqual([
      'AdoptCluster',
      ...Array<string>(3).fill('AdoptNode'),
      ...Array<string>(3).fill('AdoptDevice'),
      'AdoptVolume',
    ]);
    expect(leftOut(plan)).toEqual([]);
    expect(plan.findings.map(({ problem }) => problem)).toEqual(Array(3).fill('nobody says in which zone it is'));
    const zones = new Map([1, 2, 3].map((number) => [`n${String(number)}`, number]));
    expect(planAdoption(told([1, 2, 3], [data]), { zones }).findings).toEqual([]);
    const plane = takenOver(plan);
    expect(plane.waiting()).toEqual([]);
    const { state } = plane;
    const volume = [...state.volumes.values()][0];
    expect(volume?.gluster?.options).toEqual({ 'user.brickyard.id': volume?.volumeId });
    expect(volume).toMatchObject({
      volumeId: idOf(volumeUuid('data')),
      sizeKib: 100 * GIB_KIB,
      bricks: [1, 2, 3].map((host) => ({ nodeId: idOf(uuidOf(host)), path: '/data/brick', foreign: true })),
    });
    expect([...state.nodes.values()].map(({ hostnames }) => hostnames)).toContainEqual({
      manage: ['n2'],
      storage: ['10.0.0.2'],
    });
    for (const device of state.devices.values()) {
      expect(device).toMatchObject({ name: '/data', totalKib: 100 * GIB_KIB, usedKib: 100 * GIB_KIB, foreign: true });
    }
  });

  it('holds what its smallest bricks hold, an arbiter aside', () => {
    const bricks = [50, 40, 1, 80, 90, 2].map((gib, index) => ({
      host: 1 + (index % 3),
      path: `/b${String(index)}/brick`,
      mount: `/b${String(index)}`,
      gib,
    }));
    const shape = { ...mirrored, type: 'Distributed-Replicate', arbiter: 1 };
    const plan = planAdoption(told([1, 2, 3], [{ name: 'arb', shape, bricks }]));
    expect(plan.commands.at(-1)).toMatchObject({
      sizeKib: 120 * GIB_KIB,
      spec: { durability: { kind: 'replicate', replica: 3 }, options: ['user.heketi.arbiter true'] },
    });
    takenOver(plan);
    const dispersed = { ...plain, type: 'Disperse', replica: 1, disperse: 3, redundancy: 1 };
    const other = planAdoption(told([1, 2, 3], [{ ...data, shape: dispersed }]));
    expect(other.commands.at(-1)).toMatchObject({ sizeKib: 200 * GIB_KIB });
  });

  it('shares file systems: each brick is charged for a part, and people are told', () => {
    const other = { ...data, name: 'more', bricks: each('/data/other', '/data') };
    const plan = planAdoption(told([1, 2, 3], [data, other]));
    expect(plan.findings.filter(({ problem }) => problem.includes('shares /data'))).toHaveLength(6);
    const { state } = takenOver(plan);
    expect([...state.devices.values()].map(({ usedKib }) => usedKib)).toEqual(Array(3).fill(100 * GIB_KIB));
    expect([...state.volumes.values()].map(({ sizeKib }) => sizeKib)).toEqual([100 * GIB_KIB, 100 * GIB_KIB]);
  });

  it('is warned of bricks on the root file system', () => {
    const plan = planAdoption(told([1], [{ name: 'r', shape: plain, bricks: each('/srv/brick', '/', [1]) }]));
    expect(plan.findings).toContainEqual(
      expect.objectContaining({ problem: expect.stringContaining('root file') as string }),
    );
    takenOver(plan);
  });

  const bad: [string, Given, RegExp][] = [
    ['was never started', { ...data, status: 'created' }, /never started/],
    ['carries our stamp', { ...data, options: { 'user.brickyard.id': 'x' } }, /brickyard rebuild/],
    ['is of heketi', { ...data, options: { 'user.heketi.id': 'x' } }, /import heketi/],
    ['has an unknown shape', { ...data, shape: { ...mirrored, type: 'Stripe' } }, /Stripe/],
    ['keeps too many copies', { ...data, shape: { ...mirrored, replica: 4 } }, /4 copies/],
    ['has two arbiters', { ...data, shape: { ...mirrored, arbiter: 2 } }, /2 arbiters/],
    [
      'is dispersed as nobody offers',
      { ...data, shape: { ...plain, type: 'Disperse', disperse: 6, redundancy: 1 } },
      /5\+1/,
    ],
    ['has a part of a set', { ...data, bricks: data.bricks.slice(1) }, /whole sets of 3/],
    ['has copies on one host', { ...data, bricks: each('/data/brick', '/data', [1, 1, 2]) }, /two bricks of set 0/],
    [
      'is a clone',
      { ...data, bricks: each('/run/gluster/snaps/a/brick1/b', '/run/gluster/snaps/a/brick1') },
      /snapshot/,
    ],
    [
      'lies in a brick of ours',
      { ...data, bricks: each(`/m/vg_${'a'.repeat(32)}/brick_${'b'.repeat(32)}/brick`, '/m') },
      /Brickyard or heketi made/,
    ],
    ['is partly elsewhere', { ...data, bricks: each('/data/brick', '/data', [1, 2, 9]) }, /no agent here/],
  ];
  it.each(bad)('leaves out a volume that %s', (_, volume, reason) => {
    const good = { ...data, name: 'good', bricks: each('/good/brick', '/good') };
    const plan = planAdoption(told([1, 2, 3], [volume, good]));
    expect(leftOut(plan)).toEqual([expect.stringMatching(reason)]);
    const { state } = takenOver(plan);
    expect([...state.volumes.values()].map(({ spec }) => spec.name)).toEqual(['good']);
    expect(state.devices.size).toBe(3);
  });

  it('leaves out a volume whose brick nobody can read, or whose agents are too old to tell', () => {
    const looks = told([1, 2, 3], [data]);
    const withFacts = (change: (fact: VolumeFact) => VolumeFact): Look[] =>
      looks.map((look) => ({ ...look, volumes: look.volumes.map(change) }));
    const blind = withFacts(({ found, ...fact }) =>
      found === undefined ? fact : { ...fact, found: { ...found, grounds: [] } },
    );
    expect(leftOut(planAdoption(blind))).toEqual([expect.stringContaining('cannot be read')]);
    const old = withFacts(({ found: _, ...fact }) => fact);
    expect(leftOut(planAdoption(old))).toEqual([expect.stringContaining('no host tells its shape')]);
  });

  it('names members that were not, and hosts whose Gluster does not run', () => {
    const plan = planAdoption([
      ...told([1, 2], [], [1, 2, 3]),
      ...told([4], []).map((look) => ({ ...look, glusterd: 'stopped' as const, peers: [] })),
    ]);
    expect(leftOut(plan)).toEqual([
      expect.stringContaining('host n4: its glusterd does not run'),
      expect.stringContaining('host 10.0.0.3: is in the pool of n1, n2'),
    ]);
    expect(typesOf(plan)).toEqual(['AdoptCluster', 'AdoptNode', 'AdoptNode']);
  });

  it('that the log knows in part gets what is missing, with the ids the log has', () => {
    const looks = told([1, 2, 3], [data]);
    const { state } = takenOver(planAdoption(looks));
    const known: KnownNode[] = [...state.nodes.values()].map(({ nodeId, clusterId, hostnames, deviceIds }) => ({
      nodeId,
      clusterId,
      manage: hostnames.manage[0] ?? '',
      devices: new Map(deviceIds.map((id) => [state.devices.get(id)?.name ?? '', id] as const)),
    }));
    const names = new Set([...state.volumeNames.keys()]);
    expect(planAdoption(looks, { nodes: known, volumeNames: names })).toEqual({ commands: [], findings: [] });
    const more = { ...data, name: 'more', bricks: each('/data/more', '/data') };
    const plan = planAdoption(told([1, 2, 3], [data, more]), { nodes: known, volumeNames: names });
    expect(typesOf(plan)).toEqual(['AdoptVolume']);
    const plane = controlPlane();
    for (const command of [...planAdoption(looks).commands, ...plan.commands]) {
      expect(plane.submit(command)).toBeUndefined();
    }
    expect(plane.state.volumes.size).toBe(2);
  });

  it('goes without a hand laid on its directories: a deletion asks Gluster alone', () => {
    const plane = takenOver(planAdoption(told([1, 2, 3], [data])));
    const [volumeId] = plane.state.volumes.keys();
    if (volumeId === undefined) throw new Error('nothing was taken over');
    plane.submit({ type: 'DeleteVolume', operationId: newOperationId(), volumeId });
    const asked: string[] = [];
    plane.settle((task) => {
      asked.push(task.task.type);
      return obedient()(task);
    });
    expect(asked).toEqual(['StopGlusterVolume', 'DeleteGlusterVolume']);
    expect(plane.submit(createVolume('new', 1))).toMatchObject({ kind: 'NotPlaced' });
  });

  it('has volumes that grow onto devices of ours, and leave only those bricks when they go', () => {
    const plane = takenOver(planAdoption(told([1, 2, 3], [data])));
    const device = { type: 'AdoptDevice', origin: 'hosts', name: '/dev/sdb', tags: {}, state: 'online' } as const;
    const size = { totalKib: kib(100 * GIB_KIB), extentKib: 4096, pvUuid: '', paths: [] };
    for (const [number, nodeId] of [...plane.state.nodes.keys()].entries()) {
      plane.submit({ ...device, ...size, deviceId: id(`d${String(number)}`) as DeviceId, nodeId });
    }
    const [volumeId] = plane.state.volumes.keys();
    if (volumeId === undefined) throw new Error('nothing was taken over');
    const grow = { operationId: newOperationId(), volumeId, addKib: kib(5 * GIB_KIB), policy: defaultPolicy };
    expect(plane.submit({ type: 'ExpandVolume', ...grow })).toBeUndefined();
    plane.settle(obedient());
    const grown = plane.state.volumes.get(volumeId);
    expect(grown).toMatchObject({ status: 'ready', sizeKib: 105 * GIB_KIB });
    expect(grown?.bricks.map(({ foreign }) => foreign)).toEqual([true, true, true, undefined, undefined, undefined]);
    plane.submit({ type: 'DeleteVolume', operationId: newOperationId(), volumeId });
    const removed: string[] = [];
    plane.settle((task) => {
      if (task.task.type === 'DeleteBrick') removed.push(task.task.brick.path);
      return obedient()(task);
    });
    expect(removed.sort()).toEqual(
      grown?.bricks
        .slice(3)
        .map(({ path }) => path)
        .sort(),
    );
  });

  it('of any shape is taken over whole or named, no device overfull, and the same whatever the order of its hosts', () => {
    const brick = fc.record({
      host: fc.integer({ min: 1, max: 4 }),
      fs: fc.integer({ min: 0, max: 3 }),
      gib: fc.integer({ min: 1, max: 9 }),
    });
    const shapes = [
      plain,
      mirrored,
      { ...mirrored, replica: 2 },
      { ...mirrored, arbiter: 1 },
      { ...plain, type: 'Disperse', disperse: 3, redundancy: 1 },
    ];
    const volume = fc.record({ shape: fc.constantFrom(...shapes), bricks: fc.array(brick, { maxLength: 6 }) });
    fc.assert(
      fc.property(fc.array(volume, { maxLength: 5 }), (volumes) => {
        const sizes = new Map<string, number>();
        const given = volumes.map(({ shape, bricks }, index) => ({
          name: `v${String(index)}`,
          shape,
          bricks: bricks.map(({ host, fs, gib }, place) => {
            const mount = fs === 0 ? '/' : `/fs${String(fs)}`;
            const key = `${String(host)}${mount}`;
            if (!sizes.has(key)) sizes.set(key, gib);
            return {
              host,
              mount,
              path: `/fs${String(fs)}/${String(index)}-${String(place)}`,
              gib: sizes.get(key) ?? gib,
            };
          }),
        }));
        const looks = told([1, 2, 3, 4], given);
        const plan = planAdoption(looks);
        const { state } = takenOver(plan);
        const named = new Set(leftOut(plan).map((text) => text.split(' ')[1]?.replace(':', '')));
        for (const { name } of given) {
          expect([...state.volumes.values()].some(({ spec }) => spec.name === name)).toBe(!named.has(name));
        }
        for (const { usedKib, totalKib } of state.devices.values()) expect(usedKib).toBeLessThanOrEqual(totalKib);
        expect(planAdoption([...looks].reverse()).commands).toEqual(plan.commands);
      }),
      { numRuns: 60 },
    );
  });
});
