/** Orders about block volumes: the file on the hosting volume, and the target on each node that offers it. */
import { kib, type AgentTask, type BlockFile, type BlockTarget, type NodeId } from '@brickyard/contracts';
import { BLOCK_LUN, iqnOf } from '../block/block-volumes';
import type { BlockVolume, ControlState } from '../control/control.state';
import { coordinator, type Order } from './orders';

export const blockResource = (blockVolumeId: string): string => `block:${blockVolumeId}`;

/** The file of a block volume, with the size it is to have. */
export function blockFile(block: BlockVolume, state: ControlState, sizeKib = block.sizeKib): BlockFile {
  const { blockVolumeId, hostingVolumeId: volumeId } = block;
  const name = state.volumes.get(volumeId)?.spec.name ?? '';
  return { blockVolumeId, hosting: { volumeId, name }, sizeKib: kib(sizeKib) };
}

/** A block volume as a node offers it. */
export function blockTarget(block: BlockVolume, state: ControlState, sizeKib?: number): BlockTarget {
  const { blockVolumeId, chap } = block;
  const target = { ...blockFile(block, state, sizeKib), iqn: iqnOf(blockVolumeId), lun: BLOCK_LUN };
  return chap === undefined ? target : { ...target, chap };
}

/** Who works on the file: a node that offers it and speaks, the next one on a second attempt, any member when none does. */
function runner({ nodeIds, clusterId }: BlockVolume, state: ControlState, attempt: number): NodeId | undefined {
  const speaking = nodeIds.filter((nodeId) => {
    const node = state.nodes.get(nodeId);
    return node !== undefined && node.lostSince === undefined;
  });
  if (speaking.length > 0) return speaking[Math.max(0, attempt - 1) % speaking.length];
  return coordinator(state, clusterId, attempt) ?? nodeIds[0];
}

/** One task about the file. */
export function fileOrder(
  block: BlockVolume,
  state: ControlState,
  attempt: number,
  type: Extract<AgentTask, { readonly file: unknown }>['type'],
  sizeKib?: number,
): readonly Order[] {
  const nodeId = runner(block, state, attempt);
  const file = blockFile(block, state, sizeKib);
  return nodeId === undefined ? [] : [{ nodeId, resource: blockResource(block.blockVolumeId), task: { type, file } }];
}

/** One task on each node that offers it. */
export const targetOrders = (
  block: BlockVolume,
  state: ControlState,
  type: Extract<AgentTask, { readonly target: unknown }>['type'],
  sizeKib?: number,
): readonly Order[] =>
  block.nodeIds.map((nodeId) => ({
    nodeId,
    resource: blockResource(block.blockVolumeId),
    task: { type, target: blockTarget(block, state, sizeKib) },
  }));
