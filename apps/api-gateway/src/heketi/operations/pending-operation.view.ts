/** Operations as heketi's clients know them: what is under way, and what could not be cleaned up yet. Pure. */
import type { AgentTask, NodeId, Residue } from '@brickyard/contracts';
import type {
  ControlState,
  EvacuationProgress,
  Node,
  Operation,
  OperationKind,
  OperationPlan,
} from '@brickyard/domain';
import { byId } from '../brick.view';
import { countedOperationsOf } from '../visible';

/** One entry of `GET /operations/pending`. */
export interface PendingOperationView {
  readonly id: string;
  readonly type_name: string;
  readonly status: '' | 'failed';
  readonly sub_status: '' | 'in-flight';
}

/** What an operation does to one thing. */
export interface ChangeView {
  readonly id: string;
  readonly description: string;
}

/** `GET /operations/pending/{id}`. */
export interface PendingOperationDetails extends PendingOperationView {
  readonly sub_status: '';
  readonly changes: readonly ChangeView[];
}

/** `GET /operations`. An operation goes on by itself after a crash, so none is ever stale. */
export interface OperationCounts {
  readonly total: number;
  readonly in_flight: number;
  readonly stale: 0;
  readonly failed: number;
  readonly new: number;
}

/** The kinds heketi keeps a record of, by its names for them; adding and removing nodes and devices leaves none. */
const TYPE_NAMES: Partial<Record<OperationKind, string>> = {
  'create-volume': 'create-volume',
  'delete-volume': 'delete-volume',
  'expand-volume': 'expand-volume',
  'clone-volume': 'clone-volume',
  'create-block-volume': 'create-block-volume',
  'delete-block-volume': 'delete-block-volume',
  'expand-block-volume': 'expand-block-volume',
  'evict-brick': 'evict-brick',
  'evacuate-device': 'remove-device',
  'evacuate-node': 'remove-device',
};

/** What is left on a node is told as one failed operation with the node's id: what it waits for is to be deleted. */
const RESIDUE_TYPE = 'delete-volume';

export function operationCounts(state: ControlState): OperationCounts {
  const all = pendingOperations(state);
  const failed = all.filter(({ status }) => status === 'failed').length;
  return { total: all.length, in_flight: countedOperationsOf(state), stale: 0, failed, new: all.length - failed };
}

/** `GET /operations/pending`, ascending by id. */
export function pendingOperations(state: ControlState): readonly PendingOperationView[] {
  const running = [...state.operations.values()].flatMap((operation): PendingOperationView[] => {
    const name = TYPE_NAMES[operation.plan.kind];
    return name === undefined
      ? []
      : [{ id: operation.operationId, type_name: name, status: '', sub_status: 'in-flight' }];
  });
  const removals = removalsOf(state);
  const left = [...state.nodes.values()].flatMap((node): PendingOperationView[] => {
    const isRunning = removals.has(node.nodeId);
    if (node.residue.length === 0 && !isRunning) return [];
    const sub_status = isRunning ? 'in-flight' : '';
    return [{ id: node.nodeId, type_name: RESIDUE_TYPE, status: 'failed', sub_status }];
  });
  return [...running, ...left].sort(byId);
}

/** `GET /operations/pending/{id}`; nothing for an id that names none. */
export function pendingOperation(state: ControlState, id: string): PendingOperationDetails | undefined {
  const view = pendingOperations(state).find((one) => one.id === id);
  if (view === undefined) return undefined;
  const operation = [...state.operations.values()].find(({ operationId }) => operationId === id);
  const changes =
    operation === undefined ? residueChanges(state, id) : changesOf(state, operation.plan).sort(byDescription);
  return { ...view, sub_status: '', changes };
}

