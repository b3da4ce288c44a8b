/** One replica of the registry as a running thing: storage, facts, protocol, and the work behind them. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { ensureSchema, openLedgerReader } from '@brickyard/event-sourcing/postgres';
import { type Bus, connectBus, describeError, type Logger, type Metrics } from '@brickyard/service-host';
import type { Digest } from '@brickyard/contracts';
import { type VolumeStorage, volumeStorageFrom, watchFileOperations, watchFill } from '@brickyard/volume-storage';
import { guardFrom } from './auth/guard-from';
import { ContentStore } from './bytes/content-store';
import { emptyConfig, readConfigFile } from './config-file';
import { behindCopy, endOfCopy, rebuildFacts, type Rebuilt } from './facts/facts-copy';
import type { Origin } from './facts/registry-facts';
import { createRelays } from './facts/relays';
import { PastFacts } from './history/past-facts';
import { watchDriverActions } from './known-metrics';
import { exportLayout, importLayout, type Moved } from './moving/distribution-layout';
import { Upkeep } from './upkeep/upkeep';
import { RegistryFacts } from './facts/registry-facts';
import { REGISTRY_LEDGER } from './facts/registry-writer';
import { OciError } from './http/oci-error';
import { type OpenRegistry, openRegistry } from './open-registry';
import type { RegistrySettings } from './settings';

const COMPARE_MS = 500;
const WATCH_MS = 10_000;
const CATALOG_PAGE = { usual: 100, max: 1_000 };

/** What an operator may ask of a replica that serves. */
export interface Serving {
  readonly facts: RegistryFacts;
  readonly past: PastFacts;
  readonly upkeep: Upkeep;
  readonly rebuild: (isDryRun: boolean, origin: Origin) => Promise<Rebuilt>;
  readonly importFrom: (folder: string, origin: Origin) => Promise<Moved>;
  readonly exportTo: (folder: string) => Promise<Moved>;
}

/** Everything a replica runs. */
export interface RegistryService {
  readonly storage: VolumeStorage<ContentStore>;
  readonly facts: RegistryFacts | undefined;
  readonly open: OpenRegistry | undefined;
  /** What an operator may ask for; absent without a log. */
  readonly serving: Serving | undefined;
  readonly adminKey: string | undefined;
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
  const storage = volumeStorageFrom(
    settings,
    { kind: 'registry', what: 'images', open: (folder, volumeId) => ContentStore.open(folder, volumeId) },
    log,
  );
  watchFileOperations(metrics, 'registry');
  watchDriverActions(metrics);
  watchFill(storage, metrics, 'registry');
  const { ledger } = settings;
  if (ledger === undefined) {
    log.warn('BRICKYARD_PG_URL or BRICKYARD_NATS_URL is not set: without a log no image is served');
    return {
      storage,
      facts: undefined,
      open: undefined,
      serving: undefined,
      adminKey: undefined,
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

interface Parts {
  readonly settings: RegistrySettings;
  readonly ledger: NonNullable<RegistrySettings['ledger']>;
  readonly storage: VolumeStorage<ContentStore>;
  readonly bus: Bus;
  readonly log: Logger;
  readonly metrics: Metrics;
}

async function createServing({ settings, ledger, storage, bus, log, metrics }: Parts): Promise<RegistryService> {
  const { pgUrl } = ledger;
  const reader = openLedgerReader({ url: pgUrl, ledger: REGISTRY_LEDGER, role: 'writer' });
  const replica = `${hostname()}-${randomUUID().slice(0, 8)}`;
  const store = (): ContentStore => storage.store();
  const config = settings.configFile === undefined ? emptyConfig : readConfigFile(settings.configFile);
  const relays = createRelays({ settings, config, reader, store, log, metrics });
  const copy = { isCompared: false, behind: 'the log has not been compared with the volume yet' };
  const facts = new RegistryFacts({
    whyClosed: () => (copy.isCompared ? undefined : copy.behind),
    pgUrl,
    reader,
    bus,
    log,
    replica,
    snapshotEvents: settings.snapshotEvents,
    onLead: () => {
      relays.lead();
    },
    onFollow: () => {
      relays.follow();
    },
    onCommitted: (events) => {
      relays.offer(events);
    },
  });
  const { graceMs, collectEveryMs, uploadAgeMs, scrubBytesSecond } = settings;
  const upkeep = new Upkeep({
    ...{ facts, store, config, log, metrics, graceMs, collectEveryMs, uploadAgeMs, scrubBytesSecond },
  });
  const past = new PastFacts(facts, reader, log);
  const guard = await guardFrom(settings, config, log);
  const open = openRegistry({
    replica: randomUUID(),
    facts,
    past,
    store,
    config,
    settings: {
      manifestBytesMax: settings.manifestBytesMax,
      isDeleteEnabled: settings.isDeleteEnabled,
      catalogPage: CATALOG_PAGE,
    },
    log,
    metrics,
    accessLog: settings.accessLog,
    graceMs,
    guard,
    suspect: (digest, finding) => {
      log.error({ digest, finding }, 'a blob cannot be read');
      void upkeep.check(digest as Digest).catch(() => undefined); // Trouble of the volume shows in the health.
    },
  });
  watchUploads(metrics, open);
  const ending = new AbortController();
  const begin = async (): Promise<void> => {
    await eventually('prepare the log', () => ensureSchema(pgUrl), log, ending.signal);
    await facts.start();
    upkeep.start();
    while (!(await compare(copy, storage, facts))) await pause(COMPARE_MS, undefined, { signal: ending.signal });
  };
  let beginning: Promise<void> | undefined;
  return {
    storage,
    facts,
    open,
    adminKey: settings.api?.key,
    serving: {
      facts,
      past,
      upkeep,
      rebuild: (isDryRun, origin) => rebuildFacts(store(), facts, isDryRun, origin),
      importFrom: (folder, origin) => importLayout({ store: store(), facts, log }, folder, origin),
      exportTo: (folder) => exportLayout({ store: store(), facts, log }, folder),
    },
    start: () => {
      storage.start();
      beginning = begin().catch((error: unknown) => {
        if (!ending.signal.aborted) log.error({ reason: describeError(error) }, 'the facts cannot be loaded');
      });
    },
    stop: async () => {
      ending.abort();
      await upkeep.stop();
      await open.registry.upstreams.close();
      await open.registry.uploads.close();
      await relays.stop();
      await facts.stop();
      await beginning;
      await reader.close();
      await bus.drain();
      await storage.stop();
    },
  };
}

/** Nothing is written into a log that lacks what the volume knows: it would be another history. */
async function compare(
  copy: { isCompared: boolean; behind: string },
  storage: VolumeStorage<ContentStore>,
  facts: RegistryFacts,
): Promise<boolean> {
  try {
    const end = await endOfCopy(storage.store());
    const { position } = facts.current;
    copy.isCompared = end <= position;
    copy.behind = behindCopy(position, end);
  } catch (error) {
    copy.behind = describeError(error); // No volume yet.
  }
  return copy.isCompared;
}

/** What is in the middle of being sent. */
function watchUploads(metrics: Metrics, { registry }: OpenRegistry): void {
  const uploads = metrics.gauge({ name: 'registry_upload_sessions', help: 'Uploads that have begun and not ended.' });
  const timer = setInterval(() => {
    uploads.set(registry.facts.current.state.uploads.size);
    registry.uploads.sweep();
  }, WATCH_MS);
  timer.unref();
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
