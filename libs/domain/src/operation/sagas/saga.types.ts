import type { Saga } from '@brickyard/event-sourcing';
import type { ControlState } from '../../control/control.state';
import type { Order } from '../orders';

/** A plan, and which try this is: a second one may go to another node. */
export type SagaPlan<Plan> = Plan & { readonly attempt: number };

/** A saga of the control ledger: plans in, orders for agents out. */
export type OperationSaga<Plan> = Saga<Plan, ControlState, Order>;
