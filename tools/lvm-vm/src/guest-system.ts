/** The virtual machine's kernel, initial file system and root file system: made once, kept until the recipe changes. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { debianRelease, downloadPackages, unpack } from './debian';
import { type Host, Problem } from './host';

/** Files that qemu boots. */
export interface GuestSystem {
  readonly kernel: string;
  readonly initrd: string;
  readonly rootImage: string;
  /** The first program of the root file system. */
  readonly init: string;
}

/** The bare guest, and what other guests with its kernel need. */
export interface BareSystem extends GuestSystem {
  /** Names what the system was made of. */
  readonly key: string;
  /** The folder of all modules of its kernels: Debian's, and that of user-mode Linux. */
  readonly modules: string;
}

const PACKAGES = [
  'linux-image-cloud-amd64',
  'busybox-static',
  ...['base-files', 'bash', 'coreutils', 'dash', 'findutils', 'grep', 'sed', 'util-linux', 'mount', 'psmisc'],
  ...['kmod', 'udev', 'lvm2', 'thin-provisioning-tools', 'xfsprogs', 'e2fsprogs'],
];
/** Brought along by dependencies and not needed by what the tests run. */
const LEFT_OUT = /^(libpython|python|libicu|initramfs-tools|klibc|libklibc|linux-base|debconf|media-types)/;
const DISK_MODULES = ['virtio_pci', 'virtio_blk'];
const SYSTEM_MODULES = ['dm-mod', 'dm-thin-pool', 'dm-snapshot', 'xfs'];
const MERGED = ['bin', 'sbin', 'lib', 'lib64'];
const DIRECTORIES = ['proc', 'sys', 'dev', 'run', 'tmp', 'root', 'etc', 'payload', 'var/lib', 'var/tmp'];
const SCRIPTS = join(__dirname, '../system');
const TIMEOUT_MS = 5 * 60_000;
const ROOT_SIZE = '1G';

/** Gives the system for this machine's release; a finished one in `cache` is taken as it is unless `fresh`. */
export async function guestSystem(host: Host, cache: string, fresh: boolean): Promise<BareSystem> {
  const key = await recipeKey();
  const directory = join(cache, key);
  const system = {
    key,
    init: '/sbin/start-tests',
    modules: join(directory, 'modules'),
    kernel: join(directory, 'vmlinuz'),
    initrd: join(directory, 'initrd'),
    rootImage: join(directory, 'root.img'),
  };
  if (fresh || !existsSync(directory)) {
    const draft = `${directory}.building-${String(process.pid)}`;
    try {
      await build(host, draft);
      await rm(directory, { recursive: true, force: true });
      await rename(draft, directory);
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
    await removeOthers(cache, basename(directory));
  } else host.say(`the guest system is in ${directory}`);
  return system;
}

async function recipeKey(): Promise<string> {
  const scripts = await Promise.all(['init.sh', 'start-tests.sh'].map((name) => readFile(join(SCRIPTS, name), 'utf8')));
  const recipe = [
    debianRelease(),
    PACKAGES,
    LEFT_OUT.source,
    DISK_MODULES,
    SYSTEM_MODULES,
    ROOT_SIZE,
    scripts,
    await userModeModules(),
  ];
  return createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 16);
}

const USER_MODE_MODULES = '/usr/lib/uml/modules';
const userModeModules = (): Promise<string[]> => readdir(USER_MODE_MODULES);

/** Former recipes, and what a run that was killed left behind. */
async function removeOthers(cache: string, current: string): Promise<void> {
  for (const name of await readdir(cache)) {
    if (name !== current && /^[0-9a-f]{16}(\.building-\d+)?$/.test(name)) {
      await rm(join(cache, name), { recursive: true, force: true });
    }
  }
}

async function build(host: Host, directory: string): Promise<void> {
  const root = join(directory, 'root');
  await mkdir(root, { recursive: true });
  host.say(`downloading Debian packages for the guest (${debianRelease()})`);
  const files = await downloadPackages(host, PACKAGES, join(directory, 'apt'));
  const wanted = files.filter((file) => !LEFT_OUT.test(basename(file)));
  host.say(`unpacking ${String(wanted.length)} packages`);
  await makeSkeleton(root);
  for (const file of wanted) await unpack(host, file, root);
  await rm(join(directory, 'apt'), { recursive: true });
  const release = await kernelRelease(root);
  await rename(join(root, 'boot', `vmlinuz-${release}`), join(directory, 'vmlinuz'));
  await makeInitrd(host, directory, root, release);
  await keepModules(host, root, release, join(directory, 'modules'));
  await host.run(['cp', '-r', `${USER_MODE_MODULES}/.`, join(directory, 'modules')], { timeoutMs: TIMEOUT_MS });
  await host.run(['cp', '-r', `${USER_MODE_MODULES}/.`, join(root, 'usr/lib/modules')], { timeoutMs: TIMEOUT_MS });
  await finishRoot(root);
  host.say('making the root image');
  await host.run(['mkfs.ext4', '-q', '-F', '-d', root, join(directory, 'root.img'), ROOT_SIZE], {
    timeoutMs: TIMEOUT_MS,
  });
  await rm(root, { recursive: true });
}

