/** Which directories this agent may touch: bricks below the mount root, nothing else. */
import { realpath } from 'node:fs/promises';
import { dirname, posix } from 'node:path';
import { codeOf, refusal } from './drivers/step-failure';

/** Where bricks are mounted when nothing else is configured: heketi's place. */
export const MOUNT_ROOT = '/var/lib/heketi/mounts';

const BRICK_PATH = /^\/vg_([0-9a-f]{32})\/brick_([0-9a-f]{32})\/brick$/;

/** The parts of a brick path: `<root>/vg_<deviceId>/brick_<brickId>/brick`; undefined when it is not one of ours. */
export function partsOf(path: string, mountRoot: string): { deviceId: string; brickId: string } | undefined {
  if (!path.startsWith(`${mountRoot}/`)) return undefined;
  const [, deviceId, brickId] = BRICK_PATH.exec(path.slice(mountRoot.length)) ?? [];
  return deviceId === undefined || brickId === undefined ? undefined : { deviceId, brickId };
}

const CLONE_PATH = /^\/(?:var\/)?run\/gluster\/snaps\/([0-9a-f]{32})\/brick([1-9]\d{0,4})\/[^/]+$/;

/** Where Gluster keeps a brick of a clone: it names, makes and mounts the thin volume itself. */
export interface ClonePlace {
  /** The mount point. */
  readonly target: string;
  /** The thin volume within the origin's volume group. */
  readonly volume: string;
}

/** The parts of the path of a clone's brick, `/run/gluster/snaps/<id>/brick<n>/<directory>`; undefined when it is none. */
export function clonePlaceOf(path: string): ClonePlace | undefined {
  const [, id, number] = CLONE_PATH.exec(path) ?? [];
  if (id === undefined || number === undefined) return undefined;
  return { target: posix.dirname(path), volume: `${id}_${String(Number(number) - 1)}` };
}

/** The mount point above a brick directory; refuses any path that is not this very brick's. */
export function mountPointOf(
  brick: { readonly brickId: string; readonly deviceId: string; readonly path: string },
  mountRoot: string,
): string {
  const parts = partsOf(brick.path, mountRoot);
  if (parts?.brickId !== brick.brickId || parts.deviceId !== brick.deviceId) {
    const wanted = `${mountRoot}/vg_<device id>/brick_<brick id>/brick`;
    throw refusal(`the path of brick ${brick.brickId} is ${brick.path}; this agent serves bricks only at ${wanted}`);
  }
  return posix.dirname(brick.path);
}

/** Refuses a path that leaves the mount root through a symbolic link. */
export async function checkInside(path: string, mountRoot: string): Promise<void> {
  const root = (await resolved(mountRoot)) ?? mountRoot;
  let existing = path;
  let real = await resolved(existing);
  while (real === undefined && existing.length > mountRoot.length) {
    existing = dirname(existing);
    real = await resolved(existing);
  }
  if (real === undefined || existing.length < mountRoot.length) return;
  const expected = root + existing.slice(mountRoot.length);
  if (real !== expected)
    throw refusal(`${existing} is a link to ${real}; bricks live in plain directories below ${root}`);
}

async function resolved(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
