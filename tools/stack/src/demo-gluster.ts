/** What the demonstration does with Gluster itself: mounting, and looking into the storage hosts. */
import { execFile } from 'node:child_process';
import { readFile, statfs } from 'node:fs/promises';
import { promisify } from 'node:util';
import { askControl } from './control';
import type { Volume } from './demo-api';
import { eventually } from './readiness';

const MOUNT_TIMEOUT_MS = 60_000;
const HEAL_TIMEOUT_MS = 180_000;

const run = promisify(execFile);

/** Mounts a volume as any client would: with what the API says of it. */
export async function mountVolume({ mount }: Volume, target: string): Promise<void> {
  const { device, options } = mount.glusterfs;
  // The API separates servers as heketi does, by commas; mount would take those for the end of the option.
  const pairs = Object.entries(options).map(([name, value]) => `${name}=${value.replaceAll(',', ':')}`);
  await run('mount', ['-t', 'glusterfs', '-o', pairs.join(','), device, target], { timeout: MOUNT_TIMEOUT_MS });
}

/** True when something is mounted there. */
export async function isMounted(target: string): Promise<boolean> {
  return (await readFile('/proc/self/mountinfo', 'utf8')).includes(` ${target} `);
}

/** Unmounts; a busy or dead mount is detached. */
export async function unmountVolume(target: string): Promise<void> {
  await run('umount', [target], { timeout: MOUNT_TIMEOUT_MS }).catch(() => run('umount', ['--lazy', target]));
}

/** Size of what is mounted, in bytes. */
export async function mountedBytes(target: string): Promise<number> {
  const { bsize, blocks } = await statfs(target);
  return bsize * blocks;
}

/** Waits until every brick is there and none has anything left to heal; gives the highest backlog seen. */
export async function untilHealed(controlSocket: string, volume: Volume, on: string): Promise<number> {
  let most = 0;
  await eventually(`${volume.name} is not healed`, HEAL_TIMEOUT_MS, async () => {
    const gluster = ['volume', 'heal', volume.name, 'statistics', 'heal-count'];
    const output = await askControl(controlSocket, { gluster, on });
    const counts = [...output.matchAll(/^Number of entries: (\d+)$/gm)].map(([, count]) => Number(count));
    const backlog = counts.reduce((sum, count) => sum + count, 0);
    most = Math.max(most, backlog);
    if (counts.length < volume.bricks.length) throw new Error('a brick does not answer yet');
    if (backlog > 0) throw new Error(`${String(backlog)} entries to heal`);
  });
  return most;
}

/** Waits until every host has moved its share of the files to the bricks that were added. */
export async function untilRebalanced(controlSocket: string, { name }: Volume, on: string): Promise<void> {
  await eventually(`${name} is not rebalanced`, HEAL_TIMEOUT_MS, async () => {
    const gluster = ['volume', 'rebalance', name, 'status', '--xml'];
    const output = await askControl(controlSocket, { gluster, on });
    const states = [...output.matchAll(/<statusStr>([^<]+)<\/statusStr>/g)].map(([, state]) => state);
    const others = states.filter((state) => state !== 'completed');
    if (states.length === 0 || others.length > 0) throw new Error(others.join(', '));
  });
}

/** Bricks of a volume that are mounted inside a host. */
export async function mountedBricks(controlSocket: string, volume: Volume, host: string): Promise<number> {
  const mounts = (await askControl(controlSocket, { bricks: host })).split('\n').map((line) => line.trim());
  return volume.bricks.filter(({ path }) => mounts.some((mount) => mount !== '' && path.startsWith(`${mount}/`)))
    .length;
}

/** Volumes that Gluster knows, by name. */
export async function glusterVolumes(controlSocket: string, on: string): Promise<readonly string[]> {
  const output = await askControl(controlSocket, { gluster: ['volume', 'list'], on });
  return output.split('\n').map((line) => line.trim());
}
