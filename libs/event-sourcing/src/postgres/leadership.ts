import { Client } from 'pg';
import { Unavailable } from '../event-log';
import { GENESIS_HASH } from '../hash-chain';
import { findAnswers } from './answers';
import { append } from './append';
import { asUnavailable, connectionConfig } from './connection';
import { hexFrom, RAW } from './event-rows';
import type { Candidacy, Leadership } from './ledger-storage';
import type { Head } from './types';

const STATEMENT_TIMEOUT_MS = 5_000;
const SILENCE_MS_MAX = 15_000;

/** Leads a ledger as long as the connection on which the lock was taken is there. */
export async function lead(
  { url, ledger }: { readonly url: string; readonly ledger: string },
  { signal, silenceMsMax = SILENCE_MS_MAX }: Candidacy,
  onLost: (error: Error) => void,
): Promise<Leadership> {
  signal?.throwIfAborted();
  const sessions: Sessions = {
    client: openSession(url, silenceMsMax, onLost),
    lookups: openSession(url, silenceMsMax, onLost),
  };
  const drop = (): void => {
    abandon(sessions);
  };
  signal?.addEventListener('abort', drop);
  try {
    await sessions.client.connect();
    await waitForLock(sessions.client, ledger);
    await sessions.lookups.connect(); // Not before: it would have been silent for as long as the wait took.
    const head = await nextEpoch(sessions.client, ledger);
    return holdLeadership(ledger, head, sessions, silenceMsMax, onLost);
  } catch (error) {
    drop();
    signal?.throwIfAborted();
    throw asUnavailable(`lead ledger ${ledger}`, error);
  } finally {
    signal?.removeEventListener('abort', drop);
  }
}

interface Sessions {
  /** The connection that holds the lock; commits go through it. */
  readonly client: Client;
  /** A second connection, so that looking up does not wait for a commit. */
  readonly lookups: Client;
}

function holdLeadership(
  ledger: string,
  head: Head,
  sessions: Sessions,
  silenceMsMax: number,
  onLost: (error: Error) => void,
): Leadership {
  const { client, lookups } = sessions;
  const heart = setInterval(() => {
    askBoth(sessions, silenceMsMax, onLost).catch((error: unknown) => {
      onLost(asUnavailable('heartbeat of the leader', error));
    });
  }, silenceMsMax / 5);
  return {
    head,
    append: (transaction) => append(client, transaction),
    findAnswers: (commandIds) => findAnswers(lookups, ledger, commandIds),
    readVersions: () => readVersions(lookups, ledger),
    confirm: () => confirm(lookups, ledger, head.epoch),
    resign: async () => {
      clearInterval(heart);
      await Promise.all([client.end(), lookups.end()]);
    },
    abandon: () => {
      clearInterval(heart);
      abandon(sessions);
    },
  };
}

/**
 * A leader that was cut off decides on a state that is not true any more, and what it decides may need no commit that
 * would tell it: so the server is asked whether our epoch is still the one.
 */
async function confirm(client: Client, ledger: string, epoch: number): Promise<void> {
  const result = await client.query({
    name: 'confirm-epoch',
    text: 'SELECT ledger FROM es.heads WHERE ledger = $1 AND epoch = $2',
    values: [ledger, epoch],
    rowMode: 'array',
    types: RAW,
  });
  if (result.rows.length === 0) throw new Unavailable('another writer leads');
}

/** Says that we live, and learns whether the server does; behind a commit it waits its turn, which proves the same. */
async function askBoth(
  { client, lookups }: Sessions,
  silenceMsMax: number,
  onLost: (error: Error) => void,
): Promise<void> {
  const silence = setTimeout(() => {
    onLost(new Unavailable('Postgres does not answer'));
  }, silenceMsMax);
  try {
    await Promise.all([client.query('SELECT 1'), lookups.query('SELECT 1')]);
  } finally {
    clearTimeout(silence);
  }
}

function openSession(url: string, silenceMsMax: number, onLost: (error: Error) => void): Client {
  const settings = { statement_timeout: String(STATEMENT_TIMEOUT_MS), idle_session_timeout: String(silenceMsMax) };
  const session = new Client(connectionConfig(url, 'writer', settings));
  session.on('error', onLost);
  return session;
}

async function waitForLock(client: Client, ledger: string): Promise<void> {
  await noticeGoneWaiters(client);
  await client.query('SET statement_timeout = 0; SET lock_timeout = 0');
  await client.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [`brickyard/ledger/${ledger}`]);
  await client.query(`SET statement_timeout = ${String(STATEMENT_TIMEOUT_MS)}; SET lock_timeout = 2000`);
}

/** A standby that died while it waited must not get the lock; the servers of some platforms cannot look. */
async function noticeGoneWaiters(client: Client): Promise<void> {
  try {
    await client.query('SET client_connection_check_interval = 1000');
  } catch (error) {
    if (!String(error).includes('client_connection_check_interval')) throw error;
  }
}

async function nextEpoch(client: Client, ledger: string): Promise<Head> {
  const result = await client.query<[string, string, string]>({
    text: `INSERT INTO es.heads (ledger, position, hash, epoch) VALUES ($1, 0, decode($2, 'hex'), 1)
           ON CONFLICT (ledger) DO UPDATE SET epoch = heads.epoch + 1 RETURNING position, hash, epoch`,
    values: [ledger, GENESIS_HASH],
    rowMode: 'array',
    types: RAW,
  });
  const [row] = result.rows;
  if (row === undefined) throw new Error(`ledger ${ledger} has no head`);
  return { position: Number(row[0]), hash: hexFrom(row[1]), epoch: Number(row[2]) };
}

async function readVersions(client: Client, ledger: string): Promise<Map<string, number>> {
  await client.query(`SET statement_timeout = '60s'`);
  const result = await client.query<[string, string]>({
    text: 'SELECT stream_id, version FROM es.streams WHERE ledger = $1',
    values: [ledger],
    rowMode: 'array',
    types: RAW,
  });
  await client.query(`SET statement_timeout = '${String(STATEMENT_TIMEOUT_MS)}'`);
  return new Map(result.rows.map(([streamId, version]) => [streamId, Number(version)]));
}

function abandon(sessions: Sessions): void {
  // Client.end would wait for the statement in hand, such as the one that waits for the lock.
  for (const session of [sessions.client, sessions.lookups]) {
    (session as Client & { readonly connection: { readonly stream: { destroy(): void } } }).connection.stream.destroy();
  }
}
