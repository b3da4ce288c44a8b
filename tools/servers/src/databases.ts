import { randomBytes } from 'node:crypto';
import { Client, DatabaseError } from 'pg';

/** SQLSTATE duplicate_database. */
const DUPLICATE_DATABASE = '42P04';

/** A running server, or the URL of any database of it. */
export type PostgresAddress = string | { url(): string };

/** Makes an empty database with a name of its own in a running server and returns its URL. */
export async function freshDatabase(server: PostgresAddress, prefix = 'test'): Promise<string> {
  const url = new URL(adminUrl(server));
  const name = `${prefix}_${randomBytes(8).toString('hex')}`;
  await administrate(url.href, `CREATE DATABASE "${name}"`);
  url.pathname = `/${name}`;
  return url.href;
}

/** Makes a database of this name unless it is there, and returns its URL. */
export async function ensureDatabase(server: PostgresAddress, name: string): Promise<string> {
  if (!/^[a-z][a-z0-9_]{0,62}$/.test(name)) throw new Error(`not a name for a database: ${name}`);
  const url = new URL(adminUrl(server));
  await administrate(url.href, `CREATE DATABASE "${name}"`).catch((error: unknown) => {
    const isThere = error instanceof DatabaseError && error.code === DUPLICATE_DATABASE;
    if (!isThere) throw error;
  });
  url.pathname = `/${name}`;
  return url.href;
}

/** Ends the sessions of a database made by `freshDatabase` and removes it. */
export async function dropDatabase(databaseUrl: string): Promise<void> {
  const url = new URL(databaseUrl);
  const name = decodeURIComponent(url.pathname.slice(1));
  url.pathname = '/postgres';
  await administrate(url.href, `DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
}

function adminUrl(server: PostgresAddress): string {
  return typeof server === 'string' ? server : server.url();
}

async function administrate(connectionString: string, sql: string): Promise<void> {
  const client = new Client({ connectionString });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
