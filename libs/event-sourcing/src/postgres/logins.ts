/** Who may connect to the log: one login for each service, with the rights of a reader or of a writer and no others. */
import { Client, DatabaseError, escapeIdentifier, escapeLiteral } from 'pg';
import type { SessionRole } from './connection';
import { createRole } from './schema.migration';

/** A login and what its sessions may become. */
export interface Login {
  /** Such as `brickyard_gateway`. */
  readonly name: string;
  readonly password: string;
  readonly role: SessionRole;
}

const GROUPS: Readonly<Record<SessionRole, string>> = { reader: 'brickyard_reader', writer: 'brickyard_writer' };
/** SQLSTATE insufficient_privilege: on a managed server the owner is no superuser. */
const NOT_PERMITTED = '42501';

/** Makes the logins, or brings passwords and rights up to date. The URL's user must be allowed to create roles. */
export async function ensureLogins(ownerUrl: string, logins: readonly Login[]): Promise<void> {
  const client = new Client({ connectionString: ownerUrl, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined); // The statements below reject when the connection breaks.
  await client.connect();
  try {
    await client.query(`SELECT pg_advisory_lock(hashtextextended('brickyard/migrate', 0))`);
    for (const group of Object.values(GROUPS)) await client.query(createRole(group));
    for (const login of logins) await ensureLogin(client, login);
    await keepOthersOut(client, logins);
    await keepLocksForWriters(client);
  } finally {
    await client.end(); // Ends the lock as well.
  }
}

async function ensureLogin(client: Client, { name, password, role }: Login): Promise<void> {
  const user = escapeIdentifier(name);
  await client.query(createRole(user));
  await client.query(`ALTER ROLE ${user} LOGIN NOINHERIT NOCREATEDB NOCREATEROLE PASSWORD ${escapeLiteral(password)}`);
  for (const [one, group] of Object.entries(GROUPS)) {
    await client.query(one === role ? `GRANT ${group} TO ${user}` : `REVOKE ${group} FROM ${user}`);
  }
}

/** Postgres lets everybody connect to every database unless told otherwise. */
async function keepOthersOut(client: Client, logins: readonly Login[]): Promise<void> {
  const { rows } = await client.query<{ name: string }>('SELECT current_database() AS name');
  const database = escapeIdentifier(rows[0]?.name ?? '');
  await client.query(`REVOKE ALL ON DATABASE ${database} FROM PUBLIC`);
  for (const { name } of logins)
    await client.query(`GRANT CONNECT ON DATABASE ${database} TO ${escapeIdentifier(name)}`);
}

/** The lead is an advisory lock, and everybody may take those: a reader could keep every allocator from leading. */
async function keepLocksForWriters(client: Client): Promise<void> {
  const { rows } = await client.query<{ signature: string }>(
    `SELECT oid::regprocedure::text AS signature FROM pg_proc
     WHERE pronamespace = 'pg_catalog'::regnamespace AND proname ~ '^pg_(try_)?advisory_(xact_)?lock(_shared)?$'`,
  );
  try {
    for (const { signature } of rows) {
      await client.query(`REVOKE EXECUTE ON FUNCTION ${signature} FROM PUBLIC`);
      await client.query(`GRANT EXECUTE ON FUNCTION ${signature} TO ${GROUPS.writer}`);
    }
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.code !== NOT_PERMITTED) throw error;
  }
}
