/**
 * The registry backend as a process: it claims and mounts the volume that container images are stored on and serves the
 * OCI distribution protocol from it.
 */
import '@brickyard/volume-storage/process-settings';
import '@brickyard/service-host/register';
import 'reflect-metadata';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import {
  createLogger,
  createMetrics,
  onShutdown,
  runService,
  settingsOrExit,
  stopTracing,
} from '@brickyard/service-host';
import {
  createByteServer,
  drained,
  drainState,
  type DrainState,
  type Handle,
  UNMOUNT_MS,
  whileDraining,
} from '@brickyard/volume-storage';
import type { NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { RegistryBackendModule } from './registry-backend.module';
import { createService, type RegistryService, withoutLog } from './service';
import { readSettings } from './settings';

async function main(): Promise<void> {
  const settings = settingsOrExit(readSettings);
  const log = createLogger({ service: 'registry-backend', level: settings.logLevel });
  const metrics = createMetrics('registry-backend');
  const service = await createService(settings, log, metrics);
  const drain = drainState();
  const protocol = protocolOf(service, drain);
  const server = createByteServer(settings.tls, (request, response, isContinueExpected) => {
    if (isOfProtocol(request.url)) protocol(request, response, isContinueExpected);
    else others(request, response);
  });
  let others: (request: IncomingMessage, response: ServerResponse) => void = () => undefined;
  const adapter = new FastifyAdapter({
    forceCloseConnections: true,
    serverFactory: (handler: typeof others) => {
      others = handler;
      return server as Server;
    },
  });
  const quiet: NestApplicationOptions = { logger: false, abortOnError: false };
  const module = RegistryBackendModule.with({ service, metrics });
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, quiet);
  onShutdown({
    log,
    deadlineMs: settings.drainMs + UNMOUNT_MS,
    steps: [
      { name: 'requests', run: () => drained(drain, settings.drainMs, log) },
      { name: 'http', run: () => app.close() },
      { name: 'registry', run: () => service.stop() },
      { name: 'tracing', run: stopTracing },
    ],
  });
  await app.listen(settings.port, settings.host);
  service.start();
  const url = (await app.getUrl()).replace(/^http:/, settings.tls === undefined ? 'http:' : 'https:');
  log.info({ url, machine: settings.machine }, 'listening');
}

const isOfProtocol = (url = ''): boolean => url.startsWith('/v2') && /^\/v2(?:[/?]|$)/.test(url);

/** Requests of the protocol; while the process ends, running ones go on and no upload begins. */
function protocolOf({ open }: RegistryService, drain: DrainState): Handle {
  return (request, response, isContinueExpected) => {
    whileDraining(drain, response);
    const isRefused = open === undefined || (drain.isOn && request.method === 'POST');
    if (!isRefused) {
      open.handle(request, response, isContinueExpected);
      return;
    }
    const error = withoutLog();
    const body = drain.isOn ? error.body.replace(error.message, 'this replica is about to stop') : error.body;
    response.writeHead(error.status, { 'content-type': 'application/json', 'retry-after': '2' }).end(body);
  };
}

runService(main);
