/** Putting, getting and removing single objects. */
import type { FileHandle } from 'node:fs/promises';
import type { OutgoingHttpHeaders } from 'node:http';
import { type ByteRange, rangeOf, sendRange } from '@brickyard/volume-storage';
import { Body } from '../body/body';
import { storeBody } from '../body/store-body';
import type { Gateway } from '../gateway';
import type { Exchange } from '../http/exchange';
import { S3Error } from '../s3-error';
import { dataFileOf, type StoredObject } from '../store/object-store';
import { newId, type ObjectRecord, type Segment } from '../store/record';
import { isNotModified, writeCondition } from './conditions';
import { descriptionFrom, headersOf, quoted } from './description';

/** `PUT /bucket/key`. */
export async function putObject({ store: storeOf, now }: Gateway, exchange: Exchange): Promise<void> {
  const { bucket, key } = exchange;
  const store = storeOf();
  const description = descriptionFrom(exchange);
  const conditions = writeCondition(exchange);
  const body = new Body(exchange);
  await store.buckets.require(bucket);
  if (exchange.header('if-match') !== undefined || conditions.isNew) {
    conditions.condition((await store.find(bucket, key))?.record); // Before a gigabyte is sent for nothing.
  }
  const id = newId();
  const { facts, inline, segments } = await storeBody(store, bucket, dataFileOf(id), body);
  const checksum =
    facts.checksum === undefined ? {} : { checksum: { ...facts.checksum, type: 'FULL_OBJECT' } as const };
  const record: ObjectRecord = {
    ...{ id, key, size: facts.size, etag: facts.md5, modified: now(), ...description, ...checksum },
    ...(segments === undefined ? {} : { segments: [...segments] }),
  };
  try {
    await store.publish(bucket, record, inline, conditions);
  } catch (error) {
    if (segments !== undefined) store.inBackground(store.discard(bucket, id));
    throw error;
  }
  exchange.send(200, { etag: quoted(record.etag), ...checksumHeaders(record) });
}

export const checksumHeaders = ({ checksum }: Pick<ObjectRecord, 'checksum'>): Record<string, string> =>
  checksum === undefined
    ? {}
    : { [`x-amz-checksum-${checksum.algorithm}`]: checksum.value, 'x-amz-checksum-type': checksum.type };

/** `GET` and `HEAD /bucket/key`. */
export async function getObject({ store: storeOf }: Gateway, exchange: Exchange): Promise<void> {
  const { bucket, key, method } = exchange;
  const store = storeOf();
  let answer: Answer | undefined;
  const { object, handles } = await store.openObject(bucket, key, (found) => {
    answer = answerTo(exchange, found);
    return method === 'HEAD' || answer.status === 304 ? [] : (answer.pieces ?? []);
  });
  if (answer === undefined) throw new Error('no object was looked at');
  if (method === 'HEAD' || answer.status === 304) {
    exchange.begin(answer.status, answer.headers);
    exchange.response.end();
    return;
  }
  await sendObject(exchange, object, answer, handles);
}

interface Answer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly range: ByteRange;
  /** Of the files that hold the range. */
  readonly pieces: readonly Segment[] | undefined;
}

const KEPT_UNMODIFIED = new Set(['etag', 'last-modified', 'cache-control', 'expires']);

