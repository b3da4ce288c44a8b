/** Which orders a step of an operation gives, and what its tasks are called. */
import type { StepDirection, TaskId } from '@brickyard/contracts';
import type { ControlState } from '../control/control.state';
import type { Operation } from './operation.state';
import type { Order } from './orders';
import { sagaOf } from './sagas/registry';

/** One try of a step. */
export interface Move {
  readonly step: number;
  readonly direction: StepDirection;
  readonly attempt: number;
  /** Which of the step's orders to give, by index; all when absent. */
  readonly only?: ReadonlySet<number>;
}

/** Tells the tasks of one placement from those of the next: a queue drops what it has seen. */
function placementOf({ plan }: Operation): string {
  const replans = plan.kind === 'create-volume' ? (plan.replans ?? 0) : 0;
  return replans === 0 ? '' : `again${String(replans)}.`;
}

/** Names a task; the same for the same try. */
export const taskIdOf = (operation: Operation, { step, direction, attempt }: Move, index: number): TaskId =>
  `${operation.operationId}.${placementOf(operation)}${String(step)}.${direction}.${String(attempt)}.${String(index)}` as TaskId;

/** The place of a task among its step's orders: the last part of its id. */
export const indexOf = (taskId: string): number => Number(taskId.slice(taskId.lastIndexOf('.') + 1));

/** What one try of a step asks of agents. */
export function ordersOf(
  operation: Operation,
  state: ControlState,
  { step, direction, attempt }: Move,
): readonly Order[] {
  const orders = sagaOf(operation.plan).steps[step]?.[direction];
  return orders === undefined ? [] : orders({ ...operation.plan, attempt }, state);
}
