/** The third idea: a change to hosts is a table of steps, each with an action, its undo and a question. */

/**
 * One step: what to do, how to take it back, how to find out. Each gives the orders for one plan in one world; no
 * orders means there is nothing to do. A step without `undo` leaves nothing behind that must be taken back.
 */
export interface Step<Plan, World, Order> {
  readonly name: string;
  readonly act: (plan: Plan, world: World) => readonly Order[];
  readonly undo?: (plan: Plan, world: World) => readonly Order[];
  /** Asks the host whether the effect is there, when an attempt ended without an answer. */
  readonly probe?: (plan: Plan, world: World) => readonly Order[];
  /** What the question must find for the effect to be there: something made (the default), or something gone. */
  readonly effect?: 'present' | 'absent';
  /**
   * `undo` (the default) unwinds the operation when the step fails; `ignore` goes on as if it had not; `leave` goes on
   * and lists the orders that failed as residue, to be done later; `insist` tries a failure that may pass again for as
   * long as it takes, and goes on after one that will not.
   */
  readonly onFailure?: 'undo' | 'ignore' | 'leave' | 'insist';
  /**
   * `undo` (the default) takes an order whose host fell silent over it for failed; `leave`, for what cannot be taken back
   * and may be done twice, goes on as if it were done, and lists it as residue: the host does it, again or at last, when it is back.
   */
  readonly onSilence?: 'undo' | 'leave';
  /** Taken back only once the question was answered with no: what happened unseen must not be mistaken for nothing. */
  readonly proof?: true;
  /** How often a passing failure is tried again before it counts. */
  readonly retriesMax?: number;
}

/** A saga: its steps in order. It ends done, when the last step is done, or undone, when all steps are taken back. */
export interface Saga<Plan, World, Order> {
  readonly name: string;
  readonly steps: readonly Step<Plan, World, Order>[];
}
