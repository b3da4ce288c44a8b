/** What this replica has in hand of uploads: open files with the hash of what is in them. The log knows the rest. */
import { createHash, type Hash } from 'node:crypto';
import type { DigestAlgorithm, UploadId } from '@brickyard/contracts';
import { Turns } from '@brickyard/volume-storage';
import type { Upload } from '@brickyard/domain/registry';
import type { ContentPart, ContentStore } from './content-store';

const IDLE_MS = 10 * 60_000;
const OPEN_MAX = 512;

/** A file this replica may go on writing to. */
export interface LiveUpload {
  readonly part: ContentPart;
  /** Of everything before and in the part; absent when another replica wrote what was before. */
  readonly hash: Hash | undefined;
  readonly algorithm: DigestAlgorithm;
}

interface Held {
  readonly live: LiveUpload;
  /** Bytes of the upload at the end of the part. */
  readonly offset: number;
  readonly usedAt: number;
}

/** Open uploads by id; one request at a time has each. */
export class LiveUploads {
  readonly #held = new Map<UploadId, Held>();
  readonly #turns = new Turns();

  /** Requests in the middle of an upload, and open files. */
  get counts(): { readonly busy: number; readonly open: number } {
    return { busy: this.#turns.busy, open: this.#held.size };
  }

  /** Does the work when all earlier work on the same upload is done. */
  inTurn<T>(uploadId: UploadId, work: () => Promise<T>): Promise<T> {
    return this.#turns.inTurn(uploadId, work);
  }

  /** The file to go on with, taken out of here: the one in hand if it ends where the upload does, else a new one. */
  async take(uploadId: UploadId, upload: Upload, algorithm: DigestAlgorithm, store: ContentStore): Promise<LiveUpload> {
    const held = this.#held.get(uploadId);
    this.#held.delete(uploadId);
    if (held !== undefined) {
      if (held.offset === upload.offset) return held.live;
      await held.live.part.close().catch(() => undefined); // Another replica went on; the log names what is of use.
    }
    const part = await store.begin(uploadId);
    return { part, hash: upload.offset === 0 ? createHash(algorithm) : undefined, algorithm };
  }

  /** What is in hand of an upload, left here. */
  peek(uploadId: UploadId, upload: Upload): LiveUpload | undefined {
    const held = this.#held.get(uploadId);
    return held?.offset === upload.offset ? held.live : undefined;
  }

  /** Keeps a file open for the next request. */
  keep(uploadId: UploadId, live: LiveUpload, offset: number): void {
    this.#held.set(uploadId, { live, offset, usedAt: performance.now() });
    for (const [id, { live: other }] of this.#held) {
      if (this.#held.size <= OPEN_MAX) break;
      this.#held.delete(id);
      void other.part.close().catch(() => undefined); // Its bytes are durable; the upload goes on in a new part.
    }
  }

  /** Forgets an upload and closes its file. */
  async drop(uploadId: UploadId): Promise<void> {
    const held = this.#held.get(uploadId);
    this.#held.delete(uploadId);
    await held?.live.part.close().catch(() => undefined);
  }

  /** Closes what nobody has asked for in a while. */
  sweep(): void {
    const before = performance.now() - IDLE_MS;
    for (const [id, { usedAt }] of this.#held) if (usedAt < before) void this.drop(id);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#held.keys()].map((id) => this.drop(id)));
  }
}
