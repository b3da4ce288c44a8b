/** What an operation will do next: its saga's table read ahead. */
import type { Operation } from '../operation/operation.state';
import { sagaOf } from '../operation/sagas/registry';

/** One step of a saga and how far the operation is with it. */
export interface PlannedStep {
  readonly number: number;
  readonly name: string;
  readonly status: 'done' | 'current' | 'to-do' | 'being-undone' | 'undone' | 'to-undo';
  readonly canBeUndone: boolean;
}

/** The whole table of an operation's saga, seen from where the operation is. */
export function outlook({ plan, current }: Operation): readonly PlannedStep[] {
  const steps = sagaOf(plan).steps;
  return steps.map((step, number) => ({
    number,
    name: step.name,
    status: statusOf(number, current),
    canBeUndone: step.undo !== undefined,
  }));
}

function statusOf(number: number, current: Operation['current']): PlannedStep['status'] {
  if (current === undefined) return 'to-do';
  const { step, direction } = current;
  if (direction === 'undo') {
    if (number === step) return 'being-undone';
    return number < step ? 'to-undo' : 'undone';
  }
  if (number === step) return 'current';
  return number < step ? 'done' : 'to-do';
}