async function makeSkeleton(root: string): Promise<void> {
  for (const name of MERGED) {
    await mkdir(join(root, 'usr', name), { recursive: true });
    await symlink(`usr/${name}`, join(root, name));
  }
  for (const name of DIRECTORIES) await mkdir(join(root, name), { recursive: true });
}

async function kernelRelease(root: string): Promise<string> {
  const [release, ...more] = await readdir(join(root, 'usr/lib/modules'));
  if (release === undefined || more.length > 0) throw new Problem('Debian gave no kernel, or more than one');
  return release;
}

/** Paths of modules with all they need, in the order to load them. */
async function moduleFiles(host: Host, root: string, release: string, names: readonly string[]): Promise<string[]> {
  const show = ['modprobe', '--dirname', root, '--set-version', release, '--show-depends', '--all', ...names];
  const lines = (await host.run(show, { timeoutMs: TIMEOUT_MS })).split('\n');
  return [...new Set(lines.flatMap((line) => /^insmod (\S+\.ko)\s*$/.exec(line)?.[1] ?? []))];
}

async function makeInitrd(host: Host, directory: string, root: string, release: string): Promise<void> {
  await host.run(['depmod', '--basedir', root, release], { timeoutMs: TIMEOUT_MS });
  const tree = join(directory, 'initrd-tree');
  const folders = ['bin', 'dev', 'modules', 'newroot', 'proc', 'sys'];
  for (const folder of folders) await mkdir(join(tree, folder), { recursive: true });
  await copyFile(join(root, 'usr/bin/busybox'), join(tree, 'bin/busybox'));
  await copyFile(join(SCRIPTS, 'init.sh'), join(tree, 'init'));
  await chmod(join(tree, 'init'), 0o755);
  const modules = await moduleFiles(host, root, release, DISK_MODULES);
  for (const file of modules) await copyFile(file, join(tree, 'modules', basename(file)));
  await writeFile(join(tree, 'modules/order'), modules.map((file) => `${basename(file)}\n`).join(''));
  const names = [...folders, ...(await readdir(tree)).filter((name) => !folders.includes(name))];
  const inside = ['bin/busybox', 'modules/order', ...modules.map((file) => `modules/${basename(file)}`)];
  const argv = ['cpio', '--quiet', '--create', '--format=newc', '--owner=0:0', '-O', join(directory, 'initrd')];
  await host.run(argv, { timeoutMs: TIMEOUT_MS, cwd: tree, input: [...names, ...inside].join('\n') });
  await rm(tree, { recursive: true });
}

/** A kernel brings thousands of modules; the tests need a dozen, and udev loads what it finds. All go to `rest`. */
async function keepModules(host: Host, root: string, release: string, rest: string): Promise<void> {
  const all = join(root, 'usr/lib/modules', release);
  const kept = `${all}.kept`;
  for (const file of await moduleFiles(host, root, release, SYSTEM_MODULES)) {
    const target = join(kept, file.slice(file.indexOf(`/${release}/`) + release.length + 2));
    await mkdir(dirname(target), { recursive: true });
    await copyFile(file, target);
  }
  for (const name of ['modules.builtin', 'modules.order']) await copyFile(join(all, name), join(kept, name));
  await mkdir(rest);
  await rename(all, join(rest, release));
  await rename(kept, all);
  await host.run(['depmod', '--basedir', root, release], { timeoutMs: TIMEOUT_MS });
}

async function finishRoot(root: string): Promise<void> {
  await copyFile(join(SCRIPTS, 'start-tests.sh'), join(root, 'usr/sbin/start-tests'));
  await chmod(join(root, 'usr/sbin/start-tests'), 0o755);
  if (!existsSync(join(root, 'usr/bin/sh'))) await symlink('dash', join(root, 'usr/bin/sh'));
  await rm(join(root, 'etc/mtab'), { force: true });
  await symlink('/proc/self/mounts', join(root, 'etc/mtab'));
  await writeFile(join(root, 'etc/fstab'), '# Lines that are not bricks stay as they are.\n');
  await writeFile(join(root, 'etc/hostname'), 'lvm-test\n');
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/bash\n');
  const groups = ['root', 'tty', 'disk', 'kmem', 'cdrom', 'floppy', 'tape', 'audio', 'video', 'input', 'kvm'];
  const more = ['dialout', 'lp', 'render', 'sgx'];
  const lines = [...groups, ...more].map((name, index) => `${name}:x:${String(index)}:\n`);
  await writeFile(join(root, 'etc/group'), lines.join(''));
}
