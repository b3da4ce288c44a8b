import { Client, DatabaseError } from 'pg';
import { connectionConfig } from './connection';
import { CreateEventLog1700000000000, CreateHandOvers1764200000000 } from './schema.migration';

const MIGRATIONS = [CreateEventLog1700000000000, CreateHandOvers1764200000000];
/** SQLSTATEs of a database in which nothing was made yet: no such role, schema, table, or no right to look. */
const NOT_MADE_YET = new Set(['22023', '3F000', '42P01', '42501', '42704']);

/** Migrates unless the schema is up to date already: a service whose login owns nothing can only look, and that is enough. */
export async function ensureSchema(url: string): Promise<void> {
  if (!(await isUpToDate(url))) await migrate(url);
}

async function isUpToDate(url: string): Promise<boolean> {
  const client = new Client(connectionConfig(url, 'writer', {}));
  client.on('error', () => undefined); // The statement below rejects when the connection breaks.
  try {
    await client.connect();
    const { rows } = await client.query<{ name: string }>('SELECT name FROM es.migrations');
    const done = new Set(rows.map(({ name }) => name));
    return MIGRATIONS.every(({ name }) => done.has(name));
  } catch (error) {
    if (error instanceof DatabaseError && NOT_MADE_YET.has(error.code ?? '')) return false;
    throw error;
  } finally {
    await client.end();
  }
}

/** Brings the event log's schema up to date; any number of services may call it at once. The caller's user owns the schema. */
export async function migrate(url: string): Promise<void> {
  const guard = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  guard.on('error', () => undefined); // The statements below reject when the connection breaks.
  await guard.connect();
  try {
    await guard.query(`SELECT pg_advisory_lock(hashtextextended('brickyard/migrate', 0))`);
    await guard.query('CREATE SCHEMA IF NOT EXISTS es');
    await runMigrations(url);
  } finally {
    await guard.end(); // Ends the lock as well.
  }
}

async function runMigrations(url: string): Promise<void> {
  // Only here, and not at the top: most processes never migrate, and loading it takes a quarter of a second of CPU.
  const { DataSource } = await import('typeorm');
  const source = new DataSource({
    type: 'postgres',
    url,
    schema: 'es',
    synchronize: false,
    migrationsTableName: 'migrations',
    migrations: MIGRATIONS,
    extra: { max: 1 },
  });
  await source.initialize();
  try {
    await source.runMigrations({ transaction: 'all' });
  } finally {
    await source.destroy();
  }
}
