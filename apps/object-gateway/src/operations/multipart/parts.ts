/** The parts of an upload: sent, or taken from an object that is there. */
import { createHash } from 'node:crypto';
import { Body } from '../../body/body';
import { storeBody } from '../../body/store-body';
import type { Gateway } from '../../gateway';
import type { Exchange } from '../../http/exchange';
import { document } from '../../http/xml';
import { S3Error } from '../../s3-error';
import type { ObjectStore } from '../../store/object-store';
import { addPart, newPartName, type Part, PARTS_MAX, uploadFolderOf, uploadOf } from '../../store/uploads';
import { checkSource } from '../conditions';
import { copyRangeOf, linked, sourceOf } from '../copy';
import { isoDate, quoted } from '../description';
import { piecesOf } from '../objects';
import { uploadIdOf } from './begin';

function partNumberOf(exchange: Exchange): number {
  const text = exchange.query('partNumber') ?? '';
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= PARTS_MAX) return number;
  throw new S3Error('InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive');
}

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
