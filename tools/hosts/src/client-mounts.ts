/** Volumes mounted in the root namespace, where the lab's client lives. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun, runCommand, until } from './command';
import { isWithin, type Mount, parseMountinfo, unmountOrder } from './mount-table';
import { endAll, ownProcessesWhere, signal } from './processes';
import { type AddressBlock, mentions } from './subnet';

const MOUNT_TIMEOUT_MS = 60_000;
const UNMOUNT_PATIENCE_MS = 3_000;
const UNMOUNT_TIMEOUT_MS = 60_000;
const CLIENT_EXIT_MS = 2_000;

/** What to mount, and from where; `servers` are tried one after the other. */
export interface VolumeMount {
  readonly volume: string;
  readonly servers: readonly string[];
  readonly target: string;
  readonly logDirectory: string;
}

/** Mounts a volume by FUSE; the target directory is made. */
export async function mountVolume({ volume, servers, target, logDirectory }: VolumeMount): Promise<void> {
  mkdirSync(target, { recursive: true });
  mkdirSync(logDirectory, { recursive: true });
  const [first = '', ...others] = servers;
  const log = `log-file=${join(logDirectory, `${volume}.log`)}`;
  const options = others.length === 0 ? log : `${log},backup-volfile-servers=${others.join(':')}`;
  await mustRun(['mount', '-t', 'glusterfs', '-o', options, `${first}:/${volume}`, target], MOUNT_TIMEOUT_MS);
}

/**
 * Unmounts a path. A volume whose servers are silent would hold the kernel up for gluster's ping-timeout (42 s) and more,
 * so its client is killed after a few seconds, which fails what waits for it; what still remains is detached lazily.
 */
export async function unmount(target: string): Promise<void> {
  const endClients = (): void => {
    for (const pid of ownProcessesWhere((line) => isClient(line) && line.endsWith(` ${target}`)))
      signal(pid, 'SIGKILL');
  };
  const patience = setTimeout(endClients, UNMOUNT_PATIENCE_MS);
  await runCommand(['umount', target], { timeoutMs: UNMOUNT_TIMEOUT_MS }).catch(() => undefined);
  clearTimeout(patience);
  if (mountsNow().some((mount) => mount.target === target)) await mustRun(['umount', '--lazy', target]);
}

/** Mounts below the directory and of the subnet's volumes, in the order in which they can be unmounted. */
export function clientMounts(directory: string, subnet: AddressBlock | undefined): string[] {
  const ours = mountsNow().filter(
    ({ target, type, source }) =>
      (target !== directory && isWithin(directory, target)) || (type === 'fuse.glusterfs' && isOf(subnet, source)),
  );
  return unmountOrder(ours);
}

/** Process ids of the FUSE clients that talk to the subnet. */
export function clientProcesses(subnet: AddressBlock | undefined): number[] {
  return ownProcessesWhere((line) => isClient(line) && isOf(subnet, line));
}

/** Unmounts what lies below the directory and every volume of the subnet, ends their clients, and names all of it. */
export async function removeClientMounts(directory: string, subnet: AddressBlock | undefined): Promise<string[]> {
  const targets = clientMounts(directory, subnet);
  for (const target of targets) await unmount(target);
  // A client without a mount ends by itself, unless it waits for a server that will never answer.
  const clients = (): number[] => clientProcesses(subnet);
  for (const pid of clients()) signal(pid, 'SIGTERM');
  await until(() => clients().length === 0, CLIENT_EXIT_MS);
  return [...targets.map((target) => `mount ${target}`), ...(await endAll(clients, 'gluster clients'))];
}

const isOf = (subnet: AddressBlock | undefined, text: string): boolean =>
  subnet !== undefined && mentions(subnet, text);

const isClient = (commandLine: string): boolean => /^\S*glusterfs /.test(commandLine);

const mountsNow = (): Mount[] => parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'));
