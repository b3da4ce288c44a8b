/** Brings the database up to date and lets each service in with its own login; run before a new version is started. */
import { setTimeout as pause } from 'node:timers/promises';
import { ensureLogins, type Login, migrate } from '@brickyard/event-sourcing/postgres';
import { createLogger, describeError, type Logger, readConfig } from '@brickyard/service-host';
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

/** A server that is about to start, or whose name is not known yet; anything else does not change by waiting. */
const NOT_THERE_YET = new Set(['ECONNREFUSED', 'ECONNRESET', 'EAI_AGAIN', 'ENOTFOUND', 'ETIMEDOUT', '57P03']);
const PATIENCE_MS = 120_000;
const PAUSE_MS = 500;

async function untilThere(work: () => Promise<void>, log: Logger): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      const isPassing = NOT_THERE_YET.has(codeOf(error)) && performance.now() < until;
      if (!isPassing) throw error;
      log.info({ reason: describeError(error) }, 'Postgres is not there yet');
      await pause(PAUSE_MS);
    }
  }
}

/** The code of an error or of what caused it. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const { code } = error as NodeJS.ErrnoException;
  return code ?? codeOf(error.cause);
}

async function main(): Promise<void> {
  const config = readConfig(MigrateConfig, process.env);
  const log = createLogger({ service: 'migrate', level: config.BRICKYARD_LOG_LEVEL });
  await untilThere(() => migrate(config.BRICKYARD_PG_OWNER_URL), log);
  const logins = loginsOf(config);
  await ensureLogins(config.BRICKYARD_PG_OWNER_URL, logins);
  log.info({ logins: logins.map(({ name, role }) => `${name} (${role})`) }, 'the event log is up to date');
}

main().catch((error: unknown) => {
  process.stderr.write(`migrate: ${describeError(error)}\n`);
  process.exit(1);
});
