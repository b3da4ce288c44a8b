import { kib, type Brick } from '@brickyard/contracts';
import type { ControlState } from '../control/control.state';
import { planBricks } from './plan-bricks';
import type { BrickPlan, BrickRequest } from './placement.types';
import {
  brickRequest,
  clusterId,
  clusterOf,
  deviceId,
  disperse,
  fourNodes,
  GIB,
  node,
  nodeId,
  none,
  policy,
  replica,
} from './placement.testing';

const strict = ['user.heketi.zone-checking strict'];
const tagged = (rule: string): string[] => [`user.heketi.device-tag-match ${rule}`];

function plan(request: BrickRequest, state: ControlState): BrickPlan {
  const cluster = state.clusters.get(clusterId());
  if (cluster === undefined) throw new Error('the cluster is missing');
  return planBricks(request, cluster, state.devices);
}

function bricksOf(request: BrickRequest, state: ControlState): readonly Brick[] {
  const planned = plan(request, state);
  if (planned.kind !== 'placed') throw new Error(JSON.stringify(planned));
  return planned.bricks;
}

const refusalKind = (request: BrickRequest, state: ControlState): string => {
  const planned = plan(request, state);
  return planned.kind === 'refused' ? planned.refusal.kind : planned.kind;
};

describe('planBricks', () => {
  it('gives the smallest volume one brick of 1 GiB that takes 1056768 KiB', () => {
    const [brick, ...more] = bricksOf(brickRequest(none, 1), fourNodes());
    expect(more).toEqual([]);
    expect(brick).toMatchObject({ sizeKib: 1_048_576, poolKib: 1_048_576, metadataKib: 8192, set: 0, place: 0 });
    expect(brick?.path).toBe(`/var/lib/heketi/mounts/vg_${brick?.deviceId ?? ''}/brick_${brick?.brickId ?? ''}/brick`);
  });

  it('cuts 800 GiB in three copies into six bricks of 419430400 KiB', () => {
    const bricks = bricksOf(brickRequest(replica(3), 800), fourNodes());
    expect(bricks.map((brick) => brick.sizeKib)).toEqual(Array<number>(6).fill(419_430_400));
    expect(bricks.map(({ set, place }) => [set, place])).toEqual([
      [0, 0],
      [0, 1],
      [0, 2],
      [1, 0],
      [1, 1],
      [1, 2],
    ]);
  });

  it('refuses 1000 GiB in three copies when seven devices hold 21 bricks of the 24 needed', () => {
    const state = clusterOf(node(1, 500), node(2, 500, 500), node(3, 500, 500), node(4, 500, 500));
    const planned = plan(brickRequest(replica(3), 1000), state);
    expect(planned).toMatchObject({ kind: 'refused', refusal: { kind: 'TooManyBricks', limit: 32 } });
    if (planned.kind !== 'refused' || planned.refusal.kind !== 'TooManyBricks') return;
    expect(planned.refusal.attempts.map(({ sets, outcome }) => [sets, outcome])).toEqual([
      [1, 'no-space'],
      [2, 'no-space'],
      [4, 'no-space'],
      [8, 'no-space'],
      [16, 'too-many-bricks'],
    ]);
  });

  it('keeps to the limits of its policy: 120 GiB in two copies as eight bricks of 31457280 KiB', () => {
    const limits = { ...policy, brickMaxKib: kib(50 * GIB), brickMinKib: kib(2 * GIB), bricksPerVolumeMax: 8 };
    const bricks = bricksOf(brickRequest(replica(2), 120, { policy: limits }), fourNodes());
    expect(bricks.map((brick) => brick.sizeKib)).toEqual(Array<number>(8).fill(31_457_280));
  });

  it.each([
    [497, 'placed'],
    [498, 'TooManyBricks'],
  ])('puts a single brick of %d GiB on an empty device of 500 GiB: %s', (size, answer) => {
    const limits = { ...policy, bricksPerVolumeMax: 1 };
    expect(refusalKind(brickRequest(none, size, { policy: limits }), clusterOf(node(1, 500)))).toBe(answer);
  });

  it.each([replica(2), replica(3), disperse(2, 1)])('never puts two bricks of a set on one node: %j', (durability) => {
    for (let seed = 0; seed < 50; seed++) {
      const bricks = bricksOf(brickRequest(durability, 100, { seed: `seed${String(seed)}` }), fourNodes());
      expect(new Set(bricks.map((brick) => brick.nodeId)).size).toBe(bricks.length);
    }
  });

  it('refuses 4+2 on four nodes', () => {
    const planned = plan(brickRequest(disperse(4, 2), 8), fourNodes());
    expect(planned).toMatchObject({ kind: 'refused', refusal: { kind: 'BricksTooSmall', minimumKib: GIB } });
  });

  it('uses neither what is offline, failed nor lost, and counts it', () => {
    const state = clusterOf(
      { ...node(1, 100), state: 'offline' },
      { ...node(1, 100), lostSince: '2026-01-01T00:00:00.000Z' },
      { zone: 1, devices: [{ totalKib: 100 * GIB, state: 'failed' }, { totalKib: 100 * GIB }] },
    );
    const planned = plan(brickRequest(none, 1), state);
    expect(planned).toMatchObject({ kind: 'placed', bricks: [{ deviceId: deviceId(3, 1) }] });
    if (planned.kind !== 'placed') return;
    expect(planned.explanation.ringSize).toBe(1);
    expect(planned.explanation.unusable).toEqual([
      { rule: 'node-not-online', count: 1 },
      { rule: 'node-lost', count: 1 },
      { rule: 'device-not-online', count: 1 },
    ]);
  });

  describe('with three copies on two zones', () => {
    const twoZones = (): ControlState => clusterOf(node(1, 100), node(1, 100), node(2, 100), node(2, 100));
    const strictPolicy = { ...policy, zoneChecking: 'strict' as const };

    it.each([
      ['nothing asked', {}, 'placed'],
      ['strict by option', { options: strict }, 'BricksTooSmall'],
      ['strict by policy', { policy: strictPolicy }, 'BricksTooSmall'],
      [
        'strict by policy, none by option',
        { policy: strictPolicy, options: ['user.heketi.zone-checking none'] },
        'placed',
      ],
      [
        'strict by policy, an unknown word by option',
        { policy: strictPolicy, options: ['user.heketi.zone-checking x'] },
        'placed',
      ],
      ['none, then strict', { options: ['user.heketi.zone-checking none', ...strict] }, 'BricksTooSmall'],
    ])('%s: %s', (_, over, answer) => {
      expect(refusalKind(brickRequest(replica(3), 1, over), twoZones())).toBe(answer);
    });

    it('names the devices a strict zone rules out', () => {
      const planned = plan(brickRequest(replica(3), 1, { options: strict }), twoZones());
      expect(planned).toMatchObject({
        refusal: {
          devices: [{ refusal: { rule: 'zone-in-set' } }, { refusal: { rule: 'zone-in-set' } }],
          byRule: [{ rule: 'zone-in-set', count: 2 }],
          devicesMore: 0,
        },
      });
    });
  });

  describe('with a tag rule', () => {
    const state = clusterOf(
      { ...node(1, 100), tags: { tier: 'gold', 'a=b': 'c' } },
      { zone: 1, tags: { tier: 'gold' }, devices: [{ totalKib: 100 * GIB, tags: { tier: 'iron' } }] },
      node(1, 100),
    );
    const chosen = (rule: string): Set<string> => {
      const found = new Set<string>();
      for (let seed = 0; seed < 40; seed++) {
        const request = brickRequest(none, 1, { seed: `seed${String(seed)}`, options: tagged(rule) });
        for (const brick of bricksOf(request, state)) found.add(brick.nodeId);
      }
      return found;
    };

    it('takes devices whose tag, inherited or their own, is equal', () => {
      expect(chosen('tier=gold')).toEqual(new Set([nodeId(1)]));
      expect(chosen('tier=iron')).toEqual(new Set([nodeId(2)]));
    });

    it('takes untagged devices when the tag is to differ', () => {
      expect(chosen('tier!=gold')).toEqual(new Set([nodeId(2), nodeId(3)]));
    });

    it('reads the key as far as it can', () => {
      expect(chosen('a=b=c')).toEqual(new Set([nodeId(1)]));
    });

    it('refuses when no device matches, naming the rule', () => {
      const planned = plan(brickRequest(none, 1, { options: tagged('tier=tin') }), state);
      expect(planned).toMatchObject({ refusal: { byRule: [{ rule: 'tag-mismatch', count: 3 }] } });
    });

    it.each(['gold', 'a b=c', 'tier=', '=gold', 'tier=go!d', 'tier,x=1'])('does not understand %j', (rule) => {
      expect(plan(brickRequest(none, 1, { options: tagged(rule) }), state)).toEqual({ kind: 'invalid-tag-rule', rule });
    });
  });

  it('arranges anew where walks use up the nodes that later sets need', () => {
    const state = clusterOf(node(1, 3), node(1, 2), node(1, 2)); // Room for two bricks of 1 GiB, one, and one.
    const limits = { ...policy, brickMaxKib: kib(GIB) };
    const orders = new Set<string>();
    for (let seed = 0; seed < 30; seed++) {
      const planned = plan(brickRequest(replica(2), 2, { seed: `seed${String(seed)}`, policy: limits }), state);
      expect(planned).toMatchObject({ kind: 'placed', bricks: { length: 4 } });
      if (planned.kind === 'placed') planned.explanation.sets.forEach(({ order }) => orders.add(order));
    }
    expect(orders).toEqual(new Set(['walk', 'most-room']));
  });

  it('puts the sets of an expansion after those there are, with ids of their own', () => {
    const before = bricksOf(brickRequest(replica(2), 10), fourNodes());
    const after = bricksOf(
      brickRequest(replica(2), 10, { seed: 'e'.repeat(32), existingBricks: 2, firstSet: 1 }),
      fourNodes(),
    );
    expect(after.map(({ set }) => set)).toEqual([1, 1]);
    expect(new Set([...before, ...after].map(({ brickId }) => brickId)).size).toBe(4);
  });

  it('names at most 64 passed-over devices a set and counts the rest', () => {
    const full = { totalKib: 100 * GIB, usedKib: 100 * GIB };
    const state = clusterOf({ zone: 1, devices: Array.from({ length: 200 }, () => full) });
    const planned = plan(brickRequest(none, 1), state);
    expect(planned).toMatchObject({ refusal: { devices: { length: 64 }, devicesMore: 136 } });
  });

  it('spreads first bricks over all devices', () => {
    const counts = new Map<string, number>();
    for (let seed = 0; seed < 800; seed++) {
      const [brick] = bricksOf(brickRequest(none, 1, { seed: `seed${String(seed)}` }), fourNodes());
      if (brick !== undefined) counts.set(brick.deviceId, (counts.get(brick.deviceId) ?? 0) + 1);
    }
    expect(counts.size).toBe(8);
    expect(Math.min(...counts.values())).toBeGreaterThan(60);
    expect(Math.max(...counts.values())).toBeLessThan(140);
  });
});
