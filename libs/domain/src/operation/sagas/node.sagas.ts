/** How nodes join and leave a cluster, and how what a lost node kept is removed. */
import type { AgentTask, BlockFile, NodeId } from '@brickyard/contracts';
import { volumeNameKey, type ControlState } from '../../control/control.state';
import { blockResource, targetOrders } from '../block-orders';
import { coordinator, type Order } from '../orders';
import type { OperationPlan } from '../operation.state';
import type { OperationSaga, SagaPlan } from './saga.types';

type NodePlan = SagaPlan<Extract<OperationPlan, { readonly kind: 'add-node' | 'remove-node' }>>;
type ResiduePlan = SagaPlan<Extract<OperationPlan, { readonly kind: 'remove-residue' }>>;

/** A peer command, run by another member; nothing to do when there is no other. */
const byMember =
  (type: 'ProbePeer' | 'DetachPeer') =>
  (plan: NodePlan, state: ControlState): readonly Order[] => {
    const node = state.nodes.get(plan.nodeId);
    const host = node?.hostnames.storage[0];
    if (node === undefined || host === undefined) return [];
    const member = coordinator(state, node.clusterId, plan.attempt, plan.nodeId);
    const task = { type, nodeId: plan.nodeId, host };
    return member === undefined ? [] : [{ nodeId: member, resource: `peer:${plan.nodeId}`, task }];
  };

/** Lets a node into the trusted pool. */
export const addNodeSaga: OperationSaga<NodePlan> = {
  name: 'add-node',
  steps: [
    {
      name: 'check-node',
      act: ({ nodeId }) => [{ nodeId, resource: `node:${nodeId}`, task: { type: 'CheckNode', nodeId } }],
    },
    { name: 'probe-peer', act: byMember('ProbePeer'), undo: byMember('DetachPeer') },
  ],
};

/** Other nodes go on offering what the node offered. */
const unexportAll = ({ nodeId }: NodePlan, state: ControlState): readonly Order[] =>
  [...state.blockVolumes.values()].flatMap((block) =>
    targetOrders(block, state, 'UnexportBlockVolume').filter((order) => order.nodeId === nodeId),
  );

/** Lets a node go. A host that is gone for good cannot say goodbye: its detaching is tried, not demanded. */
export const removeNodeSaga: OperationSaga<NodePlan> = {
  name: 'remove-node',
  steps: [
    { name: 'unexport', act: unexportAll, onFailure: 'ignore' },
    { name: 'detach-peer', act: byMember('DetachPeer'), onFailure: 'ignore' },
  ],
};

/** Removes from a node that is back what operations left on it while it was lost; targets and Gluster's part first. */
export const removeResidueSaga: OperationSaga<ResiduePlan> = {
  name: 'remove-residue',
  steps: [
    { name: 'remove-volumes', act: (plan, state) => residueOrders(plan, state, 'gluster') },
    { name: 'remove-bricks', act: (plan, state) => residueOrders(plan, state, 'host') },
  ],
};

function residueOrders(plan: ResiduePlan, state: ControlState, part: 'gluster' | 'host'): readonly Order[] {
  return plan.residue.flatMap(({ nodeId, task }): readonly Order[] => {
    if (task.type === 'DeleteBrick') {
      return part === 'host' ? [{ nodeId, resource: `brick:${task.brick.brickId}`, task }] : [];
    }
    const isFile = task.type === 'DeleteBlockFile';
    if ((part === 'host') !== isFile || !isResidueStill(task, state, nodeId)) return [];
    return [
      {
        nodeId: 'target' in task ? nodeId : runnerOf(task, state, nodeId, plan.attempt),
        resource: resourceOf(task),
        task,
      },
    ];
  });
}

/** The host that may still be at it, so that the clean-up waits behind; another one when it cannot. */
function runnerOf(task: AgentTask, state: ControlState, nodeId: NodeId, attempt: number): NodeId {
  const node = state.nodes.get(nodeId);
  const isAboutItself = task.type === 'DetachPeer' && task.nodeId === nodeId;
  if (node === undefined || (attempt === 1 && node.lostSince === undefined && !isAboutItself)) return nodeId;
  return coordinator(state, node.clusterId, attempt, isAboutItself ? nodeId : undefined) ?? nodeId;
}

/** Whether the log still says that what the task takes back should not be: much may have happened since. */
function isResidueStill(task: AgentTask, state: ControlState, nodeId: NodeId): boolean {
  if (task.type === 'DeleteGlusterVolume') {
    const { volumeId, name } = task.volume;
    const clusterId = state.nodes.get(nodeId)?.clusterId;
    const namesake = clusterId === undefined ? undefined : state.volumeNames.get(volumeNameKey(clusterId, name));
    const isTaken = namesake !== undefined && state.volumes.get(namesake)?.status !== 'creating';
    return !state.volumes.has(volumeId) && !isTaken;
  }
  if (task.type === 'StartGlusterVolume') return state.volumes.get(task.volume.volumeId)?.status === 'ready';
  if (task.type === 'RemoveBricks') {
    const { volumeId, bricks } = task.expansion;
    const kept = new Set<string>(state.volumes.get(volumeId)?.bricks.map(({ brickId }) => brickId));
    return kept.size > 0 && bricks.every(({ brickId }) => !kept.has(brickId));
  }
  if ('file' in task) return isFileStill(task.file, state);
  if ('target' in task) return isTargetStill(task, state, nodeId);
  if (task.type === 'DetachPeer') return !state.nodes.has(task.nodeId);
  if (task.type === 'DeleteGlusterClone') return !state.volumes.has(task.cloning.clone.volumeId);
  // A volume that is not to be is deleted, running or not; and a question that nobody answered is not asked again.
  return task.type !== 'StopGlusterVolume' && task.type !== 'ReadGlusterClone';
}

/** A file goes with its hosting volume. */
const isFileStill = ({ blockVolumeId, hosting }: BlockFile, state: ControlState): boolean =>
  !state.blockVolumes.has(blockVolumeId) && state.volumes.has(hosting.volumeId);

/** A target goes unless the node is to offer it (again); it is offered only if it is still to be. */
function isTargetStill(
  { type, target }: Extract<AgentTask, { readonly target: unknown }>,
  state: ControlState,
  nodeId: NodeId,
): boolean {
  const block = state.blockVolumes.get(target.blockVolumeId);
  const isOffered = block?.nodeIds.includes(nodeId) === true && block.status !== 'deleting';
  return type === 'UnexportBlockVolume' ? !isOffered : isOffered;
}

function resourceOf(task: Order['task']): string {
  if ('volume' in task) return `volume:${task.volume.volumeId}`;
  if ('cloning' in task) return `volume:${task.cloning.clone.volumeId}`;
  if ('change' in task) return `volume:${task.change.volumeId}`;
  if ('expansion' in task) return `volume:${task.expansion.volumeId}`;
  if ('file' in task) return blockResource(task.file.blockVolumeId);
  if ('target' in task) return blockResource(task.target.blockVolumeId);
  if ('deviceId' in task) return `device:${task.deviceId}`;
  return 'nodeId' in task ? `peer:${task.nodeId}` : `brick:${task.brick.brickId}`;
}
