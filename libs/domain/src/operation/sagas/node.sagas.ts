/** How nodes join and leave a cluster, and how what a lost node kept is removed. */
import type { AgentTask, NodeId } from '@brickyard/contracts';
import type { ControlState } from '../../control/control.state';
import { blockResource, targetOrders } from '../block-orders';
import { coordinator, type Order } from '../orders';
import type { OperationPlan } from '../operation.state';
import { isResidueStill } from '../residue';
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
    if (task.type === 'DeleteBrick' || task.type === 'RetireDevice') {
      return part === 'host' ? [{ nodeId, resource: resourceOf(task), task }] : [];
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
