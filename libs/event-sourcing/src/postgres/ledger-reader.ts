import { Pool, type PoolClient } from 'pg';
import type { StoredChange, StoredEvent } from '../event-log';
import { GENESIS_HASH } from '../hash-chain';
import { findAnswers } from './answers';
import { asUnavailable, connectionConfig } from './connection';
import { CHANGE_COLUMNS, changeFrom, EVENT_COLUMNS, type EventRow, eventFrom, hexFrom, RAW } from './event-rows';
import { type EventFilter, type Found, searchEvents, type SearchRange } from './event-search';
import { SnapshotPacker, unpackChunk } from './snapshots';
import { positionsToDrop } from './thinning';
import type {
  Head,
  LedgerReader,
  LedgerReaderOptions,
  ReadRange,
  RecordedAnswer,
  Snapshot,
  SnapshotToSave,
} from './types';

const CONNECTIONS_MAX = 4;
const PAGE_SIZE = 1_000;
const STATEMENT_TIMEOUT_MS = 30_000;
/** The client gives up a little after the server should have: the server may be gone without a word. */
const ANSWER_TIMEOUT_MS = STATEMENT_TIMEOUT_MS + 5_000;

const SAVE_CHUNK = 'INSERT INTO es.snapshots VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING';

/** Opens a reader; connects when first used. */
export function openLedgerReader(options: LedgerReaderOptions): LedgerReader {
  return new PostgresLedgerReader(options);
}

type Placed = Pick<StoredEvent, 'position'>;

/** Which columns to read, and what a row of them is. */
interface RowShape<Item> {
  readonly columns: string;
  from(row: string[]): Item;
}

interface Page<Item> {
  readonly items: readonly Item[];
  /** Where the next page begins, when there may be one. */
  readonly after?: number;
}

const ignoreBrokenConnection = (): void => undefined;

class PostgresLedgerReader implements LedgerReader {
  readonly ledger: string;
  private readonly pool: Pool;
  private readonly packer = new SnapshotPacker();

  constructor(options: LedgerReaderOptions) {
    this.ledger = options.ledger;
    this.pool = new Pool({
      ...connectionConfig(options.url, options.role ?? 'reader', { statement_timeout: String(STATEMENT_TIMEOUT_MS) }),
      max: options.connectionsMax ?? CONNECTIONS_MAX,
      query_timeout: ANSWER_TIMEOUT_MS,
    });
    this.pool.on('error', () => undefined); // An idle connection has ended; the pool opens another when it is needed.
  }

  async head(): Promise<Head> {
    const [row] = await this.rows<[string, string, string]>(
      'SELECT position, hash, epoch FROM es.heads WHERE ledger = $1',
      [this.ledger],
    );
    if (row === undefined) return { position: 0, hash: GENESIS_HASH, epoch: 0 };
    return { position: Number(row[0]), hash: hexFrom(row[1]), epoch: Number(row[2]) };
  }

  read(range: ReadRange): AsyncIterable<readonly StoredEvent[]> {
    return this.pages(range, { columns: EVENT_COLUMNS, from: (row: EventRow) => eventFrom(this.ledger, row) });
  }

  readChanges(range: ReadRange): AsyncIterable<readonly StoredChange[]> {
    return this.pages(range, { columns: CHANGE_COLUMNS, from: changeFrom });
  }

  async readStream(streamId: string): Promise<readonly StoredEvent[]> {
    const rows = await this.rows<EventRow>(
      `SELECT ${EVENT_COLUMNS} FROM es.events WHERE ledger = $1 AND stream_id = $2 ORDER BY stream_version`,
      [this.ledger, streamId],
    );
    return rows.map((row) => eventFrom(this.ledger, row));
  }

  find(filter: EventFilter, range: SearchRange): Promise<Found> {
    return searchEvents((text, values) => this.rows<EventRow>(text, values), this.ledger, filter, range);
  }

  async positionAt(time: string): Promise<number> {
    const moment = new Date(time);
    if (Number.isNaN(moment.getTime())) throw new RangeError(`not a time: ${time}`);
    if (moment.getTime() < 0) return 0; // Nothing was recorded then, and not every such year is one to Postgres.
    const [row] = await this.rows<[string]>('SELECT es.position_at($1, $2)', [this.ledger, moment.toISOString()]);
    return Number(row?.[0] ?? 0);
  }

  async answerOf(commandId: string): Promise<RecordedAnswer | undefined> {
    const answers = await this.guarded((client) => findAnswers(client, this.ledger, [commandId]));
    return answers.get(commandId);
  }

