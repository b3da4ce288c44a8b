import type { ClientConfig } from 'pg';
import { Unavailable } from '../event-log';

/** What a session may do: look, or append as well. Neither may change or delete an event. */
export type SessionRole = 'reader' | 'writer';

/** A standby learns of a dead leader this fast: the server probes an idle connection each second and gives up after two. */
const DEAD_PEER_SETTINGS = {
  tcp_keepalives_idle: '1',
  tcp_keepalives_interval: '1',
  tcp_keepalives_count: '2',
  tcp_user_timeout: '2000',
};

/** Every statement here has an index; a plan made while a table was new and without statistics must not read all of it for ever. */
const PLAN_SETTINGS = { enable_seqscan: 'off', enable_bitmapscan: 'off' };

const CONNECT_TIMEOUT_MS = 5_000;

/** The configuration of a connection: role, time zone for exact times, limits, keepalive on both sides. */
export function connectionConfig(
  url: string,
  role: SessionRole,
  settings: Readonly<Record<string, string>>,
): ClientConfig {
  const all = {
    role: `brickyard_${role}`,
    timezone: 'UTC',
    datestyle: 'ISO',
    synchronous_commit: 'on',
    lock_timeout: '2000',
    idle_in_transaction_session_timeout: '10000',
    ...DEAD_PEER_SETTINGS,
    ...PLAN_SETTINGS,
    ...settings,
  };
  const connection = new URL(url);
  const given = connection.searchParams.get('options');
  const ours = Object.entries(all).map(([name, value]) => `-c ${name}=${value}`);
  connection.searchParams.set('options', [...(given === null ? [] : [given]), ...ours].join(' '));
  return {
    connectionString: connection.href,
    application_name: `brickyard-${role}`,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 1_000,
  };
}

/** SQLSTATE classes that blame what was sent: data, constraints, program limits. Everything else is trouble of the server or the way to it. */
const DATA_ERROR = /^(22|23|54)/;
/** Classes that blame the statement itself, beside the data: a mistake in the code, not passing trouble. */
const STATEMENT_ERROR = /^(22|23|42|54|0A)/;

/** True when repeating with other data would succeed: the server is well and refused these values. */
export function isDataError(error: unknown): boolean {
  return DATA_ERROR.test(sqlStateOf(error));
}

/** The error to give to a caller: `Unavailable` unless the statement itself is at fault. */
export function asUnavailable(what: string, error: unknown): Error {
  if (error instanceof Unavailable) return error;
  if (error instanceof Error && STATEMENT_ERROR.test(sqlStateOf(error))) return error;
  return new Unavailable(what, { cause: error });
}

function sqlStateOf(error: unknown): string {
  const code = error instanceof Error && 'severity' in error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
}
