/**
 * An object as a file: a line that is enough to list it, a line with the rest, and its bytes when they are few. It is
 * replaced as a whole or not at all.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { z } from 'zod';

/** Bytes up to this size lie in the record itself: one file instead of two. */
export const INLINE_MAX = 64 * 1024;
const SUMMARY_BYTES = 512;
const FIRST_BYTES = INLINE_MAX + 16 * 1024;

const Summary = z.object({
  version: z.literal(1),
  /** Of this content of the key: also the name of its bytes when they lie elsewhere. */
  id: z.string().regex(/^[0-9a-f]{32}$/),
  size: z.int().min(0),
  etag: z.string(),
  /** Milliseconds since 1970. */
  modified: z.int(),
  /** Bytes of the next line. */
  rest: z.int().min(2),
});
export type Summary = Omit<z.infer<typeof Summary>, 'version' | 'rest'>;

const Checksum = z.object({
  algorithm: z.enum(['crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256']),
  value: z.string(),
  type: z.enum(['FULL_OBJECT', 'COMPOSITE']),
});
/** What the client said the bytes are, in base64, and which bytes it is of. */
export type Checksum = z.infer<typeof Checksum>;

const Segment = z.object({
  /** Below the bucket. */
  file: z.string(),
  offset: z.int().min(0),
  length: z.int().min(1),
});
/** Bytes of a file that never changes. */
export type Segment = z.infer<typeof Segment>;

export const Description = z.object({
  /** `content-type` and its kin, as they are given back. */
  headers: z.record(z.string(), z.string()),
  /** Of the user, without `x-amz-meta-`. */
  metadata: z.record(z.string(), z.string()),
  /** Tags of the user. */
  tags: z.array(z.tuple([z.string(), z.string()])).default([]),
});
/** What the client says about an object. */
export type Description = z.infer<typeof Description>;

const Rest = Description.extend({
  key: z.string(),
  checksum: Checksum.optional(),
  /** Absent: the bytes follow. */
  segments: z.array(Segment).optional(),
  /** Sizes of the parts it was sent in. */
  parts: z.array(z.int()).optional(),
});

export type ObjectRecord = Summary & z.infer<typeof Rest>;

/** An id for content that is to come. */
export const newId = (): string => randomBytes(16).toString('hex');

/** A record as bytes; `inline` are those of an object without segments. */
export function encodeRecord(
  { id, size, etag, modified, ...rest }: ObjectRecord,
  inline: Buffer = Buffer.alloc(0),
): Buffer {
  const second = Buffer.from(`${JSON.stringify(rest)}\n`);
  const first = Buffer.from(`${JSON.stringify({ version: 1, id, size, etag, modified, rest: second.length })}\n`);
  return Buffer.concat([first, second, inline]);
}

/** What a list tells of an object. */
export async function readSummary(path: string): Promise<Summary> {
  return withFile(path, async (handle) => {
    const bytes = await readUpTo(handle, Buffer.allocUnsafe(SUMMARY_BYTES), 0);
    return summaryIn(bytes, path).summary;
  });
}

/** Everything of an object but bytes that lie elsewhere. */
export async function readRecord(
  path: string,
): Promise<{ readonly record: ObjectRecord; readonly inline: Buffer | undefined }> {
  return withFile(path, async (handle) => {
    const start = await readUpTo(handle, Buffer.allocUnsafe(FIRST_BYTES), 0);
    const { summary, length } = summaryIn(start, path);
    const restEnd = length + summary.rest;
    const rest = await sliceOf(handle, start, length, restEnd);
    const { segments, ...described } = Rest.parse(JSON.parse(rest.toString('utf8')));
    const record = { ...summary, ...described, ...(segments === undefined ? {} : { segments }) };
    if (segments !== undefined) return { record, inline: undefined };
    const inline = await sliceOf(handle, start, restEnd, restEnd + summary.size);
    return { record, inline };
  });
}

function summaryIn(
  bytes: Buffer,
  path: string,
): { readonly summary: z.infer<typeof Summary>; readonly length: number } {
  const end = bytes.indexOf('\n');
  if (end === -1) throw new Error(`${path} is not a record of an object`);
  return { summary: Summary.parse(JSON.parse(bytes.toString('utf8', 0, end))), length: end + 1 };
}

async function sliceOf(handle: FileHandle, start: Buffer, from: number, to: number): Promise<Buffer> {
  if (to <= start.length) return start.subarray(from, to);
  const bytes = await readUpTo(handle, Buffer.allocUnsafe(to - from), from);
  if (bytes.length < to - from) throw new Error('the record of an object is cut short');
  return bytes;
}

async function readUpTo(handle: FileHandle, buffer: Buffer, from: number): Promise<Buffer> {
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, from + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}

async function withFile<T>(path: string, work: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(path, 'r');
  try {
    return await work(handle);
  } finally {
    await handle.close();
  }
}
