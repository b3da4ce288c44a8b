/** Small files that appear whole or not at all, in folders that appear when they are needed. */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { observed, syncFolder } from '@brickyard/volume-storage';

const ATTEMPTS_MAX = 20;

export const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

/** A name that is recognized as temporary, and that Gluster places where the final one belongs. */
const temporaryFor = (name: string): string => `.${name}.${randomBytes(6).toString('hex')}`;
const TEMPORARY = /^\..+\.[0-9a-f]{12}$/;
export const isTemporary = (name: string): boolean => TEMPORARY.test(name);

/** Where a file goes: `base` is there or the whole place is gone; the folders below it are made. */
export interface Place {
  readonly base: string;
  readonly folders: readonly string[];
  readonly file: string;
}

export const pathOfPlace = ({ base, folders, file }: Place): string => join(base, ...folders, file);

/**
 * Writes a file under another name, syncs it, gives it its name, and syncs the folder. `isNew` refuses to replace a file
 * (EEXIST), whoever made it. Rejects with ENOENT when the base is not there.
 */
export async function writeDurably(place: Place, bytes: Buffer, isNew = false): Promise<void> {
  const folder = join(place.base, ...place.folders);
  const temporary = await writeTemporary(place, folder, bytes);
  const path = join(folder, place.file);
  try {
    if (isNew) await link(temporary, path);
    else await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined); // The sweep finds it.
    throw error;
  }
  if (isNew) await rm(temporary, { force: true });
  await syncFolder(folder);
}

async function writeTemporary(place: Place, folder: string, bytes: Buffer): Promise<string> {
  const temporary = join(folder, temporaryFor(place.file));
  for (let attempt = 1; ; attempt += 1) {
    try {
      const handle = await open(temporary, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o644);
      try {
        await handle.writeFile(bytes);
        await observed('sync', () => handle.sync());
      } finally {
        await handle.close();
      }
      return temporary;
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || attempt === ATTEMPTS_MAX) {
        await rm(temporary, { force: true }).catch(() => undefined);
        throw error;
      }
      await makeFolders(place); // Not there yet, or removed as empty in this very moment.
    }
  }
}

/** Makes the folders below a base that must be there, durably. */
export async function makeFolders({ base, folders }: Pick<Place, 'base' | 'folders'>): Promise<void> {
  let path = base;
  for (const name of folders) {
    const parent = path;
    path = join(path, name);
    try {
      await mkdir(path);
    } catch (error) {
      if (codeOf(error) === 'EEXIST') continue;
      if (codeOf(error) === 'ENOENT' && parent !== base) return; // Removed meanwhile; the caller tries again.
      throw error;
    }
    await syncFolder(parent);
  }
}

/** Removes folders that are empty, from the lowest up to below the base; stops at the first that is not. */
export async function removeEmptyFolders(base: string, folders: readonly string[]): Promise<void> {
  for (let path = join(base, ...folders); path !== base; path = dirname(path)) {
    try {
      await rmdir(path);
    } catch {
      return; // Somebody needs it.
    }
  }
}
