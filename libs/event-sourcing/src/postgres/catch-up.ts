import type { JsonValue } from '../canonical-json';
import { Defect } from '../event-log';
import type { Tip } from './batch';
import type { Leadership, LedgerStorage } from './ledger-storage';
import type { Head, LedgerReader, StateAt, WriterOptions } from './types';

/** What a new leader has to know before it decides anything. */
export interface Caught<State> {
  readonly tip: Tip<State>;
  /** Version of every stream. */
  readonly versions: Map<string, number>;
}

/** Restores the state, folds what is missing up to the head, and makes sure that the log is the one the head speaks of. */
export async function catchUp<State, Command, Reply extends JsonValue>(
  storage: LedgerStorage,
  options: WriterOptions<State, Command, Reply>,
  leadership: Leadership,
): Promise<Caught<State>> {
  const { head } = leadership;
  const reader = storage.openReader({ connectionsMax: 2 });
  try {
    const start = await options.restore(head);
    const state = await foldUpTo(reader, head, start, options.evolve);
    const recordedAtMs = await checkEnd(reader, head);
    const versions = await leadership.readVersions();
    return { tip: { state, position: head.position, hash: Buffer.from(head.hash, 'hex'), recordedAtMs }, versions };
  } finally {
    await reader.close();
  }
}

async function foldUpTo<State>(
  reader: LedgerReader,
  head: Head,
  start: StateAt<State>,
  evolve: WriterOptions<State, never, never>['evolve'],
): Promise<State> {
  let { state, position } = start;
  if (position > head.position) {
    throw new Defect(
      `the state of position ${String(position)} is ahead of the ledger, which ends at ${String(head.position)}`,
    );
  }
  for await (const events of reader.read({ after: position, upTo: head.position })) {
    for (const event of events) {
      position += 1;
      if (event.position !== position) throw new Defect(`position ${String(position)} is missing in ${reader.ledger}`);
      state = evolve(state, event);
    }
  }
  if (position !== head.position) throw new Defect(`position ${String(position + 1)} is missing in ${reader.ledger}`);
  return state;
}

/** The time of the last event, which must be the one the head names. */
async function checkEnd(reader: LedgerReader, head: Head): Promise<number> {
  if (head.position === 0) return 0;
  for await (const [last] of reader.read({ after: head.position - 1, upTo: head.position })) {
    if (last?.hash === head.hash) return Date.parse(last.recordedAt);
  }
  throw new Defect(`the event at position ${String(head.position)} of ${reader.ledger} is not the one its head names`);
}
