/** From a request's body into a file, hashed on the way: gathered into large writes, never more than two of them in memory. */
import type { PartFile } from './part-file';

/** Large enough that a write costs little, small enough for many uploads at once. */
const WRITE_BYTES = 512 * 1024;

/** How a body ended. */
export interface Received {
  readonly bytes: number;
  /** False when the client went away in the middle. */
  readonly isWhole: boolean;
  /** More than was allowed came. */
  readonly isTooMuch: boolean;
}

/** Whoever must see every byte in order, such as a hash. */
interface Witness {
  update(chunk: Buffer): unknown;
}

/** Writes everything the client sends, as long as it is not more than `bytesMax`. Rejects with trouble of the volume only. */
export async function receive(
  body: AsyncIterable<Buffer>,
  part: Pick<PartFile, 'append'>,
  hash: Witness | undefined,
  bytesMax: number,
): Promise<Received> {
  let bytes = 0;
  let isWhole = true;
  let isTooMuch = false;
  let gathered: Buffer[] = [];
  let gatheredBytes = 0;
  let writing: Promise<void> = Promise.resolve();
  const flush = async (): Promise<void> => {
    const chunks = gathered;
    gathered = [];
    gatheredBytes = 0;
    await writing;
    writing = part.append(chunks);
    writing.catch(() => undefined); // Awaited with the next one, or at the end.
  };
  const reader = body[Symbol.asyncIterator]();
  for (;;) {
    const next = await reader.next().catch(() => undefined);
    if (next === undefined) isWhole = false; // The connection broke.
    if (next === undefined || next.done === true) break;
    const chunk = next.value;
    bytes += chunk.length;
    if (bytes > bytesMax) {
      isTooMuch = true;
      break;
    }
    hash?.update(chunk);
    gathered.push(chunk);
    gatheredBytes += chunk.length;
    if (gatheredBytes >= WRITE_BYTES) await flush();
  }
  if (gathered.length > 0) await flush();
  await writing;
  return { bytes, isWhole: isWhole && !isTooMuch, isTooMuch };
}
