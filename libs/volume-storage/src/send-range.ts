/** Bytes of a file into an answer: large reads, two buffers, one piece on its way while the next is read. */
import type { FileHandle } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import type { ByteRange } from './byte-range';
import { observed } from './file-operations';
import { VolumeTrouble } from './volume-errors';

const READ_BYTES = 1024 * 1024;
/** With many readers at once the pieces are smaller, so that memory stays bounded. */
const READ_BYTES_CROWDED = 256 * 1024;
const CROWD = 24;

let readersNow = 0;

/**
 * Sends a range; `begin` is called when the first bytes are at hand, so that a file that cannot be read is still an
 * answer of its own. Rejects when the file is shorter; resolves early when the client is gone. The answer is not ended.
 */
export async function sendRange(
  handle: FileHandle,
  response: ServerResponse,
  range: ByteRange,
  begin: () => void,
): Promise<void> {
  readersNow += 1;
  try {
    await pump(handle, response, { range, begin, piece: readersNow > CROWD ? READ_BYTES_CROWDED : READ_BYTES });
  } finally {
    readersNow -= 1;
  }
}

interface Pumping {
  readonly range: ByteRange;
  readonly piece: number;
  readonly begin: () => void;
}

async function pump(handle: FileHandle, response: ServerResponse, { range, piece, begin }: Pumping): Promise<void> {
  const length = range.last - range.first + 1;
  const buffers = [Buffer.allocUnsafe(Math.min(piece, length))];
  if (length > piece) buffers.push(Buffer.allocUnsafe(piece));
  let sending: Promise<void> = Promise.resolve();
  let turn = 0;
  for (let at = range.first; at <= range.last && !response.destroyed;) {
    const buffer = buffers[turn++ % buffers.length];
    if (buffer === undefined) return;
    const wanted = Math.min(buffer.length, range.last - at + 1);
    const from = at;
    const { bytesRead } = await observed('read', () => handle.read(buffer, 0, wanted, from), bytesIn);
    if (bytesRead === 0) throw new VolumeTrouble('the file is shorter than was recorded');
    if (at === range.first) begin();
    await sending;
    sending = written(response, buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  await sending;
}

const bytesIn = ({ bytesRead }: { readonly bytesRead: number }): number => bytesRead;

/** Resolves when the kernel has the bytes, or the client is gone. */
function written(response: ServerResponse, bytes: Buffer): Promise<void> {
  return new Promise((done) => {
    if (response.destroyed) {
      done();
      return;
    }
    const finish = (): void => {
      response.off('close', finish);
      done();
    };
    response.once('close', finish);
    response.write(bytes, finish);
  });
}
