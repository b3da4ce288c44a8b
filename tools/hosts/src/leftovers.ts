import { createHash } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { clientMounts, clientProcesses, removeClientMounts } from './client-mounts';
import { detachLoopsBelow, loopsBelow } from './loop-devices';
import { type NameLock, tryLock } from './name-lock';
import { interfacesOf, namespacesOf, type Network, prefixFor, rememberedNetwork, removeNetwork } from './network';
import { endAll, processesIn, readProc } from './processes';

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
  const { directory, prefix } = identify(options);
  const lock = await lockLab(directory, prefix);
  try {
    return await clearMachine(directory, prefix);
  } finally {
    await lock.release();
  }
}

/** Names everything of a lab, running or left over, that is on the machine now besides its files; changes nothing. */
export async function tracesOf(options: LabIdentity): Promise<string[]> {
  const { directory, prefix } = identify(options);
  const namespaces = namespacesOf(prefix);
  const subnet = rememberedNetwork(directory)?.subnet;
  const loops = await loopsBelow(directory);
  const processes = [...namespaces.flatMap(processesIn), ...clientProcesses(subnet)];
  return [
    ...clientMounts(directory, subnet).map((target) => `mount ${target}`),
    ...processes.map((pid) => `process ${String(pid)} (${readProc(pid, 'comm').trim()})`),
    ...loops.map((loop) => `loop device ${loop.name} (${loop.file})`),
    ...interfacesOf(prefix).map((name) => `interface ${name}`),
    ...namespaces.map((name) => `namespace ${name}`),
  ];
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

/**
 * The work of `removeLeftovers`, for the holder of the lab's lock; `noted` is its network when the directory may be gone. The
 * order matters: users first, then what they used.
 */
export async function clearMachine(directory: string, prefix: string, noted?: Network): Promise<string[]> {
  const remembered = rememberedNetwork(directory) ?? noted;
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

function identify(options: LabIdentity): { directory: string; prefix: string } {
  const directory = existsSync(options.directory) ? realpathSync(options.directory) : resolve(options.directory);
  return { directory, prefix: prefixFor(directory, options.prefix) };
}
