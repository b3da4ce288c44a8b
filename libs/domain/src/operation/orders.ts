/** An order: one task for one node, about one resource. Sagas give orders; the allocator turns them into tasks. */
import type {
  AgentTask,
  Brick,
  BrickLocation,
  BrickSpec,
  ClusterId,
  Durability,
  NodeId,
  VolumeId,
  VolumeSpec,
} from '@brickyard/contracts';
import type { ControlState, Node, Volume } from '../control/control.state';
import { hasArbiter } from '../placement/filters';

export interface Order {
  readonly nodeId: NodeId;
  /** What the task changes; its agent does one at a time on it. */
  readonly resource: string;
  readonly task: AgentTask;
}

const isUp = (node: Node | undefined): node is Node => node?.lifecycle === 'ready' && node.lostSince === undefined;

/**
 * The node that runs a cluster's Gluster commands: the first by id that speaks, the next one on a second attempt.
 * One node for all keeps Gluster's own cluster lock free of quarrels. Undefined when no node speaks.
 */
export function coordinator(
  state: ControlState,
  clusterId: ClusterId,
  attempt: number,
  except?: NodeId,
): NodeId | undefined {
  const wanted = Math.max(0, attempt - 1);
  const passed: NodeId[] = [];
  for (const nodeId of state.clusters.get(clusterId)?.nodeIds ?? []) {
    if (nodeId === except || !isUp(state.nodes.get(nodeId))) continue;
    if (passed.length === wanted) return nodeId;
    passed.push(nodeId);
  }
  return passed.length === 0 ? undefined : passed[wanted % passed.length];
}

/** What a node's agent must know to make or remove a brick. */
export function brickSpec(state: ControlState, volume: Volume, brick: Brick): BrickSpec {
  const { nodeId: _, set: __, place: ___, foreign: ____, ...spec } = brick;
  const deviceName = state.devices.get(brick.deviceId)?.name ?? '';
  return { ...spec, deviceName, gid: volume.spec.gid };
}

/** One task for each brick, on the brick's own node; directories of somebody else's are neither made nor removed. */
export const brickOrders = (
  state: ControlState,
  volume: Volume,
  bricks: readonly Brick[],
  type: 'CreateBrick' | 'DeleteBrick' | 'ReadBrick',
): readonly Order[] =>
  bricks
    .filter(({ foreign }) => foreign !== true)
    .map((brick) => ({
      nodeId: brick.nodeId,
      resource: `brick:${brick.brickId}`,
      task: { type, brick: brickSpec(state, volume, brick) },
    }));

/** The protection of a volume as Gluster is told it: an arbiter is heketi's option and Gluster's shape. */
export const glusterDurability = ({ durability, options }: VolumeSpec): Durability =>
  hasArbiter(durability, options) ? { kind: 'arbiter' } : durability;

/** Bricks as Gluster lists them. */
export const inSetOrder = (bricks: readonly Brick[]): Brick[] =>
  [...bricks].sort((one, other) => one.set - other.set || one.place - other.place);

/** Bricks as Gluster names them, by storage name, in set order. */
export function brickLocations(state: ControlState, bricks: readonly Brick[]): BrickLocation[] {
  return inSetOrder(bricks).flatMap(({ brickId, nodeId, path }) => {
    const host = state.nodes.get(nodeId)?.hostnames.storage[0];
    return host === undefined ? [] : [{ brickId, host, path }];
  });
}

/** One Gluster task for a volume, on the cluster's coordinator; on any member when none speaks, to wait there. */
export function volumeOrder(
  state: ControlState,
  volumeId: VolumeId,
  attempt: number,
  task: (volume: Volume) => AgentTask,
): readonly Order[] {
  const volume = state.volumes.get(volumeId);
  if (volume === undefined) return [];
  const nodeId = coordinator(state, volume.clusterId, attempt) ?? state.clusters.get(volume.clusterId)?.nodeIds[0];
  return nodeId === undefined ? [] : [{ nodeId, resource: `volume:${volumeId}`, task: task(volume) }];
}

/**
 * One Gluster task for a volume on every member of its cluster. A daemon that died in the middle of a creation may be the
 * only one that knows the volume, and would spread it again: each must be asked.
 */
export function memberOrders(
  state: ControlState,
  volumeId: VolumeId,
  task: (volume: Volume) => AgentTask,
): readonly Order[] {
  const volume = state.volumes.get(volumeId);
  if (volume === undefined) return [];
  const members = state.clusters.get(volume.clusterId)?.nodeIds ?? [];
  return members.map((nodeId) => ({ nodeId, resource: `volume:${volumeId}`, task: task(volume) }));
}
