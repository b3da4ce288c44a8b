/** What every service that stores on a volume does with its settings: keep the volume there, and tell how it is. */
import { createApiClient, type Logger, type Metrics } from '@brickyard/service-host';
import type { VolumeServiceSettings } from './volume-service-settings';
import { type Store, VolumeStorage } from './volume-storage';
import type { VolumeWish } from './volume-claim';

/** Time for the volume when a service ends, milliseconds: unmounting waits for the volume's servers at most this long. */
export const UNMOUNT_MS = 30_000;

const LOOK_MS = 10_000;

/** What a service keeps on its volume. */
export interface Kept<S extends Store> {
  readonly kind: VolumeWish['kind'];
  /** What is stored, for people: `images`. */
  readonly what: string;
  /** Opens what is kept on the volume that is mounted on the folder; refuses the folder of another volume. */
  readonly open: (folder: string, volumeId: string) => Promise<S>;
}

/** The storage that the settings ask for; nothing happens before its `start`. */
export function volumeStorageFrom<S extends Store>(
  settings: VolumeServiceSettings,
  { kind, what, open }: Kept<S>,
  log: Logger,
): VolumeStorage<S> {
  const { api, instance, volume, stateFile, mountDirectory, localFolder, expansion } = settings;
  return new VolumeStorage({
    what,
    open,
    api: api === undefined ? undefined : createApiClient({ url: api.url, user: 'admin', key: api.key }),
    wish: { kind, instance, name: volume.name, sizeGib: volume.sizeGib, stateFile },
    mountDirectory,
    localFolder,
    expansion,
    log,
  });
}

/**
 * Looks at the volume now and then, for `<prefix>_volume_free_bytes`, `<prefix>_volume_size_bytes` and
 * `<prefix>_storage_ready`; the timer keeps no process alive, and ends with `clearInterval`.
 */
export function watchFill(
  storage: Pick<VolumeStorage<Store>, 'fill'>,
  metrics: Metrics,
  prefix: string,
): NodeJS.Timeout {
  const free = metrics.gauge({ name: `${prefix}_volume_free_bytes`, help: 'Free space of the volume.' });
  const size = metrics.gauge({ name: `${prefix}_volume_size_bytes`, help: 'Size of the volume.' });
  const ready = metrics.gauge({
    name: `${prefix}_storage_ready`,
    help: '1 while the volume is there and answers, else 0.',
  });
  const look = (): void => {
    storage.fill().then(
      (fill) => {
        ready.set(fill === undefined ? 0 : 1);
        if (fill === undefined) return;
        free.set(fill.freeBytes);
        size.set(fill.sizeBytes);
      },
      () => {
        ready.set(0); // Why is told by the health.
      },
    );
  };
  look();
  return setInterval(look, LOOK_MS).unref();
}
