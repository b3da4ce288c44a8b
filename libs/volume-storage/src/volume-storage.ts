/** Keeps the storage of a service there: claims the volume, mounts it, mounts it again when the mount is lost. */
import { setTimeout as pause } from 'node:timers/promises';
import { type ApiClient, ApiError, describeError, type Logger, Unavailable } from '@brickyard/service-host';
import { readClaimRecord, writeClaimRecord } from './claim-record';
import { ensureMounted, type Fill, readFill, readMount, unmount } from './gluster-mount';
import { isVolumeMount } from './mount-table';
import { claimVolume, expandVolume, type Volume, type VolumeWish } from './volume-claim';
import { VolumeTrouble } from './volume-errors';

const RETRY_MS = { first: 500, max: 30_000 };
const WATCH_MS = 10_000;

/** What `/health/ready` tells. */
export interface StorageReport {
  readonly status: 'ready' | 'not ready';
  readonly volume?: { readonly id: string; readonly name: string; readonly sizeGib: number };
  readonly mount: {
    readonly state: 'mounted' | 'local folder' | 'not configured' | 'not mounted';
    readonly directory?: string;
  } & Partial<Fill>;
  /** Why it is not ready, or what is particular. */
  readonly detail?: string;
}

/** What a service keeps on its volume. */
export interface Store {
  /** Really writes; rejects when that cannot be done. */
  probe(): Promise<void>;
}

/** What a service needs to come to its storage. */
export interface StorageOptions<S extends Store> {
  /** What is stored, for people: `images`. */
  readonly what: string;
  /** Opens what is kept on the volume that is mounted on the folder; refuses the folder of another volume. */
  readonly open: (folder: string, volumeId: string) => Promise<S>;
  /** Absent: no API is configured and nothing is claimed. */
  readonly api: ApiClient | undefined;
  readonly wish: VolumeWish;
  /** Absent where the storage hosts are simulated: there is nothing to mount. */
  readonly mountDirectory: string | undefined;
  /** A folder of this machine to store in instead of a mounted volume: where hosts are simulated, or by choice. */
  readonly localFolder?: string | undefined;
  /** Grows the volume by so many GiB when more than such a share of it is used. */
  readonly expansion?: { readonly usedPercent: number; readonly byGib: number } | undefined;
  readonly log: Logger;
}

/** The volume of a service over the life of its process. */
export class VolumeStorage<S extends Store> {
  readonly #options: StorageOptions<S>;
  readonly #stopping = new AbortController();
  #volume: Volume | undefined;
  #trouble: string | undefined;
  #keeping: Promise<void> | undefined;
  #reading: Promise<Fill> | undefined;
  #store: S | undefined;
  #probing: Promise<void> | undefined;

  constructor(options: StorageOptions<S>) {
    this.#options = options;
  }

  /** Begins and returns at once; what becomes of it is in the report. */
  start(): void {
    this.#keeping ??= this.#keep();
  }

