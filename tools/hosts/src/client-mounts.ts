/** Volumes mounted in the root namespace, where the lab's client lives. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun, runCommand, until } from './command';
import { isWithin, parseMountinfo, unmountOrder } from './mount-table';
import { commandLineOf, endAll, ownProcessesWhere, signal } from './processes';
import { type AddressBlock, mentions } from './subnet';

const MOUNT_TIMEOUT_MS = 60_000;
const UNMOUNT_TIMEOUT_MS = 5_000;
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

/** Unmounts a path; a file system that does not answer any more is detached lazily. */
export async function unmount(target: string): Promise<void> {
  const orderly = await runCommand(['umount', target], { timeoutMs: UNMOUNT_TIMEOUT_MS }).catch(() => undefined);
  if (orderly?.exitCode !== 0) await mustRun(['umount', '--lazy', target]);
}

/** Unmounts what lies below the directory and every volume of the subnet, ends their clients, and names all of it. */
export async function removeClientMounts(directory: string, subnet: AddressBlock | undefined): Promise<string[]> {
  const ofLab = (source: string): boolean => subnet !== undefined && mentions(subnet, source);
  const mounts = parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'));
  const ours = mounts.filter(
    ({ target, type, source }) =>
      (target !== directory && isWithin(directory, target)) || (type === 'fuse.glusterfs' && ofLab(source)),
  );
  for (const target of unmountOrder(ours)) await unmount(target);
  // A client without a mount ends by itself, unless it waits for a server that will never answer.
  const clients = (): number[] => ownProcessesWhere((line) => /^\S*glusterfs /.test(line) && ofLab(line));
  for (const pid of clients()) signal(pid, 'SIGTERM');
  const ended = clients().map((pid) => `process ${String(pid)} (${commandLineOf(pid)})`);
  await until(() => clients().length === 0, CLIENT_EXIT_MS);
  await endAll(clients, 'gluster clients');
  return [...unmountOrder(ours).map((target) => `mount ${target}`), ...ended];
}
