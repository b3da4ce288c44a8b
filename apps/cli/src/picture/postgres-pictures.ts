/** Two moments read through Postgres: the second fold goes on where the first one ends. */
import { isFoldable, laterReleaseText } from '@brickyard/contracts';
import { decodeSnapshot, emptyControlState, evolveStored, FOLD_VERSION, type ControlState } from '@brickyard/domain';
import { openLedgerReader, type LedgerReader, type StateAt } from '@brickyard/event-sourcing/postgres';
import { UsageError } from '../exit-codes';
import type { Picture } from './picture';
import { pictureOfState } from './state-picture';

const LEDGER = 'control';

/** The pictures at two positions or times. */
export async function picturesFromPostgres(url: string, from: string, to: string): Promise<[Picture, Picture]> {
  const reader = openLedgerReader({ url, ledger: LEDGER, connectionsMax: 2 });
  try {
    const { position: end } = await reader.head();
    const [first, second] = [await positionOf(reader, from, end), await positionOf(reader, to, end)];
    if (first > second) throw new UsageError(`${from} is after ${to}`);
    const before = await foldTo(reader, first, await nearest(reader, first));
    const after = await foldTo(reader, second, before);
    return [pictureOfState(before.state, first), pictureOfState(after.state, second)];
  } finally {
    await reader.close();
  }
}

async function positionOf(reader: LedgerReader, moment: string, end: number): Promise<number> {
  const position = /^\d+$/.test(moment) ? Number(moment) : await reader.positionAt(moment);
  if (position <= end) return position;
  throw new UsageError(`position ${moment} is beyond the end of the log, which is ${String(end)}`);
}

async function nearest(reader: LedgerReader, position: number): Promise<StateAt<ControlState>> {
  const snapshot = await reader.latestSnapshot({ foldVersion: FOLD_VERSION, atOrBefore: position });
  if (snapshot === undefined) return { state: emptyControlState, position: 0 };
  return { state: decodeSnapshot(snapshot.chunks), position: snapshot.position };
}

async function foldTo(
  reader: LedgerReader,
  upTo: number,
  start: StateAt<ControlState>,
): Promise<StateAt<ControlState>> {
  let { state } = start;
  for await (const events of reader.read({ after: start.position, upTo })) {
    for (const event of events) {
      if (!isFoldable(event.type, event.version)) throw new Error(laterReleaseText(event));
      state = evolveStored(state, event);
    }
  }
  return { state, position: upTo };
}