/** What a running operation does, as heketi's records say it. */
export function changesOf(state: ControlState, plan: OperationPlan): ChangeView[] {
  if (plan.kind === 'create-volume') {
    return [...brickChanges(state, plan, 'Add brick'), { id: plan.volumeId, description: 'Add volume' }];
  }
  if (plan.kind === 'delete-volume') {
    return [...brickChanges(state, plan, 'Delete brick'), { id: plan.volumeId, description: 'Delete volume' }];
  }
  if (plan.kind === 'clone-volume') {
    return [
      ...brickChanges(state, plan, 'Add brick'),
      { id: plan.originId, description: 'Clone volume from' },
      { id: plan.originId, description: 'Snapshot volume' },
      { id: plan.volumeId, description: 'Expand volume to' },
    ];
  }
  if (plan.kind === 'create-block-volume') return blockCreationChanges(state, plan);
  if (plan.kind === 'delete-block-volume') return [{ id: plan.blockVolumeId, description: 'Delete block volume' }];
  if (plan.kind === 'expand-block-volume') return [{ id: plan.blockVolumeId, description: 'Expand block volume' }];
  if (plan.kind === 'evict-brick') return evictionChanges(state, plan);
  if (plan.kind === 'evacuate-device') return [{ id: plan.deviceId, description: 'Remove device' }, ...childOf(plan)];
  if (plan.kind === 'evacuate-node') {
    const devices = state.nodes.get(plan.nodeId)?.deviceIds ?? [];
    return [...devices.map((id) => ({ id, description: 'Remove device' })), ...childOf(plan)];
  }
  if (plan.kind !== 'expand-volume') return [];
  const added = plan.brickIds.map((id) => ({ id, description: 'Add brick' }));
  return [...added, { id: plan.volumeId, description: 'Expand volume' }];
}

function blockCreationChanges(
  state: ControlState,
  {
    blockVolumeId,
    hostingVolumeId: volumeId,
    makesHosting,
  }: Extract<OperationPlan, { readonly kind: 'create-block-volume' }>,
): ChangeView[] {
  const hosting = makesHosting
    ? [...brickChanges(state, { volumeId }, 'Add brick'), { id: volumeId, description: 'Add volume' }]
    : [];
  return [...hosting, { id: blockVolumeId, description: 'Add block volume' }];
}

function evictionChanges(
  state: ControlState,
  { volumeId, brickId, parentId }: Extract<OperationPlan, { readonly kind: 'evict-brick' }>,
): ChangeView[] {
  const move = state.volumes.get(volumeId)?.moves.find((each) => each.brickId === brickId);
  return [
    { id: brickId, description: 'Delete brick' },
    ...(move === undefined ? [] : [{ id: move.replacement.brickId, description: 'Add brick' }]),
    ...(parentId === undefined ? [] : [{ id: parentId, description: 'Belongs to parent operation' }]),
  ];
}

const childOf = ({ childId }: EvacuationProgress): ChangeView[] =>
  childId === undefined ? [] : [{ id: childId, description: 'Performing child operation' }];

function brickChanges(
  state: ControlState,
  { volumeId }: Pick<Extract<OperationPlan, { readonly volumeId: unknown }>, 'volumeId'>,
  description: string,
): ChangeView[] {
  return (state.volumes.get(volumeId)?.bricks ?? []).map(({ brickId }) => ({ id: brickId, description }));
}

const byDescription = (one: ChangeView, other: ChangeView): number =>
  one.description === other.description ? byId(one, other) : one.description < other.description ? -1 : 1;

type Removal = Operation & { readonly plan: Extract<OperationPlan, { readonly kind: 'remove-residue' }> };
const isRemoval = (operation: Operation): operation is Removal => operation.plan.kind === 'remove-residue';

/** What is being removed from nodes now. */
function removalsOf(state: ControlState): ReadonlyMap<NodeId, readonly Residue[]> {
  const removals = [...state.operations.values()].filter(isRemoval);
  return new Map(removals.map(({ plan }) => [plan.nodeId, plan.residue]));
}

function residueChanges(state: ControlState, id: string): readonly ChangeView[] {
  const node: Node | undefined = [...state.nodes.values()].find(({ nodeId }) => nodeId === id);
  if (node === undefined) return [];
  const left = [...node.residue, ...(removalsOf(state).get(node.nodeId) ?? [])];
  const changes = left.flatMap(({ task }) => residueChange(task));
  return [...new Map(changes.map((change) => [`${change.description} ${change.id}`, change])).values()];
}

function residueChange(task: AgentTask): readonly ChangeView[] {
  if (task.type === 'DeleteBrick') return [{ id: task.brick.brickId, description: 'Delete brick' }];
  if ('cloning' in task) return [{ id: task.cloning.clone.volumeId, description: 'Delete volume' }];
  if ('file' in task) return [{ id: task.file.blockVolumeId, description: 'Delete block volume' }];
  if ('target' in task) {
    const description = task.type === 'UnexportBlockVolume' ? 'Delete block volume' : 'Expand block volume';
    return [{ id: task.target.blockVolumeId, description }];
  }
  if ('volume' in task) return [{ id: task.volume.volumeId, description: 'Delete volume' }];
  return 'expansion' in task ? [{ id: task.expansion.volumeId, description: 'Expand volume' }] : [];
}
