/** Mounts a GlusterFS volume with the system's `mount` and looks at what is really there. */
import { execFile } from 'node:child_process';
import { mkdir, readFile, realpath, statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Unavailable } from '@brickyard/service-host';
import { isVolumeMount, mountOn, type MountEntry, parseMountInfo } from './mount-table';
import type { Volume } from './volume-claim';

/** Without any server a mount gives up after about three seconds, with only backups after six. */
const MOUNT_TIMEOUT_MS = 60_000;
/** A volume whose servers are silent would hold an unmount up for gluster's ping-timeout, 42 seconds. */
const UNMOUNT_TIMEOUT_MS = 5_000;
const OUTPUT_BYTES_MAX = 64 * 1024;
/** Characters that would end one mount option and begin another. */
const UNSAFE = /[\s,]/;

/** The API separates servers by commas, as heketi does; mount(8) by colons, as a comma begins the next option. */
const BACKUP_SERVERS = 'backup-volfile-servers';

/** What another replica has just renamed or removed must be seen at once; new names are, whatever these are. */
const FRESH = ['attribute-timeout=0', 'entry-timeout=0', 'negative-timeout=0'];

const run = promisify(execFile);

/** How full a file system is, bytes. */
export interface Fill {
  readonly sizeBytes: number;
  readonly freeBytes: number;
}

/** argv of the mount; refuses an answer of the API that would smuggle in options. */
export function mountArguments({ mount: { glusterfs } }: Volume, directory: string): readonly string[] {
  const { device, options } = glusterfs;
  const pairs = Object.entries(options)
    .filter(([, value]) => value !== '')
    .map(([name, value]) => [name, name === BACKUP_SERVERS ? value.replaceAll(',', ':') : value] as const);
  const words = [device, ...pairs.flat()];
  if (device.startsWith('-') || words.some((word) => UNSAFE.test(word))) {
    throw new Error(`the API names a device or options that cannot be mounted: ${words.join(' ')}`);
  }
  const list = [...pairs.map(([name, value]) => `${name}=${value}`), ...FRESH, 'log-level=WARNING'];
  return ['-t', 'glusterfs', '-o', list.join(','), device, directory];
}

/** What is mounted on the directory now, if anything; the directory itself is not touched, as a dead mount answers nothing. */
export async function readMount(directory: string): Promise<MountEntry | undefined> {
  const entries = parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'));
  return mountOn(entries, directory) ?? mountOn(entries, await withRealParent(directory));
}

async function withRealParent(directory: string): Promise<string> {
  try {
    return join(await realpath(dirname(directory)), basename(directory));
  } catch {
    return directory; // It is not there yet.
  }
}

/** Mounts the volume unless it is there; rejects when something else is. `beforeMount` runs before a new mount. */
export async function ensureMounted(
  volume: Volume,
  directory: string,
  beforeMount: () => Promise<void>,
): Promise<void> {
  const present = await readMount(directory);
  if (present !== undefined) {
    assertIsVolume(present, volume, directory);
    if (await isAlive(directory)) return;
    await unmount(directory); // Its client process has died; only a new mount helps.
  }
  await mkdir(directory, { recursive: true });
  await beforeMount();
  await runTool('mount', mountArguments(volume, directory), MOUNT_TIMEOUT_MS);
  const mounted = await readMount(directory);
  if (mounted === undefined) throw new Unavailable(`${directory}: mount reported success, but nothing is mounted`);
  assertIsVolume(mounted, volume, directory);
}

/** Unmounts, also a mount whose client is dead or busy. */
export async function unmount(directory: string): Promise<void> {
  try {
    await runTool('umount', [directory], UNMOUNT_TIMEOUT_MS);
  } catch {
    await runTool('umount', ['-l', directory], UNMOUNT_TIMEOUT_MS); // Busy or dead: detach it, the kernel ends it when nobody uses it.
  }
}

/** Size and free space; rejects when the volume does not answer. */
export async function readFill(directory: string): Promise<Fill> {
  const { bsize, blocks, bavail } = await statfs(directory);
  return { sizeBytes: bsize * blocks, freeBytes: bsize * bavail };
}

function assertIsVolume(entry: MountEntry, { mount: { glusterfs } }: Volume, directory: string): void {
  if (isVolumeMount(entry, glusterfs.device, glusterfs.hosts)) return;
  throw new Error(
    `${directory} carries ${entry.type} ${entry.source}, not ${glusterfs.device}; unmount it or choose another`,
  );
}

async function isAlive(directory: string): Promise<boolean> {
  try {
    await statfs(directory);
    return true;
  } catch {
    return false; // ENOTCONN: the FUSE process behind the mount is gone.
  }
}

async function runTool(tool: string, args: readonly string[], timeout: number): Promise<void> {
  try {
    await run(tool, args, { timeout, maxBuffer: OUTPUT_BYTES_MAX, killSignal: 'SIGKILL' });
  } catch (error) {
    const { stderr = '' } = error as { readonly stderr?: string };
    throw new Unavailable(`${[tool, ...args].join(' ')}: ${stderr.trim()}`, { cause: error });
  }
}
