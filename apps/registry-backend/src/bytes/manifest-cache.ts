/** Manifests in memory, the least recently used given up first: they never change, so nothing here can be old. */
import type { Digest } from '@brickyard/contracts';

/** Holds at most so many bytes. */
export class ManifestCache {
  readonly #entries = new Map<Digest, Buffer>();
  #bytes = 0;

  constructor(private readonly bytesMax: number) {}

  get(digest: Digest): Buffer | undefined {
    const bytes = this.#entries.get(digest);
    if (bytes === undefined || this.#bytes * 2 < this.bytesMax) return bytes;
    // Only a cache that fills up needs to know what was used last.
    this.#entries.delete(digest);
    this.#entries.set(digest, bytes);
    return bytes;
  }

  put(digest: Digest, bytes: Buffer): void {
    if (this.#entries.has(digest) || bytes.length > this.bytesMax / 4) return;
    this.#entries.set(digest, bytes);
    this.#bytes += bytes.length;
    for (const [oldest, { length }] of this.#entries) {
      if (this.#bytes <= this.bytesMax) break;
      this.#entries.delete(oldest);
      this.#bytes -= length;
    }
  }

  drop(digest: Digest): void {
    this.#bytes -= this.#entries.get(digest)?.length ?? 0;
    this.#entries.delete(digest);
  }
}
