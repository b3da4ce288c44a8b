/** A file that bytes are appended to, by one process and one request at a time. */
import type { FileHandle } from 'node:fs/promises';
import { observed } from './file-operations';
import { volumeErrorFrom } from './volume-errors';

const bytesIn = ({ bytesWritten }: { readonly bytesWritten: number }): number => bytesWritten;

/** Whoever can remove it again. */
interface Remover<File> {
  remove(file: File): Promise<void>;
}

/** Knows how much it wrote itself; the size that the file system tells may be an old one. */
export class PartFile<File extends string = string> {
  #length: number;
  #isClosed = false;

  constructor(
    readonly file: File,
    private readonly handle: FileHandle,
    length = 0,
  ) {
    this.#length = length;
  }

  get length(): number {
    return this.#length;
  }

  /** Writes at the end; resolves when the kernel has it. */
  async append(chunks: readonly Buffer[]): Promise<void> {
    let left = chunks;
    while (left.length > 0) {
      const bytesWritten = await this.#writeOnce(left);
      this.#length += bytesWritten;
      left = after(left, bytesWritten);
    }
  }

  /** Resolves when the bytes are durable; errors of earlier writes may show only here. */
  async sync(): Promise<void> {
    try {
      await observed('sync', () => this.handle.sync());
    } catch (error) {
      throw volumeErrorFrom(`make ${this.file} durable`, error);
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      await this.handle.close();
    } catch (error) {
      throw volumeErrorFrom(`close ${this.file}`, error);
    }
  }

  /** Takes the bytes back; a file that cannot be removed now is found by the sweep. */
  async discard(store: Remover<File>): Promise<void> {
    await this.close().catch(() => undefined);
    await store.remove(this.file).catch(() => undefined);
  }

  async #writeOnce(chunks: readonly Buffer[]): Promise<number> {
    try {
      const { bytesWritten } = await observed('write', () => this.#write(chunks), bytesIn);
      return bytesWritten;
    } catch (error) {
      throw volumeErrorFrom(`write ${this.file}`, error);
    }
  }

  #write(chunks: readonly Buffer[]): Promise<{ readonly bytesWritten: number }> {
    const [only] = chunks;
    if (chunks.length === 1 && only !== undefined) return this.handle.write(only, 0, only.length, this.#length);
    return this.handle.writev([...chunks], this.#length);
  }
}

function after(chunks: readonly Buffer[], bytes: number): readonly Buffer[] {
  let skip = bytes;
  const left: Buffer[] = [];
  for (const chunk of chunks) {
    if (skip >= chunk.length) skip -= chunk.length;
    else {
      left.push(skip === 0 ? chunk : chunk.subarray(skip));
      skip = 0;
    }
  }
  return left;
}
