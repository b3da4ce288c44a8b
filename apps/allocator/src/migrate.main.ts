/** Brings the database up to date and lets each service in with its own login; run before a new version is started. */
import { ensureLogins, type Login, migrate } from '@brickyard/event-sourcing/postgres';
import { createLogger, describeError, readConfig } from '@brickyard/service-host';
import { z } from 'zod';

const MigrateConfig = z.object({
  BRICKYARD_PG_OWNER_URL: z.url().describe('whose user owns the schema and may create roles'),
  BRICKYARD_PG_ALLOCATOR_PASSWORD: z.string().min(1).optional(),
  BRICKYARD_PG_GATEWAY_PASSWORD: z.string().min(1).optional(),
  BRICKYARD_PG_REGISTRY_PASSWORD: z.string().min(1).optional(),
  BRICKYARD_LOG_LEVEL: z.string().default('info'),
});
type MigrateConfig = z.infer<typeof MigrateConfig>;

/** A service without a password here keeps the login it has. */
function loginsOf(config: MigrateConfig): Login[] {
  const wanted = [
    { name: 'brickyard_allocator', password: config.BRICKYARD_PG_ALLOCATOR_PASSWORD, role: 'writer' },
    { name: 'brickyard_gateway', password: config.BRICKYARD_PG_GATEWAY_PASSWORD, role: 'reader' },
    { name: 'brickyard_registry', password: config.BRICKYARD_PG_REGISTRY_PASSWORD, role: 'writer' },
  ] as const;
  return wanted.flatMap(({ password, ...login }) => (password === undefined ? [] : [{ ...login, password }]));
}

async function main(): Promise<void> {
  const config = readConfig(MigrateConfig, process.env);
  const log = createLogger({ service: 'migrate', level: config.BRICKYARD_LOG_LEVEL });
  await migrate(config.BRICKYARD_PG_OWNER_URL);
  const logins = loginsOf(config);
  await ensureLogins(config.BRICKYARD_PG_OWNER_URL, logins);
  log.info({ logins: logins.map(({ name, role }) => `${name} (${role})`) }, 'the event log is up to date');
}

main().catch((error: unknown) => {
  process.stderr.write(`migrate: ${describeError(error)}\n`);
  process.exit(1);
});
