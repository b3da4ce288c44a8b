/** Copies without moving a byte: the same files under more names. */
import { type ByteRange } from '@brickyard/volume-storage';
import type { Gateway } from '../gateway';
import { checkKey, decoded, type Exchange } from '../http/exchange';
import { document } from '../http/xml';
import { admit } from '../auth/credentials';
import { S3Error } from '../s3-error';
import { dataFolderOf, type ObjectStore, type StoredObject } from '../store/object-store';
import { newId, type ObjectRecord, type Segment } from '../store/record';
import { checkSource, writeCondition } from './conditions';
import { descriptionFrom, isoDate, quoted, refuseUnkept } from './description';
import { checksumHeaders } from './objects';

/** Bucket and key that `x-amz-copy-source` names; refuses one that may not be read. */
export function sourceOf(exchange: Exchange): { readonly bucket: string; readonly key: string } {
  const header = exchange.header('x-amz-copy-source') ?? '';
  const [path = '', version] = header.split('?versionId=');
  const text = decoded(path).replace(/^\//, '');
  const slash = text.indexOf('/');
  const [bucket, key] = [text.slice(0, slash), text.slice(slash + 1)];
  if (slash < 1 || key === '' || (version !== undefined && version !== 'null')) {
    throw new S3Error('InvalidArgument', 'Copy Source must mention the source bucket and key: sourcebucket/sourcekey');
  }
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket))
    throw new S3Error('InvalidBucketName', 'No such bucket can be.');
  checkKey(key);
  admit(exchange.signed.credential, 'GET', bucket);
  return { bucket, key };
}

/** `PUT /bucket/key` with `x-amz-copy-source`. */
export async function copyObject({ store: storeOf, now }: Gateway, exchange: Exchange): Promise<void> {
  const store = storeOf();
  const { bucket, key } = exchange;
  const source = sourceOf(exchange);
  const isReplacing = directive(exchange, 'x-amz-metadata-directive');
  const isTagging = directive(exchange, 'x-amz-tagging-directive');
  const given = isReplacing || isTagging ? descriptionFrom(exchange) : undefined;
  refuseUnkept(exchange);
  const isOnItself = source.bucket === bucket && source.key === key;
  if (isOnItself && !isReplacing) {
    throw new S3Error('InvalidRequest', 'A copy of an object onto itself must change its metadata.');
  }
  await store.buckets.require(bucket);
  const id = newId();
  const { object, segments } = await linked(store, source, bucket, dataFolderOf(id), (found) => {
    checkSource(exchange, found.record);
    return found.record.segments ?? [];
  });
  const { record: from, inline } = object;
  const { headers, metadata } = isReplacing && given !== undefined ? given : from;
  const tags = isTagging && given !== undefined ? given.tags : from.tags;
  const record: ObjectRecord = {
    ...from,
    ...{ id, key, modified: now(), headers, metadata, tags },
    ...(from.segments === undefined ? {} : { segments: [...segments] }),
  };
  try {
    await store.publish(bucket, record, inline, writeCondition(exchange));
  } catch (error) {
    store.inBackground(store.discard(bucket, id));
    throw error;
  }
  const { checksum } = record;
  exchange.sendXml(
    200,
    document('CopyObjectResult', [
      ['LastModified', isoDate(record.modified)],
      ['ETag', quoted(record.etag)],
      ...(checksum === undefined ? [] : ([[`Checksum${checksum.algorithm.toUpperCase()}`, checksum.value]] as const)),
    ]),
    checksumHeaders(record),
  );
}

function directive(exchange: Exchange, name: string): boolean {
  const value = exchange.header(name) ?? 'COPY';
  if (value === 'REPLACE') return true;
  if (value === 'COPY') return false;
  throw new S3Error('InvalidArgument', `${name} is COPY or REPLACE.`);
}

const ATTEMPTS_MAX = 5;

/** Links the files of an object into a folder of a bucket, durably; a new version that comes in between is taken instead. */
export async function linked(
  store: ObjectStore,
  source: { readonly bucket: string; readonly key: string },
  bucket: string,
  folder: string,
  pick: (object: StoredObject) => readonly Segment[],
): Promise<{ readonly object: StoredObject; readonly segments: readonly Segment[] }> {
  for (let attempt = 1; ; attempt += 1) {
    const object = await store.object(source.bucket, source.key);
    const segments: Segment[] = [];
    const names = new Map<string, string>();
    try {
      for (const { file, offset, length } of pick(object)) {
        const name = names.get(file) ?? `${folder}/${newId().slice(0, 12)}.data`;
        if (!names.has(file)) await store.linkFile(source.bucket, file, bucket, name);
        names.set(file, name);
        segments.push({ file: name, offset, length });
      }
      const [first] = segments;
      if (first !== undefined) await store.syncFolderOf(bucket, first.file);
      return { object, segments };
    } catch (error) {
      for (const name of names.values()) await store.removeFile(bucket, name).catch(() => undefined);
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

/** `x-amz-copy-source-range`; the whole when there is none. */
export function copyRangeOf(exchange: Exchange, size: number): ByteRange | undefined {
  const header = exchange.header('x-amz-copy-source-range');
  if (header === undefined) return size === 0 ? undefined : { first: 0, last: size - 1 };
  const match = /^bytes=(\d{1,15})-(\d{1,15})$/.exec(header);
  const [first, last] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || first > last || last >= size) {
    throw new S3Error('InvalidArgument', 'x-amz-copy-source-range must be bytes=first-last within the source.');
  }
  return { first, last };
}
