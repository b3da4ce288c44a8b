/**
 * What a volume carries in one of its Gluster options, so that a lost log can be made anew from the hosts: what was asked
 * for, its cluster, and the nodes of its bricks. Ids of devices and bricks are in the paths of the bricks.
 */
import { ClusterId, HostName, NodeId, VolumeId, VolumeSpec } from '@brickyard/contracts';
import type { ControlState, Volume } from '../control/control.state';

/** The option that holds the stamp. */
export const STAMP_OPTION = 'user.brickyard.stamp';

/** A node as the stamps of its volumes name it. */
export interface StampedNode {
  readonly nodeId: NodeId;
  readonly zone: number;
  readonly manage: HostName;
  readonly storage: HostName;
}

/** What a stamp says. */
export interface VolumeStamp {
  readonly volumeId: VolumeId;
  readonly clusterId: ClusterId;
  readonly spec: VolumeSpec;
  readonly nodes: readonly StampedNode[];
}

/** The option and its value, one word: what is neither letter nor digit is escaped as in a URL. */
export function stampOption({ volumeId, clusterId, spec, bricks }: Volume, state: ControlState): string {
  const nodeIds = [...new Set(bricks.map(({ nodeId }) => nodeId))].sort();
  const nodes = nodeIds.flatMap((nodeId) => {
    const node = state.nodes.get(nodeId);
    const [manage, storage] = [node?.hostnames.manage[0], node?.hostnames.storage[0]];
    return node === undefined || manage === undefined || storage === undefined
      ? []
      : [[nodeId, node.zone, manage, storage] as const];
  });
  return `${STAMP_OPTION} ${encodeURIComponent(JSON.stringify({ v: 1, volumeId, clusterId, spec, nodes }))}`;
}

/** What the value of the option says; undefined when it is no stamp, or one of a later release. */
export function readStamp(value: string): VolumeStamp | undefined {
  const told = parsed(value);
  if (typeof told !== 'object' || told === null) return undefined;
  const { v, nodes, ...rest } = told as Readonly<Record<string, unknown>>;
  const volumeId = VolumeId.safeParse(rest['volumeId']);
  const clusterId = ClusterId.safeParse(rest['clusterId']);
  const spec = VolumeSpec.safeParse(rest['spec']);
  if (v !== 1 || !volumeId.success || !clusterId.success || !spec.success || !Array.isArray(nodes)) return undefined;
  const stamped = nodes.flatMap((node: unknown) => {
    const [id, zone, ...names] = Array.isArray(node) ? (node as unknown[]) : [];
    const nodeId = NodeId.safeParse(id);
    const [manage, storage] = names.map((name) => HostName.safeParse(name));
    if (!nodeId.success || manage?.success !== true || storage?.success !== true || typeof zone !== 'number') return [];
    return [{ nodeId: nodeId.data, zone, manage: manage.data, storage: storage.data }];
  });
  return { volumeId: volumeId.data, clusterId: clusterId.data, spec: spec.data, nodes: stamped };
}

function parsed(value: string): unknown {
  try {
    return JSON.parse(decodeURIComponent(value)) as unknown;
  } catch {
    return undefined; // Somebody else's text.
  }
}
