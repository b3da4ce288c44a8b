import { mkdirSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { mountVolume, removeClientMounts, unmount } from './client-mounts';
import { GlusterdDown } from './glusterd';
import { forgetLab, noteLab } from './dead-labs';
import { clearMachine, lockLab } from './leftovers';
import { isWithin } from './mount-table';
import type { NameLock } from './name-lock';
import { checkClientReachable, createNetwork, type Network, prefixFor } from './network';
import { NamespacedHost, type StorageHost } from './storage-host';
import { clientAddressIn, HOSTS_MAX, textOf } from './subnet';

const DEVICES_PER_HOST = 1;
const DEVICE_SIZE_KIB = 10 * 1024 * 1024;

/** What a lab consists of and where it keeps its files. */
export interface HostLabOptions {
  /** Its files: states, devices, logs, addresses. A second start of the same directory finds its volumes again. */
  readonly directory: string;
  readonly count: number;
  /** Begins the names of interface and namespaces, up to 11 lower-case letters and digits; derived from the directory by default. */
  readonly prefix?: string;
  readonly devicesPerHost?: number;
  /** Size of each new device; sparse, so it costs what is written. 10 GiB by default. */
  readonly deviceSizeKib?: number;
  /** Disks of this machine, those of each host, in place of sparse files: each host's LVM sees its own. Their content is the host's. */
  readonly disks?: readonly (readonly string[])[];
  onProgress?(text: string): void;
}

/** Storage hosts on this machine, and the network they share with the root namespace. */
export interface HostLab {
  readonly hosts: readonly StorageHost[];
  /** The root namespace's address on the lab's network, there before any host is up: services bind to it, clients mount from it. */
  readonly clientAddress: string;
  /** The lab's network, such as `10.91.0.0/24`. */
  readonly subnet: string;
  readonly prefix: string;
  /**
   * Boots every host that is off, all at once. A glusterd that refuses its state does not stop the others: it is told by
   * `onProgress`, and tried again while the node agent repairs it.
   */
  boot(): Promise<void>;
  /** Mounts a volume in the root namespace; `down` unmounts what is still mounted. */
  mount(volume: string, target: string): Promise<void>;
  unmount(target: string): Promise<void>;
  /** Switches all hosts off and removes everything from the machine; with `remove` the lab's directory, too. */
  down(options?: { readonly remove?: boolean }): Promise<void>;
}

/** Makes the network and the hosts, which stay off until `boot`: time to start the services that listen on `clientAddress`. */
export async function prepareHosts(options: HostLabOptions): Promise<HostLab> {
  const directory = directoryOf(options);
  const prefix = prefixFor(directory, options.prefix);
  const lock = await lockLab(directory, prefix);
  try {
    const removed = await clearMachine(directory, prefix);
    if (removed.length > 0) options.onProgress?.(`removed what a killed run left: ${removed.join(', ')}`);
    const network = await createNetwork(directory, prefix, options.count, (chosen) => {
      noteLab(directory, chosen);
    });
    await checkClientReachable(network);
    return new NamespacedLab(directory, network, lock, options);
  } catch (error) {
    await clearMachine(directory, prefix).then(
      () => {
        forgetLab(prefix);
      },
      () => undefined, // The first error is the one to tell; who comes next clears the rest.
    );
    await lock.release();
    throw error;
  }
}

/** Makes and boots all hosts; their glusterd answer when this resolves (but see `HostLab.boot`). */
export async function startHosts(options: HostLabOptions): Promise<HostLab> {
  const lab = await prepareHosts(options);
  try {
    await lab.boot();
    return lab;
  } catch (error) {
    await lab.down();
    throw error;
  }
}

class NamespacedLab implements HostLab {
  readonly hosts: readonly NamespacedHost[];
  readonly clientAddress: string;
  readonly subnet: string;
  readonly prefix: string;
  private isDown = false;

  constructor(
    private readonly directory: string,
    private readonly network: Network,
    private readonly lock: NameLock,
    private readonly options: HostLabOptions,
  ) {
    this.prefix = network.prefix;
    this.subnet = textOf(network.subnet);
    this.clientAddress = clientAddressIn(network.subnet);
    const { count, devicesPerHost: devices = DEVICES_PER_HOST, deviceSizeKib = DEVICE_SIZE_KIB } = options;
    this.hosts = Array.from({ length: count }, (_, index) => {
      const disks = options.disks?.[index];
      const plan = { labDirectory: directory, network, number: index + 1, devices, deviceSizeKib };
      return new NamespacedHost(disks === undefined ? plan : { ...plan, disks });
    });
  }

  async boot(): Promise<void> {
    await Promise.all(
      this.hosts
        .filter((host) => !host.isUp())
        .map(async (host) => {
          await this.bootOne(host);
        }),
    );
  }

  private async bootOne(host: StorageHost): Promise<void> {
    try {
      await host.boot();
      this.options.onProgress?.(`${host.name} is up at ${host.address}`);
    } catch (error) {
      if (!(error instanceof GlusterdDown)) throw error;
      this.options.onProgress?.(`${host.name} is up, but ${error.message}`);
    }
  }

  mount(volume: string, target: string): Promise<void> {
    const servers = this.hosts.filter((host) => host.isUp()).map((host) => host.address);
    return mountVolume({ volume, servers, target, logDirectory: join(this.directory, 'client-log') });
  }

  unmount(target: string): Promise<void> {
    return unmount(target);
  }

  async down(options: { readonly remove?: boolean } = {}): Promise<void> {
    if (this.isDown) return;
    this.isDown = true;
    await removeClientMounts(this.directory, this.network.subnet);
    await Promise.all(this.hosts.map((host) => host.shutDown()));
    await clearMachine(this.directory, this.prefix);
    forgetLab(this.prefix);
    if (options.remove === true) rmSync(this.directory, { recursive: true, force: true });
    await this.lock.release();
  }
}

function directoryOf({ directory, count }: HostLabOptions): string {
  if (!Number.isInteger(count) || count < 1 || count > HOSTS_MAX) {
    throw new Error(`a lab has 1 to ${String(HOSTS_MAX)} hosts, not ${String(count)}`);
  }
  mkdirSync(directory, { recursive: true });
  const real = realpathSync(directory);
  for (const hidden of ['/run', '/var/lib/glusterd', '/var/lib/brickyard']) {
    if (isWithin(hidden, real))
      throw new Error(`the hosts cannot keep their files below ${hidden}: they have their own`);
  }
  return real;
}
