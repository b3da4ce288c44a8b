/** The table of signed checkpoints. */
import { Pool } from 'pg';
import type { Checkpoint } from '../checkpoint';
import { handOverLine, parseHandOver, type HandOver } from '../hand-over';
import { asUnavailable, connectionConfig, type SessionRole } from './connection';
import { hexFrom, isoTime, RAW } from './event-rows';

const STATEMENT_TIMEOUT_MS = 10_000;

/** The columns `checkpointFrom` expects, in its order. */
export const CHECKPOINT_COLUMNS = 'ledger, position, hash, recorded_at, key_id, signature';

/** One row of `CHECKPOINT_COLUMNS` as texts. */
export type CheckpointRow = [string, string, string, string, string | null, string | null];

/** The checkpoint of a row. */
export function checkpointFrom([ledger, position, hash, at, keyId, signature]: CheckpointRow): Checkpoint {
  return {
    ledger,
    position: Number(position),
    hash: hexFrom(hash),
    at: isoTime(at),
    keyId: keyId ?? '',
    signature: signature === null ? '' : Buffer.from(hexFrom(signature), 'hex').toString('base64'),
  };
}

/** One row of `HAND_OVERS`. */
export type HandOverRow = [string, string];

/** All hand-overs of a ledger ($1): the number they stand at, and their text. */
export const HAND_OVERS = 'SELECT number, record FROM es.hand_overs WHERE ledger = $1 ORDER BY number';

/** Hand-overs in the order they stand in; what is none, or another ledger's, is left out, which leaves a gap in their numbers. */
export function handOversFrom(ledger: string, rows: readonly HandOverRow[]): readonly HandOver[] {
  return rows.flatMap(([, record]) => parseHandOver(record) ?? []).filter((one) => one.ledger === ledger);
}

/** The checkpoints of one ledger, over a connection of its own. Rejects with `Unavailable` while Postgres is away. */
export interface CheckpointTable {
  /** Needs role `writer`. One that stands at the same position already stays. */
  save(checkpoint: Checkpoint): Promise<void>;
  /** In order of position. */
  all(): Promise<readonly Checkpoint[]>;
  /** The one at the highest position. */
  latest(): Promise<Checkpoint | undefined>;
  /** Needs role `writer`. Rejects when another one has this number already. */
  saveHandOver(handOver: HandOver): Promise<void>;
  /** In the order they stand in. */
  handOvers(): Promise<readonly HandOver[]>;
  close(): Promise<void>;
}

/** Opens the table of a ledger's checkpoints; connects when first used. */
export function openCheckpointTable(options: {
  readonly url: string;
  readonly ledger: string;
  readonly role?: SessionRole;
}): CheckpointTable {
  const { url, ledger, role = 'reader' } = options;
  const pool = new Pool({
    ...connectionConfig(url, role, { statement_timeout: String(STATEMENT_TIMEOUT_MS) }),
    max: 1,
    query_timeout: STATEMENT_TIMEOUT_MS * 1.5,
  });
  pool.on('error', () => undefined); // An idle connection has ended; the pool opens another when it is needed.
  const query = async <Row extends (string | null)[]>(text: string, values: readonly unknown[]): Promise<Row[]> => {
    try {
      return (await pool.query<Row>({ text, values: [...values], rowMode: 'array' as const, types: RAW })).rows;
    } catch (error) {
      throw asUnavailable(`checkpoints of ledger ${ledger}`, error);
    }
  };
  const rows = async (text: string, values: readonly unknown[]): Promise<readonly Checkpoint[]> =>
    (await query<CheckpointRow>(text, values)).map(checkpointFrom);
  const select = `SELECT ${CHECKPOINT_COLUMNS} FROM es.checkpoints WHERE ledger = $1`;
  return {
    async save({ position, hash, at, keyId, signature }) {
      await rows(
        `INSERT INTO es.checkpoints (ledger, position, hash, recorded_at, key_id, signature)
         VALUES ($1, $2, decode($3, 'hex'), $4, $5, decode($6, 'base64')) ON CONFLICT DO NOTHING`,
        [ledger, position, hash, at, keyId, signature],
      );
    },
    all: () => rows(`${select} ORDER BY position`, [ledger]),
    latest: async () => (await rows(`${select} ORDER BY position DESC LIMIT 1`, [ledger]))[0],
    async saveHandOver(handOver) {
      const record = handOverLine(handOver).trimEnd();
      await query('INSERT INTO es.hand_overs (ledger, number, record) VALUES ($1, $2, $3)', [
        ledger,
        handOver.number,
        record,
      ]);
    },
    handOvers: async () => handOversFrom(ledger, await query<HandOverRow>(HAND_OVERS, [ledger])),
    close: () => pool.end(),
  };
}
