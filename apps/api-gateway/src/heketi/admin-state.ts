import { AdminState, type StateRequest } from '@brickyard/contracts';
import { badRequest } from './text-error';
import { stateProblem } from './validation';

/** The state an operator asks for; throws 400 for anything else. */
export function adminStateFrom(request: StateRequest): AdminState {
  const problem = stateProblem(request);
  if (problem !== undefined) throw badRequest(problem);
  return AdminState.parse(request.state);
}
