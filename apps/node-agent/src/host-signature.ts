/**
 * What changes whenever somebody mounts, unmounts, or changes a volume or peer, and when a brick's process ends: cheap enough
 * to look at every second. Small files of this machine's own are read on the spot: each of them by the thread pool would cost
 * ten times as much.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { HostCommand } from './drivers/host-command';
import { unless } from './drivers/step-failure';

const TIMEOUT_MS = 10_000;
/** The mount table of this process, in the kernel's words. */
const MOUNT_TABLE = '/proc/self/mountinfo';
const ifGone = unless('ENOENT', 'ENOTDIR');

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
  const mounts = elsewhere === undefined ? textOf(MOUNT_TABLE) : await mountTableOf(elsewhere);
  const gluster = glusterdDirectory === undefined ? [] : glusterdFiles(glusterdDirectory);
  const running = brickPids === undefined ? [] : brickProcesses(brickPids);
  return [mounts, ...gluster, ...running].join('\n');
}

const mountTableOf = async (elsewhere: HostCommand): Promise<string> =>
  (await elsewhere(['cat', MOUNT_TABLE], { timeoutMs: TIMEOUT_MS })).out;

function glusterdFiles(directory: string): readonly string[] {
  const volumes = namesIn(join(directory, 'vols')).map((name) => join(directory, 'vols', name, 'info'));
  const peers = namesIn(join(directory, 'peers')).map((name) => join(directory, 'peers', name));
  return [...volumes, ...peers].map((file) => {
    const found = unlessGone(() => statSync(file, { throwIfNoEntry: false }));
    return `${file} ${String(found?.ino)} ${String(found?.size)} ${String(found?.mtimeMs)}`;
  });
}

/** Each brick, and whether the process noted for it is there. */
function brickProcesses(directory: string): readonly string[] {
  const files = namesIn(directory).flatMap((volume) =>
    namesIn(join(directory, volume)).map((name) => join(directory, volume, name)),
  );
  return files
    .filter((file) => file.endsWith('.pid'))
    .map((file) => {
      const pid = textOf(file).trim();
      const isRunning = pid !== '' && statSync(`/proc/${pid}`, { throwIfNoEntry: false }) !== undefined;
      return `${file} ${isRunning ? pid : 'none'}`;
    });
}

const textOf = (file: string): string => unlessGone(() => readFileSync(file, 'utf8')) ?? '';

const namesIn = (directory: string): readonly string[] => (unlessGone(() => readdirSync(directory)) ?? []).sort();

/** What is not there, or is gone again, is nothing. */
function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    ifGone(error);
    return undefined;
  }
}
