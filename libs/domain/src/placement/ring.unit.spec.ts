import type { ControlState } from '../control/control.state';
import { ringOf, type Ring } from './ring';
import { clusterId, clusterOf, deviceId, node } from './placement.testing';

function ring(state: ControlState): Ring {
  const cluster = state.clusters.get(clusterId());
  if (cluster === undefined) throw new Error('the cluster is missing');
  return ringOf(cluster.ring);
}
const ids = (of: Ring): string[] => of.devices.map((device) => device.deviceId);

describe('ringOf', () => {
  it('gives zones their turns, then nodes, then a node one device after the other', () => {
    const state = clusterOf(node(1, 9, 9), node(1, 9), node(2, 9, 9), node(2, 9));
    const expected = [
      deviceId(1, 0), // Turn 0: zone 1, its node 0.
      deviceId(4, 0), // Turn 1: zone 2, its node 1, which is then done.
      deviceId(1, 1), // Turn 2: zone 1, its node 0, which is then done.
      deviceId(3, 0), // Turn 3: zone 2, the only node left.
      deviceId(2, 0), // Turn 4: zone 1, the only node left; zone 1 is done.
      deviceId(3, 1),
    ];
    expect(ids(ring(state))).toEqual(expected);
  });

  it('never has two neighbours of one zone while every zone has devices left', () => {
    const state = clusterOf(...Array.from({ length: 9 }, (_, index) => node((index % 3) + 1, 9, 9)));
    const zones = ring(state).devices.map((device) => device.zone);
    expect(zones).toEqual(Array.from({ length: 18 }, (_, index) => (index % 3) + 1));
  });

  it('holds every usable device once, and knows why the others are not in it', () => {
    const state = clusterOf(node(1, 9, 9), { ...node(2, 9), state: 'offline' }, node(5, 9, 9, 9));
    expect(new Set(ids(ring(state))).size).toBe(5);
    expect(ring(state).unusable).toMatchObject([
      { device: { deviceId: deviceId(2, 0) }, refusal: { rule: 'node-not-online', state: 'offline' } },
    ]);
  });

  it('is built once for one map', () => {
    const state = clusterOf(node(1, 9));
    expect(ring(state)).toBe(ring(state));
  });

  it('is empty when nothing is usable', () => {
    expect(ids(ring(clusterOf()))).toEqual([]);
  });
});
