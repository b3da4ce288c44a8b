/** What each fact about a log that was put back changes. */
import type { EventOf } from '@brickyard/contracts';
import { persistentMap, type Recorded } from '@brickyard/event-sourcing';
import type { ControlState } from '../control/control.state';
import type { Operation } from '../operation/operation.state';

export const logRestored = (
  state: ControlState,
  { event, position, at }: Recorded<EventOf<'LogRestored'>>,
): ControlState => ({
  ...state,
  hold: {
    since: at,
    sincePosition: position,
    source: event.source,
    restoredUpTo: event.restoredUpTo,
    confirmed: false,
  },
});

export const restoreConfirmed = (state: ControlState): ControlState =>
  state.hold === undefined ? state : { ...state, hold: { ...state.hold, confirmed: true } };

/** What runs is asked for once more, by orders that are newer than any that hosts have seen. */
export function logReleased(state: ControlState, { event, position }: Recorded<EventOf<'LogReleased'>>): ControlState {
  const { hold: _, ...rest } = withGenerationsAbove(state, event.seenGeneration, position);
  const { generationOffset } = rest;
  const renewed = ({ current, ...operation }: Operation): Operation =>
    current === undefined
      ? operation
      : { ...operation, current: { ...current, generation: position + generationOffset } };
  const operations = [...state.operations.entries()].map(([id, operation]) => [id, renewed(operation)] as const);
  return { ...rest, operations: persistentMap(operations) };
}

/** Hosts remember the newest order of an earlier log: those of this one, which counts from 1 again, must be newer. */
export const withGenerationsAbove = (state: ControlState, seen: number, position: number): ControlState => ({
  ...state,
  generationOffset: Math.max(state.generationOffset, seen - position),
});
