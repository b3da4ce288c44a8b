/** Can this machine carry storage hosts, and what would have to be installed? */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';

const SEARCH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const TRIAL_TIMEOUT_MS = 5_000;

/** The programs needed, and the Debian and Ubuntu package of each. */
const PROGRAMS: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  unshare: 'util-linux',
  nsenter: 'util-linux',
  mount: 'mount',
  umount: 'mount',
  losetup: 'mount',
  sleep: 'coreutils',
  'mkfs.xfs': 'xfsprogs',
  glusterd: 'glusterfs-server',
  gluster: 'glusterfs-cli',
  'mount.glusterfs': 'glusterfs-client',
  tgtd: 'tgt',
};

/** The answer of `hostsSupported`. `packages` are those that would provide missing programs. */
export interface HostsSupport {
  readonly supported: boolean;
  /** What is missing, each as a phrase for people. */
  readonly missing: readonly string[];
  readonly packages: readonly string[];
}

/** Looks at user, system, programs, devices, and tries to make a namespace. Changes nothing. */
export function hostsSupported(): HostsSupport {
  const programs = Object.keys(PROGRAMS).filter((name) => !isInstalled(name));
  const missing = [...programs.map((name) => `the program ${name}`), ...missingRights(programs)];
  const packages = [...new Set(programs.map((name) => PROGRAMS[name] ?? name))].sort();
  return { supported: missing.length === 0, missing, packages };
}

/** True when the machine has everything, or would after `installPackages(packages)`: nothing but programs is missing. */
export const onlyPackagesMissing = (support: HostsSupport): boolean =>
  support.missing.every((what) => what.startsWith('the program '));

function missingRights(missingPrograms: readonly string[]): string[] {
  if (process.platform !== 'linux') return [`Linux (this is ${process.platform})`];
  if (process.getuid?.() !== 0) return ['root'];
  const devices = ['/dev/fuse', '/dev/loop-control'].filter((device) => !existsSync(device));
  const missing = devices.map((device) => `the device ${device}`);
  if (!missingPrograms.includes('unshare') && !canMakeNamespaces()) missing.push('the right to make namespaces');
  return missing;
}

function canMakeNamespaces(): boolean {
  const argv = ['--net', '--mount', '--propagation', 'private', 'mount', '-t', 'tmpfs', 'tmpfs', '/run'];
  return spawnSync('unshare', argv, { stdio: 'ignore', timeout: TRIAL_TIMEOUT_MS }).status === 0;
}

function isInstalled(program: string): boolean {
  const path = (process.env['PATH'] ?? '').split(':').filter((directory) => directory.startsWith('/'));
  return [...path, ...SEARCH].some((directory) => isExecutable(join(directory, program)));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
