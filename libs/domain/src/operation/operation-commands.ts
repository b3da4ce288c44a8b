/** Decisions the allocator asks of itself: what agents said, or that they say nothing. */
import type { CommandOf, ControlEvent, EventOf, NodeId, OperationId } from '@brickyard/contracts';
import { accepted } from '@brickyard/event-sourcing';
import type { ControlDecision } from '../control/decisions.types';
import type { ControlState, Node } from '../control/control.state';
import { deriveId } from '../placement/derive-id';
import { abandonment } from './abandonment';
import { retryStep } from './advance';
import type { Operation } from './operation.state';
import { dueResidue } from './residue';

/** An outcome counts once, only while its task is running, and only from the task's host: others change nothing. */
export function recordOutcome({ outcome }: CommandOf<'RecordOutcome'>, state: ControlState): ControlDecision {
  const { operationId, taskId, tookMs, host } = outcome;
  const task = state.operations.get(operationId)?.current?.tasks.get(taskId);
  if (task?.status !== 'running' || task.planned.host !== host) return accepted();
  const told = outcome.outcome;
  if (told.kind === 'done') {
    return accepted({ type: 'TaskSucceeded', version: 1, operationId, taskId, result: told.result, tookMs });
  }
  const failure =
    told.kind === 'failed'
      ? told.failure
      : {
          transient: true,
          uncertain: false,
          detail: `The host had already seen a newer order for the same thing (generation ${String(told.seenGeneration)}).`,
          cause: 'stale generation',
        };
  return accepted({ type: 'TaskFailed', version: 1, operationId, taskId, failure, tookMs });
}

/** The running tasks of a node that is lost, given up. */
function abandonedTasks(operation: Operation, state: ControlState, nodeId: NodeId): readonly ControlEvent[] {
  const { current } = operation;
  if (current === undefined) return [];
  return [...current.tasks.values()]
    .filter((task) => task.status === 'running' && task.planned.nodeId === nodeId)
    .map((task) => abandonment(operation, state, task.planned, current.direction, current.step));
}

export function declareNodeLost(
  { nodeId, silentSince }: CommandOf<'DeclareNodeLost'>,
  state: ControlState,
): ControlDecision {
  const node = state.nodes.get(nodeId);
  if (node === undefined || node.lostSince !== undefined) return accepted();
  const known = { ...state, nodes: state.nodes.set(nodeId, { ...node, lostSince: silentSince }) };
  const abandoned = [...state.operations.values()].flatMap((operation) => abandonedTasks(operation, known, nodeId));
  return accepted({ type: 'NodeLost', version: 1, nodeId, silentSince }, ...abandoned);
}

/** An id for the clean-up that follows a node's return: the count of ended operations tells one return from the next. */
const residueOperationId = (node: Node, state: ControlState): OperationId =>
  deriveId(node.nodeId, `residue/${String(state.endedCount)}`) as OperationId;

function residueRemoval(
  { nodeId, residue }: Node,
  state: ControlState,
  operationId: OperationId,
): readonly EventOf<'ResidueRemovalPlanned'>[] {
  const due = dueResidue(residue, state);
  return due.length === 0 ? [] : [{ type: 'ResidueRemovalPlanned', version: 1, operationId, nodeId, residue: due }];
}

export function declareNodeReturned(
  { nodeId }: CommandOf<'DeclareNodeReturned'>,
  state: ControlState,
): ControlDecision {
  const node = state.nodes.get(nodeId);
  if (node === undefined) return accepted();
  const back: readonly ControlEvent[] =
    node.lostSince === undefined ? [] : [{ type: 'NodeReturned', version: 1, nodeId }];
  return accepted(...back, ...residueRemoval(node, state, residueOperationId(node, state)));
}

/** Removes now what is left on nodes that speak; that of a lost one is removed when it returns. */
export function cleanUp({ operationId, nodeIds }: CommandOf<'CleanUp'>, state: ControlState): ControlDecision {
  const wanted = [...state.nodes.values()]
    .filter(({ nodeId, lostSince }) => lostSince === undefined && (nodeIds.length === 0 || nodeIds.includes(nodeId)))
    .sort((one, other) => (one.nodeId < other.nodeId ? -1 : 1));
  const planned = wanted.flatMap((node) =>
    residueRemoval(node, state, deriveId(operationId, `residue/${node.nodeId}`) as OperationId),
  );
  const removals = planned.map((removal) => removal.operationId);
  return accepted<ControlEvent>({ type: 'CleanUpStarted', version: 1, operationId, removals }, ...planned);
}

/** The pause is over; a retry that was begun meanwhile, or an operation that ended, needs nothing. */
export function retryStepNow({ operationId, attempt }: CommandOf<'RetryStep'>, state: ControlState): ControlDecision {
  const operation = state.operations.get(operationId);
  if (operation?.retry?.attempt !== attempt) return accepted();
  return accepted(...retryStep(operation, state));
}
