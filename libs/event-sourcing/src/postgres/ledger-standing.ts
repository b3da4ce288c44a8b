/** What an auditor reads of a ledger: where everything stands at one moment, and the events as they are stored. */
import { Client, type ClientBase } from 'pg';
import type { Checkpoint } from '../checkpoint';
import type { ChainEnd } from '../event-log';
import type { HandOver } from '../hand-over';
import { GENESIS_HASH } from '../hash-chain';
import type { RawEvent } from '../tampering';
import {
  CHECKPOINT_COLUMNS,
  checkpointFrom,
  HAND_OVERS,
  handOversFrom,
  type CheckpointRow,
  type HandOverRow,
} from './checkpoints';
import { asUnavailable, connectionConfig } from './connection';
import { EVENT_COLUMNS, type EventRow, hexFrom, isoTime, RAW } from './event-rows';
import type { ReadRange } from './types';

const STATEMENT_TIMEOUT_MS = 120_000;
const PAGE_SIZE = 2_000;
/** Positions past the head that are told. */
const STRAYS_MAX = 100;

/** Everything Postgres says of a ledger besides its events, at one moment. */
export interface LedgerStanding {
  /** Names of the ledgers whose end is recorded; of one that is not there everything else is empty. */
  readonly ledgers: readonly string[];
  readonly head: ChainEnd;
  /** Positions after the head at which events stand, the first hundred. */
  readonly strays: readonly number[];
  /** Version of every stream. */
  readonly streams: ReadonlyMap<string, number>;
  readonly checkpoints: readonly Checkpoint[];
  /** Where one signing key handed over to the next. */
  readonly handOvers: readonly HandOver[];
  /** How far named followers have come. */
  readonly cursors: ReadonlyMap<string, number>;
  /** Highest position to which a command was answered. */
  readonly answeredUpTo: number;
  /** Kept snapshots, ascending. */
  readonly snapshots: readonly { readonly foldVersion: string; readonly position: number }[];
}

/** Reads a ledger as an auditor does, over one connection. Rejects with `Unavailable` while Postgres is away. */
export interface AuditSource {
  standing(): Promise<LedgerStanding>;
  /** Batches of events in order, as they are stored. */
  readRaw(range: ReadRange): AsyncIterable<readonly RawEvent[]>;
  close(): Promise<void>;
}

/** Opens an auditor's connection; it may only look. */
export async function openAuditSource(url: string, ledger: string): Promise<AuditSource> {
  const settings = { statement_timeout: String(STATEMENT_TIMEOUT_MS), idle_in_transaction_session_timeout: '0' };
  const client = new Client(connectionConfig(url, 'reader', settings));
  client.on('error', () => undefined); // The statement in hand rejects when the connection breaks.
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw asUnavailable(`read ledger ${ledger}`, error);
    }
  };
  await guarded(() => client.connect());
  const page = (after: number, { upTo = Number.MAX_SAFE_INTEGER, pageSize = PAGE_SIZE }: ReadRange) =>
    guarded(() => readPage(client, ledger, after, upTo, pageSize));
  return {
    standing: () => guarded(() => readStanding(client, ledger)),
    async *readRaw(range) {
      const size = range.pageSize ?? PAGE_SIZE;
      let next: Promise<RawEvent[]> | undefined = page(range.after, range);
      while (next !== undefined) {
        const events: RawEvent[] = await next;
        const last = events.at(-1)?.position;
        next = last === undefined || events.length < size ? undefined : page(last, range);
        next?.catch(() => undefined); // Awaited in the next turn, unless the caller leaves the loop.
        if (events.length > 0) yield events;
      }
    },
    close: () => client.end(),
  };
}

async function readPage(
  client: ClientBase,
  ledger: string,
  after: number,
  upTo: number,
  size: number,
): Promise<RawEvent[]> {
  const result = await client.query<EventRow>({
    name: 'audit-page',
    text: `SELECT ${EVENT_COLUMNS} FROM es.events WHERE ledger = $1 AND position > $2 AND position <= $3 ORDER BY position LIMIT $4`,
    values: [ledger, after, upTo, size],
    rowMode: 'array',
    types: RAW,
  });
  return result.rows.map((row) => rawEventFrom(ledger, row));
}

function rawEventFrom(ledger: string, row: EventRow): RawEvent {
  const [position, streamId, streamVersion, eventId, type, version, data, metadata, recordedAt, hash] = row;
  return {
    ledger,
    position: Number(position),
    streamId,
    streamVersion: Number(streamVersion),
    eventId,
    type,
    version: Number(version),
    data,
    metadata,
    recordedAt: isoTime(recordedAt),
    hash: hexFrom(hash),
  };
}

/** One transaction, so that a ledger that grows meanwhile is seen as it was at one moment. */
async function readStanding(client: ClientBase, ledger: string): Promise<LedgerStanding> {
  const rows = async <Row extends (string | null)[]>(text: string, ...values: unknown[]): Promise<Row[]> => {
    const query = { text, values: [ledger, ...values], rowMode: 'array' as const, types: RAW };
    return (await client.query<Row>(query)).rows;
  };
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  try {
    const heads = await client.query<{ ledger: string }>('SELECT ledger FROM es.heads ORDER BY ledger');
    const [headRow] = await rows<[string, string]>('SELECT position, hash FROM es.heads WHERE ledger = $1');
    const head =
      headRow === undefined
        ? { position: 0, hash: GENESIS_HASH }
        : { position: Number(headRow[0]), hash: hexFrom(headRow[1]) };
    const strays = await rows<[string]>(
      'SELECT position FROM es.events WHERE ledger = $1 AND position > $2 ORDER BY position LIMIT $3',
      head.position,
      STRAYS_MAX,
    );
    const streams = await rows<[string, string]>('SELECT stream_id, version FROM es.streams WHERE ledger = $1');
    const checkpoints = await rows<CheckpointRow>(
      `SELECT ${CHECKPOINT_COLUMNS} FROM es.checkpoints WHERE ledger = $1 ORDER BY position`,
    );
    const handOvers = await rows<HandOverRow>(HAND_OVERS);
    const cursors = await rows<[string, string]>('SELECT name, position FROM es.cursors WHERE ledger = $1');
    const [answered] = await rows<[string | null]>('SELECT max(position) FROM es.commands WHERE ledger = $1');
    const snapshots = await rows<[string, string]>(
      'SELECT DISTINCT fold_version, position FROM es.snapshots WHERE ledger = $1 ORDER BY position',
    );
    return {
      ledgers: heads.rows.map((row) => row.ledger),
      head,
      strays: strays.map(([position]) => Number(position)),
      streams: new Map(streams.map(([id, version]) => [id, Number(version)])),
      checkpoints: checkpoints.map(checkpointFrom),
      handOvers: handOversFrom(ledger, handOvers),
      cursors: new Map(cursors.map(([name, position]) => [name, Number(position)])),
      answeredUpTo: Number(answered?.[0] ?? 0),
      snapshots: snapshots.map(([foldVersion, position]) => ({ foldVersion, position: Number(position) })),
    };
  } finally {
    await client.query('COMMIT');
  }
}
