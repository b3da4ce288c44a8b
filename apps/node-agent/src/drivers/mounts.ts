/** Mounts of brick file systems, as this process's mount namespace has them. */
import { mkdir, readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { causeOf, commandFailed, type HostCommand, mustRun } from './host-command';
import { passing, refusal, unless } from './step-failure';

const TIMEOUT_MS = 60_000;
const BUSY_TRIES = 6;
const BUSY_PAUSE_MS = 250;

/** How bricks are mounted; `nouuid` since clones share their origin's UUID. */
export const MOUNT_OPTIONS = 'rw,inode64,noatime,nouuid';

const Found = z.object({
  filesystems: z
    .array(z.object({ target: z.string(), source: z.string(), fstype: z.string(), uuid: z.string().nullable() }))
    .min(1),
});

const Table = z.object({
  filesystems: z.array(z.object({ target: z.string(), source: z.string(), fstype: z.string() })),
});

/** What is mounted somewhere. */
export interface Mount {
  readonly target: string;
  readonly source: string;
  readonly uuid: string | null;
}

/** What is mounted at a directory, the topmost if several are; undefined when it is no mount point. */
export async function mountAt(run: HostCommand, target: string): Promise<Mount | undefined> {
  const argv = ['findmnt', '--json', '-o', 'TARGET,SOURCE,FSTYPE,UUID', '--mountpoint', target];
  const result = await run(argv, { timeoutMs: TIMEOUT_MS });
  if (result.exit === 1 && result.broken === undefined) return undefined;
  if (result.exit !== 0) throw commandFailed('the mount table cannot be read', result);
  return Found.parse(JSON.parse(result.out)).filesystems.at(-1);
}

/** Everything that is mounted, by directory: one look for all, where a host may have hundreds of bricks. */
export async function mountTable(run: HostCommand): Promise<ReadonlyMap<string, Mount>> {
  const argv = ['findmnt', '--json', '--list', '-o', 'TARGET,SOURCE,FSTYPE'];
  const out = await mustRun(run, argv, TIMEOUT_MS, 'the mount table cannot be read');
  // What was mounted over something else comes later.
  return new Map(Table.parse(JSON.parse(out)).filesystems.map((mount) => [mount.target, { ...mount, uuid: null }]));
}

/** Mounts a brick's file system. */
export async function mountBrick(run: HostCommand, device: string, target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  const argv = ['mount', '-t', 'xfs', '-o', MOUNT_OPTIONS, device, target];
  await mustRun(run, argv, TIMEOUT_MS, `the brick's file system on ${device} cannot be mounted at ${target}`);
}

/** Nothing is mounted there any more; a mount in use is a passing failure that names its users. */
export async function ensureUnmounted(run: HostCommand, target: string): Promise<void> {
  for (let attempt = 1; (await mountAt(run, target)) !== undefined; attempt += 1) {
    const result = await run(['umount', target], { timeoutMs: TIMEOUT_MS });
    if (result.exit === 0) continue;
    if (!result.err.includes('busy')) throw commandFailed(`${target} cannot be unmounted`, result);
    if (attempt === BUSY_TRIES) {
      const users = await usersOf(run, target);
      throw passing(`${target} is in use by ${users}; stop them, then it will be unmounted`, causeOf(result));
    }
    await pause(BUSY_PAUSE_MS * attempt);
  }
}

async function usersOf(run: HostCommand, target: string): Promise<string> {
  const result = await run(['fuser', '--mount', target], { timeoutMs: TIMEOUT_MS }).catch(() => undefined);
  const pids = (result?.out ?? '').match(/\b\d+\b/g) ?? [];
  if (pids.length === 0) return 'a process that cannot be named';
  const names = pids.slice(0, 5).map(async (pid) => {
    const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(unless('ENOENT', 'ESRCH'));
    return `${name?.trim() ?? 'process'} (${pid})`;
  });
  return (await Promise.all(names)).join(', ');
}

/** What `blkid` finds on a device or image: nothing, one file system, or something else. */
export type Content =
  { readonly kind: 'empty' } | { readonly kind: 'found'; readonly type: string; readonly uuid: string };

/** Looks at a device's content itself, past every cache. */
export async function contentOf(run: HostCommand, device: string): Promise<Content> {
  const result = await run(['blkid', '-p', '-o', 'export', device], { timeoutMs: TIMEOUT_MS });
  if (result.exit === 2 && result.out === '') return { kind: 'empty' };
  if (result.exit === 8) return { kind: 'found', type: 'several signatures', uuid: '' };
  if (result.exit !== 0) throw commandFailed(`the content of ${device} cannot be read`, result);
  const values = new Map(result.out.split('\n').map((line) => [line.split('=')[0], line.replace(/^[^=]*=/, '')]));
  const type = values.get('TYPE') ?? (values.has('PTTYPE') ? 'partition table' : 'unknown');
  return { kind: 'found', type, uuid: values.get('UUID') ?? '' };
}

const Signatures = z.object({ signatures: z.array(z.object({ type: z.string() })) });

/** Names of what is recorded anywhere on a device: file systems, partition tables, LVM; empty when nothing is. */
export async function signaturesOn(run: HostCommand, device: string): Promise<readonly string[]> {
  const content = await contentOf(run, device);
  const detail = `the content of ${device} cannot be read`;
  const out = await mustRun(run, ['wipefs', '--json', device], TIMEOUT_MS, detail);
  const found = out.trim() === '' ? [] : Signatures.parse(JSON.parse(out)).signatures.map(({ type }) => type);
  if (found.length === 0 && content.kind === 'found') return [content.type];
  return found;
}

/** A mount point that carries something else than this brick. */
export const foreignMount = (mount: Mount): Error =>
  refusal(`${mount.target} carries ${mount.source}, which is not this brick; unmount it and try again`);

/** Fails when what is mounted there is not the device. */
export function checkMount(mount: Mount, device: string): void {
  if (mount.source !== device) throw foreignMount(mount);
}
