/** The parts of an upload become an object. */
import { createHash } from 'node:crypto';
import { Body } from '../../body/body';
import { compositeOf, wholeOf } from '../../body/checksums';
import type { Gateway } from '../../gateway';
import type { Exchange } from '../../http/exchange';
import { document, type Element, type Node, parseXml } from '../../http/xml';
import { S3Error } from '../../s3-error';
import type { ObjectStore } from '../../store/object-store';
import type { Checksum, ObjectRecord } from '../../store/record';
import {
  becomeData,
  becomeUpload,
  completableOf,
  type Part,
  PARTS_MAX,
  partsOf,
  segmentsIn,
  tidyUpload,
  type Upload,
  uploadFolderOf,
  uploadOf,
} from '../../store/uploads';
import { writeCondition } from '../conditions';
import { quoted } from '../description';
import { checksumHeaders } from '../objects';
import { uploadIdOf } from './begin';

const PART_BYTES_MIN = 5 * 1024 * 1024;
const XML_BYTES_MAX = 4 * 1024 * 1024;
/** What a condition of the completion that does not hold is called: the upload stays open. */
const UNMET: ReadonlySet<string> = new Set(['PreconditionFailed', 'NoSuchKey']);

/** `POST /bucket/key?uploadId`. */
export async function completeUpload(gateway: Gateway, exchange: Exchange): Promise<void> {
  const { bucket, key } = exchange;
  const store = gateway.store();
  const { bytes } = await new Body(exchange, { isOfBody: false }).whole(XML_BYTES_MAX);
  const wanted = wantedParts(parseXml(bytes.toString('utf8'), 'CompleteMultipartUpload'));
  const id = uploadIdOf(exchange);
  const stop = exchange.keepAlive(gateway.keepAliveMs);
  const work = store.inTurn(`upload ${id}`, () => completeWhereItIs(gateway, exchange, id, wanted));
  const record = await work.finally(stop);
  const { checksum } = record;
  exchange.sendXml(
    200,
    document('CompleteMultipartUploadResult', [
      ['Location', `/${bucket}/${key}`],
      ['Bucket', bucket],
      ['Key', key],
      ['ETag', quoted(record.etag)],
      ...checksumNodes(checksum),
    ]),
    checksumHeaders(record),
  );
}

const checksumNodes = (checksum: Checksum | undefined): readonly Node[] =>
  checksum === undefined
    ? []
    : [
        [`Checksum${checksum.algorithm.toUpperCase()}`, checksum.value],
        ['ChecksumType', checksum.type],
      ];

interface WantedPart {
  readonly number: number;
  readonly etag: string;
}

function wantedParts(root: Element): readonly WantedPart[] {
  const parts = root.all('Part').map((part) => ({
    number: Number(part.value('PartNumber')),
    etag: (part.value('ETag') ?? '').trim().replaceAll('"', ''),
  }));
  if (parts.length === 0 || parts.length > PARTS_MAX || parts.some(({ number }) => !Number.isInteger(number))) {
    throw new S3Error('MalformedXML', 'One to 10000 parts, each with PartNumber and ETag.');
  }
  if (parts.every(({ number }, index) => number > (parts[index - 1]?.number ?? 0))) return parts;
  throw new S3Error('InvalidPartOrder', 'The parts must be in the order of their numbers.');
}

const ATTEMPTS_MAX = 5;

/** Another replica may complete the same upload in this moment: then its folder is not where it was. */
async function completeWhereItIs(...given: Parameters<typeof complete>): Promise<ObjectRecord> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await complete(...given);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

