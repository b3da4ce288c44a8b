/**
 * One blob on its way from another registry into a file of ours, and to as many clients as ask meanwhile. Clients follow
 * the file as it grows: from memory when they keep up, from the volume when they do not. The last byte is withheld until
 * the digest is known to be right, so that nobody ever has all of a blob that is wrong.
 */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { type Digest } from '@brickyard/contracts';
import { receive, VolumeTrouble } from '@brickyard/volume-storage';
import type { ContentPart, ContentStore } from '../bytes/content-store';
import { algorithmOf } from '../http/manifest-shape';
import { UpstreamTrouble } from './upstream-trouble';

/** Bytes kept in memory behind the newest one, for clients that are a little slower than the upstream. */
const WINDOW_BYTES = 2 * 1024 * 1024;
const READ_BYTES = 1024 * 1024;
/** A body that breaks off is gone on with from where it broke, so many times. */
const RESUMES_MAX = 3;
/** A client whose connection broke comes back at once, if it does. */
const LINGER_MS = 10_000;

export interface BlobFetchOptions {
  readonly digest: Digest;
  /** From this offset on; undefined when the upstream has no such blob. */
  readonly ask: (offset: number, signal: AbortSignal) => Promise<IncomingMessage | undefined>;
  readonly store: () => ContentStore;
  /** Makes the synced file a blob of the repository; what it rejects with is for the log. */
  readonly keep: (part: ContentPart) => Promise<void>;
  readonly onUnkept: (error: unknown) => void;
  readonly onFailed: (error: unknown) => void;
  readonly onReceived: (bytes: number) => void;
  /** From now on nobody may join. */
  readonly onEnded: () => void;
}

interface Piece {
  readonly at: number;
  readonly bytes: Buffer;
}

/** How a client was done with it: it has what it wanted, or it has gone. */
export type Parting = 'served' | 'vanished';

export class BlobFetch {
  readonly #options: BlobFetchOptions;
  readonly #controller = new AbortController();
  readonly #hash;
  #window: Piece[] = [];
  #size: number | undefined;
  #received = 0;
  #written = 0;
  #isVerified = false;
  #failure: Error | undefined;
  #handle: FileHandle | undefined;
  #readers = 0;
  #isWanted = false;
  #lingering: NodeJS.Timeout | undefined;
  #waiting: (() => void)[] = [];
  /** Resolves with the size once the upstream has begun to send; undefined when it has no such blob. */
  readonly begun: Promise<number | undefined>;
  /** Resolves when nothing more is done; never rejects. */
  readonly ended: Promise<void>;

