/**
 * The bytes of the registry in a folder of its volume. A file is written under a name of its own, synced, renamed to a
 * name that tells its digest and is never used again, and its folder is synced; only then the log may speak of it. So
 * nothing that can be read is ever changed, and a late removal can only hit what it was meant for.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ContentFile, Digest, UploadPart } from '@brickyard/contracts';
import { guarded, guardedWrite, PartFile, syncFolder, VolumeFolder } from '@brickyard/volume-storage';

/** Folder of the registry on its volume; everything else there is somebody else's. */
const FOLDER = 'brickyard-registry';
const FOLDERS = ['uploads', 'blobs', 'blobs/sha256', 'blobs/sha512', 'log'];

/** A file that bytes of an upload are appended to. */
export type ContentPart = PartFile<ContentFile>;

/** Bytes below one folder. */
export class ContentStore {
  readonly #madeFolders = new Set<string>();

  private constructor(private readonly folder: VolumeFolder) {}

  /** Opens the folder on a volume, making it when the volume is new; refuses the folder of another volume. */
  static async open(volumeFolder: string, volumeId: string): Promise<ContentStore> {
    const folder = await VolumeFolder.open(volumeFolder, FOLDER, volumeId);
    for (const name of FOLDERS) await mkdir(join(folder.root, name), { recursive: true });
    return new ContentStore(folder);
  }

  /** Where the folder is. */
  get root(): string {
    return this.folder.root;
  }

  pathOf(file: string): string {
    return join(this.folder.root, file);
  }

  /** Rejects unless the folder is still the one that was opened. */
  confirm(): Promise<void> {
    return this.folder.confirm();
  }

  /** A new file for bytes that arrive. */
  async begin(name: string): Promise<ContentPart> {
    const file = `uploads/${name}.${randomBytes(6).toString('hex')}` as ContentFile;
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;
    return guardedWrite('make', file, async () => new PartFile(file, await open(this.pathOf(file), flags, 0o644)));
  }

  /** A file of an upload that another request or replica wrote and synced. */
  async reopen({ file, length }: UploadPart): Promise<ContentPart> {
    return guardedWrite('open', file, async () => new PartFile(file, await open(this.pathOf(file), 'r+'), length));
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
    return guardedWrite('publish', digest, async () => {
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
    return guarded('open', file, () => this.#again(() => open(this.pathOf(file), 'r')));
  }

  async read(file: ContentFile): Promise<Buffer> {
    return guarded('read', file, () => this.#again(() => readFile(this.pathOf(file))));
  }

  /** Size of a file; undefined when it is not there. */
  async sizeOf(file: ContentFile): Promise<number | undefined> {
    try {
      return (await guarded('look at', file, () => this.#again(() => stat(this.pathOf(file))))).size;
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      await this.confirm(); // Nothing is there, or the volume itself is not.
      return undefined;
    }
  }

  /** Removes a file; one that is gone already is fine. */
  async remove(file: ContentFile): Promise<void> {
    await guardedWrite('remove', file, () => rm(this.pathOf(file), { force: true }));
  }

  /** Writes, syncs, renames and reads: what every push needs of the volume. */
  probe(): Promise<void> {
    return this.folder.probe('uploads');
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

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;
