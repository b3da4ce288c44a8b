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

/** A part of a folded state that is to be saved. */
export interface SnapshotPart {
  /** Another one for each part of the state. */
  readonly name: string;
  /** What the text tells of. These values never change, so while they are the same ones, the text is the same. */
  readonly of: readonly unknown[];
  /** Makes the text. */
  readonly text: () => string;
}
