/** One replica of the registry as a running thing: storage, facts, protocol, and the work behind them. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { migrate, openLedgerReader } from '@brickyard/event-sourcing/postgres';
import {
  type Bus,
  connectBus,
  createApiClient,
  describeError,
  type Logger,
  type Metrics,
} from '@brickyard/service-host';
import { emptyConfig, readConfigFile } from './config-file';
import { RegistryFacts } from './facts/registry-facts';
import { REGISTRY_LEDGER } from './facts/registry-writer';
import { OciError } from './http/oci-error';
import { type OpenRegistry, openRegistry } from './open-registry';
import type { RegistrySettings } from './settings';
import { RegistryStorage } from './storage';

const CATALOG_PAGE = { usual: 100, max: 1_000 };

/** Everything a replica runs. */
export interface RegistryService {
  readonly storage: RegistryStorage;
  readonly facts: RegistryFacts | undefined;
  readonly open: OpenRegistry | undefined;
  /** Begins and returns at once; the health tells what becomes of it. */
  start(): void;
  stop(): Promise<void>;
}

/** Puts a replica together; nothing runs before `start`. */
export async function createService(
  settings: RegistrySettings,
  log: Logger,
  metrics: Metrics,
): Promise<RegistryService> {
  const storage = storageFrom(settings, log);
  const { ledger } = settings;
  if (ledger === undefined) {
    log.warn('BRICKYARD_PG_URL or BRICKYARD_NATS_URL is not set: without a log no image is served');
    return {
      storage,
      facts: undefined,
      open: undefined,
      start: () => {
        storage.start();
      },
      stop: () => storage.stop(),
    };
  }
  const bus = await connectBus({
    url: ledger.natsUrl,
    name: 'registry-backend',
    log,
    ...settings.bus,
    waitOnFirstConnect: true,
  });
  return createServing({ settings, ledger, storage, bus, log, metrics });
}

interface Serving {
  readonly settings: RegistrySettings;
  readonly ledger: NonNullable<RegistrySettings['ledger']>;
  readonly storage: RegistryStorage;
  readonly bus: Bus;
  readonly log: Logger;
  readonly metrics: Metrics;
}

function createServing({ settings, ledger, storage, bus, log, metrics }: Serving): RegistryService {
  const { pgUrl } = ledger;
  const reader = openLedgerReader({ url: pgUrl, ledger: REGISTRY_LEDGER, role: 'writer' });
  const replica = `${hostname()}-${randomUUID().slice(0, 8)}`;
  const facts = new RegistryFacts({ pgUrl, reader, bus, log, replica });
  const open = openRegistry({
    facts,
    store: () => storage.store(),
    config: settings.configFile === undefined ? emptyConfig : readConfigFile(settings.configFile),
    settings: {
      manifestBytesMax: settings.manifestBytesMax,
      isDeleteEnabled: settings.isDeleteEnabled,
      catalogPage: CATALOG_PAGE,
    },
    log,
    metrics,
    accessLog: settings.accessLog,
    graceMs: settings.graceMs,
    suspect: (digest, finding) => {
      log.error({ digest, finding }, 'a blob cannot be read');
    },
  });
  const ending = new AbortController();
  const begin = async (): Promise<void> => {
    await eventually('prepare the log', () => migrate(pgUrl), log, ending.signal);
    await facts.start();
  };
  let beginning: Promise<void> | undefined;
  return {
    storage,
    facts,
    open,
    start: () => {
      storage.start();
      beginning = begin().catch((error: unknown) => {
        if (!ending.signal.aborted) log.error({ reason: describeError(error) }, 'the facts cannot be loaded');
      });
    },
    stop: async () => {
      ending.abort();
      await open.registry.uploads.close();
      await facts.stop();
      await beginning;
      await reader.close();
      await bus.drain();
      await storage.stop();
    },
  };
}

function storageFrom(settings: RegistrySettings, log: Logger): RegistryStorage {
  const { api, instance, volume, stateFile, mountDirectory, localFolder, expansion } = settings;
  return new RegistryStorage({
    api: api === undefined ? undefined : createApiClient({ url: api.url, user: 'admin', key: api.key }),
    wish: { instance, name: volume.name, sizeGib: volume.sizeGib, stateFile },
    mountDirectory,
    localFolder,
    expansion,
    log,
  });
}

async function eventually(what: string, work: () => Promise<void>, log: Logger, signal: AbortSignal): Promise<void> {
  for (let waitMs = 100; ; waitMs = Math.min(waitMs * 2, 5_000)) {
    try {
      await work();
      return;
    } catch (error) {
      log.warn({ reason: describeError(error) }, `${what}: not yet`);
      await pause(waitMs, undefined, { signal });
    }
  }
}

/** What is told below `/v2/` when no log is configured. */
export const withoutLog = (): OciError =>
  new OciError('UNAVAILABLE', 'this registry has no log: BRICKYARD_PG_URL and BRICKYARD_NATS_URL are not set');
