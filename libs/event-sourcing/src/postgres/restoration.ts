/** Puts ledgers back as they were: every event with the hash it had, in one transaction, into a database that has none. */
import { Client } from 'pg';
import { canonicalJson, type JsonValue } from '../canonical-json';
import type { Checkpoint } from '../checkpoint';
import type { ChainEnd } from '../event-log';
import { handOverLine, type HandOver } from '../hand-over';
import type { RawEvent } from '../tampering';
import { asUnavailable, connectionConfig } from './connection';
import { RAW } from './event-rows';

const STATEMENT_TIMEOUT_MS = 120_000;
const STREAMS_AT_ONCE = 5_000;

/** The answer a command got, as it is kept beside the events. */
export interface KeptAnswer {
  readonly commandId: string;
  readonly reply: JsonValue;
  readonly position: number;
  readonly recordedAt: string;
}

/** One transaction that puts ledgers back. Nothing of it is seen before `commit`. */
export interface Restoration {
  /** Ledgers that have events, or had: they are not written over. */
  occupied(): Promise<readonly string[]>;
  /** Whether somebody leads a ledger of this database at this moment; nobody can from now on. */
  isLed(ledger: string): Promise<boolean>;
  put(ledger: string, events: readonly RawEvent[], answers: readonly KeptAnswer[]): Promise<void>;
  /** Ends a ledger: where its streams and its head stand, and what was signed. */
  finish(ledger: string, head: ChainEnd, streams: Streams, signed: Signed): Promise<void>;
  commit(): Promise<void>;
  /** Ends without a trace, unless it was committed. */
  close(): Promise<void>;
}

/** Checkpoints, and where one signing key handed over to the next. */
export interface Signed {
  readonly checkpoints: readonly Checkpoint[];
  readonly handOvers: readonly HandOver[];
}

/** Version and last position of each stream. */
export type Streams = ReadonlyMap<string, { readonly version: number; readonly position: number }>;

const PUT_EVENTS = `
  INSERT INTO es.events (ledger, position, stream_id, stream_version, event_id, type, schema_version, data, metadata, recorded_at, hash)
  SELECT $1, p, s, v, i, t, n, d, m, r, decode(h, 'hex')
  FROM json_to_recordset($2::json) AS e(p bigint, s text, v integer, i uuid, t text, n integer, d json, m json, r timestamptz, h text)`;
const PUT_ANSWERS = `
  INSERT INTO es.commands (ledger, command_id, result, position, recorded_at)
  SELECT $1, c, coalesce(a, 'null'), p, r FROM json_to_recordset($2::json) AS e(c text, a json, p bigint, r timestamptz)`;
const PUT_STREAMS = `
  INSERT INTO es.streams (ledger, stream_id, version, last_position)
  SELECT $1, s, v, p FROM json_to_recordset($2::json) AS e(s text, v integer, p bigint)`;
const PUT_CHECKPOINTS = `
  INSERT INTO es.checkpoints (ledger, position, hash, recorded_at, key_id, signature)
  SELECT $1, p, decode(h, 'hex'), r, k, decode(g, 'base64')
  FROM json_to_recordset($2::json) AS e(p bigint, h text, r timestamptz, k text, g text)`;
const PUT_HAND_OVERS = `
  INSERT INTO es.hand_overs (ledger, number, record)
  SELECT $1, n, t FROM json_to_recordset($2::json) AS e(n bigint, t text)`;
const PUT_HEAD = `INSERT INTO es.heads (ledger, position, hash, epoch) VALUES ($1, $2, decode($3, 'hex'), 1)`;

/** Begins; the schema must be there. */
export async function openRestoration(url: string): Promise<Restoration> {
  const settings = { statement_timeout: String(STATEMENT_TIMEOUT_MS), idle_in_transaction_session_timeout: '0' };
  const client = new Client(connectionConfig(url, 'writer', settings));
  client.on('error', () => undefined); // The statement in hand rejects when the connection breaks.
  const rows = async (text: string, values: readonly unknown[] = []): Promise<string[][]> => {
    try {
      const query = { text, values: [...values], rowMode: 'array' as const, types: RAW };
      return (await client.query<string[]>(query)).rows;
    } catch (error) {
      throw asUnavailable('put the log back', error);
    }
  };
  await client.connect().catch((error: unknown) => {
    throw asUnavailable('put the log back', error);
  });
  await rows('BEGIN');
  return {
    occupied: async () => {
      const found = await rows(
        'SELECT ledger FROM es.heads WHERE position > 0 UNION SELECT ledger FROM es.events WHERE position = 1 ORDER BY 1',
      );
      return found.map(([ledger = '']) => ledger);
    },
    isLed: async (ledger) => {
      const lock = `brickyard/ledger/${ledger}`;
      const [row] = await rows('SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))', [lock]);
      return row?.[0] !== 't';
    },
    put: async (ledger, events, answers) => {
      await rows(PUT_EVENTS, [ledger, `[${events.map(eventRow).join()}]`]);
      if (answers.length > 0) await rows(PUT_ANSWERS, [ledger, `[${answers.map(answerRow).join()}]`]);
    },
    finish: async (ledger, { position, hash }, streams, { checkpoints, handOvers }) => {
      const entries = [...streams].map(([s, { version: v, position: p }]) => ({ s, v, p }));
      for (let from = 0; from < entries.length; from += STREAMS_AT_ONCE) {
        await rows(PUT_STREAMS, [ledger, JSON.stringify(entries.slice(from, from + STREAMS_AT_ONCE))]);
      }
      const kept = checkpoints.map((one) => ({
        p: one.position,
        h: one.hash,
        r: one.at,
        k: one.keyId,
        g: one.signature,
      }));
      await rows(PUT_CHECKPOINTS, [ledger, JSON.stringify(kept)]);
      const handed = handOvers.map((one) => ({ n: one.number, t: handOverLine(one).trimEnd() }));
      await rows(PUT_HAND_OVERS, [ledger, JSON.stringify(handed)]);
      // One that a leader of an empty ledger has left says nothing.
      await rows('UPDATE es.heads SET position = $2, hash = decode($3, $4) WHERE ledger = $1', [
        ledger,
        position,
        hash,
        'hex',
      ]);
      await rows(`${PUT_HEAD} ON CONFLICT DO NOTHING`, [ledger, position, hash]);
    },
    commit: async () => {
      await rows('COMMIT');
    },
    close: () => client.end(),
  };
}

/** Data and metadata go in as the text that was hashed. */
function eventRow(event: RawEvent): string {
  const { position, streamId, streamVersion, eventId, type, version, data, metadata, recordedAt, hash } = event;
  const texts = `"s":${canonicalJson(streamId)},"t":${canonicalJson(type)},"d":${data},"m":${metadata}`;
  const numbers = `"p":${String(position)},"v":${String(streamVersion)},"n":${String(version)}`;
  return `{${numbers},${texts},"i":"${eventId}","r":"${recordedAt}","h":"${hash}"}`;
}

const answerRow = ({ commandId: c, reply: a, position: p, recordedAt: r }: KeptAnswer): string =>
  canonicalJson({ c, a, p, r });
