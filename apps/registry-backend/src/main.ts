/**
 * The registry backend as a process: it claims and mounts the volume that container images are stored on and serves the
 * OCI distribution protocol from it.
 */
import './thread-pool';
import '@brickyard/service-host/register';
import 'reflect-metadata';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import {
  ConfigError,
  createLogger,
  createMetrics,
  type Logger,
  onShutdown,
  stopTracing,
} from '@brickyard/service-host';
import type { NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { createHttpServer } from './http/http-server';
import { RegistryBackendModule } from './registry-backend.module';
import { createService, type RegistryService, withoutLog } from './service';
import { readSettings, type RegistrySettings } from './settings';

/** Unmounting waits for the volume's servers at most this long. */
const SHUTDOWN_MS = 30_000;
const DRAIN_POLL_MS = 50;

async function main(): Promise<void> {
  const settings = settingsOrExit();
  const log = createLogger({ service: 'registry-backend', level: settings.logLevel });
  const metrics = createMetrics('registry-backend');
  const service = await createService(settings, log, metrics);
  const drain = { isOn: false, running: 0 };
  const server = createHttpServer(settings.tls, protocolOf(service, drain), (request, response) => {
    others(request, response);
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
    deadlineMs: settings.drainMs + SHUTDOWN_MS,
    steps: [
      { name: 'requests', run: () => drained(drain, settings.drainMs, log) },
      { name: 'http', run: () => app.close() },
      { name: 'registry', run: () => service.stop() },
      { name: 'tracing', run: stopTracing },
    ],
  });
  await app.listen(settings.port, settings.host);
  service.start();
  log.info({ url: await app.getUrl(), machine: settings.machine }, 'listening');
}

interface Drain {
  isOn: boolean;
  running: number;
}

/** Requests of the protocol; while the process ends, running ones go on and no upload begins. */
function protocolOf({ open }: RegistryService, drain: Drain): Handle {
  return (request, response, isContinueExpected) => {
    drain.running += 1;
    response.once('close', () => (drain.running -= 1));
    if (drain.isOn) response.setHeader('connection', 'close');
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

type Handle = (request: IncomingMessage, response: ServerResponse, isContinueExpected?: boolean) => void;

/** Lets running requests come to their end. */
async function drained(drain: Drain, patienceMs: number, log: Logger): Promise<void> {
  drain.isOn = true;
  const until = performance.now() + patienceMs;
  while (drain.running > 0 && performance.now() < until) await new Promise((done) => setTimeout(done, DRAIN_POLL_MS));
  if (drain.running > 0) log.warn({ running: drain.running }, 'requests are cut off');
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
