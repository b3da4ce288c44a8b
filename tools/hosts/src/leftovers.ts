import { createHash } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { removeClientMounts } from './client-mounts';
import { detachLoopsBelow } from './loop-devices';
import { type NameLock, tryLock } from './name-lock';
import { namespacesOf, prefixFor, rememberedNetwork, removeNetwork } from './network';
import { endAll, processesIn } from './processes';

/** Which lab is meant: its directory, and its prefix if the caller chose one. */
export interface LabIdentity {
  readonly directory: string;
  readonly prefix?: string;
}

/**
 * Removes everything a killed run left behind on the machine (processes, mounts, loop devices, interface, namespaces) and
 * names it; the files stay. Refuses while the lab is running.
 */
export async function removeLeftovers(options: LabIdentity): Promise<string[]> {
  const directory = existsSync(options.directory) ? realpathSync(options.directory) : resolve(options.directory);
  const prefix = prefixFor(directory, options.prefix);
  const lock = await lockLab(directory, prefix);
  try {
    return await clearMachine(directory, prefix);
  } finally {
    await lock.release();
  }
}

/** Makes this process the only one that may touch the lab; throws when another one runs it. */
export async function lockLab(directory: string, prefix: string): Promise<NameLock> {
  const ofDirectory = `directory/${createHash('sha256').update(directory).digest('hex')}`;
  const held: NameLock[] = [];
  const release = async (): Promise<void> => {
    for (const lock of held) await lock.release();
  };
  for (const name of [ofDirectory, `prefix/${prefix}`]) {
    const lock = await tryLock(name);
    if (lock === undefined) {
      await release();
      throw new Error(`the storage hosts of ${directory} (${prefix}) are in use by another process`);
    }
    held.push(lock);
  }
  return { release };
}

/** The work of `removeLeftovers`, for the holder of the lab's lock. The order matters: users first, then what they used. */
export async function clearMachine(directory: string, prefix: string): Promise<string[]> {
  const remembered = rememberedNetwork(directory);
  const prefixes = [...new Set([prefix, remembered?.prefix ?? prefix])];
  const processes = (): number[] => prefixes.flatMap(namespacesOf).flatMap(processesIn);
  const removed = [
    ...(await removeClientMounts(directory, remembered?.subnet)),
    ...(await endAll(processes, prefix)),
    ...(await detachLoopsBelow(directory)),
  ];
  for (const name of prefixes) removed.push(...(await removeNetwork(name)));
  return removed;
}
