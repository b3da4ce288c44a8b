/** A machine of an operator who has Debian's packages and a release of this tree, and has installed nothing of it yet. */
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { siteBelow } from '../upgrade/site';
import { controlGroups, installMachine } from './machine';

const PACKAGES = [
  ...['systemd', 'systemd-sysv', 'dbus', 'procps', 'iproute2', 'mount', 'curl'],
  ...['postgresql-15', 'nats-server', 'glusterfs-server', 'xfsprogs', 'skopeo', 's3cmd'],
];
const VERSION = '1.0.0-units';
const NEEDED = ['/dev/fuse', '/dev/loop-control', '/usr/sbin/debootstrap', '/usr/bin/unshare', '/usr/bin/nsenter'];

/** Whether this machine can hold another one at all. */
export const canHoldMachine = (): boolean =>
  process.platform === 'linux' && process.getuid?.() === 0 && controlGroups() !== undefined && NEEDED.every(existsSync);

/** Makes its file system below this folder, with the release unpacked in `/root/release`; gives where it is. */
export async function makeMachine(folder: string): Promise<string> {
  const root = await installMachine(folder, PACKAGES);
  renameSync(await siteBelow(folder).pack(VERSION), join(root, 'root/release'));
  return root;
}
