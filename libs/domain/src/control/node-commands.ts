/** Decisions about nodes. */
import type { CommandOf, ControlEvent, NodeId, Rejection } from '@brickyard/contracts';
import { accepted, rejected } from '@brickyard/event-sourcing';
import { onlyOfferedBy } from '../block/block-volume-commands';
import { hostnameKey, type ControlState, type Node } from './control.state';
import { evacuateNode, holdsBricks } from '../evacuation/evacuation-commands';
import { IN_USE } from '../evacuation/evacuation-texts';
import type { ControlDecision } from './decisions.types';

function nameTaken({ hostnames }: CommandOf<'AddNode'>, state: ControlState): Rejection | undefined {
  for (const kind of ['manage', 'storage'] as const) {
    for (const hostname of hostnames[kind]) {
      const nodeId = state.hostnames.get(hostnameKey(kind, hostname));
      if (nodeId !== undefined) return { kind: 'HostnameInUse', hostname, nodeId };
    }
  }
  return undefined;
}

function probeRefusal({ probe, hostnames }: CommandOf<'AddNode'>): Rejection | undefined {
  if (probe.newNode === 'no-agent') return { kind: 'NoAgent', host: hostnames.manage[0] ?? '' };
  if (probe.members === 'none' && probe.newNode === 'stopped') return { kind: 'GlusterdNotRunning', where: 'new-node' };
  if (probe.members === 'stopped') return { kind: 'GlusterdNotRunning', where: 'cluster' };
  return undefined;
}

export function addNode(command: CommandOf<'AddNode'>, state: ControlState): ControlDecision {
  const { operationId, nodeId, clusterId, zone, hostnames, tags } = command;
  if (!state.clusters.has(clusterId)) return rejected({ kind: 'ClusterNotFound', clusterId });
  const refusal = nameTaken(command, state) ?? probeRefusal(command);
  if (refusal !== undefined) return rejected(refusal);
  return accepted({ type: 'NodeAdditionPlanned', version: 1, operationId, nodeId, clusterId, zone, hostnames, tags });
}

/** A node as clients know it: one that is still joining is not there yet. */
export function knownNode(state: ControlState, nodeId: NodeId): Node | undefined {
  const node = state.nodes.get(nodeId);
  return node === undefined || node.lifecycle === 'adding' ? undefined : node;
}

export function removeNode({ operationId, nodeId }: CommandOf<'RemoveNode'>, state: ControlState): ControlDecision {
  const node = knownNode(state, nodeId);
  if (node === undefined) return rejected({ kind: 'NodeNotFound', nodeId });
  if (node.deviceIds.length > 0) return rejected({ kind: 'NodeHasDevices', nodeId });
  if (node.operationId !== undefined) {
    return rejected({ kind: 'ConflictingOperation', subject: `node ${nodeId}`, operationId: node.operationId });
  }
  const blockVolumeId = onlyOfferedBy(nodeId, state);
  if (blockVolumeId !== undefined) return rejected({ kind: 'NodeIsLastPortal', nodeId, blockVolumeId });
  return accepted({ type: 'NodeRemovalPlanned', version: 1, operationId, nodeId });
}

/** Which state changes the rules forbid, in heketi's words. */
function stateRefusal({ nodeId, state: wanted }: CommandOf<'SetNodeState'>, node: Node): string | undefined {
  if (node.state === wanted) return undefined;
  if (node.operationId !== undefined && node.lifecycle === 'ready') return IN_USE;
  if (node.state === 'failed') return `Cannot move a failed/removed node to ${wanted} state`;
  if (wanted !== 'failed') return undefined;
  if (node.state === 'online') return `Node must be offline before remove operation is performed, node:${nodeId}`;
  return undefined;
}

export function setNodeState(command: CommandOf<'SetNodeState'>, state: ControlState): ControlDecision {
  const { operationId, nodeId, state: wanted } = command;
  const node = knownNode(state, nodeId);
  if (node === undefined) return rejected({ kind: 'NodeNotFound', nodeId });
  const detail = stateRefusal(command, node);
  if (detail !== undefined) {
    return accepted({ type: 'NodeStateRefused', version: 1, operationId, nodeId, detail, cause: detail });
  }
  const isMoved = wanted === 'failed' && node.state !== 'failed' && holdsBricks(nodeId, state);
  if (isMoved) return accepted(...evacuateNode(command, state));
  const drained = wanted === 'failed' ? node.deviceIds.filter((id) => state.devices.get(id)?.state !== 'failed') : [];
  return accepted<ControlEvent>(
    ...drained.map(
      (deviceId) => ({ type: 'DeviceStateSet', version: 1, operationId, deviceId, state: wanted }) as const,
    ),
    { type: 'NodeStateSet', version: 1, operationId, nodeId, state: wanted },
  );
}
