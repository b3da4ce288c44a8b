/** Loop devices are global to the machine: whose they are is told by the file behind them. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { mustRun, until } from './command';
import { isWithin } from './mount-table';

const DETACH_TIMEOUT_MS = 10_000;

/** A loop device and the identity of its backing file. `number` and `fileDevice` are `major:minor`. */
export interface LoopDevice {
  readonly name: string;
  readonly number: string;
  readonly file: string;
  readonly fileDevice: string;
  readonly fileInode: number;
}

/** The files of a lab: where they are, and which they are, since a path seen in a host means nothing out here. */
export interface OwnFiles {
  readonly directory: string;
  /** `major:minor inode` of each. */
  readonly identities: ReadonlySet<string>;
}

const LosetupOutput = z.object({
  loopdevices: z.array(
    z.object({
      name: z.string(),
      'maj:min': z.string().trim(),
      'back-file': z.string().nullish(),
      'back-ino': z.coerce.number(),
      // Nothing while the device is being detached.
      'back-maj:min': z.string().trim().nullish(),
    }),
  ),
});

/** Reads `losetup --json --list`; no output at all means no loop device. */
export function parseLosetup(json: string): LoopDevice[] {
  if (json.trim() === '') return [];
  return LosetupOutput.parse(JSON.parse(json)).loopdevices.map((entry) => ({
    name: entry.name,
    number: entry['maj:min'],
    file: (entry['back-file'] ?? '').replace(/ \(deleted\)$/, ''),
    fileDevice: entry['back-maj:min'] ?? '',
    fileInode: entry['back-ino'],
  }));
}

/** The loop devices over a lab's files, and those over files inside them; innermost first, the order to detach in. */
export function ownLoops(loops: readonly LoopDevice[], own: OwnFiles): LoopDevice[] {
  const isOurs = (loop: LoopDevice): boolean =>
    own.identities.has(`${loop.fileDevice} ${String(loop.fileInode)}`) || isWithin(own.directory, loop.file);
  let layer = loops.filter(isOurs);
  const found: LoopDevice[] = [];
  while (layer.length > 0) {
    found.unshift(...layer);
    const numbers = new Set(layer.map((loop) => loop.number));
    layer = loops.filter((loop) => numbers.has(loop.fileDevice) && !found.includes(loop));
  }
  return found;
}

/** Detaches every loop device over the files below a directory, waits until they are gone, and names them. */
export async function detachLoopsBelow(directory: string): Promise<string[]> {
  const own = { directory, identities: identitiesBelow(directory) };
  const found = ownLoops(await readLoops(), own);
  // A device whose file system is just going away with its mount namespace is detached by its last user.
  let left = found;
  const gone = await until(
    async () => {
      for (const loop of left) await mustRun(['losetup', '--detach', loop.name]).catch(() => '');
      left = ownLoops(await readLoops(), own);
      return left.length === 0;
    },
    DETACH_TIMEOUT_MS,
    30,
  );
  if (!gone)
    throw new Error(`loop devices stay attached: ${left.map((loop) => `${loop.name} ${loop.file}`).join(', ')}`);
  return found.map((loop) => `loop device ${loop.name} (${loop.file})`);
}

/** The loop devices over the files below a directory, as they are now. */
export async function loopsBelow(directory: string): Promise<LoopDevice[]> {
  return ownLoops(await readLoops(), { directory, identities: identitiesBelow(directory) });
}

/** All loop devices of this machine, as they are now. */
export async function readLoops(): Promise<LoopDevice[]> {
  const columns = 'NAME,MAJ:MIN,BACK-FILE,BACK-INO,BACK-MAJ:MIN';
  return parseLosetup(await mustRun(['losetup', '--json', '--list', '--output', columns]));
}

function identitiesBelow(directory: string): Set<string> {
  const identities = new Set<string>();
  if (!existsSync(directory)) return identities;
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const found = statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false });
    if (found !== undefined) identities.add(`${deviceNumber(found.dev)} ${String(found.ino)}`);
  }
  return identities;
}

/** `major:minor` of a device number as stat(2) gives it on Linux (gnu_dev_major, gnu_dev_minor). */
export function deviceNumber(dev: number): string {
  const number = BigInt(dev);
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & 0xfffff000n);
  const minor = (number & 0xffn) | ((number >> 12n) & 0xffffff00n);
  return `${String(major)}:${String(minor)}`;
}
