/** The gateway as a process. Tracing comes first: it wraps what is loaded after it. */
import '@brickyard/service-host/register';
import { createLogger, onShutdown, runService, settingsOrExit, stopTracing } from '@brickyard/service-host';
import { MISSING_KEYS, readSettings } from './config/gateway.settings';
import { startGateway } from './start-gateway';

const SHUTDOWN_MS = 15_000;

async function main(): Promise<void> {
  const settings = settingsOrExit(readSettings, ({ problems, message }) =>
    problems.includes(MISSING_KEYS) ? MISSING_KEYS : message,
  );
  const log = createLogger({ service: 'api-gateway', level: settings.logLevel });
  if (settings.keys === undefined) log.warn('WARNING: Heketi started with --disable-auth');
  const gateway = await startGateway(settings, log);
  const steps = [...gateway.steps, { name: 'tracing', run: stopTracing }];
  // heketi's way out of its read-only mode, which no request can leave.
  process.on('SIGUSR2', () => void gateway.resetMode());
  onShutdown({ log, deadlineMs: SHUTDOWN_MS, steps });
  log.info({ url: gateway.url, healthPort: gateway.healthPort }, 'listening');
}

runService(main);
