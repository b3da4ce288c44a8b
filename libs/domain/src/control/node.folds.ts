/** What each fact about a node changes. */
import type { EventOf, Hostnames, NodeId } from '@brickyard/contracts';
import type { PersistentMap, Recorded } from '@brickyard/event-sourcing';
import { withNodeReleased } from '../evacuation/evacuation.folds';
import { withoutPortal } from '../block/block-volume.folds';
import { endOperation, startOperation } from '../operation/operation.folds';
import { hostnameKey, type ControlState } from './control.state';
import { changed, released, withCluster, withMember, withoutMember, withRingRefreshed } from './fold-tools';

const namesOf = (hostnames: Hostnames): string[] => [
  ...hostnames.manage.map((name) => hostnameKey('manage', name)),
  ...hostnames.storage.map((name) => hostnameKey('storage', name)),
];

function withoutNode(state: ControlState, nodeId: NodeId): ControlState {
  const node = state.nodes.get(nodeId);
  if (node === undefined) return state;
  let hostnames: PersistentMap<string, NodeId> = state.hostnames;
  for (const name of namesOf(node.hostnames)) hostnames = hostnames.delete(name);
  return withCluster({ ...state, nodes: state.nodes.delete(nodeId), hostnames }, node.clusterId, (cluster) => ({
    ...cluster,
    nodeIds: withoutMember(cluster.nodeIds, nodeId),
    joiningIds: withoutMember(cluster.joiningIds, nodeId),
  }));
}

export function nodeAdditionPlanned(
  state: ControlState,
  recorded: Recorded<EventOf<'NodeAdditionPlanned'>>,
): ControlState {
  const { operationId, nodeId, clusterId, zone, hostnames, tags } = recorded.event;
  let names = state.hostnames;
  for (const name of namesOf(hostnames)) names = names.set(name, nodeId);
  const nodes = state.nodes.set(nodeId, {
    nodeId,
    clusterId,
    zone,
    hostnames,
    tags,
    state: 'online',
    lifecycle: 'adding',
    operationId,
    deviceIds: [],
    residue: [],
  });
  const joined = withCluster({ ...state, nodes, hostnames: names }, clusterId, (cluster) => ({
    ...cluster,
    joiningIds: withMember(cluster.joiningIds, nodeId),
  }));
  return startOperation(joined, recorded, { kind: 'add-node', nodeId });
}

export function nodeAdded(state: ControlState, recorded: Recorded<EventOf<'NodeAdded'>>): ControlState {
  const { nodeId } = recorded.event;
  const node = state.nodes.get(nodeId);
  if (node === undefined) return state;
  const nodes = state.nodes.set(nodeId, { ...released(node), lifecycle: 'ready' });
  const listed = withCluster({ ...state, nodes }, node.clusterId, (cluster) => ({
    ...cluster,
    nodeIds: withMember(cluster.nodeIds, nodeId),
    joiningIds: withoutMember(cluster.joiningIds, nodeId),
  }));
  return endOperation(listed, recorded, { kind: 'add-node', subjectId: nodeId, result: 'done' });
}

export const nodeAdditionUndone = (
  state: ControlState,
  recorded: Recorded<EventOf<'NodeAdditionUndone'>>,
): ControlState =>
  endOperation(withoutNode(state, recorded.event.nodeId), recorded, {
    kind: 'add-node',
    subjectId: recorded.event.nodeId,
    result: 'undone',
  });

export function nodeStateSet(state: ControlState, recorded: Recorded<EventOf<'NodeStateSet'>>): ControlState {
  const { operationId, nodeId, state: adminState } = recorded.event;
  const freed = withNodeReleased(state, nodeId, operationId);
  const nodes = changed(freed.nodes, nodeId, (node) => ({ ...node, state: adminState }));
  const refreshed = withRingRefreshed({ ...freed, nodes }, nodeId, nodes.get(nodeId)?.deviceIds ?? []);
  return endOperation(refreshed, recorded, { kind: 'set-node-state', subjectId: nodeId, result: 'done' });
}

export const nodeStateRefused = (state: ControlState, recorded: Recorded<EventOf<'NodeStateRefused'>>): ControlState =>
  endOperation(state, recorded, { kind: 'set-node-state', subjectId: recorded.event.nodeId, result: 'undone' });

export function nodeRemovalPlanned(
  state: ControlState,
  recorded: Recorded<EventOf<'NodeRemovalPlanned'>>,
): ControlState {
  const { nodeId, operationId } = recorded.event;
  const nodes = changed(state.nodes, nodeId, (node) => ({ ...node, lifecycle: 'removing' as const, operationId }));
  return startOperation({ ...state, nodes }, recorded, { kind: 'remove-node', nodeId });
}

export const nodeRemoved = (state: ControlState, recorded: Recorded<EventOf<'NodeRemoved'>>): ControlState =>
  endOperation(withoutPortal(withoutNode(state, recorded.event.nodeId), recorded.event.nodeId), recorded, {
    kind: 'remove-node',
    subjectId: recorded.event.nodeId,
    result: 'done',
  });

export function nodeRemovalUndone(state: ControlState, recorded: Recorded<EventOf<'NodeRemovalUndone'>>): ControlState {
  const { nodeId } = recorded.event;
  const nodes = changed(state.nodes, nodeId, (node) => ({ ...released(node), lifecycle: 'ready' as const }));
  return endOperation({ ...state, nodes }, recorded, { kind: 'remove-node', subjectId: nodeId, result: 'undone' });
}

export function nodeLost(state: ControlState, { event }: Recorded<EventOf<'NodeLost'>>): ControlState {
  const nodes = changed(state.nodes, event.nodeId, (node) => ({ ...node, lostSince: event.silentSince }));
  return withRingRefreshed({ ...state, nodes }, event.nodeId, nodes.get(event.nodeId)?.deviceIds ?? []);
}

export function nodeReturned(state: ControlState, { event }: Recorded<EventOf<'NodeReturned'>>): ControlState {
  const nodes = changed(state.nodes, event.nodeId, ({ lostSince: _, ...node }) => node);
  return withRingRefreshed({ ...state, nodes }, event.nodeId, nodes.get(event.nodeId)?.deviceIds ?? []);
}

export function nodeTagsSet(state: ControlState, { event }: Recorded<EventOf<'NodeTagsSet'>>): ControlState {
  const nodes = changed(state.nodes, event.nodeId, (node) => ({ ...node, tags: event.tags }));
  return withRingRefreshed({ ...state, nodes }, event.nodeId, nodes.get(event.nodeId)?.deviceIds ?? []);
}
