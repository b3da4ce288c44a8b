import { promisify } from 'node:util';
import { constants, gunzip, gzip } from 'node:zlib';

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/** Fast rather than small: a snapshot is written often and kept shortly. */
export function packChunk(chunk: string): Promise<Buffer> {
  return compress(chunk, { level: constants.Z_BEST_SPEED });
}

/** As much as a chunk has as a rule: zlib's own 16 KiB would be gathered piece by piece. */
const UNPACKED_BYTES = 1024 * 1024;

/** The text that was packed. */
export async function unpackChunk(packed: Buffer): Promise<string> {
  return (await decompress(packed, { chunkSize: UNPACKED_BYTES })).toString('utf8');
}
