/** Objects that are sent in parts: `?uploads`, `?uploadId`, `?partNumber`. */
import { createHash } from 'node:crypto';
import { Body } from '../body/body';
import { algorithmNamed, compositeOf, wholeOf } from '../body/checksums';
import { storeBody } from '../body/store-body';
import type { Gateway } from '../gateway';
import type { Exchange } from '../http/exchange';
import { document, type Element, type Node, parseXml } from '../http/xml';
import { S3Error } from '../s3-error';
import { compareKeys } from '../store/key-path';
import { groupOf } from '../store/list';
import type { ObjectStore } from '../store/object-store';
import type { Checksum, ObjectRecord } from '../store/record';
import {
  abortUpload,
  addPart,
  becomeData,
  becomeUpload,
  beginUpload,
  completableOf,
  newPartName,
  type Part,
  PARTS_MAX,
  partsOf,
  segmentsIn,
  tidyUpload,
  type Upload,
  uploadFolderOf,
  uploadOf,
  uploadsOf,
} from '../store/uploads';
import { checkSource, writeCondition } from './conditions';
import { copyRangeOf, linked, sourceOf } from './copy';
import { descriptionFrom, isoDate, quoted } from './description';
import { checksumHeaders, piecesOf } from './objects';
import { encodedFor, limitOf, OWNER } from './paging';

const PART_BYTES_MIN = 5 * 1024 * 1024;
const XML_BYTES_MAX = 4 * 1024 * 1024;

/** `POST /bucket/key?uploads`. */
export async function createUpload({ store: storeOf, now }: Gateway, exchange: Exchange): Promise<void> {
  const { bucket, key } = exchange;
  const description = descriptionFrom(exchange);
  const checksum = wantedChecksum(exchange);
  await storeOf().requireBucket(bucket);
  const upload = { key, initiated: now(), ...description, ...(checksum === undefined ? {} : { checksum }) };
  const id = await beginUpload(storeOf(), bucket, upload);
  exchange.sendXml(
    200,
    document('InitiateMultipartUploadResult', [
      ['Bucket', bucket],
      ['Key', key],
      ['UploadId', id],
    ]),
    checksum === undefined
      ? {}
      : {
          'x-amz-checksum-algorithm': checksum.algorithm.toUpperCase(),
          'x-amz-checksum-type': checksum.type,
        },
  );
}

function wantedChecksum(exchange: Exchange): Upload['checksum'] {
  const name = exchange.header('x-amz-checksum-algorithm');
  if (name === undefined) return undefined;
  const algorithm = algorithmNamed(name);
  if (algorithm === undefined) throw new S3Error('InvalidRequest', 'Checksum algorithm provided is unsupported.');
  const usual = algorithm === 'crc64nvme' ? 'FULL_OBJECT' : 'COMPOSITE';
  const type = exchange.header('x-amz-checksum-type') ?? usual;
  const isPossible = type === 'FULL_OBJECT' ? !algorithm.startsWith('sha') : type === 'COMPOSITE' && usual === type;
  if (isPossible) return { algorithm, type: type as Checksum['type'] };
  throw new S3Error('InvalidRequest', `A checksum of type ${type} is not possible with ${name}.`);
}

function partNumberOf(exchange: Exchange): number {
  const text = exchange.query('partNumber') ?? '';
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= PARTS_MAX) return number;
  throw new S3Error('InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive');
}

const uploadIdOf = (exchange: Exchange): string => exchange.query('uploadId') ?? '';

