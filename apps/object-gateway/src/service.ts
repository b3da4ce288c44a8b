/** One replica of the object gateway as a running thing: storage, protocol, and the work behind them. */
import { describeError, type Logger, type Metrics } from '@brickyard/service-host';
import {
  type DrainState,
  type Handle,
  type VolumeStorage,
  volumeStorageFrom,
  watchFileOperations,
  watchFill,
  whileDraining,
} from '@brickyard/volume-storage';
import { Credentials } from './auth/credentials';
import { createHandler } from './http/handler';
import { watchRequests } from './request-watcher';
import type { ObjectSettings } from './settings';
import { ObjectStore } from './store/object-store';
import { sweep } from './store/sweep';

/** Well below the minute after which clients and proxies give up. */
const KEEP_ALIVE_MS = 10_000;

/** A replica that was put together: begun, it serves until it is stopped. */
export interface ObjectService {
  readonly storage: VolumeStorage<ObjectStore>;
  readonly handle: Handle;
  /** Begins and returns at once; the health tells what becomes of it. */
  start(): void;
  /** Resolves when what it wrote is settled and the volume is unmounted. */
  stop(): Promise<void>;
}

/** Puts a replica together; nothing runs before `start`. */
export function createService(
  settings: ObjectSettings,
  log: Logger,
  metrics: Metrics,
  drain: DrainState,
): ObjectService {
  const storage = volumeStorageFrom(
    settings,
    { kind: 'objects', what: 'objects', open: (folder, volumeId) => ObjectStore.open(folder, volumeId) },
    log,
  );
  const answer = createHandler({
    gateway: {
      store: () => storage.store(),
      region: settings.region,
      log,
      now: () => Date.now(),
      keepAliveMs: KEEP_ALIVE_MS,
    },
    credentials: new Credentials(settings.credentials),
    domain: settings.domain,
    watcher: watchRequests(log, metrics, settings.accessLog),
    whyClosed: () => (drain.isOn ? 'This replica is about to stop.' : undefined),
  });
  const handle: Handle = (request, response, isContinueExpected) => {
    whileDraining(drain, response);
    answer(request, response, isContinueExpected);
  };
  const timers: NodeJS.Timeout[] = [];
  return {
    storage,
    handle,
    start: () => {
      storage.start();
      watchFileOperations(metrics, 'objects');
      timers.push(watchFill(storage, metrics, 'objects'));
      if (settings.sweepEveryMs > 0) timers.push(sweepRegularly(settings, storage, log, metrics));
    },
    stop: async () => {
      for (const timer of timers) clearInterval(timer);
      await settled(storage);
      await storage.stop();
    },
  };
}

async function settled(storage: VolumeStorage<ObjectStore>): Promise<void> {
  try {
    await storage.store().settle();
  } catch {
    // There is no volume: nothing was begun on it.
  }
}

/** Each replica begins at another moment; two at once would only do the work twice. */
function sweepRegularly(
  { sweepEveryMs, graceMs, uploadAgeMs }: ObjectSettings,
  storage: VolumeStorage<ObjectStore>,
  log: Logger,
  metrics: Metrics,
): NodeJS.Timeout {
  const labels = ['kind'] as const;
  const swept = metrics.counter({ name: 'objects_swept_total', help: 'Leftovers that were removed.', labels });
  let isRunning = false;
  const run = async (): Promise<void> => {
    if (isRunning) return;
    isRunning = true;
    try {
      const { files, uploads } = await sweep(storage.store(), { now: Date.now(), graceMs, uploadAgeMs });
      swept.inc({ kind: 'file' }, files);
      swept.inc({ kind: 'upload' }, uploads);
      if (files + uploads > 0) log.info({ files, uploads }, 'leftovers were removed');
    } catch (error) {
      log.warn({ reason: describeError(error) }, 'the sweep could not be finished');
    } finally {
      isRunning = false;
    }
  };
  return setInterval(() => void run(), sweepEveryMs * (1 + Math.random() / 10)).unref();
}
