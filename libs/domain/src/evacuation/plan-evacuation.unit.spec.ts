import { bricksPerSet, kib, KIB_PER_GIB, type Durability, type NodeId } from '@brickyard/contracts';
import fc from 'fast-check';
import { freeKib, type ControlState } from '../control/control.state';
import { brickFootprint } from '../placement/sizing';
import { addDevice, clusterOf, createVolume, id, newOperationId, obedient, type ControlPlane } from '../testing';
import { leavingBricks } from './leaving';
import { planEvacuation } from './plan-evacuation';

const GIB = KIB_PER_GIB;
const seed = Number(process.env['PROPERTY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const nodeId = (number: number): NodeId => id(`a${String(number)}`) as NodeId;
const STRICT = 'user.heketi.zone-checking strict';

const volumes = fc.array(
  fc.record({
    sizeGib: fc.integer({ min: 1, max: 6 }),
    durability: fc.constantFrom<Durability>(
      { kind: 'replicate', replica: 2 },
      { kind: 'replicate', replica: 3 },
      { kind: 'disperse', data: 2, redundancy: 1 },
    ),
    options: fc.constantFrom<string[]>([], [], [STRICT], ['user.heketi.arbiter true']),
  }),
  { minLength: 1, maxLength: 4 },
);
const clusters = fc.array(
  fc.record({
    zone: fc.integer({ min: 1, max: 3 }),
    devicesKib: fc.array(
      fc.integer({ min: 2, max: 14 }).map((size) => size * GIB),
      { minLength: 1, maxLength: 2 },
    ),
  }),
  { minLength: 2, maxLength: 5 },
);

function withVolumes(nodes: readonly { zone: number; devicesKib: readonly number[] }[], wanted: readonly Wanted[]) {
  const plane = clusterOf(nodes);
  wanted.forEach(({ sizeGib, durability, options }, index) => {
    plane.submit(createVolume(`v${String(index)}`, sizeGib, durability, options));
    plane.settle(obedient());
  });
  return plane;
}
type Wanted = typeof volumes extends fc.Arbitrary<(infer T)[]> ? T : never;

/** Whether a place exists for every leaving brick, by trying them all. */
function someArrangement(node: NodeId, state: ControlState): boolean {
  const leaving = leavingBricks({ kind: 'node', nodeId: node }, state);
  const taken = new Map<string, number>();
  const place = (index: number): boolean => {
    const row = leaving[index];
    if (row === undefined) return true;
    const { volume, brick } = row;
    const others = volume.bricks.filter((other) => other.set === brick.set && other.brickId !== brick.brickId);
    const isStrict = volume.spec.options.includes(STRICT);
    const zoneOf = (each: NodeId): number | undefined => state.nodes.get(each)?.zone;
    return [...state.devices.values()].some((device) => {
      if (device.nodeId === node || others.some((other) => other.nodeId === device.nodeId)) return false;
      if (isStrict && others.some((other) => zoneOf(other.nodeId) === zoneOf(device.nodeId))) return false;
      const { totalKib } = brickFootprint(brick.sizeKib, '1', device.extentKib);
      const before = taken.get(device.deviceId) ?? 0;
      if (freeKib(device) - before <= totalKib) return false;
      taken.set(device.deviceId, before + totalKib);
      if (place(index + 1)) return true;
      taken.set(device.deviceId, before);
      return false;
    });
  };
  return place(0);
}

const request = (number: number) =>
  ({ subject: { kind: 'node', nodeId: nodeId(number) }, seed: 'seed', zoneChecking: 'none' }) as const;

/** Follows "add a device of at least N GiB to node X". */
function follow(remedy: string, plane: ControlPlane): boolean {
  const [, gib, node] = /add a device of at least (\d+) GiB to node ([0-9a-f]{32})/.exec(remedy) ?? [];
  if (gib === undefined || node === undefined) return false;
  const command = { ...addDevice(1, 9), nodeId: node as NodeId };
  plane.submit(command);
  plane.settle(obedient(Number(gib) * GIB));
  return true;
}

describe('planEvacuation', () => {
  it('finds a place for every brick exactly when there is one, and its remedy helps', () => {
    let refused = 0;
    fc.assert(
      fc.property(clusters, volumes, fc.nat(), (nodes, wanted, pick) => {
        const plane = withVolumes(nodes, wanted);
        const number = 1 + (pick % nodes.length);
        const plan = planEvacuation(request(number), plane.state);
        expect(plan.kind).toBe(someArrangement(nodeId(number), plane.state) ? 'planned' : 'refused');
        if (plan.kind === 'planned') return;
        refused += 1;
        expect(plan.blocked.length).toBeGreaterThan(0);
        expect(plan.remedy).not.toBe('');
        if (follow(plan.remedy, plane)) expect(planEvacuation(request(number), plane.state).kind).toBe('planned');
      }),
      { seed, numRuns: 100 },
    );
    expect(refused).toBeGreaterThan(0);
  });

  it('says of every device of the cluster what speaks against it', () => {
    const plane = withVolumes(
      [1, 2, 3].map((zone) => ({ zone, devicesKib: [50 * GIB] })),
      [{ sizeGib: 1, durability: { kind: 'replicate', replica: 3 }, options: [] }],
    );
    const plan = planEvacuation(request(1), plane.state);
    if (plan.kind !== 'refused') throw new Error('there is no place for the brick');
    const rules = new Map(plan.blocked[0]?.devices.map(({ deviceId, refusal }) => [deviceId, refusal.rule]));
    expect(rules).toEqual(
      new Map([
        [id('d101'), 'being-emptied'],
        [id('d201'), 'node-in-set'],
        [id('d301'), 'node-in-set'],
      ]),
    );
    expect(plan.remedy).toBe('1 brick finds no place: add a node with a device of at least 2 GiB.');
  });

  it('names the node whose return is enough', () => {
    const plane = withVolumes(
      [1, 2, 3, 4].map((zone) => ({ zone, devicesKib: [50 * GIB] })),
      [],
    );
    plane.submit({ type: 'SetNodeState', operationId: newOperationId(), nodeId: nodeId(4), state: 'offline' });
    plane.submit(createVolume('v', 1));
    plane.settle(obedient());
    expect(planEvacuation(request(1), plane.state)).toMatchObject({
      kind: 'refused',
      remedy: `Bring node ${nodeId(4)} back online.`,
    });
  });

  it('does not move the only copy, and says what to do', () => {
    const plane = withVolumes(
      [1, 2].map((zone) => ({ zone, devicesKib: [50 * GIB] })),
      [{ sizeGib: 1, durability: { kind: 'none' }, options: [] }],
    );
    const [volume] = [...plane.state.volumes.values()];
    const brick = volume?.bricks[0];
    if (volume === undefined || brick === undefined) throw new Error('the volume has no brick');
    expect(bricksPerSet(volume.spec.durability)).toBe(1);
    const subject = { kind: 'brick', brickId: brick.brickId } as const;
    const plan = planEvacuation({ subject, seed: 'seed', zoneChecking: 'none' }, plane.state);
    expect(plan).toMatchObject({ kind: 'refused', blocked: [{ reason: 'only-copy' }] });
    expect(plan).toHaveProperty('remedy', expect.stringContaining('keeps only one copy'));
  });

  it('keeps an arbiter an arbiter', () => {
    const plane = withVolumes(
      [1, 2, 3, 4].map((zone) => ({ zone, devicesKib: [50 * GIB] })),
      [{ sizeGib: 10, durability: { kind: 'replicate', replica: 3 }, options: ['user.heketi.arbiter true'] }],
    );
    const arbiter = [...plane.state.volumes.values()][0]?.bricks[2];
    if (arbiter === undefined) throw new Error('the volume has no arbiter');
    const subject = { kind: 'brick', brickId: arbiter.brickId } as const;
    const plan = planEvacuation({ subject, seed: 'seed', zoneChecking: 'none' }, plane.state);
    expect(plan).toMatchObject({ kind: 'planned', moves: [{ replacement: { sizeKib: kib(163_840), place: 2 } }] });
  });
});
