/** A ledger small enough to see through, for the specs of this folder: amounts are added to named tallies. */
import { freshDatabase } from '@brickyard/servers';
import { Client } from 'pg';
import type { StoredEvent } from '../event-log';
import { openLedgerReader } from './ledger-reader';
import { openLedgerWriter } from './ledger-writer';
import { migrate } from './migrate';
import type { Decided, LedgerReader, LedgerWriter, LedgerWriterOptions, Submission } from './types';

export interface Tally {
  readonly total: number;
  readonly count: number;
}

export type TallyCommand =
  | { readonly kind: 'add'; readonly to: string; readonly amounts: readonly number[] }
  | { readonly kind: 'refuse' }
  | { readonly kind: 'explode' };

/** The total after the command; a type, as an interface is no JSON object to the compiler. */
// eslint-disable-next-line @typescript-eslint/consistent-type-definitions -- replies are JSON objects with an index signature
export type TallyReply = { readonly total: number };
export type TallyWriter = LedgerWriter<Tally, TallyCommand, TallyReply>;
export type TallyOptions = LedgerWriterOptions<Tally, TallyCommand, TallyReply>;

export const metadata = { correlationId: 'c-1', actor: { name: 'spec' } };
export const LEDGER = 'tally';

/** Adds amounts to a tally, one event each. */
export function add(to: string, ...amounts: number[]): TallyCommand {
  return { kind: 'add', to, amounts };
}

/** A submission under an id. */
export function withId(commandId: string, command: TallyCommand): Submission<TallyCommand> {
  return { commandId, command, metadata };
}

/** Sums what was added. */
export function evolve(state: Tally, event: StoredEvent): Tally {
  return { total: state.total + Number(event.data['amount']), count: state.count + 1 };
}

/** One event for each amount; the data has what JSON finds hard. */
export function decide(command: TallyCommand, state: Tally): Decided<TallyReply> {
  if (command.kind === 'explode') throw new Error('boom');
  if (command.kind === 'refuse') return { events: [], reply: { total: state.total } };
  const events = command.amounts.map((amount) => ({
    streamId: command.to,
    type: 'Added',
    version: 1,
    data: { amount, z: 'ü"\\\n', a: [1, { y: null, b: true }] },
  }));
  return { events, reply: { total: command.amounts.reduce((sum, amount) => sum + amount, state.total) } };
}

export const INITIAL: Tally = { total: 0, count: 0 };

/** A migrated database of its own in the run's Postgres. */
export async function tallyDatabase(server = process.env['BRICKYARD_TEST_PG_URL'] ?? ''): Promise<string> {
  const url = await freshDatabase(server);
  await migrate(url);
  return url;
}

/** A writer that remembers what it was told. */
export interface OpenedTally {
  readonly writer: TallyWriter;
  readonly committed: StoredEvent[];
  /** Resolves with the reason when leadership is lost. */
  readonly lost: Promise<Error>;
}

/** Opens a writer; what a spec wants differently goes into `more`. */
export async function openTally(url: string, more: Partial<TallyOptions> = {}): Promise<OpenedTally> {
  const committed: StoredEvent[] = [];
  let tellLost: (error: Error) => void = () => undefined;
  const lost = new Promise<Error>((resolve) => (tellLost = resolve));
  const writer = await openLedgerWriter<Tally, TallyCommand, TallyReply>({
    url,
    ledger: LEDGER,
    restore: () => Promise.resolve({ state: INITIAL, position: 0 }),
    decide,
    evolve,
    onCommitted: (events) => committed.push(...events),
    onLost: tellLost,
    ...more,
  });
  return { writer, committed, lost };
}

/** The whole ledger, read in small pages. */
export async function readAll(reader: LedgerReader): Promise<readonly StoredEvent[]> {
  const all: StoredEvent[] = [];
  for await (const events of reader.read({ after: 0, pageSize: 7 })) all.push(...events);
  return all;
}

/** Uses a reader and closes it. */
export async function withReader<T>(url: string, use: (reader: LedgerReader) => Promise<T>): Promise<T> {
  const reader = openLedgerReader({ url, ledger: LEDGER, role: 'writer' });
  try {
    return await use(reader);
  } finally {
    await reader.close();
  }
}

/** Runs SQL as the owner of the database. */
export async function sql<Row extends object>(url: string, text: string, values: unknown[] = []): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(text, values)).rows;
  } finally {
    await client.end();
  }
}
