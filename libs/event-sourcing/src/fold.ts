/** The second idea: state is what the events say, nothing else. */
import type { Recorded } from './decider';

/** The state after these events. */
export function fold<State, Event>(
  evolve: (state: State, recorded: Recorded<Event>) => State,
  initial: State,
  events: Iterable<Recorded<Event>>,
): State {
  let state = initial;
  for (const recorded of events) state = evolve(state, recorded);
  return state;
}
