import type { ClientBase } from 'pg';
import { RAW } from './event-rows';

/** One transaction of the writer, as texts of JSON arrays that Postgres takes apart: one statement serves every size. */
export interface Transaction {
  readonly ledger: string;
  readonly epoch: number;
  /** The head that the events follow. */
  readonly fromPosition: number;
  readonly toPosition: number;
  readonly toHash: string;
  readonly events: string;
  readonly streams: string;
  readonly commands: string;
}

/**
 * Moves the head, and writes everything else only if it moved: one statement is one round trip and one transaction. The
 * head of another epoch or position does not move, and then nothing is written.
 */
const APPEND = `
  WITH head AS (
    UPDATE es.heads SET position = $4, hash = decode($5, 'hex')
    WHERE ledger = $1 AND epoch = $2 AND position = $3 RETURNING ledger
  ), appended AS (
    INSERT INTO es.events (ledger, position, stream_id, stream_version, event_id, type, schema_version, data, metadata, recorded_at, hash)
    SELECT head.ledger, p, s, v, i, t, n, d, m, r, decode(h, 'hex') FROM head,
      json_to_recordset($6::json) AS e(p bigint, s text, v integer, i uuid, t text, n integer, d json, m json, r timestamptz, h text)
  ), counted AS (
    INSERT INTO es.streams (ledger, stream_id, version, last_position)
    SELECT head.ledger, s, v, p FROM head, json_to_recordset($7::json) AS e(s text, v integer, p bigint)
    ON CONFLICT (ledger, stream_id) DO UPDATE SET version = excluded.version, last_position = excluded.last_position
  ), answered AS (
    INSERT INTO es.commands (ledger, command_id, result, position, recorded_at)
    SELECT head.ledger, c, coalesce(a, 'null'), p, r FROM head, json_to_recordset($8::json) AS e(c text, a json, p bigint, r timestamptz)
  )
  SELECT ledger FROM head`;

/** Commits a transaction; false when the head is not where this writer left it: another one leads. */
export async function append(client: ClientBase, transaction: Transaction): Promise<boolean> {
  const { ledger, epoch, fromPosition, toPosition, toHash, events, streams, commands } = transaction;
  const result = await client.query({
    name: 'append',
    text: APPEND,
    values: [ledger, epoch, fromPosition, toPosition, toHash, events, streams, commands],
    rowMode: 'array',
    types: RAW,
  });
  return result.rows.length === 1;
}