async function complete(
  { store: storeOf, now }: Gateway,
  exchange: Exchange,
  id: string,
  wanted: readonly WantedPart[],
): Promise<ObjectRecord> {
  const { bucket, key } = exchange;
  const store = storeOf();
  const found = await completableOf(store, bucket, key, id);
  if (found === undefined) return completedBefore(store, bucket, key, id);
  const { upload, folder } = found;
  const done = folder === uploadFolderOf(id) ? undefined : await store.find(bucket, key);
  if (done?.record.id === id) return done.record; // Its parts are just being tidied away.
  const parts = chosen(await partsOf(store, bucket, folder), wanted);
  const size = parts.reduce((sum, part) => sum + part.size, 0);
  checkSize(exchange, size);
  const checksum = checksumOf(exchange, upload, parts);
  const record: ObjectRecord = {
    ...{ id, key, size, etag: etagOf(parts), modified: now() },
    ...{ headers: upload.headers, metadata: upload.metadata, tags: upload.tags },
    ...(checksum === undefined ? {} : { checksum }),
    ...(size === 0 ? {} : { segments: [...segmentsIn(id, parts)] }),
    parts: parts.map((part) => part.size),
  };
  const conditions = writeCondition(exchange);
  await becomeData(store, bucket, id, folder);
  try {
    await store.publish(bucket, record, size === 0 ? Buffer.alloc(0) : undefined, conditions);
  } catch (error) {
    if (error instanceof S3Error && UNMET.has(error.code)) await becomeUpload(store, bucket, id);
    throw error;
  }
  store.inBackground(tidyUpload(store, bucket, id, parts));
  return record;
}

/** The same completion again, when the answer to the first was lost. */
async function completedBefore(store: ObjectStore, bucket: string, key: string, id: string): Promise<ObjectRecord> {
  const present = await store.find(bucket, key);
  if (present?.record.id === id) return present.record;
  await uploadOf(store, bucket, key, id);
  throw new S3Error('NoSuchUpload', 'There is no such upload.');
}

function chosen(parts: readonly Part[], wanted: readonly WantedPart[]): readonly Part[] {
  const byNumber = new Map(parts.map((part) => [part.number, part]));
  const found = wanted.map(({ number, etag }) => {
    const part = byNumber.get(number);
    if (part?.etag === etag) return part;
    throw new S3Error('InvalidPart', 'A part was not found, or its ETag is another.', {
      fields: { PartNumber: String(number), ETag: etag },
    });
  });
  const small = found.slice(0, -1).find(({ size }) => size < PART_BYTES_MIN);
  if (small === undefined) return found;
  throw new S3Error('EntityTooSmall', 'Every part but the last has at least 5 MiB.', {
    fields: {
      PartNumber: String(small.number),
      ProposedSize: String(small.size),
      MinSizeAllowed: String(PART_BYTES_MIN),
    },
  });
}

function checkSize(exchange: Exchange, size: number): void {
  const told = exchange.header('x-amz-mp-object-size');
  if (told === undefined || Number(told) === size) return;
  throw new S3Error('InvalidRequest', 'The parts do not have the size that x-amz-mp-object-size tells.');
}

function etagOf(parts: readonly Part[]): string {
  const hash = createHash('md5');
  for (const { etag } of parts) hash.update(etag, 'hex');
  return `${hash.digest('hex')}-${String(parts.length)}`;
}

function checksumOf(exchange: Exchange, { checksum }: Upload, parts: readonly Part[]): Checksum | undefined {
  if (checksum === undefined) return undefined;
  const { algorithm, type } = checksum;
  const known = parts.flatMap(({ checksum: one, size }) =>
    one?.algorithm === algorithm ? [{ value: one.value, size }] : [],
  );
  const value =
    known.length < parts.length
      ? undefined
      : type === 'COMPOSITE'
        ? compositeOf(algorithm, known)
        : wholeOf(algorithm, known);
  const told = exchange.header(`x-amz-checksum-${algorithm}`);
  if (told !== undefined && told !== value) {
    throw new S3Error('BadDigest', `The ${algorithm.toUpperCase()} is not that of the parts.`);
  }
  return value === undefined ? undefined : { algorithm, type, value };
}
