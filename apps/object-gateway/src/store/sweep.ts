/**
 * What a crash leaves: temporary files, bytes that no record names, folders that were on their way out, uploads that
 * nobody goes on with. Nothing young is touched: it may be in the middle of being written.
 */
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, isTemporary } from './durable-file';
import { FOLDER, MORE, OBJECT } from './key-path';
import type { ObjectStore } from './object-store';
import { readSummary } from './record';
import { abortUpload, touchedAt, uploadsOf } from './uploads';

export interface SweepOptions {
  readonly now: number;
  /** What is younger stays, whatever it is. */
  readonly graceMs: number;
  /** Uploads that nobody has added to for so long are aborted. */
  readonly uploadAgeMs: number;
}

export interface Swept {
  readonly files: number;
  readonly uploads: number;
}

/** Goes over all buckets. Several replicas may do so at once. */
export async function sweep(store: ObjectStore, options: SweepOptions): Promise<Swept> {
  let files = await sweepFolder(store.trashFolder, options, () => true);
  let uploads = 0;
  for (const { name } of await store.buckets.list()) {
    uploads += await sweepUploads(store, name, options);
    const ids = new Set<string>();
    files += await readIds(store.keysOf(name), ids, options);
    files += await sweepData(store, name, ids, options);
  }
  return { files, uploads };
}

async function sweepUploads(store: ObjectStore, bucket: string, { now, uploadAgeMs }: SweepOptions): Promise<number> {
  let count = 0;
  for (const { id, key } of await uploadsOf(store, bucket)) {
    try {
      if (now - (await touchedAt(store, bucket, id)) < uploadAgeMs) continue;
      await store.inTurn(`upload ${id}`, () => abortUpload(store, bucket, key, id));
      count += 1;
    } catch {
      // Completed or aborted in this moment.
    }
  }
  return count;
}

/** Which contents there are; temporary files go on the way. */
async function readIds(folder: string, ids: Set<string>, options: SweepOptions): Promise<number> {
  let count = 0;
  for (const name of await namesIn(folder)) {
    const path = join(folder, name);
    if (name.endsWith(OBJECT)) await addId(path, ids);
    else if (name.endsWith(FOLDER) || name.endsWith(MORE)) count += await readIds(path, ids, options);
    else if (isTemporary(name) && (await isOld(path, options))) count += await removed(path);
  }
  return count;
}

/** A record that cannot be read must not cost the bytes it names: the sweep fails. */
async function addId(path: string, ids: Set<string>): Promise<void> {
  try {
    ids.add((await readSummary(path)).id);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

async function sweepData(
  store: ObjectStore,
  bucket: string,
  ids: ReadonlySet<string>,
  options: SweepOptions,
): Promise<number> {
  let count = 0;
  const data = store.pathIn(bucket, 'data');
  for (const part of await namesIn(data)) {
    count += await sweepFolder(join(data, part), options, (name) => !ids.has(name.replace(/\.data$/, '')));
  }
  return count;
}

async function sweepFolder(
  folder: string,
  options: SweepOptions,
  isUnneeded: (name: string) => boolean,
): Promise<number> {
  let count = 0;
  for (const name of await namesIn(folder)) {
    const path = join(folder, name);
    if (isUnneeded(name) && (await isOld(path, options))) count += await removed(path);
  }
  return count;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** A second name changes a file, too: both times count. */
async function isOld(path: string, { now, graceMs }: SweepOptions): Promise<boolean> {
  try {
    const { mtimeMs, ctimeMs } = await stat(path);
    return now - Math.max(mtimeMs, ctimeMs) > graceMs;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

async function removed(path: string): Promise<number> {
  await rm(path, { recursive: true, force: true });
  return 1;
}