/** `PUT /bucket/key?partNumber&uploadId`. */
export async function uploadPart({ store: storeOf, now }: Gateway, exchange: Exchange): Promise<void> {
  const { bucket, key } = exchange;
  const store = storeOf();
  const number = partNumberOf(exchange);
  const body = new Body(exchange);
  const upload = await uploadOf(store, bucket, key, uploadIdOf(exchange));
  const file = newPartName();
  const path = `${uploadFolderOf(upload.id)}/${file}`;
  const { facts } = await storeBody(store, bucket, path, body, -1).catch(async (error: unknown) => {
    await uploadOf(store, bucket, key, upload.id); // It may have been aborted meanwhile.
    throw error;
  });
  const checksum = facts.checksum === undefined ? {} : { checksum: facts.checksum };
  const segments = facts.size === 0 ? [] : [{ file, offset: 0, length: facts.size }];
  const part = { number, size: facts.size, etag: facts.md5, modified: now(), ...checksum, segments };
  await addPart(store, bucket, upload, part);
  const told =
    facts.checksum === undefined ? {} : { [`x-amz-checksum-${facts.checksum.algorithm}`]: facts.checksum.value };
  exchange.send(200, { etag: quoted(facts.md5), ...told });
}

/** `PUT /bucket/key?partNumber&uploadId` with `x-amz-copy-source`: the bytes stay where they are, under one more name. */
export async function copyPart({ store: storeOf, now }: Gateway, exchange: Exchange): Promise<void> {
  const { bucket, key } = exchange;
  const store = storeOf();
  const number = partNumberOf(exchange);
  const source = sourceOf(exchange);
  const upload = await uploadOf(store, bucket, key, uploadIdOf(exchange));
  const folder = uploadFolderOf(upload.id);
  const { object, segments } = await linked(store, source, bucket, folder, ({ record }) => {
    checkSource(exchange, record);
    const range = copyRangeOf(exchange, record.size);
    return range === undefined ? [] : piecesOf(record.segments ?? [], range);
  }).catch(async (error: unknown) => {
    await uploadOf(store, bucket, key, upload.id);
    throw error;
  });
  const range = copyRangeOf(exchange, object.record.size);
  const size = range === undefined ? 0 : range.last - range.first + 1;
  const named = segments.map((segment) => ({ ...segment, file: segment.file.slice(folder.length + 1) }));
  const bytes = range === undefined ? undefined : object.inline?.subarray(range.first, range.last + 1);
  const stored = bytes === undefined ? named : [await written(store, bucket, folder, bytes)];
  // Not of the bytes, which nobody reads now; as unique as what it is made of.
  const etag = createHash('md5')
    .update(JSON.stringify([object.record.id, object.record.etag, range]))
    .digest('hex');
  const part = { number, size, etag, modified: now(), segments: stored };
  await addPart(store, bucket, upload, part);
  exchange.sendXml(
    200,
    document('CopyPartResult', [
      ['LastModified', isoDate(part.modified)],
      ['ETag', quoted(etag)],
    ]),
  );
}

async function written(
  store: ObjectStore,
  bucket: string,
  folder: string,
  bytes: Buffer,
): Promise<Part['segments'][number]> {
  const file = newPartName();
  const part = await store.beginFile(bucket, `${folder}/${file}`);
  await part.append([bytes]);
  await part.sync();
  await part.close();
  return { file, offset: 0, length: bytes.length };
}

