import { Client } from 'pg';
import { CreateEventLog1700000000000 } from './schema.migration';

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
    migrations: [CreateEventLog1700000000000],
    extra: { max: 1 },
  });
  await source.initialize();
  try {
    await source.runMigrations({ transaction: 'all' });
  } finally {
    await source.destroy();
  }
}
