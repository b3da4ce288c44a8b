/** What a storage host sees of the file system: the machine's, but for its own /run, gluster state, logs and fstab, and without geo-replication. */
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun } from './command';
import { parseMountinfo, unmountOrder } from './mount-table';
import { readProc } from './processes';

/** The host's own directories on the machine. */
export interface HostDirectories {
  readonly glusterd: string;
  readonly brickyard: string;
  readonly log: string;
  readonly fstab: string;
  /** Where udev is reached while /run changes. */
  readonly udev: string;
}

/** Where the node agent keeps its state inside a host. */
export const STATE_DIRECTORY = '/var/lib/brickyard';

/** Arranges the mount namespace of the holder process. Nothing of it is visible to, or left behind on, the machine. */
export async function arrangeMounts(holder: number, directories: HostDirectories): Promise<void> {
  const root = `/proc/${String(holder)}/root`;
  const mount = (...args: string[]): Promise<string> =>
    mustRun(['nsenter', `--mount=/proc/${String(holder)}/ns/mnt`, '--', 'mount', ...args]);
  await letGoOfForeignMounts(holder);
  await ownRun(root, mount, directories.udev);
  await ownVarLib(root, mount);
  await mount('--bind', directories.glusterd, '/var/lib/glusterd');
  await mount('--bind', directories.brickyard, STATE_DIRECTORY);
  await mount('--bind', directories.log, '/var/log/glusterfs');
  await withoutGeoReplication(root, mount);
  // An agent that writes /etc/fstab must never write the machine's.
  if (existsSync('/etc/fstab')) await mount('--bind', directories.fstab, '/etc/fstab');
}

/** A private /run; udev is the machine's, where there is one: LVM waits for it to make the nodes of volumes. */
async function ownRun(root: string, mount: (...args: string[]) => Promise<string>, udev: string): Promise<void> {
  const hasUdev = existsSync('/run/udev/control');
  if (hasUdev) await mount('--bind', '/run/udev', udev);
  await mount('-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', '/run');
  for (const directory of ['gluster', 'lock', 'machine', 'udev']) mkdirSync(join(root, 'run', directory));
  if (hasUdev) await mount('--move', udev, '/run/udev');
}

/**
 * A private /var/lib, since /var/lib/brickyard need not exist on the machine and must not stay there: links to the
 * machine's entries, except for the two directories that are the host's own.
 */
async function ownVarLib(root: string, mount: (...args: string[]) => Promise<string>): Promise<void> {
  const machine = '/run/machine/var-lib';
  mkdirSync(join(root, machine));
  await mount('--rbind', '/var/lib', machine);
  await mount('-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', '/var/lib');
  const own = ['glusterd', 'brickyard'];
  for (const name of own) mkdirSync(join(root, 'var/lib', name));
  for (const name of readdirSync('/var/lib')) {
    if (!own.includes(name)) symlinkSync(join(machine, name), join(root, 'var/lib', name));
  }
}

/**
 * Every start of glusterd runs some two dozen Python programs to configure geo-replication, two seconds of work; where
 * gsyncd cannot be executed it says "not installed" and goes on. A missing interpreter is "No such file" to execve(2).
 */
async function withoutGeoReplication(root: string, mount: (...args: string[]) => Promise<string>): Promise<void> {
  const libraries = readdirSync('/usr/lib').map((name) => join('/usr/lib', name));
  const gsyncd = ['/usr/libexec', '/usr/lib', ...libraries].map((place) => join(place, 'glusterfs/gsyncd'));
  const installed = gsyncd.find((file) => existsSync(file));
  if (installed === undefined) return;
  const stub = '/run/machine/gsyncd';
  writeFileSync(join(root, stub), '#!/nonexistent\n', { mode: 0o755 });
  await mount('--bind', stub, installed);
}

/** A new mount namespace copies every mount; holding other labs' volumes and namespaces would keep them alive. */
async function letGoOfForeignMounts(holder: number): Promise<void> {
  const mounts = parseMountinfo(readProc(holder, 'mountinfo'));
  const foreign = mounts.filter(({ type }) => type === 'fuse.glusterfs' || type === 'nsfs');
  for (const target of unmountOrder(foreign)) {
    // It may vanish first: deleting a namespace's name detaches its mounts everywhere.
    await mustRun(['nsenter', `--mount=/proc/${String(holder)}/ns/mnt`, '--', 'umount', '--lazy', target]).catch(
      () => '',
    );
  }
}
