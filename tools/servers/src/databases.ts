import { randomBytes } from 'node:crypto';
import { Client } from 'pg';

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
