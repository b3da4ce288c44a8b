/**
 * Objects on a volume, in buckets. Bytes lie in files that are never changed, records name them and are replaced whole, so
 * a reader sees the old object or the new one, whatever dies when. All replicas may write at once; the last one wins.
 */
import { constants } from 'node:fs';
import { access, type FileHandle, link, mkdir, open, rename, rm, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  type FileAction,
  guarded,
  PartFile,
  syncFolder,
  Turns,
  VolumeFolder,
  VolumeTrouble,
} from '@brickyard/volume-storage';
import { S3Error } from '../s3-error';
import { Buckets } from './buckets';
import { codeOf, pathOfPlace, type Place, removeEmptyFolders, writeDurably } from './durable-file';
import { keyPathOf } from './key-path';
import { encodeRecord, newId, type ObjectRecord, readRecord, type Segment } from './record';

const FOLDER = 'brickyard-objects';
const FOLDERS = ['buckets', 'trash'];
const READ_ATTEMPTS = 5;

/** An object that was found; `inline` are its bytes when they lie in the record. */
export interface StoredObject {
  readonly record: ObjectRecord;
  readonly inline: Buffer | undefined;
}

/** Throws when the object must not be replaced or removed as it is now. */
export type Condition = (present: ObjectRecord | undefined) => void;

export interface PublishOptions {
  readonly condition?: Condition;
  /** Nothing may be there, not even by the hand of another replica in this moment. */
  readonly isNew?: boolean;
}

/** Where the bytes of an id lie, below the bucket: one file, or a folder of them. */
export const dataFolderOf = (id: string): string => `data/${id.slice(0, 2)}/${id}`;
export const dataFileOf = (id: string): string => `${dataFolderOf(id)}.data`;

export class ObjectStore {
  readonly #turns = new Turns();
  readonly #removals = new Set<Promise<void>>();
  readonly buckets: Buckets;

  private constructor(private readonly folder: VolumeFolder) {
    this.buckets = new Buckets(folder, (work) => {
      this.inBackground(work);
    });
  }

  /** Opens the folder on a volume, making it when the volume is new; refuses the folder of another volume. */
  static async open(volumeFolder: string, volumeId: string): Promise<ObjectStore> {
    const folder = await VolumeFolder.open(volumeFolder, FOLDER, volumeId);
    for (const name of FOLDERS) await mkdir(join(folder.root, name), { recursive: true });
    return new ObjectStore(folder);
  }

  probe(): Promise<void> {
    return this.folder.probe('trash');
  }

  /** Waits for removals in the background. */
  async settle(): Promise<void> {
    while (this.#removals.size > 0) await Promise.all(this.#removals);
  }

  get trashFolder(): string {
    return join(this.folder.root, 'trash');
  }

  pathIn(bucket: string, file: string): string {
    return this.buckets.pathIn(bucket, file);
  }

  /** Where keys of a bucket begin. */
  keysOf(bucket: string): string {
    return this.pathIn(bucket, 'objects');
  }

  placeOf(bucket: string, key: string): Place {
    return { base: this.keysOf(bucket), ...keyPathOf(key) };
  }

  /** The object of a key; refuses a key or bucket that is not there. */
  async object(bucket: string, key: string): Promise<StoredObject> {
    const found = await this.find(bucket, key);
    if (found !== undefined) return found;
    await this.buckets.require(bucket);
    throw new S3Error('NoSuchKey', 'There is no object of this key.', { fields: { Key: key } });
  }

  /** Undefined when the key has no object, or the bucket is not there. */
  async find(bucket: string, key: string): Promise<StoredObject | undefined> {
    const path = pathOfPlace(this.placeOf(bucket, key));
    try {
      const { record, inline } = await guarded('read', path, () => again(() => readRecord(path)));
      if (record.key !== key) throw new VolumeTrouble(`${path} holds another key`);
      return { record, inline };
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      return undefined;
    }
  }

  /** The object with its files open for a range; a new version that comes in between is read instead. */
  async openObject(
    bucket: string,
    key: string,
    segmentsOf: (object: StoredObject) => readonly Segment[],
  ): Promise<{ readonly object: StoredObject; readonly handles: readonly FileHandle[] }> {
    for (let attempt = 1; ; attempt += 1) {
      const object = await this.object(bucket, key);
      const handles: FileHandle[] = [];
      try {
        for (const { file } of segmentsOf(object)) handles.push(await this.openFile(bucket, file));
        return { object, handles };
      } catch (error) {
        await Promise.all(handles.map((handle) => handle.close()));
        if (codeOf(error) !== 'ENOENT') throw error;
        if (attempt === READ_ATTEMPTS) throw new VolumeTrouble('the bytes of an object are missing', { cause: error });
      }
    }
  }

  openFile(bucket: string, file: string): Promise<FileHandle> {
    return guarded('open', file, () => again(() => open(this.pathIn(bucket, file), 'r')));
  }

  /** A new file for bytes that arrive, in a folder of the bucket that may have to be made. */
  async beginFile(bucket: string, file: string): Promise<PartFile> {
    const path = this.pathIn(bucket, file);
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;
    const make = async (): Promise<PartFile> => new PartFile(file, await open(path, flags, 0o644));
    return this.#writing(bucket, 'make', file, () => this.#withFolder(bucket, file, make));
  }

  /** Another name for bytes: they stay as long as one of the names does. */
  async linkFile(bucket: string, from: string, toBucket: string, to: string): Promise<void> {
    const make = (): Promise<void> => link(this.pathIn(bucket, from), this.pathIn(toBucket, to));
    await this.#withFolder(toBucket, to, make);
  }

  async removeFile(bucket: string, file: string): Promise<void> {
    await rm(this.pathIn(bucket, file), { force: true });
  }

  syncFolderOf(bucket: string, file: string): Promise<void> {
    return this.#writing(bucket, 'publish', `the name of ${file}`, () =>
      syncFolder(dirname(this.pathIn(bucket, file))),
    );
  }