  async latestSnapshot(wanted: { foldVersion: string; atOrBefore?: number }): Promise<Snapshot | undefined> {
    const { foldVersion, atOrBefore = Number.MAX_SAFE_INTEGER } = wanted;
    const result = await this.guarded((client) =>
      client.query<{ position: string; chunk: Buffer }>({
        name: 'latest-snapshot',
        text: `SELECT position, chunk FROM es.snapshots WHERE ledger = $1 AND fold_version = $2 AND position =
                 (SELECT max(position) FROM es.snapshots WHERE ledger = $1 AND fold_version = $2 AND position <= $3)
               ORDER BY chunk_no`,
        values: [this.ledger, foldVersion, atOrBefore],
      }),
    );
    const [first] = result.rows;
    if (first === undefined) return undefined;
    const chunks = await Promise.all(result.rows.map(({ chunk }) => unpackChunk(chunk)));
    return { position: Number(first.position), foldVersion, chunks };
  }

  async saveSnapshot({ position, foldVersion, chunks }: SnapshotToSave): Promise<void> {
    const packed = await this.packer.pack(chunks.length === 0 ? [''] : chunks);
    await this.guarded(async (client) => {
      await client.query('BEGIN');
      for (const [chunkNo, chunk] of packed.entries()) {
        const saved = await client.query(SAVE_CHUNK, [this.ledger, foldVersion, position, chunkNo, chunk]);
        if (saved.rowCount === 0) break; // Somebody has saved this one; its chunks may be cut elsewhere.
      }
      await client.query('COMMIT');
    });
  }

  async pruneSnapshots(keep: number): Promise<number> {
    const rows = await this.rows<[string, string]>(
      'SELECT DISTINCT fold_version, position FROM es.snapshots WHERE ledger = $1 ORDER BY position',
      [this.ledger],
    );
    const byVersion = new Map<string, number[]>();
    for (const [version, position] of rows) {
      byVersion.set(version, [...(byVersion.get(version) ?? []), Number(position)]);
    }
    let dropped = 0;
    for (const [version, positions] of byVersion) {
      const old = positionsToDrop(positions, keep);
      dropped += old.length;
      if (old.length === 0) continue;
      await this.rows(
        'DELETE FROM es.snapshots WHERE ledger = $1 AND fold_version = $2 AND position = ANY($3::bigint[])',
        [this.ledger, version, old],
      );
    }
    return dropped;
  }

  async cursor(name: string): Promise<number | undefined> {
    const [row] = await this.rows<[string]>('SELECT position FROM es.cursors WHERE ledger = $1 AND name = $2', [
      this.ledger,
      name,
    ]);
    return row === undefined ? undefined : Number(row[0]);
  }

  async moveCursor(name: string, position: number): Promise<void> {
    // Not flushed at once: a cursor that a crash sets back costs a repeat, which followers must bear anyway.
    await this.rows(
      `INSERT INTO es.cursors (ledger, name, position)
       SELECT $1, $2, $3 FROM set_config('synchronous_commit', 'off', true)
       ON CONFLICT (ledger, name)
       DO UPDATE SET position = greatest(cursors.position, excluded.position), updated_at = now()`,
      [this.ledger, name, position],
    );
  }

  async close(): Promise<void> {
    await this.pool.end();
  }

  /** Asks for the next page while the caller works on this one. */
  private async *pages<Item extends Placed>(range: ReadRange, shape: RowShape<Item>): AsyncIterable<readonly Item[]> {
    const ask = (after: number): Promise<Page<Item>> => this.page(after, range, shape);
    let next: Promise<Page<Item>> | undefined = ask(range.after);
    while (next !== undefined) {
      const { items, after }: Page<Item> = await next;
      next = after === undefined ? undefined : ask(after);
      next?.catch(() => undefined); // Awaited in the next turn, unless the caller leaves the loop.
      if (items.length > 0) yield items;
    }
  }

  private async page<Item extends Placed>(after: number, range: ReadRange, shape: RowShape<Item>): Promise<Page<Item>> {
    const { upTo = Number.MAX_SAFE_INTEGER, pageSize = PAGE_SIZE } = range;
    const rows = await this.rows<string[]>(
      `SELECT ${shape.columns} FROM es.events WHERE ledger = $1 AND position > $2 AND position <= $3 ORDER BY position LIMIT $4`,
      [this.ledger, after, upTo, pageSize],
    );
    const items = rows.map((row) => shape.from(row));
    const end = items.at(-1)?.position ?? upTo;
    return items.length === pageSize && end < upTo ? { items, after: end } : { items };
  }

  private async rows<Row extends string[]>(text: string, values: readonly unknown[]): Promise<Row[]> {
    const result = await this.guarded((client) =>
      client.query<Row>({ text, values: [...values], rowMode: 'array', types: RAW }),
    );
    return result.rows;
  }

  /** Runs on a connection of its own; one that failed is not used again, as what it is in the middle of is not known. */
  private async guarded<Result>(work: (client: PoolClient) => Promise<Result>): Promise<Result> {
    try {
      const client = await this.pool.connect();
      // The pool looks after idle connections only; one in use that breaks is told of by the statement in hand.
      client.on('error', ignoreBrokenConnection);
      try {
        const result = await work(client);
        client.off('error', ignoreBrokenConnection);
        client.release();
        return result;
      } catch (error) {
        client.release(true);
        throw error;
      }
    } catch (error) {
      throw asUnavailable(`read ledger ${this.ledger}`, error);
    }
  }
}
