/** Placement against everything else that could have been: random small clusters and every arrangement of bricks. */
import { bricksPerSet, kib, type Brick, type Durability, type PlacementPolicy } from '@brickyard/contracts';
import fc from 'fast-check';
import type { Cluster, ControlState } from '../control/control.state';
import { freeKib } from '../control/control.state';
import { planBricks } from './plan-bricks';
import type { BrickPlan, BrickRequest } from './placement.types';
import {
  brickRequest,
  clusterId,
  clusterOf,
  disperse,
  GIB,
  none,
  policy,
  replica,
  type NodeLayout,
} from './placement.testing';
import { brickFootprint, splits } from './sizing';
import { spaceRemedy } from './remedy/space-remedy';

const seed = Number(process.env['PROPERTY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const parameters = { seed, numRuns: 300 };
// A failing run must be repeatable.
console.info(`placement properties: PROPERTY_SEED=${String(seed)}`);

const durabilities = fc.constantFrom<Durability>(none, replica(2), replica(3), disperse(2, 1));
const tenthsOfGib = (max: number): fc.Arbitrary<number> =>
  fc.integer({ min: 0, max: max * 10 }).map((tenths) => Math.floor((tenths * GIB) / 10));
const nodes = (gibMax: number): fc.Arbitrary<NodeLayout[]> =>
  fc.array(
    fc.record({
      zone: fc.integer({ min: 1, max: 3 }),
      state: fc.constantFrom('online', 'online', 'online', 'offline'),
      devices: fc.array(
        fc.record({
          totalKib: tenthsOfGib(gibMax),
          extentKib: fc.constantFrom(4096, 4096, 65_536),
          state: fc.constantFrom('online', 'online', 'online', 'offline'),
        }),
        { maxLength: 3 },
      ),
    }),
    { minLength: 1, maxLength: 5 },
  );
const strictOption = fc.boolean().map((strict) => (strict ? ['user.heketi.zone-checking strict'] : []));
const seeds = fc.integer({ min: 0, max: 1e9 }).map((number) => `seed${String(number)}`);

function clusterIn(state: ControlState): Cluster {
  const cluster = state.clusters.get(clusterId());
  if (cluster === undefined) throw new Error('the cluster is missing');
  return cluster;
}
const plan = (request: BrickRequest, state: ControlState): BrickPlan =>
  planBricks(request, clusterIn(state), state.devices);

/** Whether any arrangement exists, by trying them all. */
function someArrangement(request: BrickRequest, state: ControlState, sets: number, brickKib: number): boolean {
  const strict = request.options.length > 0;
  const shelves = [...clusterIn(state).ring.values()]
    .filter(({ nodeState, deviceState }) => nodeState === 'online' && deviceState === 'online')
    .flatMap((on) => {
      const device = state.devices.get(on.deviceId);
      if (device === undefined) return [];
      const { totalKib } = brickFootprint(brickKib, request.snapshotFactor, device.extentKib);
      let bricks = 0;
      while (bricks < sets && freeKib(device) - bricks * totalKib > totalKib) bricks += 1;
      return [{ group: strict ? String(on.zone) : on.nodeId, bricks }];
    });
  const setSize = bricksPerSet(request.durability);
  const known = new Map<string, boolean>();
  const arrange = (left: readonly number[], setsLeft: number): boolean => {
    if (setsLeft === 0) return true;
    const key = `${left.join()}/${String(setsLeft)}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const choose = (from: number, chosen: readonly number[]): boolean => {
      if (chosen.length === setSize) {
        return arrange(
          left.map((count, index) => (chosen.includes(index) ? count - 1 : count)),
          setsLeft - 1,
        );
      }
      return shelves.some(
        ({ group }, index) =>
          index >= from &&
          (left[index] ?? 0) > 0 &&
          !chosen.some((other) => shelves[other]?.group === group) &&
          choose(index + 1, [...chosen, index]),
      );
    };
    const answer = choose(0, []);
    known.set(key, answer);
    return answer;
  };
  return arrange(
    shelves.map(({ bricks }) => bricks),
    sets,
  );
}

function bySet(bricks: readonly Brick[]): Brick[][] {
  const sets: Brick[][] = [];
  for (const brick of bricks) (sets[brick.set] ??= []).push(brick);
  return sets;
}

function zoneOf(brick: Brick, state: ControlState): number {
  return state.nodes.get(brick.nodeId)?.zone ?? -1;
}

describe('placement, whatever the cluster', () => {
  const request = fc
    .record({
      durability: durabilities,
      sizeGib: fc.integer({ min: 1, max: 24 }),
      options: strictOption,
      seed: seeds,
      snapshotFactor: fc.constantFrom('1', '1', '1.3', '2'),
      brickMaxGib: fc.integer({ min: 1, max: 12 }),
    })
    .map(({ sizeGib, durability, brickMaxGib, ...rest }) => {
      const limits: PlacementPolicy = { ...policy, brickMaxKib: kib(brickMaxGib * GIB), bricksPerVolumeMax: 12 };
      return brickRequest(durability, sizeGib, { ...rest, policy: limits });
    });

  it('keeps every rule of what it places', () => {
    fc.assert(
      fc.property(nodes(12), request, (layouts, wanted) => {
        const state = clusterOf(...layouts);
        const planned = plan(wanted, state);
        if (planned.kind !== 'placed') return;
        const { bricks } = planned;
        expect(new Set(bricks.map(({ sizeKib }) => sizeKib)).size).toBe(1);
        expect(new Set(bricks.map(({ brickId }) => brickId)).size).toBe(bricks.length);
        for (const set of bySet(bricks)) {
          expect(set.map(({ place }) => place)).toEqual([...Array(bricksPerSet(wanted.durability)).keys()]);
          expect(new Set(set.map(({ nodeId }) => nodeId)).size).toBe(set.length);
          if (wanted.options.length > 0)
            expect(new Set(set.map((brick) => zoneOf(brick, state))).size).toBe(set.length);
        }
        const used = new Map<string, number>();
        for (const brick of bricks) {
          const device = state.devices.get(brick.deviceId);
          expect([device?.state, state.nodes.get(brick.nodeId)?.state, device?.nodeId]).toEqual([
            'online',
            'online',
            brick.nodeId,
          ]);
          used.set(brick.deviceId, (used.get(brick.deviceId) ?? 0) + brick.poolKib + brick.metadataKib);
        }
        for (const [, device] of state.devices.entries()) {
          const taken = used.get(device.deviceId) ?? 0;
          if (taken > 0) expect(freeKib(device)).toBeGreaterThan(taken);
        }
      }),
      parameters,
    );
  });

  it('gives the same plan for the same request, to the byte', () => {
    fc.assert(
      fc.property(nodes(12), request, (layouts, wanted) => {
        expect(JSON.stringify(plan(wanted, clusterOf(...layouts)))).toBe(
          JSON.stringify(plan(wanted, clusterOf(...layouts))),
        );
      }),
      parameters,
    );
  });

  it('takes the first cut for which some arrangement exists, and refuses when there is none', () => {
    fc.assert(
      fc.property(nodes(8), request, (layouts, wanted) => {
        const state = clusterOf(...layouts);
        const first = [...splits(wanted)].find(
          ({ verdict, sets, brickKib }) => verdict === 'may-be-tried' && someArrangement(wanted, state, sets, brickKib),
        );
        const planned = plan(wanted, state);
        expect(planned.kind).toBe(first === undefined ? 'refused' : 'placed');
        if (planned.kind === 'placed')
          expect(planned.bricks.length).toBe((first?.sets ?? 0) * bricksPerSet(wanted.durability));
      }),
      parameters,
    );
  });

  it('finds tight arrangements of many small bricks', () => {
    const tight = fc.record({
      durability: durabilities.filter((durability) => durability.kind !== 'disperse'),
      sizeGib: fc.constantFrom(2, 4, 8),
      options: strictOption,
      seed: seeds,
    });
    fc.assert(
      fc.property(nodes(5), tight, (layouts, { sizeGib, durability, ...rest }) => {
        const state = clusterOf(...layouts);
        const wanted = brickRequest(durability, sizeGib, { ...rest, policy: { ...policy, brickMaxKib: kib(GIB) } });
        expect(plan(wanted, state).kind).toBe(someArrangement(wanted, state, sizeGib, GIB) ? 'placed' : 'refused');
      }),
      parameters,
    );
  });
});

describe('the remedy of a refusal', () => {
  const small = fc.record({
    durability: durabilities,
    sizeGib: fc.integer({ min: 1, max: 30 }),
    options: strictOption,
    seed: seeds,
  });
  const limits: PlacementPolicy = { ...policy, bricksPerVolumeMax: 12, brickMaxKib: kib(9 * GIB) };

  function refusedCase(
    layouts: NodeLayout[],
    { sizeGib, durability, ...rest }: { sizeGib: number; durability: Durability; options: string[]; seed: string },
  ) {
    const state = clusterOf(...layouts);
    const wanted = brickRequest(durability, sizeGib, { ...rest, policy: limits });
    if (plan(wanted, state).kind !== 'refused') return undefined;
    return { state, wanted, sizeGib, text: spaceRemedy(wanted, clusterId(), state)?.text ?? '' };
  }

  it('names the largest size that is placed', () => {
    fc.assert(
      fc.property(nodes(8), small, (layouts, shape) => {
        const refused = refusedCase(layouts, shape);
        if (refused === undefined) return;
        const { state, wanted, sizeGib, text } = refused;
        const placed = (size: number): boolean => plan({ ...wanted, sizeKib: size * GIB }, state).kind === 'placed';
        const largest = Array.from({ length: sizeGib }, (_, index) => sizeGib - index).find(placed) ?? 0;
        const named = /ask for at most (\d+) GiB/.exec(text)?.[1];
        expect(Number(named ?? 0)).toBe(largest);
      }),
      parameters,
    );
  });

  it('is enough when the device or the nodes it asks for are added', () => {
    let followed = 0;
    fc.assert(
      fc.property(nodes(8), small, (layouts, shape) => {
        const refused = refusedCase(layouts, shape);
        if (refused === undefined) return;
        const larger = withAdvice(layouts, refused.text);
        if (larger === undefined) return;
        followed += 1;
        expect([refused.text, plan(refused.wanted, clusterOf(...larger)).kind]).toEqual([refused.text, 'placed']);
      }),
      parameters,
    );
    expect(followed).toBeGreaterThan(20);
  });

  it('is enough when the node or devices it names come back', () => {
    let followed = 0;
    fc.assert(
      fc.property(nodes(8), small, (layouts, shape) => {
        const refused = refusedCase(layouts, shape);
        const back = /bring (?:the devices of )?node ([0-9a-f]+) back online/.exec(refused?.text ?? '')?.[1];
        if (refused === undefined || back === undefined) return;
        followed += 1;
        const number = Number.parseInt(back.slice(2), 16);
        const larger = layouts.map((layout, index): NodeLayout => {
          if (index + 1 !== number) return layout;
          return {
            ...layout,
            state: 'online',
            devices: layout.devices.map((device) => ({ ...device, state: 'online' })),
          };
        });
        expect([refused.text, plan(refused.wanted, clusterOf(...larger)).kind]).toEqual([refused.text, 'placed']);
      }),
      parameters,
    );
    expect(followed).toBeGreaterThan(5);
  });
});

/** A cluster after its operator did what a remedy says about devices and nodes; nothing when it says nothing of the kind. */
function withAdvice(layouts: readonly NodeLayout[], text: string): NodeLayout[] | undefined {
  /** What a device of this size has after its labels. */
  const usable = (gib: string | undefined): number => Number(gib) * GIB - 8192;
  const device = /add a device of at least (\d+) GiB to node ([0-9a-f]+) /.exec(text);
  if (device !== null) {
    const number = Number.parseInt(device[2]?.slice(2) ?? '', 16);
    return layouts.map((layout, index) =>
      index + 1 === number ? { ...layout, devices: [...layout.devices, { totalKib: usable(device[1]) }] } : layout,
    );
  }
  const added = /add (\d+) nodes?.* with a device of at least (\d+) GiB/.exec(text);
  if (added === null) return undefined;
  const news = Array.from({ length: Number(added[1]) }, (_, index) => {
    return { zone: 100 + index, devices: [{ totalKib: usable(added[2]) }] };
  });
  return [...layouts, ...news];
}
