import { promisify } from 'node:util';
import { constants, gunzip, gzip } from 'node:zlib';
import type { SnapshotPart } from '../fold';

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

interface PackedPart extends Pick<SnapshotPart, 'of'> {
  readonly packed: Buffer;
}

/** Packs the parts of one snapshot after the other; what is as it was in the one before is taken from there. */
export class SnapshotPacker {
  private before: ReadonlyMap<string, PackedPart> = new Map();

  /** One part at a time, so that whatever else waits for this thread has its turn between two. */
  async pack(parts: readonly (string | SnapshotPart)[]): Promise<readonly Buffer[]> {
    const { before } = this;
    const now = new Map<string, PackedPart>();
    const chunks: Buffer[] = [];
    for (const part of parts) {
      if (typeof part === 'string') {
        chunks.push(await packChunk(part));
        continue;
      }
      const { name, of, text } = part;
      const known = before.get(name);
      const packed = known !== undefined && isSame(known.of, of) ? known.packed : await packChunk(text());
      now.set(name, { of, packed });
      chunks.push(packed);
    }
    this.before = now;
    return chunks;
  }
}

const isSame = (one: readonly unknown[], other: readonly unknown[]): boolean =>
  one.length === other.length && one.every((value, index) => value === other[index]);
