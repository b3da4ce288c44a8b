/** Keeps the registry's storage there: claims the volume, mounts it, mounts it again when the mount is lost. */
import { setTimeout as pause } from 'node:timers/promises';
import { type ApiClient, ApiError, describeError, type Logger, Unavailable } from '@brickyard/service-host';
import { readClaimRecord, writeClaimRecord } from './claim-record';
import { ensureMounted, type Fill, readFill, readMount, unmount } from './gluster-mount';
import { isVolumeMount } from './mount-table';
import { claimVolume, type Volume, type VolumeWish } from './volume-claim';

const RETRY_MS = { first: 500, max: 30_000 };
const WATCH_MS = 10_000;

/** What `/health/ready` tells. */
export interface StorageReport {
  readonly status: 'ready' | 'not ready';
  readonly volume?: { readonly id: string; readonly name: string; readonly sizeGib: number };
  readonly mount: {
    readonly state: 'mounted' | 'not configured' | 'not mounted';
    readonly directory?: string;
  } & Partial<Fill>;
  /** Why it is not ready, or what is particular. */
  readonly detail?: string;
}

/** What a registry needs to come to its storage. */
export interface StorageOptions {
  /** Absent: no API is configured and nothing is claimed. */
  readonly api: ApiClient | undefined;
  readonly wish: VolumeWish;
  /** Absent where the storage hosts are simulated: there is nothing to mount. */
  readonly mountDirectory: string | undefined;
  readonly log: Logger;
}

/** The volume of this registry over the life of the process. */
export class RegistryStorage {
  readonly #options: StorageOptions;
  readonly #stopping = new AbortController();
  #volume: Volume | undefined;
  #trouble: string | undefined;
  #keeping: Promise<void> | undefined;
  #reading: Promise<Fill> | undefined;

  constructor(options: StorageOptions) {
    this.#options = options;
  }

  /** Begins and returns at once; what becomes of it is in the report. */
  start(): void {
    this.#keeping ??= this.#keep();
  }

  /** Ends the watch and unmounts what this registry mounted. */
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

  async report(): Promise<StorageReport> {
    const { api, mountDirectory } = this.#options;
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
      return { status: 'ready', mount: { state: 'mounted', directory, ...(await this.#readFill(directory)) } };
    } catch (error) {
      const detail = `the volume does not answer: ${describeError(error)}`;
      return { status: 'not ready', mount: { state: 'mounted', directory }, detail };
    }
  }

  /** One look at a time: a hanging volume must not take a thread for every probe. */
  #readFill(directory: string): Promise<Fill> {
    this.#reading ??= readFill(directory).finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #keep(): Promise<void> {
    if (this.#options.api === undefined) return;
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

  async #ensure(api: ApiClient): Promise<void> {
    const { wish, log, mountDirectory } = this.#options;
    this.#volume ??= await claimVolume(api, wish, log, this.#stopping.signal);
    if (mountDirectory === undefined) return;
    await ensureMounted(this.#volume, mountDirectory, async () => {
      const record = await readClaimRecord(wish.stateFile);
      await writeClaimRecord(wish.stateFile, { ...record, mountedOn: mountDirectory });
      log.info({ directory: mountDirectory }, 'mounting the volume');
    });
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
