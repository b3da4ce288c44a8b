import {
  AdminState,
  type HealCheck,
  type PlacementPolicy,
  type StateRequest,
  type ZoneChecking,
} from '@brickyard/contracts';
import { badRequest } from './text-error';
import { stateProblem } from './validation';

/** The state an operator asks for; throws 400 for anything else. */
export function adminStateFrom(request: StateRequest): AdminState {
  const problem = stateProblem(request);
  if (problem !== undefined) throw badRequest(problem);
  return AdminState.parse(request.state);
}

/** How bricks are moved when a request asks for it; its fields were found acceptable before. */
export const moveOptionsFrom = (
  { healcheck }: { readonly healcheck?: string | undefined },
  { zoneChecking }: PlacementPolicy,
): { readonly healCheck: HealCheck; readonly zoneChecking: ZoneChecking } => ({
  healCheck: healcheck === 'disable' ? 'disable' : 'enable',
  zoneChecking,
});
