/** The object gateway as a process: it claims and mounts a volume and serves S3's protocol from it. */
import '@brickyard/volume-storage/process-settings';
import '@brickyard/service-host/register';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import {
  createLogger,
  createMetrics,
  onShutdown,
  runService,
  settingsOrExit,
  startHealthServer,
  stopTracing,
} from '@brickyard/service-host';
import { createByteServer, drained, drainState, type StorageReport, UNMOUNT_MS } from '@brickyard/volume-storage';
import { createService } from './service';
import { readSettings } from './settings';

async function main(): Promise<void> {
  const settings = settingsOrExit(readSettings);
  const log = createLogger({ service: 'object-gateway', level: settings.logLevel });
  const metrics = createMetrics('object-gateway');
  const drain = drainState();
  const service = createService(settings, log, metrics, drain);
  const server = createByteServer(settings.tls, service.handle);
  const health = await startHealthServer({
    port: settings.healthPort,
    ...(settings.healthHost === undefined ? {} : { host: settings.healthHost }),
    ready: async () => ({ storage: checkFrom(await service.storage.report()) }),
    metrics,
  });
  onShutdown({
    log,
    deadlineMs: settings.drainMs + UNMOUNT_MS,
    steps: [
      { name: 'requests', run: () => drained(drain, settings.drainMs, log) },
      {
        name: 'http',
        run: async () => {
          const closed = once(server, 'close');
          server.close();
          server.closeAllConnections();
          await closed;
        },
      },
      { name: 'objects', run: () => service.stop() },
      { name: 'health', run: () => health.close() },
      { name: 'tracing', run: stopTracing },
    ],
  });
  server.listen(settings.port, settings.host);
  await once(server, 'listening');
  service.start();
  const { address, port } = server.address() as AddressInfo;
  const url = `${settings.tls === undefined ? 'http' : 'https'}://${address}:${String(port)}`;
  log.info({ url, healthPort: health.port, machine: settings.machine }, 'listening');
}

function checkFrom({ status, detail, ...report }: StorageReport): { ok: boolean; detail?: string } {
  const { volume, mount } = report;
  const where = `${mount.state}${mount.directory === undefined ? '' : ` ${mount.directory}`}`;
  const facts = [volume === undefined ? undefined : `volume ${volume.name}`, where, detail];
  return { ok: status === 'ready', detail: facts.filter((fact) => fact !== undefined).join(', ') };
}

runService(main);
