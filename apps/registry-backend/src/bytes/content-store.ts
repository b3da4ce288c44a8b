/**
 * The bytes of the registry in a folder of its volume. A file is written under a name of its own, synced, renamed to a
 * name that tells its digest and is never used again, and its folder is synced; only then the log may speak of it. So
 * nothing that can be read is ever changed, and a late removal can only hit what it was meant for.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, mkdir, open, readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ContentFile, Digest, UploadPart } from '@brickyard/contracts';
import { z } from 'zod';
import { volumeErrorFrom, VolumeTrouble } from './volume-errors';
import { PartFile } from './part-file';

/** Folder of the registry on its volume; everything else there is somebody else's. */
const FOLDER = 'brickyard-registry';
const MARKER = 'volume.json';
const FOLDERS = ['uploads', 'blobs', 'blobs/sha256', 'blobs/sha512', 'log'];

/** Says which volume a folder is on, and which registry's bytes are in it. */
const Marker = z.object({ version: z.literal(1), volumeId: z.string(), registryId: z.string() });
export type Marker = z.infer<typeof Marker>;

/** Bytes below one folder. */
export class ContentStore {
  readonly #root: string;
  readonly #madeFolders = new Set<string>();

  private constructor(
    root: string,
    readonly marker: Marker,
  ) {
    this.#root = root;
  }

  /** Opens the folder on a volume, making it when the volume is new; refuses the folder of another volume. */
  static async open(volumeFolder: string, volumeId: string): Promise<ContentStore> {
    const root = join(volumeFolder, FOLDER);
    await mkdir(root, { recursive: true });
    const marker = (await readMarker(root)) ?? (await writeMarker(root, volumeId));
    if (marker.volumeId !== volumeId) {
      throw new Error(`${root} belongs to volume ${marker.volumeId}, not to ${volumeId}`);
    }
    for (const folder of FOLDERS) await mkdir(join(root, folder), { recursive: true });
    return new ContentStore(root, marker);
  }

  /** Where the folder is. */
  get root(): string {
    return this.#root;
  }

  pathOf(file: string): string {
    return join(this.#root, file);
  }

  /** Rejects unless the folder is still the one that was opened: the mount may be gone and the bare directory in sight. */
  async confirm(): Promise<void> {
    const marker = await readMarker(this.#root).catch((error: unknown) => {
      throw new VolumeTrouble('the volume does not answer', { cause: error });
    });
    if (marker?.volumeId !== this.marker.volumeId) throw new VolumeTrouble('the volume is not mounted any more');
  }

  /** A new file for bytes that arrive. */
  async begin(name: string): Promise<PartFile> {
    const file = `uploads/${name}.${randomBytes(6).toString('hex')}` as ContentFile;
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;
    return guardedWrite(`make ${file}`, async () => new PartFile(file, await open(this.pathOf(file), flags, 0o644)));
  }

  /** A file of an upload that another request or replica wrote and synced. */
  async reopen({ file, length }: UploadPart): Promise<PartFile> {
    return guardedWrite(`open ${file}`, async () => new PartFile(file, await open(this.pathOf(file), 'r+'), length));
  }

  /** Gives a synced file the name of its digest, besides its own when that is kept; resolves when that is durable. */
  async publish(
    file: ContentFile,
    digest: Digest,
    { isKept }: { readonly isKept: boolean } = { isKept: false },
  ): Promise<ContentFile> {
    const [algorithm = '', hex = ''] = digest.split(':');
    const folder = `blobs/${algorithm}/${hex.slice(0, 2)}`;
    const name = `${folder}/${hex}.${randomBytes(8).toString('hex')}` as ContentFile;
    return guardedWrite(`publish ${digest}`, async () => {
      await this.#ensureFolder(folder);
      await (isKept ? link : rename)(this.pathOf(file), this.pathOf(name));
      await syncFolder(this.pathOf(folder));
      return name;
    });
  }

  /** Stores bytes that are at hand, such as a manifest. */
  async store(bytes: Buffer, digest: Digest): Promise<ContentFile> {
    const part = await this.begin('whole');
    try {
      await part.append([bytes]);
      await part.sync();
      await part.close();
      return await this.publish(part.file, digest);
    } catch (error) {
      await part.discard(this);
      throw error;
    }
  }

  async openForReading(file: ContentFile): Promise<FileHandle> {
    return guarded(`open ${file}`, () => this.#again(() => open(this.pathOf(file), 'r')));
  }

  async read(file: ContentFile): Promise<Buffer> {
    return guarded(`read ${file}`, () => this.#again(() => readFile(this.pathOf(file))));
  }

  /** Size of a file; undefined when it is not there. */
  async sizeOf(file: ContentFile): Promise<number | undefined> {
    try {
      return (await this.#again(() => stat(this.pathOf(file)))).size;
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw troubleFrom(`look at ${file}`, error);
      await this.confirm(); // Nothing is there, or the volume itself is not.
      return undefined;
    }
  }

  /** Removes a file; one that is gone already is fine. */
  async remove(file: ContentFile): Promise<void> {
    await guardedWrite(`remove ${file}`, () => rm(this.pathOf(file), { force: true }));
  }

  /** Writes, syncs, renames and reads: what every push needs of the volume. */
  async probe(): Promise<void> {
    await this.confirm();
    const name = join(this.#root, 'uploads', `probe.${randomBytes(6).toString('hex')}`);
    await guardedWrite('probe the volume', async () => {
      const handle = await open(name, 'wx');
      try {
        await handle.writeFile('probe');
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(name, `${name}.done`);
      const text = await readFile(`${name}.done`, 'utf8');
      await unlink(`${name}.done`);
      if (text !== 'probe') throw new Error('it gives back other bytes than were written');
    });
  }

  async #ensureFolder(folder: string): Promise<void> {
    if (this.#madeFolders.has(folder)) return;
    // One level only: on a bare directory, where the volume is not mounted, this fails.
    await mkdir(this.pathOf(folder)).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
    await syncFolder(dirname(this.pathOf(folder)));
    this.#madeFolders.add(folder);
  }

  /** A client of Gluster may hold an old idea of a name; asking anew by name helps. */
  async #again<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (codeOf(error) !== 'ESTALE') throw error;
      return work();
    }
  }
}

async function readMarker(root: string): Promise<Marker | undefined> {
  try {
    return Marker.parse(JSON.parse(await readFile(join(root, MARKER), 'utf8')));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Two replicas may come to a new volume at once: the first one's marker stays. */
async function writeMarker(root: string, volumeId: string): Promise<Marker> {
  const marker: Marker = { version: 1, volumeId, registryId: randomBytes(16).toString('hex') };
  try {
    await writeFile(join(root, MARKER), `${JSON.stringify(marker)}\n`, { flag: 'wx', flush: true });
    await syncFolder(root);
    return marker;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    return Marker.parse(JSON.parse(await readFile(join(root, MARKER), 'utf8')));
  }
}

/** Makes renames in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

/** A missing file is told as such: it may be the answer. */
const troubleFrom = (what: string, error: unknown): Error =>
  codeOf(error) === 'ENOENT' ? (error as Error) : volumeErrorFrom(what, error);

async function guarded<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw troubleFrom(what, error);
  }
}

/** What is missing in the middle of a write is the volume itself. */
async function guardedWrite<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw volumeErrorFrom(what, error);
  }
}