  constructor(options: BlobFetchOptions) {
    this.#options = options;
    this.#hash = createHash(algorithmOf(options.digest));
    let tell: { readonly begun: (size: number | undefined) => void; readonly failed: (error: unknown) => void };
    this.begun = new Promise((resolve, reject) => {
      tell = { begun: resolve, failed: reject };
    });
    this.begun.catch(() => undefined);
    this.ended = this.#run((size) => {
      tell.begun(size);
    })
      .catch((error: unknown) => {
        this.#fail(error);
        tell.failed(error);
        options.onFailed(error);
      })
      .then(() => {
        options.onEnded();
        this.#closeIfDone();
      });
  }

  /** A client begins to follow. */
  join(): void {
    this.#readers += 1;
    clearTimeout(this.#lingering);
  }

  /** It is done. When all have vanished the fetch is given up after a while; one that was served wants it kept. */
  leave(parting: Parting): void {
    this.#readers -= 1;
    if (parting === 'served') this.#isWanted = true;
    if (this.#readers > 0) return;
    if (!this.#isWanted && !this.#isVerified) {
      this.#lingering = setTimeout(() => {
        this.#controller.abort();
      }, LINGER_MS);
      this.#lingering.unref();
    }
    void this.ended.then(() => {
      this.#closeIfDone();
    });
  }

  /** Gives up now: the process ends. */
  abort(): void {
    this.#controller.abort();
  }

  /**
   * Bytes from an offset on, as many as there are at once; waits for the first. Rejects when there never will be;
   * undefined when the client has gone meanwhile, which `nudge` makes it notice.
   */
  async pieceAt(at: number, bytesMax: number, isGone: () => boolean): Promise<Buffer | undefined> {
    for (;;) {
      if (isGone()) return undefined;
      if (this.#failure !== undefined) throw this.#failure;
      const end = this.#isVerified ? this.#received : Math.min(this.#received, (this.#size ?? this.#received) - 1);
      if (at < end) return this.#read(at, Math.min(bytesMax, end - at));
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Lets everybody who waits look again. */
  nudge(): void {
    this.#wake();
  }

  async #run(begun: (size: number | undefined) => void): Promise<void> {
    const { ask, store: storeNow, keep, onUnkept, digest } = this.#options;
    const response = await ask(0, this.#controller.signal);
    if (response === undefined) {
      begun(undefined);
      return;
    }
    let part: ContentPart | undefined;
    const store = storeNow();
    try {
      this.#size = sizeOf(response);
      part = await store.begin('fetched');
      this.#handle = await store.openForReading(part.file);
      if (this.#size !== undefined) begun(this.#size);
      await this.#fill(response, part);
      const found = `${algorithmOf(digest)}:${this.#hash.digest('hex')}`;
      if (found !== digest) throw new UpstreamTrouble('unusable', `the bytes of ${digest} have the digest ${found}`);
      this.#size = this.#received;
      this.#isVerified = true;
      begun(this.#size);
      this.#wake();
    } catch (error) {
      this.#controller.abort(); // Whatever still comes is of no use.
      response.destroy();
      await part?.discard(store);
      throw error;
    }
    try {
      await part.sync();
      await keep(part);
    } catch (error) {
      onUnkept(error); // Who is served is served from the open file.
      await part.discard(store);
    } finally {
      await part.close().catch(() => undefined);
    }
  }

  async #fill(first: IncomingMessage, part: ContentPart): Promise<void> {
    const { ask } = this.#options;
    const { signal } = this.#controller;
    let response = first;
    for (let resumes = 0; ; resumes++) {
      const left = this.#size === undefined ? Number.MAX_SAFE_INTEGER : this.#size - this.#received;
      const { isWhole, isTooMuch } = await receive(response, this.#into(part), this.#witness, left);
      if (signal.aborted) throw new UpstreamTrouble('away', 'nobody waits for it any more');
      if (isTooMuch) throw new UpstreamTrouble('unusable', 'more bytes came than were announced');
      if (isWhole && (this.#size === undefined || this.#received === this.#size)) return;
      if (resumes === RESUMES_MAX || this.#size === undefined) {
        throw new UpstreamTrouble('away', `it breaks off after ${String(this.#received)} bytes`);
      }
      const next = await ask(this.#received, signal);
      if (next?.statusCode !== 206 || !isFrom(next, this.#received)) {
        next?.destroy();
        throw new UpstreamTrouble('away', `it breaks off after ${String(this.#received)} bytes and cannot go on`);
      }
      response = next;
    }
  }

  /** Sees every byte in order before it is written. */
  readonly #witness = {
    update: (chunk: Buffer): void => {
      this.#hash.update(chunk);
      this.#window.push({ at: this.#received, bytes: chunk });
      this.#received += chunk.length;
      this.#options.onReceived(chunk.length);
      this.#wake();
    },
  };

  #into(part: ContentPart): Pick<ContentPart, 'append'> {
    return {
      append: async (chunks) => {
        await part.append(chunks);
        this.#written = part.length;
        this.#forget();
      },
    };
  }

  /** What is in the file need not be in memory, but for the newest of it. */
  #forget(): void {
    const keepFrom = Math.min(this.#written, this.#received - WINDOW_BYTES);
    const first = this.#window.findIndex(({ at, bytes }) => at + bytes.length > keepFrom);
    if (first > 0) this.#window = this.#window.slice(first);
  }

  async #read(at: number, bytesMax: number): Promise<Buffer> {
    const piece = this.#window.findLast((one) => one.at <= at);
    if (piece !== undefined) return piece.bytes.subarray(at - piece.at, at - piece.at + bytesMax);
    if (this.#handle === undefined) throw new VolumeTrouble('a file that is being fetched is not open');
    const wanted = Math.min(READ_BYTES, bytesMax, this.#written - at);
    const { bytesRead, buffer } = await this.#handle.read(Buffer.allocUnsafe(wanted), 0, wanted, at);
    if (bytesRead === 0) throw new VolumeTrouble('a file that is being fetched is shorter than what was written');
    return buffer.subarray(0, bytesRead);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }

  #fail(error: unknown): void {
    this.#failure = error instanceof Error ? error : new Error('it cannot be fetched', { cause: error });
    this.#wake();
  }

  #closeIfDone(): void {
    if (this.#readers > 0) return;
    const handle = this.#handle;
    this.#handle = undefined;
    this.#window = [];
    handle?.close().catch(() => undefined);
  }
}

/** How much the upstream announces; undefined when it does not. */
function sizeOf({ headers }: IncomingMessage): number | undefined {
  const text = headers['content-length'];
  return text === undefined || !/^\d{1,15}$/.test(text) ? undefined : Number(text);
}

const isFrom = ({ headers }: IncomingMessage, at: number): boolean =>
  new RegExp(`^bytes ${String(at)}-`).test(headers['content-range'] ?? '');
