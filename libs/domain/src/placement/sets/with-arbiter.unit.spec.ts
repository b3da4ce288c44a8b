import type { Brick } from '@brickyard/contracts';
import fc from 'fast-check';
import { freeKib, type ControlState, type RingDevice } from '../../control/control.state';
import { planBricks } from '../plan-bricks';
import type { BrickPlan, BrickRequest } from '../placement.types';
import { brickRequest, clusterId, clusterOf, GIB, node, replica, type NodeLayout } from '../placement.testing';
import { brickFootprint } from '../sizing';

const ARBITER = 'user.heketi.arbiter true';
const seed = Number(process.env['PROPERTY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

function plan(request: BrickRequest, state: ControlState): BrickPlan {
  const cluster = state.clusters.get(clusterId());
  if (cluster === undefined) throw new Error('the cluster is missing');
  return planBricks(request, cluster, state.devices);
}
const arbiterRequest = (sizeGib: number, options: readonly string[] = []): BrickRequest =>
  brickRequest(replica(3), sizeGib, { options: [ARBITER, ...options] });
function placed(request: BrickRequest, state: ControlState): Brick[] {
  const result = plan(request, state);
  if (result.kind !== 'placed') throw new Error(JSON.stringify(result));
  return result.bricks;
}
const tagged = (layout: NodeLayout, arbiter: string): NodeLayout => ({ ...layout, tags: { arbiter } });
const tagOf = (state: ControlState, brick: Brick): string =>
  state.clusters.get(clusterId())?.ring.get(brick.deviceId)?.tags['arbiter'] ?? '';

describe('a volume with arbiters', () => {
  const three = (): ControlState => clusterOf(node(1, 500), node(2, 500), node(3, 500));

  it.each([
    [10, [], 163_840],
    [100, ['user.heketi.average-file-size 1024'], 102_400],
    [1, ['user.heketi.average-file-size 1024'], 16_384],
    [10, ['user.heketi.average-file-size 0'], 163_840],
    [10, ['user.heketi.average-file-size much'], 163_840],
    [10, ['user.heketi.average-file-size 1'], 10 * GIB],
  ])('of %i GiB with %j has arbiters of %i KiB', (sizeGib, options, arbiterKib) => {
    const bricks = placed(arbiterRequest(sizeGib, options), three());
    expect(bricks.map(({ place, sizeKib }) => [place, sizeKib])).toEqual([
      [0, sizeGib * GIB],
      [1, sizeGib * GIB],
      [2, arbiterKib],
    ]);
  });

  it('takes what an arbiter needs from the device, no more', () => {
    const [, , arbiter] = placed(arbiterRequest(10), three());
    expect((arbiter?.poolKib ?? 0) + (arbiter?.metadataKib ?? 0)).toBe(167_936);
  });

  it('is refused at once when files are larger than bricks', () => {
    expect(plan(arbiterRequest(1, ['user.heketi.average-file-size 2000000']), three())).toEqual({
      kind: 'average-file-too-large',
      averageKib: 2_000_000,
      brickKib: GIB,
    });
  });

  it.each(['user.heketi.arbiter false', 'user.heketi.arbiter yes', 'user.heketi.arbiter'])(
    'has none with "%s"',
    (option) => {
      const bricks = placed(brickRequest(replica(3), 10, { options: [option] }), three());
      expect(new Set(bricks.map(({ sizeKib }) => sizeKib))).toEqual(new Set([10 * GIB]));
    },
  );

  it('has none with two copies', () => {
    const bricks = placed(brickRequest(replica(2), 10, { options: [ARBITER] }), three());
    expect(bricks.map(({ sizeKib }) => sizeKib)).toEqual([10 * GIB, 10 * GIB]);
  });

  it('puts arbiters on devices that want them, and data on those that want no arbiter', () => {
    const state = clusterOf(
      node(1, 500),
      tagged(node(2, 500), 'required'),
      tagged(node(3, 500), 'disabled'),
      node(4, 500),
      tagged(node(5, 500), 'disabled'),
    );
    for (let number = 0; number < 20; number++) {
      const bricks = placed({ ...arbiterRequest(10), seed: `seed${String(number)}` }, state);
      expect(bricks.map((brick) => tagOf(state, brick))).toEqual(['disabled', 'disabled', 'required']);
    }
  });

  it('fits where only a small device is left for the arbiter', () => {
    const state = clusterOf(node(1, 500), node(2, 500), node(3, 1));
    const [, , arbiter] = placed(arbiterRequest(100, ['user.heketi.average-file-size 1024']), state);
    expect(arbiter?.nodeId).toBe([...state.nodes.keys()].sort()[2]);
  });

  it('ignores the tags for a volume without', () => {
    const state = clusterOf(...[1, 2, 3].map((zone) => tagged(node(zone, 500), 'required')));
    expect(placed(brickRequest(replica(3), 10), state)).toHaveLength(3);
    expect(plan(arbiterRequest(10), state)).toMatchObject({ kind: 'refused' });
  });

  const layouts = fc.array(
    fc.record({
      zone: fc.integer({ min: 1, max: 3 }),
      tags: fc.constantFrom({}, {}, { arbiter: 'required' }, { arbiter: 'disabled' }, { arbiter: 'supported' }),
      devices: fc.array(
        fc.record({
          totalKib: fc.integer({ min: 0, max: 30 }).map((tenths) => Math.floor((tenths * GIB) / 10)),
          tags: fc.constantFrom({}, {}, { arbiter: 'required' }, { arbiter: 'disabled' }),
        }),
        { maxLength: 2 },
      ),
    }),
    { minLength: 1, maxLength: 5 },
  );

  it('is placed in one set exactly when three devices for it exist', () => {
    fc.assert(
      fc.property(layouts, fc.boolean(), fc.nat(), (nodes, strict, number) => {
        const state = clusterOf(...nodes);
        const request = {
          ...arbiterRequest(1, strict ? ['user.heketi.zone-checking strict'] : []),
          seed: `seed${String(number)}`,
        };
        const result = plan(request, state);
        const ring = [...(state.clusters.get(clusterId())?.ring.values() ?? [])];
        const takes = (device: RingDevice, sizeKib: number, against: string): boolean => {
          const known = state.devices.get(device.deviceId);
          const { totalKib } = brickFootprint(sizeKib, '1', 4096);
          return known !== undefined && freeKib(known) > totalKib && device.tags['arbiter'] !== against;
        };
        const groupOf = (device: RingDevice): string => (strict ? String(device.zone) : device.nodeId);
        const data = new Set(ring.filter((device) => takes(device, GIB, 'required')).map(groupOf));
        const exists = ring
          .filter((device) => takes(device, 16_384, 'disabled'))
          .some((device) => [...data].filter((group) => group !== groupOf(device)).length >= 2);
        expect(result.kind).toBe(exists ? 'placed' : 'refused');
        if (result.kind !== 'placed') return;
        const devices = result.bricks.map(({ deviceId }) => ring.find((device) => device.deviceId === deviceId));
        expect(new Set(devices.map((device) => (device === undefined ? '' : groupOf(device)))).size).toBe(3);
        result.bricks.forEach(({ place }, index) => {
          expect(devices[index]?.tags['arbiter']).not.toBe(place === 2 ? 'disabled' : 'required');
        });
      }),
      { seed, numRuns: 300 },
    );
  });
});