  /** Ends the watch and unmounts what this service mounted. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#keeping;
    const { wish, log } = this.#options;
    const { mountedOn, ...record } = await readClaimRecord(wish.stateFile);
    if (mountedOn === undefined) return;
    if ((await readMount(mountedOn)) !== undefined) await unmount(mountedOn);
    await writeClaimRecord(wish.stateFile, record);
    log.info({ directory: mountedOn }, 'unmounted');
  }

  /** The bytes; throws while the volume is not there. */
  store(): S {
    if (this.#store === undefined) throw new VolumeTrouble(this.#trouble ?? 'no volume yet');
    return this.#store;
  }

  /** How full it is; undefined while there is nothing. */
  async fill(): Promise<Fill | undefined> {
    const folder = this.#options.mountDirectory ?? this.#options.localFolder;
    if (this.#store === undefined || folder === undefined) return undefined;
    return this.#readFill(folder);
  }

  async report(): Promise<StorageReport> {
    const { api, mountDirectory, localFolder } = this.#options;
    if (mountDirectory === undefined && localFolder !== undefined) return this.#reportLocal(localFolder);
    const volume = this.#volume;
    const detail = this.#trouble === undefined ? {} : { detail: this.#trouble };
    const mount = { state: mountDirectory === undefined ? 'not configured' : 'not mounted' } as const;
    if (api === undefined) return { status: 'not ready', mount, detail: 'no API is configured: no volume to store on' };
    if (volume === undefined) return { status: 'not ready', mount, detail: 'no volume yet', ...detail };
    const named = { volume: { id: volume.id, name: volume.name, sizeGib: volume.size } };
    if (mountDirectory === undefined) {
      return {
        ...named,
        status: 'ready',
        mount,
        detail: 'simulated storage hosts: nothing is mounted, nothing can be stored',
      };
    }
    return { ...named, ...(await this.#reportMount(volume, mountDirectory)) };
  }

  async #reportMount(volume: Volume, directory: string): Promise<StorageReport> {
    const { device, hosts } = volume.mount.glusterfs;
    const entry = await readMount(directory);
    const isOurs = entry !== undefined && isVolumeMount(entry, device, hosts);
    if (!isOurs) {
      const detail = this.#trouble ?? `${directory} does not carry ${device}`;
      return { status: 'not ready', mount: { state: 'not mounted', directory }, detail };
    }
    try {
      await this.#probe();
      return { status: 'ready', mount: { state: 'mounted', directory, ...(await this.#readFill(directory)) } };
    } catch (error) {
      const detail = `the volume does not answer: ${describeError(error)}`;
      return { status: 'not ready', mount: { state: 'mounted', directory }, detail };
    }
  }

  async #reportLocal(directory: string): Promise<StorageReport> {
    const volume = this.#volume;
    const named = volume === undefined ? {} : { volume: { id: volume.id, name: volume.name, sizeGib: volume.size } };
    try {
      await this.#probe();
      const why = this.#options.api === undefined ? 'no API is configured' : 'simulated storage hosts';
      const detail = `${why}: ${this.#options.what} are stored in a folder of this machine, not on a Gluster volume`;
      const mount = { state: 'local folder', directory, ...(await this.#readFill(directory)) } as const;
      return { status: 'ready', ...named, mount, detail };
    } catch (error) {
      const detail = this.#trouble ?? describeError(error);
      return { status: 'not ready', ...named, mount: { state: 'local folder', directory }, detail };
    }
  }

  /** Really writes, one at a time. */
  #probe(): Promise<void> {
    this.#probing ??= this.store()
      .probe()
      .finally(() => (this.#probing = undefined));
    return this.#probing;
  }

  /** One look at a time: a hanging volume must not take a thread for every probe. */
  #readFill(directory: string): Promise<Fill> {
    this.#reading ??= readFill(directory).finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #keep(): Promise<void> {
    if (this.#options.api === undefined && this.#options.localFolder === undefined) return;
    let waitMs = RETRY_MS.first;
    while (!this.#isStopping()) {
      try {
        await this.#ensure(this.#options.api);
        this.#trouble = undefined;
        waitMs = RETRY_MS.first;
        await this.#wait(WATCH_MS);
      } catch (error) {
        if (this.#isStopping()) return;
        this.#complain(error);
        await this.#wait(retryAfter(error) ?? waitMs * (0.5 + Math.random() / 2));
        waitMs = Math.min(waitMs * 2, RETRY_MS.max);
      }
    }
  }

  async #ensure(api: ApiClient | undefined): Promise<void> {
    const { wish, log, mountDirectory, localFolder } = this.#options;
    if (api !== undefined) this.#volume ??= await claimVolume(api, wish, log, this.#stopping.signal);
    if (mountDirectory === undefined || this.#volume === undefined) {
      if (localFolder !== undefined && this.#store === undefined) {
        this.#store = await this.#options.open(localFolder, this.#volume?.id ?? 'local');
        log.warn(
          { folder: localFolder },
          `${this.#options.what} are stored in a folder of this machine, not on a Gluster volume`,
        );
      }
      return;
    }
    await ensureMounted(this.#volume, mountDirectory, async () => {
      const record = await readClaimRecord(wish.stateFile);
      await writeClaimRecord(wish.stateFile, { ...record, mountedOn: mountDirectory });
      log.info({ directory: mountDirectory }, 'mounting the volume');
    });
    this.#store ??= await this.#options.open(mountDirectory, this.#volume.id);
    await this.#expandWhenFull(api, this.#volume, mountDirectory);
  }

  /** Asks for more when the policy says so; the next look sees what came of it. */
  async #expandWhenFull(api: ApiClient | undefined, volume: Volume, directory: string): Promise<void> {
    const { expansion, wish, log } = this.#options;
    if (expansion === undefined || api === undefined) return;
    const { sizeBytes, freeBytes } = await this.#readFill(directory);
    const usedPercent = Math.round((1 - freeBytes / sizeBytes) * 100);
    if (usedPercent < expansion.usedPercent) return;
    log.info({ usedPercent, byGib: expansion.byGib }, 'the volume fills up: asking for more');
    this.#volume = await expandVolume(api, wish, volume, expansion.byGib, this.#stopping.signal);
  }

  #complain(error: unknown): void {
    const trouble = describeError(error);
    if (trouble !== this.#trouble) this.#options.log.warn({ reason: trouble }, 'no storage yet; trying again');
    this.#trouble = trouble;
  }

  #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #wait(ms: number): Promise<void> {
    await pause(ms, undefined, { signal: this.#stopping.signal }).catch(() => undefined); // Stopping ends the wait early.
  }
}

function retryAfter(error: unknown): number | undefined {
  const asked = error instanceof ApiError || error instanceof Unavailable ? error.retryAfterMs : undefined;
  return asked === undefined ? undefined : Math.min(Math.max(asked, RETRY_MS.first), RETRY_MS.max);
}
