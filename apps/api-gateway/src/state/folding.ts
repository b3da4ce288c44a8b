/** From stored events to states: today's version of each event, in order, none left out. */
import { type ControlEvent, isFoldable, laterReleaseText, upcast } from '@brickyard/contracts';
import { type ControlState, decodeSnapshot, evolve } from '@brickyard/domain';
import type { Recorded, StoredChange, StoredEvent } from '@brickyard/event-sourcing';
import type { Snapshot, StateAt } from '@brickyard/event-sourcing/postgres';

/** The ledger all of this is about. */
export const CONTROL_LEDGER = 'control';

/** An event with everything the log says of it: what the writer announces and what Postgres gives are alike. */
export type LoggedEvent = StoredEvent;

/** An event this version of the gateway does not know, or a hole in the log: going on would answer wrongly. */
export class CannotFold extends Error {
  override readonly name = 'CannotFold';
}

/** The state one event later. */
export function foldOne({ state, position }: StateAt<ControlState>, event: StoredChange): StateAt<ControlState> {
  if (event.position !== position + 1) {
    throw new CannotFold(`event ${String(event.position)} does not follow position ${String(position)}`);
  }
  return { state: evolve(state, recordedFrom(event)), position: event.position };
}

function recordedFrom({ position, recordedAt, type, version, data }: StoredChange): Recorded<ControlEvent> {
  if (!isFoldable(type, version)) throw new CannotFold(laterReleaseText({ position, type, version }));
  return { position, at: recordedAt, event: upcast(type, version, data) };
}

/** The state a snapshot holds. Lines never go across its chunks. */
export function restore({ position, chunks }: Snapshot): StateAt<ControlState> {
  return { state: decodeSnapshot(linesOf(chunks)), position };
}

function* linesOf(chunks: readonly string[]): Generator<string> {
  for (const chunk of chunks) for (const line of chunk.split('\n')) if (line !== '') yield line;
}