function answerTo(exchange: Exchange, { record }: StoredObject): Answer {
  const base = headersOf(exchange, record);
  const whole = { first: 0, last: record.size - 1 };
  if (isNotModified(exchange, record)) {
    const kept = Object.entries(base).filter(([name]) => KEPT_UNMODIFIED.has(name));
    const given = Object.fromEntries(kept);
    return { status: 304, headers: given, range: whole, pieces: undefined };
  }
  const range = wantedOf(exchange, record);
  if (range === 'none') {
    throw new S3Error('InvalidRange', 'The requested range is not satisfiable', {
      headers: { 'content-range': `bytes */${String(record.size)}` },
      fields: { RangeRequested: exchange.header('range') ?? '', ActualObjectSize: String(record.size) },
    });
  }
  const { first, last } = range === 'all' ? whole : range;
  // An empty part is a range that cannot be written.
  const part =
    range === 'all' || last < first
      ? {}
      : { 'content-range': `bytes ${String(first)}-${String(last)}/${String(record.size)}` };
  const parts = exchange.has('partNumber') ? { 'x-amz-mp-parts-count': String(record.parts?.length ?? 1) } : {};
  return {
    status: range === 'all' ? 200 : 206,
    headers: { ...base, ...part, ...parts, 'content-length': last - first + 1 },
    range: { first, last },
    pieces: record.segments === undefined ? undefined : piecesOf(record.segments, { first, last }),
  };
}

function wantedOf(exchange: Exchange, record: ObjectRecord): ByteRange | 'all' | 'none' {
  const part = exchange.query('partNumber');
  if (part !== undefined) return partRange(Number(part), record);
  const ifRange = exchange.header('if-range');
  const isCurrent =
    ifRange === undefined ||
    ifRange === quoted(record.etag) ||
    Math.floor(Date.parse(ifRange) / 1_000) === Math.floor(record.modified / 1_000);
  return rangeOf(isCurrent ? exchange.header('range') : undefined, record.size);
}

function partRange(number: number, { parts, size }: ObjectRecord): ByteRange | 'all' {
  const sizes = parts ?? [size];
  const length = sizes[number - 1];
  if (length === undefined) throw new S3Error('InvalidRange', 'There is no part of this number.');
  const first = sizes.slice(0, number - 1).reduce((sum, one) => sum + one, 0);
  return size === 0 ? 'all' : { first, last: first + length - 1 };
}

/** The files a range lies in, and where in them. */
export function piecesOf(segments: readonly Segment[], { first, last }: ByteRange): readonly Segment[] {
  let at = 0;
  return segments.flatMap(({ file, offset, length }) => {
    const begin = Math.max(first, at);
    const end = Math.min(last, at + length - 1);
    const piece = begin > end ? [] : [{ file, offset: offset + begin - at, length: end - begin + 1 }];
    at += length;
    return piece;
  });
}

/** A short or failing read breaks the connection, never the body. */
async function sendObject(
  exchange: Exchange,
  { inline }: StoredObject,
  { status, headers, range, pieces }: Answer,
  handles: readonly FileHandle[],
): Promise<void> {
  const { response } = exchange;
  if (inline !== undefined || pieces === undefined || pieces.length === 0) {
    exchange.begin(status, headers);
    response.end(inline?.subarray(range.first, range.last + 1));
    return;
  }
  try {
    for (const [index, { offset, length }] of pieces.entries()) {
      const handle = handles[index];
      if (handle === undefined || response.destroyed) break;
      await sendRange(handle, response, { first: offset, last: offset + length - 1 }, () => {
        if (!response.headersSent) exchange.begin(status, headers);
      });
    }
    if (!response.destroyed) response.end();
  } catch (error) {
    if (response.headersSent) response.destroy();
    throw error;
  } finally {
    await Promise.all(handles.map((handle) => handle.close().catch(() => undefined)));
  }
}

/** `DELETE /bucket/key`. */
export async function deleteObject({ store }: Gateway, exchange: Exchange): Promise<void> {
  refuseVersion(exchange);
  const { condition } = writeCondition(exchange);
  await store().buckets.require(exchange.bucket);
  await store().deleteObject(exchange.bucket, exchange.key, condition);
  exchange.send(204);
}

/** Buckets have no versions here; `null` is what S3 calls the only one. */
export function refuseVersion(exchange: Exchange): void {
  const version = exchange.query('versionId');
  if (version === undefined || version === 'null' || version === '') return;
  throw new S3Error('InvalidArgument', 'Invalid version id specified');
}