  /** Makes a record the object of its key: from then on, everybody sees it. What it replaces goes. */
  async publish(
    bucket: string,
    record: ObjectRecord,
    inline: Buffer | undefined,
    { condition, isNew = false }: PublishOptions = {},
  ): Promise<void> {
    await this.#turns.inTurn(`${bucket}/${record.key}`, async () => {
      const present = await this.find(bucket, record.key);
      condition?.(present?.record);
      const place = this.placeOf(bucket, record.key);
      try {
        await this.#writing(bucket, 'publish', record.key, () =>
          writeDurably(place, encodeRecord(record, inline), isNew),
        );
      } catch (error) {
        if (codeOf((error as Error).cause) === 'EEXIST') {
          throw new S3Error('PreconditionFailed', 'An object of this key is there already.', {
            fields: { Condition: 'If-None-Match' },
          });
        }
        throw error;
      }
      if (present !== undefined && present.record.id !== record.id) this.#removeBytes(bucket, present.record);
    });
  }

  /** Replaces what a record says; its bytes stay. */
  async describe(bucket: string, key: string, change: (record: ObjectRecord) => ObjectRecord): Promise<void> {
    await this.#turns.inTurn(`${bucket}/${key}`, async () => {
      const { record, inline } = await this.object(bucket, key);
      await this.#writing(bucket, 'publish', key, () =>
        writeDurably(this.placeOf(bucket, key), encodeRecord(change(record), inline)),
      );
    });
  }

  /** Removes an object; one that is not there is fine. */
  async deleteObject(bucket: string, key: string, condition?: Condition): Promise<void> {
    await this.#turns.inTurn(`${bucket}/${key}`, async () => {
      const present = await this.find(bucket, key);
      condition?.(present?.record);
      if (present === undefined) return;
      const { base, folders, file } = this.placeOf(bucket, key);
      const folder = join(base, ...folders);
      await this.#writing(bucket, 'remove', key, async () => {
        await rm(join(folder, file), { force: true });
        await syncFolder(folder);
      });
      this.#removeBytes(bucket, present.record);
      this.inBackground(removeEmptyFolders(base, folders));
    });
  }

  /** Takes back bytes that no record names. */
  async discard(bucket: string, id: string): Promise<void> {
    await rm(this.pathIn(bucket, dataFileOf(id)), { force: true });
    await rm(this.pathIn(bucket, dataFolderOf(id)), { recursive: true, force: true });
  }

  /** One at a time for each upload or key. */
  inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.#turns.inTurn(name, work);
  }

  /** What goes on after the answer; a failure leaves it to the sweep. */
  inBackground(work: Promise<unknown>): void {
    const settled = work
      .then(
        () => undefined,
        () => undefined,
      )
      .finally(() => this.#removals.delete(settled));
    this.#removals.add(settled);
  }

  #removeBytes(bucket: string, { id, segments }: ObjectRecord): void {
    if (segments === undefined) return;
    const isOneFile = segments.length === 1 && segments[0]?.file === dataFileOf(id);
    const work = isOneFile ? unlink(this.pathIn(bucket, dataFileOf(id))) : this.discard(bucket, id);
    this.inBackground(work);
  }

  /** Folders of data are made when they are needed; that of an upload is there as long as the upload is. */
  async #withFolder<T>(bucket: string, file: string, make: () => Promise<T>): Promise<T> {
    try {
      return await make();
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || !file.startsWith('data/')) throw error;
    }
    const names = dirname(file).split('/');
    // The first of them is made with the bucket: without it there is no bucket.
    let path = this.pathIn(bucket, names[0] ?? '');
    for (const name of names.slice(1)) {
      const parent = path;
      path = join(path, name);
      await mkdir(path).catch((error: unknown) => {
        if (codeOf(error) !== 'EEXIST') throw error;
      });
      await syncFolder(parent);
    }
    return make();
  }

  /** What is missing in the middle of a write is the bucket, or the volume itself. */
  async #writing<T>(bucket: string, action: FileAction, subject: string, work: () => Promise<T>): Promise<T> {
    try {
      return await guarded(action, subject, work);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      await this.buckets.require(bucket);
      throw new VolumeTrouble(`${action} ${subject}`, { cause: error });
    }
  }

  /** Moves a whole folder of a bucket, durably; rejects with ENOENT when it is not there. */
  async moveFolder(bucket: string, from: string, to: string): Promise<void> {
    await guarded('move', from, async () => {
      await this.#withFolder(bucket, to, () => rename(this.pathIn(bucket, from), this.pathIn(bucket, to)));
      for (const folder of [dirname(to), dirname(from)]) await syncFolder(this.pathIn(bucket, folder));
    });
  }

  /** Takes a folder of a bucket out of sight and removes it. */
  async dropFolder(bucket: string, folder: string): Promise<void> {
    const aside = join(this.trashFolder, `dropped.${newId()}`);
    await rename(this.pathIn(bucket, folder), aside);
    await syncFolder(dirname(this.pathIn(bucket, folder)));
    this.inBackground(rm(aside, { recursive: true, force: true }));
  }

  /** Whether a file is there. */
  async has(bucket: string, file: string): Promise<boolean> {
    try {
      await guarded('look at', file, () => access(this.pathIn(bucket, file)));
      return true;
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false;
      throw error;
    }
  }
}

/** A client of Gluster may hold an old idea of a name; asking anew by name helps. */
async function again<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (codeOf(error) !== 'ESTALE') throw error;
    return work();
  }
}
