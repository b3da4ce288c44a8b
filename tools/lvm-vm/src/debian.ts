/** Debian's packages: those this machine needs to make and run the virtual machine, and those the virtual machine is made of. */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { installPackages } from '@brickyard/hosts';
import { type Host, Problem } from './host';

const DOWNLOAD_TIMEOUT_MS = 15 * 60_000;
const UNPACK_TIMEOUT_MS = 5 * 60_000;

/** The package that each program of this machine comes from. */
const PROGRAMS: Readonly<Record<string, string>> = {
  'qemu-system-x86_64': 'qemu-system-x86',
  cpio: 'cpio',
  depmod: 'kmod',
  'mkfs.ext4': 'e2fsprogs',
  debootstrap: 'debootstrap',
  'linux.uml': 'user-mode-linux',
};

/** Sees that this machine can do the job, and installs what it lacks. */
export async function ensurePrograms(host: Host): Promise<void> {
  if (process.platform !== 'linux' || process.arch !== 'x64' || !existsSync('/usr/bin/dpkg-deb')) {
    throw new Problem('test:lvm needs Debian on x86-64: the virtual machine is made of its packages');
  }
  const missing = Object.keys(PROGRAMS).filter((program) => !isInstalled(program));
  try {
    await installPackages([...new Set(missing.map((program) => PROGRAMS[program] ?? program))], host.say);
  } catch (error) {
    throw new Problem(error instanceof Error ? error.message : String(error));
  }
}

function isInstalled(program: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Debian's release on this machine, such as `bookworm`: the virtual machine gets the same. */
export function debianRelease(): string {
  const text = readFileSync('/etc/os-release', 'utf8');
  const release = /^VERSION_CODENAME=(.*)$/m.exec(text)?.[1];
  if (!/^ID=debian$/m.test(text) || release === undefined) {
    throw new Problem('test:lvm needs Debian on x86-64: the virtual machine is made of its packages');
  }
  return release;
}

/**
 * Fetches packages with all they depend on, as if nothing were installed, from where this machine's apt fetches;
 * gives the files.
 */
export async function downloadPackages(
  host: Host,
  packages: readonly string[],
  directory: string,
): Promise<readonly string[]> {
  await mkdir(join(directory, 'archives/partial'), { recursive: true });
  await writeFile(join(directory, 'status'), '');
  const settings = {
    'Dir::State::status': join(directory, 'status'),
    'Dir::Cache': directory,
    'Debug::NoLocking': '1',
    'Acquire::Retries': '2',
    ...(process.getuid?.() === 0 ? { 'APT::Sandbox::User': 'root' } : {}),
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  const install = ['--yes', '--no-install-recommends', '--download-only', 'install', ...packages];
  const download = (): Promise<string> =>
    host.run(['apt-get', '-q', ...options, ...install], { timeoutMs: DOWNLOAD_TIMEOUT_MS });
  try {
    await download();
  } catch (error) {
    if (process.getuid?.() !== 0 || host.signal.aborted) throw error;
    host.say('fetching package lists (apt-get update)');
    await host.run(['apt-get', '-q', 'update'], { timeoutMs: DOWNLOAD_TIMEOUT_MS });
    await download();
  }
  const files = await readdir(join(directory, 'archives'));
  return files.filter((file) => file.endsWith('.deb')).map((file) => join(directory, 'archives', file));
}

/** Where this machine's apt fetches Debian's packages from. */
export async function debianMirror(host: Host): Promise<string> {
  const argv = [
    'apt-get',
    'indextargets',
    '--format',
    '$(SITE)',
    'Created-By: Packages',
    `Codename: ${debianRelease()}`,
  ];
  const [site = ''] = (await host.run(argv, { timeoutMs: UNPACK_TIMEOUT_MS })).split('\n');
  if (!/^https?:/.test(site)) throw new Problem(`apt of this machine has no source for ${debianRelease()}`);
  return site;
}

/** Puts a package's files below a directory; its scripts are not run. */
export async function unpack(host: Host, file: string, directory: string): Promise<void> {
  const left = ['doc', 'man', 'locale', 'info'].map((folder) => `--exclude=./usr/share/${folder}/*`);
  const tar = ['tar', '--extract', '--keep-directory-symlink', '--no-same-owner', `--directory=${directory}`, ...left];
  await host.pipe(['dpkg-deb', '--fsys-tarfile', file], tar, UNPACK_TIMEOUT_MS);
}
