/** What given-up tasks left on a host: whether it is to go, may stay, or cannot be judged yet. */
import type { AgentTask, BlockFile, NodeId, OperationId, Residue, VolumeId } from '@brickyard/contracts';
import { canonical } from '@brickyard/event-sourcing';
import { volumeNameKey, type ControlState } from '../control/control.state';

/**
 * What may be removed of it now. The rest is about something that an operation is still at: only its end says whether the
 * thing is to be, so that part stays residue until then.
 */
export const dueResidue = (residue: readonly Residue[], state: ControlState): Residue[] =>
  residue.filter(({ nodeId, task }) => isResidueStill(task, state, nodeId) || !isUndecided(task, state));

/** What is left of it when a removal has taken its part. */
export function residueWithout(residue: readonly Residue[], taken: readonly Residue[]): Residue[] {
  const gone = new Set(taken.map((each) => canonical(each).text));
  return residue.filter((each) => !gone.has(canonical(each).text));
}

function isUndecided(task: AgentTask, state: ControlState): boolean {
  const operationId = workOn(task, state);
  return operationId !== undefined && state.operations.has(operationId);
}

/** The operation at work on what a task takes back, if it takes something back. */
function workOn(task: AgentTask, { volumes, blockVolumes, nodes }: ControlState): OperationId | undefined {
  if ('target' in task) return blockVolumes.get(task.target.blockVolumeId)?.operationId;
  if ('file' in task) return blockVolumes.get(task.file.blockVolumeId)?.operationId;
  if (task.type === 'DetachPeer') return nodes.get(task.nodeId)?.operationId;
  const volumeId = volumeOf(task);
  return volumeId === undefined ? undefined : volumes.get(volumeId)?.operationId;
}

function volumeOf(task: AgentTask): VolumeId | undefined {
  if (task.type === 'DeleteGlusterVolume' || task.type === 'StartGlusterVolume') return task.volume.volumeId;
  if (task.type === 'RemoveBricks') return task.expansion.volumeId;
  return task.type === 'DeleteGlusterClone' ? task.cloning.clone.volumeId : undefined;
}

/** Whether the log still says that what the task takes back should not be: much may have happened since. */
export function isResidueStill(task: AgentTask, state: ControlState, nodeId: NodeId): boolean {
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
