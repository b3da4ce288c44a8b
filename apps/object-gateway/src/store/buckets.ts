/** The buckets on a volume: a folder each, there whole or not at all. */
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { guarded, guardedWrite, syncFolder, type VolumeFolder, VolumeTrouble } from '@brickyard/volume-storage';
import { z } from 'zod';
import { S3Error } from '../s3-error';
import { codeOf, writeDurably } from './durable-file';
import { newId } from './record';
import { hasAny } from './walk';

const BUCKET_FILE = 'bucket.json';
const BucketFile = z.object({ version: z.literal(1), created: z.int(), owner: z.string() });

/** A bucket as it is listed. */
export interface Bucket {
  readonly name: string;
  readonly created: number;
  readonly owner: string;
}

/** Lists, finds, makes and removes them. */
export class Buckets {
  constructor(
    private readonly volume: VolumeFolder,
    /** Takes what goes on after the answer. */
    private readonly inBackground: (work: Promise<unknown>) => void,
  ) {}

  get root(): string {
    return join(this.volume.root, 'buckets');
  }

  get #trash(): string {
    return join(this.volume.root, 'trash');
  }

  pathIn(bucket: string, file: string): string {
    return join(this.root, bucket, file);
  }

  async list(): Promise<readonly Bucket[]> {
    const names = await guarded('list', 'buckets', () => readdir(this.root)).catch((error: unknown) => {
      throw new VolumeTrouble('list buckets', { cause: error });
    });
    const found = await Promise.all(names.sort().map((name) => this.find(name)));
    return found.filter((bucket) => bucket !== undefined);
  }

  /** Undefined when there is none of the name. */
  async find(name: string): Promise<Bucket | undefined> {
    try {
      const text = await guarded('read', `bucket ${name}`, () => readFile(this.pathIn(name, BUCKET_FILE), 'utf8'));
      const { created, owner } = BucketFile.parse(JSON.parse(text));
      return { name, created, owner };
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      await this.volume.confirm(); // Nothing is there, or the volume itself is not.
      return undefined;
    }
  }

  /** Refuses a name that has none. */
  async require(name: string): Promise<Bucket> {
    const bucket = await this.find(name);
    if (bucket === undefined) throw noSuchBucket(name);
    return bucket;
  }

  /** False when it is there already. */
  async create(name: string, owner: string): Promise<boolean> {
    if ((await this.find(name)) !== undefined) return false;
    return guardedWrite('make', `bucket ${name}`, async () => {
      // Made aside and renamed: a bucket without its folders is never seen.
      const aside = join(this.#trash, `new.${newId()}`);
      for (const folder of ['objects', 'data', 'uploads']) await mkdir(join(aside, folder), { recursive: true });
      const bytes = Buffer.from(`${JSON.stringify({ version: 1, created: Date.now(), owner })}\n`);
      await writeDurably({ base: aside, folders: [], file: BUCKET_FILE }, bytes);
      try {
        await rename(aside, this.pathIn(name, ''));
      } catch (error) {
        await rm(aside, { recursive: true, force: true });
        if (codeOf(error) === 'ENOTEMPTY' || codeOf(error) === 'EEXIST') return false;
        throw error;
      }
      await syncFolder(this.root);
      return true;
    });
  }

  /** Refuses one with objects, also one that is put there in this very moment. */
  async delete(name: string): Promise<void> {
    await this.require(name);
    if (await this.#isInUse(this.pathIn(name, ''))) throw new S3Error('BucketNotEmpty', 'The bucket is not empty.');
    const aside = join(this.#trash, `${name}.${newId()}`);
    await guardedWrite('remove', `bucket ${name}`, async () => {
      await rename(this.pathIn(name, ''), aside);
      await syncFolder(this.root);
    });
    if (await this.#isInUse(aside)) {
      await guardedWrite('move', `bucket ${name} back`, () => rename(aside, this.pathIn(name, '')));
      throw new S3Error('BucketNotEmpty', 'The bucket is not empty.');
    }
    this.inBackground(rm(aside, { recursive: true, force: true }));
  }

  async #isInUse(folder: string): Promise<boolean> {
    return guarded('list', 'the bucket', () => hasAny(join(folder, 'objects')));
  }
}

const noSuchBucket = (name: string): S3Error =>
  new S3Error('NoSuchBucket', 'There is no bucket of this name.', { fields: { BucketName: name } });
