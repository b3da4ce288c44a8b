/** Several parts of one upload, possibly of several replicas, into one file: read once, hashed and copied on the way. */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { Digest, DigestAlgorithm, UploadPart } from '@brickyard/contracts';
import { VolumeTrouble } from '@brickyard/volume-storage';
import type { ContentPart, ContentStore } from './content-store';

const READ_BYTES = 1024 * 1024;

/** The bytes of all parts in one synced file, and their digest. */
export async function assemble(
  store: ContentStore,
  parts: readonly UploadPart[],
  algorithm: DigestAlgorithm,
): Promise<{ readonly part: ContentPart; readonly digest: Digest }> {
  const whole = await store.begin('assembled');
  const hash = createHash(algorithm);
  try {
    for (const part of parts) {
      await eachChunk(store, part, async (chunk) => {
        hash.update(chunk);
        await whole.append([chunk]);
      });
    }
    await whole.sync();
    return { part: whole, digest: `${algorithm}:${hash.digest('hex')}` as Digest };
  } catch (error) {
    await whole.discard(store);
    throw error;
  }
}

/** The digest of parts as they lie there. */
export async function digestOf(
  store: ContentStore,
  parts: readonly UploadPart[],
  algorithm: DigestAlgorithm,
): Promise<Digest> {
  const hash = createHash(algorithm);
  for (const part of parts) {
    await eachChunk(store, part, (chunk) => {
      hash.update(chunk);
      return Promise.resolve();
    });
  }
  return `${algorithm}:${hash.digest('hex')}` as Digest;
}

async function eachChunk(
  store: ContentStore,
  { file, length }: UploadPart,
  take: (chunk: Buffer) => Promise<void>,
): Promise<void> {
  if (length === 0) return;
  const handle = await store.openForReading(file);
  try {
    for (let at = 0; at < length;) {
      const chunk = await readAt(handle, at, Math.min(READ_BYTES, length - at));
      if (chunk.length === 0) throw new VolumeTrouble(`${file} is shorter than the log says`);
      await take(chunk);
      at += chunk.length;
    }
  } finally {
    await handle.close();
  }
}

async function readAt(handle: FileHandle, at: number, bytes: number): Promise<Buffer> {
  const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(bytes), 0, bytes, at);
  return buffer.subarray(0, bytesRead);
}