/** `POST /bucket/key?uploadId`. */
export async function completeUpload(gateway: Gateway, exchange: Exchange): Promise<void> {
  const { bucket, key } = exchange;
  const store = gateway.store();
  const { bytes } = await new Body(exchange, { isOfBody: false }).whole(XML_BYTES_MAX);
  const wanted = wantedParts(parseXml(bytes.toString('utf8'), 'CompleteMultipartUpload'));
  const id = uploadIdOf(exchange);
  const record = await store.inTurn(`upload ${id}`, () => completeWhereItIs(gateway, exchange, id, wanted));
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
    if (error instanceof S3Error && error.code === 'PreconditionFailed') await becomeUpload(store, bucket, id);
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

/** `DELETE /bucket/key?uploadId`. */
export async function abort({ store }: Gateway, exchange: Exchange): Promise<void> {
  const id = uploadIdOf(exchange);
  await store().inTurn(`upload ${id}`, () => abortUpload(store(), exchange.bucket, exchange.key, id));
  exchange.send(204);
}

/** `GET /bucket/key?uploadId`. */
export async function listParts({ store: storeOf }: Gateway, exchange: Exchange): Promise<void> {
  const { bucket, key } = exchange;
  const upload = await uploadOf(storeOf(), bucket, key, uploadIdOf(exchange));
  const max = limitOf(exchange, 'max-parts');
  const marker = Number(exchange.query('part-number-marker') ?? 0);
  const all = (await partsOf(storeOf(), bucket, uploadFolderOf(upload.id))).filter(({ number }) => number > marker);
  const parts = all.slice(0, max);
  const isTruncated = parts.length < all.length;
  exchange.sendXml(
    200,
    document('ListPartsResult', [
      ['Bucket', bucket],
      ['Key', encodedFor(exchange)(key)],
      ['UploadId', upload.id],
      ['Initiator', OWNER],
      ['Owner', OWNER],
      ['StorageClass', 'STANDARD'],
      ['PartNumberMarker', marker],
      ['NextPartNumberMarker', isTruncated ? parts.at(-1)?.number : undefined],
      ['MaxParts', max],
      ['IsTruncated', isTruncated],
      ['EncodingType', exchange.query('encoding-type')],
      ...parts.map((part): Node => [
        'Part',
        [
          ['PartNumber', part.number],
          ['LastModified', isoDate(part.modified)],
          ['ETag', quoted(part.etag)],
          ['Size', part.size],
          ...(part.checksum === undefined
            ? []
            : [[`Checksum${part.checksum.algorithm.toUpperCase()}`, part.checksum.value] as const]),
        ],
      ]),
    ]),
  );
}

/** `GET /bucket?uploads`. */
export async function listUploads({ store }: Gateway, exchange: Exchange): Promise<void> {
  const { bucket } = exchange;
  await store().requireBucket(bucket);
  const [prefix, delimiter, keyMarker, idMarker] = ['prefix', 'delimiter', 'key-marker', 'upload-id-marker'].map(
    (name) => exchange.query(name) ?? '',
  ) as [string, string, string, string];
  const max = limitOf(exchange, 'max-uploads');
  const encode = encodedFor(exchange);
  const all = (await uploadsOf(store(), bucket))
    .filter(({ key }) => key.startsWith(prefix))
    .sort((a, b) => compareKeys(a.key, b.key) || a.initiated - b.initiated || compareKeys(a.id, b.id));
  const at = all.findIndex(({ key, id }) => key === keyMarker && id === idMarker);
  const later =
    idMarker === '' || at === -1 ? all.filter(({ key }) => compareKeys(key, keyMarker) > 0) : all.slice(at + 1);
  const groups = new Set<string>();
  const uploads: Upload[] = [];
  let last: Upload | undefined;
  let isTruncated = false;
  for (const upload of later) {
    const group = groupOf(upload.key, prefix, delimiter);
    if (group !== undefined && (groups.has(group) || keyMarker.startsWith(group))) continue;
    isTruncated = uploads.length + groups.size === max;
    if (isTruncated) break;
    if (group === undefined) uploads.push(upload);
    else groups.add(group);
    last = group === undefined ? upload : { ...upload, key: group, id: '' };
  }
  exchange.sendXml(
    200,
    document('ListMultipartUploadsResult', [
      ['Bucket', bucket],
      ['KeyMarker', encode(keyMarker)],
      ['UploadIdMarker', idMarker],
      ['NextKeyMarker', isTruncated && last !== undefined ? encode(last.key) : undefined],
      ['NextUploadIdMarker', isTruncated ? last?.id : undefined],
      ['Delimiter', delimiter === '' ? undefined : encode(delimiter)],
      ['Prefix', encode(prefix)],
      ['MaxUploads', max],
      ['IsTruncated', isTruncated],
      ['EncodingType', exchange.query('encoding-type')],
      ...uploads.map(({ key, id, initiated }): Node => [
        'Upload',
        [
          ['Key', encode(key)],
          ['UploadId', id],
          ['Initiator', OWNER],
          ['Owner', OWNER],
          ['StorageClass', 'STANDARD'],
          ['Initiated', isoDate(initiated)],
        ],
      ]),
      ...[...groups].map((group): Node => ['CommonPrefixes', [['Prefix', encode(group)]]]),
    ]),
  );
}
