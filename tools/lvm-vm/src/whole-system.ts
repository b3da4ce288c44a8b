/** The second guest: a Debian as operators have it, with systemd, Gluster, LVM and the servers, and our tests as its only unit. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { debianMirror, debianRelease } from './debian';
import type { BareSystem, GuestSystem } from './guest-system';
import type { Host } from './host';

const PACKAGES = [
  ...['systemd-sysv', 'udev', 'dbus', 'kmod', 'procps', 'psmisc', 'iproute2', 'curl', 'ca-certificates', 'libstdc++6'],
  ...['lvm2', 'thin-provisioning-tools', 'xfsprogs', 'e2fsprogs'],
  ...['glusterfs-server', 'glusterfs-client', 'tgt', 'postgresql', 'nats-server'],
];
/** What the tests start when they want it. */
const DISABLED = [
  ...['glusterd', 'glustereventsd', 'postgresql', 'nats-server', 'tgt', 'systemd-networkd', 'e2scrub_reap'],
  ...['apt-daily.timer', 'apt-daily-upgrade.timer', 'dpkg-db-backup.timer', 'fstrim.timer', 'e2scrub_all.timer'],
];
const DPKG_SETTINGS = `force-unsafe-io
path-exclude /usr/share/doc/*
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
`;
/** No program of a package starts a service while the image is made. */
const POLICY = '#!/bin/sh\nexit 101\n';
const SCRIPTS = join(__dirname, '../system');
const START = 'start-whole-tests.sh';
const UNIT = 'brickyard-tests.service';
const ROOT_SIZE = '4G';
const TIMEOUT_MS = 15 * 60_000;

/** Gives the system; a finished one in `cache` is taken as it is unless `fresh`. Needs root: packages are installed for real. */
export async function wholeSystem(host: Host, bare: BareSystem, cache: string, fresh: boolean): Promise<GuestSystem> {
  const directory = join(cache, `whole-${await recipeKey(bare)}`);
  if (fresh || !existsSync(directory)) {
    const draft = `${directory}.building-${String(process.pid)}`;
    try {
      await build(host, bare, draft);
      await rm(directory, { recursive: true, force: true });
      await rename(draft, directory);
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
    await removeOthers(cache, basename(directory));
  } else host.say(`the whole guest system is in ${directory}`);
  return { kernel: bare.kernel, initrd: bare.initrd, rootImage: join(directory, 'root.img'), init: '/sbin/init' };
}

async function recipeKey({ key }: BareSystem): Promise<string> {
  const files = await Promise.all([START, UNIT].map((name) => readFile(join(SCRIPTS, name), 'utf8')));
  const recipe = [key, debianRelease(), PACKAGES, DISABLED, DPKG_SETTINGS, ROOT_SIZE, files];
  return createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 16);
}

async function removeOthers(cache: string, current: string): Promise<void> {
  for (const name of await readdir(cache)) {
    if (name !== current && name.startsWith('whole-')) await rm(join(cache, name), { recursive: true, force: true });
  }
}

async function build(host: Host, bare: BareSystem, directory: string): Promise<void> {
  const root = join(directory, 'root');
  await mkdir(root, { recursive: true });
  const mirror = await debianMirror(host);
  host.say('making a Debian with debootstrap');
  await host.run(['debootstrap', '--variant=minbase', debianRelease(), root, mirror], { timeoutMs: TIMEOUT_MS });
  await writeFile(join(root, 'etc/dpkg/dpkg.cfg.d/guest'), DPKG_SETTINGS);
  await writeFile(join(root, 'usr/sbin/policy-rc.d'), POLICY, { mode: 0o755 });
  host.say(`installing ${PACKAGES.slice(-5).join(', ')} and ${String(PACKAGES.length - 5)} more packages in it`);
  await inside(host, root, ['apt-get', '-q', 'update']);
  await inside(host, root, ['apt-get', '-q', 'install', '--yes', '--no-install-recommends', ...PACKAGES]);
  await inside(host, root, ['systemctl', 'disable', ...DISABLED]);
  await rm(join(root, 'usr/sbin/policy-rc.d'));
  await rm(join(root, 'var/cache/apt/archives'), { recursive: true });
  await finish(host, root, bare);
  host.say('making the root image');
  await host.run(['mkfs.ext4', '-q', '-F', '-d', root, join(directory, 'root.img'), ROOT_SIZE], {
    timeoutMs: TIMEOUT_MS,
  });
  await rm(root, { recursive: true });
}

/** Runs a program of the new system, in namespaces of its own: what it mounts and starts ends with it. */
async function inside(host: Host, root: string, argv: readonly string[]): Promise<void> {
  const own = ['unshare', '--mount', '--pid', '--ipc', '--fork', '--kill-child'];
  await host.run([...own, 'sh', join(SCRIPTS, 'inside.sh'), root, ...argv], { timeoutMs: TIMEOUT_MS });
}

async function finish(host: Host, root: string, { modules }: BareSystem): Promise<void> {
  await host.run(['cp', '-r', `${modules}/.`, join(root, 'usr/lib/modules')], { timeoutMs: TIMEOUT_MS });
  await copyFile(join(SCRIPTS, START), join(root, 'usr/sbin/start-whole-tests'));
  await chmod(join(root, 'usr/sbin/start-whole-tests'), 0o755);
  await copyFile(join(SCRIPTS, UNIT), join(root, 'etc/systemd/system', UNIT));
  const wanted = join(root, 'etc/systemd/system/multi-user.target.wants');
  await mkdir(wanted, { recursive: true });
  await symlink(`/etc/systemd/system/${UNIT}`, join(wanted, UNIT));
  await writeFile(join(root, 'etc/fstab'), '# Lines that are not bricks stay as they are.\n');
  await writeFile(join(root, 'etc/hostname'), 'host1\n');
  await writeFile(join(root, 'etc/hosts'), '127.0.0.1 localhost\n');
  await writeFile(join(root, 'etc/machine-id'), ''); // With "uninitialized" systemd would enable every unit.
}
