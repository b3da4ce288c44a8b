import { kib, OperationId, Rejection, type Durability } from '@brickyard/contracts';
import type { ControlState, Volume } from '../control/control.state';
import { placeExpansion } from './place-expansion';
import { placeVolume } from './choose-cluster';
import type { ExpansionPlacement } from './placement.types';
import {
  clusterId,
  clusterOf,
  disperse,
  fourNodes,
  GIB,
  node,
  none,
  policy,
  replica,
  volumeId,
  volumeSpec,
} from './placement.testing';

function volumeIn(state: ControlState, durability: Durability, sizeGib: number): Volume {
  const spec = volumeSpec(durability, sizeGib);
  const placed = placeVolume({ volumeId: volumeId(), spec, clusters: [], policy }, state);
  if (placed.kind !== 'placed') throw new Error(JSON.stringify(placed));
  const { bricks } = placed;
  return {
    volumeId: volumeId(),
    clusterId: clusterId(),
    plannedAt: 1,
    spec,
    sizeKib: spec.sizeKib,
    bricks,
    moves: [],
    status: 'ready',
  };
}

const operationId = OperationId.parse('e'.repeat(32));
const grow = (volume: Volume, addGib: number, state: ControlState, limits = policy): ExpansionPlacement =>
  placeExpansion({ operationId, addKib: addGib * GIB, policy: limits }, volume, state);
const refusalOf = (placement: ExpansionPlacement): Rejection => {
  if (placement.kind !== 'refused') throw new Error('it was placed');
  return Rejection.parse(placement.rejection);
};

describe('placeExpansion', () => {
  it('adds sets of the added size alone, after those there are', () => {
    const state = fourNodes();
    const volume = volumeIn(state, replica(3), 800);
    const grown = grow(volume, 5, state);
    expect(grown).toMatchObject({ kind: 'placed', bricks: { length: 3 } });
    if (grown.kind !== 'placed') return;
    expect(grown.bricks.map(({ set, place, sizeKib }) => [set, place, sizeKib])).toEqual([
      [2, 0, 5 * GIB],
      [2, 1, 5 * GIB],
      [2, 2, 5 * GIB],
    ]);
    const ids = [...volume.bricks, ...grown.bricks].map(({ brickId }) => brickId);
    expect(new Set(ids).size).toBe(9);
  });

  it('is refused in the words of the limit that ended the search', () => {
    const six = clusterOf(...[1, 2, 3, 4, 5, 6].map((zone) => node(zone, 100)));
    expect(refusalOf(grow(volumeIn(six, disperse(4, 2), 8), 1, six))).toMatchObject({
      kind: 'ExpansionNotPlaced',
      refusal: { kind: 'BricksTooSmall', minimumKib: GIB },
    });
    const volume = volumeIn(fourNodes(), none, 1);
    expect(refusalOf(grow(volume, 100, fourNodes(), { ...policy, bricksPerVolumeMax: 1 }))).toMatchObject({
      kind: 'ExpansionNotPlaced',
      refusal: { kind: 'TooManyBricks', limit: 1 },
    });
    expect(refusalOf(grow(volume, 1, fourNodes(), { ...policy, brickMinKib: kib(2 * GIB) }))).toMatchObject({
      refusal: { kind: 'BricksTooSmall', minimumKib: 2 * GIB },
    });
  });

  it('uses its own cluster only, and says when that has nothing online', () => {
    const off = clusterOf({ ...node(1, 100), state: 'offline' });
    expect(refusalOf(grow(volumeIn(clusterOf(node(1, 100)), none, 1), 1, off))).toMatchObject({
      refusal: { kind: 'NoOnlineDevices' },
    });
  });
});
