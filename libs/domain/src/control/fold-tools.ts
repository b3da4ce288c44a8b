/** Small changes to folded state, shared by the folds of all resources. */
import type { PersistentMap } from '@brickyard/event-sourcing';
import { isPlaceable, type Cluster, type ControlState, type Device, type Node, type RingDevice } from './control.state';

/** The map with one value changed; as it was when the key is not there. */
export function changed<K extends string, V>(
  map: PersistentMap<K, V>,
  key: K,
  change: (value: V) => V,
): PersistentMap<K, V> {
  const value = map.get(key);
  return value === undefined ? map : map.set(key, change(value));
}

/** An ascending list with one more member. */
export function withMember<T extends string>(list: readonly T[], member: T): readonly T[] {
  const at = list.findIndex((each) => each > member);
  return at < 0 ? [...list, member] : [...list.slice(0, at), member, ...list.slice(at)];
}

/** A list with one member less. */
export const withoutMember = <T>(list: readonly T[], member: T): readonly T[] => list.filter((each) => each !== member);

/** The state with one cluster changed. */
export const withCluster = (
  state: ControlState,
  clusterId: Cluster['clusterId'],
  change: (cluster: Cluster) => Cluster,
): ControlState => ({ ...state, clusters: changed(state.clusters, clusterId, change) });

/** A device as placement sees it. */
export const ringDevice = (device: Device, node: Node): RingDevice => ({
  deviceId: device.deviceId,
  nodeId: node.nodeId,
  zone: node.zone,
  deviceState: device.state,
  nodeState: node.state,
  ...(node.lostSince === undefined ? {} : { nodeLostSince: node.lostSince }),
  tags: { ...node.tags, ...device.tags },
});

/** The state with the ring told what these devices of one node have become. */
export function withRingRefreshed(
  state: ControlState,
  nodeId: Node['nodeId'],
  deviceIds: readonly Device['deviceId'][],
): ControlState {
  const node = state.nodes.get(nodeId);
  if (node === undefined) return state;
  return withCluster(state, node.clusterId, (cluster) => {
    let ring = cluster.ring;
    for (const deviceId of deviceIds) {
      const device = state.devices.get(deviceId);
      if (device === undefined) ring = ring.delete(deviceId);
      else if (isPlaceable(device)) ring = ring.set(deviceId, ringDevice(device, node));
    }
    return { ...cluster, ring };
  });
}

/** An object without its optional `operationId`: no operation is at work on it any more. */
export function released<T extends { readonly operationId?: unknown }>(thing: T): Omit<T, 'operationId'> {
  const { operationId: _, ...rest } = thing;
  return rest;
}
