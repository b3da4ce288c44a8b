import { promisify } from 'node:util';
import { constants, gunzip, gzip } from 'node:zlib';
import { PartMemory, type SnapshotPart } from '../snapshot-part';

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/** Fast rather than small: a snapshot is written often and kept shortly. */
export function packChunk(chunk: string): Promise<Buffer> {
  return compress(chunk, { level: constants.Z_BEST_SPEED });
}

/** A longer text is gathered from pieces of this size, whatever gzip says: what is stored may have been damaged. */
const PIECE_BYTES_MAX = 4 * 1024 * 1024;

/** The text that was packed. */
export async function unpackChunk(packed: Buffer): Promise<string> {
  return (await decompress(packed, { chunkSize: pieceBytes(packed) })).toString('utf8');
}

/**
 * As many bytes as gzip's last four say, and one, so that the end is seen at once. A megabyte for each of a hundred chunks
 * is more than V8 lets a program have beside its heap before it looks for garbage, at every further buffer anew.
 */
function pieceBytes(packed: Buffer): number {
  const unpackedBytes = packed.length < 4 ? 0 : packed.readUInt32LE(packed.length - 4);
  return Math.min(PIECE_BYTES_MAX, Math.max(constants.Z_MIN_CHUNK, unpackedBytes + 1));
}

/** Packs one snapshot after the other; parts that are as they were in the one before are packed already. */
export class SnapshotPacker {
  private readonly memory = new PartMemory(packChunk);

  /** One part at a time, so that whatever else waits for this thread has its turn between two. */
  async pack(parts: readonly (string | SnapshotPart)[]): Promise<readonly Buffer[]> {
    const packedOf = this.memory.next();
    const chunks: Buffer[] = [];
    for (const part of parts) chunks.push(await (typeof part === 'string' ? packChunk(part) : packedOf(part)));
    return chunks;
  }
}
