/** The gateway as a process. Tracing comes first: it wraps what is loaded after it. */
import '@brickyard/service-host/register';
import { ConfigError, createLogger, onShutdown, stopTracing } from '@brickyard/service-host';
import { type GatewaySettings, MISSING_KEYS, readSettings } from './config/gateway.settings';
import { startGateway } from './start-gateway';

const SHUTDOWN_MS = 15_000;

async function main(): Promise<void> {
  const settings = settingsOrExit();
  const log = createLogger({ service: 'api-gateway', level: settings.logLevel });
  if (settings.keys === undefined) log.warn('WARNING: Heketi started with --disable-auth');
  const gateway = await startGateway(settings, log);
  const steps = [...gateway.steps, { name: 'tracing', run: stopTracing }];
  // heketi's way out of its read-only mode, which no request can leave.
  process.on('SIGUSR2', () => void gateway.resetMode());
  onShutdown({ log, deadlineMs: SHUTDOWN_MS, steps });
  log.info({ url: gateway.url, healthPort: gateway.healthPort }, 'listening');
}

function settingsOrExit(): GatewaySettings {
  try {
    return readSettings(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const isKeys = error.problems.includes(MISSING_KEYS);
    process.stderr.write(`${isKeys ? MISSING_KEYS : error.message}\n`);
    process.exit(1);
  }
}

void main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
});
