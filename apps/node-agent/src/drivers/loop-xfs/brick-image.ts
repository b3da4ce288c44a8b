/** One brick of the loop-xfs driver: a sparse image beside its device file, and a note that says whose it is. */
import { open, readdir, readFile, rm, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { BrickId, DeviceId, type BrickSpec, Kib } from '@brickyard/contracts';
import { replaceFile } from '../../journal';
import { XFS_KIB_MIN } from '../brick-file-system';
import { passing, refusal, unless } from '../step-failure';

const Identity = z.strictObject({
  version: z.literal(1),
  brickId: BrickId,
  deviceId: DeviceId,
  /** The directory the agent was told to serve. */
  path: z.string(),
  sizeKib: Kib,
  gid: z.int(),
  fsUuid: z.string(),
  /** False until the brick was whole once: what is not whole holds no data and may be made anew. */
  whole: z.boolean(),
});

/** What the note beside an image says. */
export type Identity = z.infer<typeof Identity>;

/** Where a brick's image lies. */
export const imageOf = (deviceName: string, brickId: string): string =>
  join(`${deviceName}.bricks`, `brick_${brickId}.img`);

const noteOf = (image: string): string => `${image}.json`;

/** The UUID of a brick's file system is its brick id, so that nobody has to remember it. */
export const fsUuidOf = (brickId: string): string =>
  brickId.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

/** What the driver notes of a brick before it makes anything of it. */
export const identityFor = (brick: BrickSpec, whole: boolean): Identity => ({
  version: 1,
  brickId: brick.brickId,
  deviceId: brick.deviceId,
  path: brick.path,
  sizeKib: brick.sizeKib,
  gid: brick.gid,
  fsUuid: fsUuidOf(brick.brickId),
  whole,
});

/** The note beside an image; undefined when there is none. */
export async function readIdentity(image: string): Promise<Identity | undefined> {
  const text = await readFile(noteOf(image), 'utf8').catch(unless('ENOENT', 'ENOTDIR'));
  if (text === undefined) return undefined;
  try {
    return Identity.parse(JSON.parse(text));
  } catch (error) {
    throw refusal(`${noteOf(image)} is damaged; restore it from a backup`, error instanceof Error ? error.message : '');
  }
}

/** Notes whose image it is, so that a crash leaves the old note or the new one. */
export const writeIdentity = (image: string, identity: Identity): void => {
  replaceFile(noteOf(image), `${JSON.stringify(identity)}\n`);
};

/** Every brick noted beside a device file. */
export async function identitiesOf(deviceName: string): Promise<readonly Identity[]> {
  const names = (await readdir(`${deviceName}.bricks`).catch(unless('ENOENT'))) ?? [];
  const notes = names.filter((name) => name.endsWith('.img.json'));
  const found = await Promise.all(
    notes.map((name) => readIdentity(join(`${deviceName}.bricks`, name.replace(/\.json$/, '')))),
  );
  return found.filter((identity) => identity !== undefined);
}

/** Makes the sparse image, or lets a shorter own half grow to its size. */
export async function ensureImage(image: string, sizeKib: number): Promise<void> {
  if (sizeKib < XFS_KIB_MIN) {
    throw refusal(`a brick of ${String(sizeKib)} KiB is too small for XFS, which needs ${String(XFS_KIB_MIN)} KiB`);
  }
  const file = await open(image, 'a', 0o600);
  try {
    const { size } = await file.stat();
    if (size < sizeKib * 1024) await file.truncate(sizeKib * 1024);
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * KiB that mkfs.xfs and the first mount write at once: the log (64 MiB, or 1/2048 of large file systems, measured
 * with xfsprogs 6.1) and the headers; small file systems have smaller logs.
 */
export const firstWriteKib = (sizeKib: number): number =>
  Math.min(sizeKib, Math.max(64 * 1024, Math.ceil(sizeKib / 2048)) + 16 * 1024);

/** Refuses to begin when the file system below has no room for what a new brick writes at once. */
export async function checkRoom(image: string, sizeKib: number): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(image));
  const freeKib = Math.floor((bavail * bsize) / 1024);
  const neededKib = firstWriteKib(sizeKib);
  if (freeKib >= neededKib) return;
  const numbers = `${String(freeKib)} KiB free, ${String(neededKib)} KiB needed at once`;
  throw passing(
    `the file system that carries ${dirname(image)} is too full for a new brick: ${numbers}; free space there`,
  );
}

/** Removes image and note: the note last, since it tells what the image is. */
export async function removeImage(image: string): Promise<void> {
  await rm(image, { force: true });
  await rm(noteOf(image), { force: true });
}
