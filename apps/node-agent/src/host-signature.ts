/**
 * What changes whenever somebody mounts, unmounts, or changes a volume or peer, and when a brick's process ends: cheap enough
 * to look at every second.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostCommand } from './drivers/host-command';
import { unless } from './drivers/step-failure';

const TIMEOUT_MS = 10_000;
/** The mount table of this process, in the kernel's words. */
const MOUNT_TABLE = '/proc/self/mountinfo';

/** Where to look. */
export interface SignatureOptions {
  /** glusterd's own memory: it rewrites a volume's `info` with every change. Absent where there is no glusterd. */
  readonly glusterdDirectory?: string;
  /** Where glusterd notes the processes of bricks. Absent where they are not those of this process's own machine. */
  readonly brickPids?: string;
  /** Reads the mount table where bricks are mounted, when that is not this process's own. */
  readonly elsewhere?: HostCommand;
}

/** A text that is another one after a change. */
export async function hostSignature({ glusterdDirectory, brickPids, elsewhere }: SignatureOptions): Promise<string> {
  const [mounts, gluster, running] = await Promise.all([
    mountTable(elsewhere),
    glusterdDirectory === undefined ? [] : glusterdFiles(glusterdDirectory),
    brickPids === undefined ? [] : brickProcesses(brickPids),
  ]);
  return createHash('sha256').update(mounts).update(gluster.join('\n')).update(running.join('\n')).digest('hex');
}

async function mountTable(elsewhere: HostCommand | undefined): Promise<string> {
  if (elsewhere !== undefined) return (await elsewhere(['cat', MOUNT_TABLE], { timeoutMs: TIMEOUT_MS })).out;
  return (await readFile(MOUNT_TABLE, 'utf8').catch(unless('ENOENT'))) ?? '';
}

async function glusterdFiles(directory: string): Promise<readonly string[]> {
  const volumes = await names(join(directory, 'vols'));
  const peers = await names(join(directory, 'peers'));
  const files = [
    ...volumes.map((name) => join(directory, 'vols', name, 'info')),
    ...peers.map((name) => join(directory, 'peers', name)),
  ];
  return Promise.all(
    files.map(async (file) => {
      const found = await stat(file).catch(unless('ENOENT', 'ENOTDIR'));
      return `${file} ${String(found?.ino)} ${String(found?.size)} ${String(found?.mtimeMs)}`;
    }),
  );
}

/** Each brick, and whether the process noted for it is there. */
async function brickProcesses(directory: string): Promise<readonly string[]> {
  const volumes = await names(directory);
  const files = await Promise.all(
    volumes.map(async (volume) => (await names(join(directory, volume))).map((name) => join(directory, volume, name))),
  );
  return Promise.all(
    files
      .flat()
      .filter((file) => file.endsWith('.pid'))
      .map(async (file) => {
        const pid = ((await readFile(file, 'utf8').catch(unless('ENOENT'))) ?? '').trim();
        const isRunning = pid !== '' && (await stat(`/proc/${pid}`).catch(unless('ENOENT'))) !== undefined;
        return `${file} ${isRunning ? pid : 'none'}`;
      }),
  );
}

async function names(directory: string): Promise<readonly string[]> {
  return ((await readdir(directory).catch(unless('ENOENT'))) ?? []).sort();
}
