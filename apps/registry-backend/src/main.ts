/**
 * The registry backend as a process. It claims and mounts the volume that container images are to be stored on and tells
 * whether it has it. It does not speak the OCI distribution protocol yet: there are no routes under `/v2/`.
 */
import '@brickyard/service-host/register';
import 'reflect-metadata';
import {
  ConfigError,
  createApiClient,
  createLogger,
  type Logger,
  onShutdown,
  stopTracing,
} from '@brickyard/service-host';
import type { NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { RegistryBackendModule } from './registry-backend.module';
import { readSettings, type RegistrySettings } from './settings';
import { RegistryStorage } from './storage';

/** Unmounting waits for the volume's servers at most this long. */
const SHUTDOWN_MS = 30_000;

async function main(): Promise<void> {
  const settings = settingsOrExit();
  const log = createLogger({ service: 'registry-backend', level: settings.logLevel });
  const { app, storage } = await compose(settings, log);
  onShutdown({
    log,
    deadlineMs: SHUTDOWN_MS,
    steps: [
      { name: 'http', run: () => app.close() },
      { name: 'storage', run: () => storage.stop() },
      { name: 'tracing', run: stopTracing },
    ],
  });
  await app.listen(settings.port, settings.host);
  storage.start();
  log.info({ url: await app.getUrl(), machine: settings.machine }, 'listening');
}

async function compose(
  settings: RegistrySettings,
  log: Logger,
): Promise<{ readonly app: NestFastifyApplication; readonly storage: RegistryStorage }> {
  const { api, instance, volume, stateFile, mountDirectory } = settings;
  const storage = new RegistryStorage({
    api: api === undefined ? undefined : createApiClient({ url: api.url, user: 'admin', key: api.key }),
    wish: { instance, name: volume.name, sizeGib: volume.sizeGib, stateFile },
    mountDirectory,
    log,
  });
  const adapter = new FastifyAdapter({ forceCloseConnections: true });
  const quiet: NestApplicationOptions = { logger: false, abortOnError: false };
  const app = await NestFactory.create<NestFastifyApplication>(RegistryBackendModule.with(storage), adapter, quiet);
  return { app, storage };
}

function settingsOrExit(): RegistrySettings {
  try {
    return readSettings(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}

void main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
});
