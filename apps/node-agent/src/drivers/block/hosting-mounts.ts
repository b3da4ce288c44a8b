/**
 * Hosting volumes as this host mounts them, and the files of block volumes on them. Everything goes through programs with
 * time limits: a volume without its quorum holds up whoever touches it, and the agent has other things to do.
 */
import { mkdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type BlockFile, type GlusterVolumeRef, type Kib, kib } from '@brickyard/contracts';
import { causeOf, commandFailed, type HostCommand, mustRun } from '../host-command';
import { mountAt } from '../mounts';
import { passing, unless, unsure } from '../step-failure';

const MOUNT_TIMEOUT_MS = 45_000;
const FILE_TIMEOUT_MS = 20_000;
const LOOK_TIMEOUT_MS = 10_000;
/** Nothing is cached by the kernel: another host writes to the same file. */
const MOUNT_OPTIONS = 'direct-io-mode=enable,attribute-timeout=0,entry-timeout=0';
const FOLDER = 'blocks';
const BYTES_PER_KIB = 1024;

/** The hosting volumes of one host. */
export interface HostingMounts {
  /** The volume is mounted and answers. */
  ensureMounted(hosting: GlusterVolumeRef): Promise<void>;
  ensureUnmounted(hosting: GlusterVolumeRef): Promise<void>;
  /** Where the file of a block volume is while its hosting volume is mounted. */
  placeOf(file: BlockFile): string;
  /** The file's size, KiB; undefined when it does not exist. */
  sizeOf(file: BlockFile): Promise<Kib | undefined>;
  /** Makes the file or lets it grow to the size. */
  grow(file: BlockFile): Promise<void>;
  remove(file: BlockFile): Promise<void>;
}

/** Mounts below a directory. */
export function hostingMounts(run: HostCommand, directory: string): HostingMounts {
  const mountPointOf = ({ volumeId }: GlusterVolumeRef): string => join(directory, volumeId);
  const placeOf = ({ blockVolumeId, hosting }: BlockFile): string => join(mountPointOf(hosting), FOLDER, blockVolumeId);

  async function answers(target: string): Promise<boolean> {
    const result = await run(['stat', '--format=%F', target], { timeoutMs: LOOK_TIMEOUT_MS });
    if (result.broken !== undefined) {
      throw passing(`the hosting volume at ${target} does not answer; are enough of its bricks up?`, causeOf(result));
    }
    return result.exit === 0;
  }

  async function detach(target: string): Promise<void> {
    for (const argv of [
      ['umount', target],
      ['umount', '--lazy', target],
    ]) {
      if ((await mountAt(run, target)) === undefined) return;
      const result = await run(argv, { timeoutMs: FILE_TIMEOUT_MS });
      if (result.exit === 0) continue;
      if (argv.length > 2) throw commandFailed(`${target} cannot be unmounted`, result);
    }
  }

  return {
    placeOf,
    async ensureMounted(hosting) {
      const target = mountPointOf(hosting);
      if ((await mountAt(run, target)) !== undefined) {
        if (await answers(target)) return;
        await detach(target); // Its client has died.
      }
      await mkdir(target, { recursive: true, mode: 0o700 });
      const argv = ['mount', '-t', 'glusterfs', '-o', MOUNT_OPTIONS, `localhost:/${hosting.name}`, target];
      const result = await run(argv, { timeoutMs: MOUNT_TIMEOUT_MS });
      if (result.exit === 0 && result.broken === undefined) return;
      await detach(target);
      throw passing(`hosting volume ${hosting.name} cannot be mounted on this host; is it started?`, causeOf(result));
    },
    async ensureUnmounted(hosting) {
      const target = mountPointOf(hosting);
      await detach(target);
      await rmdir(target).catch(unless('ENOENT', 'EBUSY'));
    },
    async sizeOf(file) {
      const place = placeOf(file);
      const result = await run(['stat', '--format=%s', place], { timeoutMs: FILE_TIMEOUT_MS });
      if (result.broken !== undefined) throw passing(`${place} does not answer`, causeOf(result));
      if (result.exit === 0) return kib(Math.floor(Number(result.out.trim()) / BYTES_PER_KIB));
      if (result.err.includes('No such file or directory')) return undefined;
      throw passing(`${place} cannot be looked at`, causeOf(result));
    },
    async grow(file) {
      const place = placeOf(file);
      await mustRun(run, ['mkdir', '--parents', join(place, '..')], FILE_TIMEOUT_MS, 'the folder of block volumes');
      // ">": at least so large, so that nothing is ever cut off.
      const argv = ['truncate', `--size=>${String(file.sizeKib * BYTES_PER_KIB)}`, place];
      const result = await run(argv, { timeoutMs: FILE_TIMEOUT_MS });
      if (result.exit === 0 && result.broken === undefined) return;
      throw unsure(`the file of block volume ${file.blockVolumeId} cannot be made so large`, causeOf(result));
    },
    async remove(file) {
      const place = placeOf(file);
      const result = await run(['rm', '--force', place], { timeoutMs: FILE_TIMEOUT_MS });
      if (result.exit === 0 && result.broken === undefined) return;
      throw unsure(`the file of block volume ${file.blockVolumeId} cannot be removed`, causeOf(result));
    },
  };
}
