/** What a client says about an object in headers: taken, checked, and given back. */
import type { OutgoingHttpHeaders } from 'node:http';
import type { Exchange } from '../http/exchange';
import { S3Error } from '../s3-error';
import type { Description, ObjectRecord } from '../store/record';

const KEPT = [
  'content-type',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'expires',
  'x-amz-website-redirect-location',
];
const META = 'x-amz-meta-';
const META_BYTES_MAX = 2 * 1024;
const TAGS_MAX = 10;
const DEFAULT_TYPE = 'binary/octet-stream';
const CLASSES = new Set(['STANDARD', 'REDUCED_REDUNDANCY']);
const ACLS = new Set(['private', 'bucket-owner-full-control', 'bucket-owner-read']);
/** What would promise something that is not kept here. */
const REFUSED =
  /^x-amz-(?:server-side-encryption|object-lock-|grant-|website-redirect|copy-source-server-side-encryption|write-offset)/;

/** Reads it from the headers of a request. */
export function descriptionFrom(exchange: Exchange): Description {
  refuseUnkept(exchange);
  const headers: Record<string, string> = {};
  for (const name of KEPT) {
    const value = exchange.header(name);
    const kept = name === 'content-encoding' ? withoutFraming(value) : value;
    if (kept !== undefined && kept !== '') headers[name] = kept;
  }
  headers['content-type'] ??= DEFAULT_TYPE;
  return { headers, metadata: metadataFrom(exchange), tags: tagsFrom(exchange.header('x-amz-tagging')) };
}

/** Throws for headers that ask for what is not there. */
export function refuseUnkept(exchange: Exchange): void {
  const refused = Object.keys(exchange.request.headers).find((name) => REFUSED.test(name));
  if (refused !== undefined) throw new S3Error('NotImplemented', `${refused} is not implemented here.`);
  const acl = exchange.header('x-amz-acl');
  if (acl !== undefined && !ACLS.has(acl)) {
    throw new S3Error('NotImplemented', `An x-amz-acl of ${acl} is not implemented here: objects are private.`);
  }
  const storageClass = exchange.header('x-amz-storage-class');
  if (storageClass !== undefined && !CLASSES.has(storageClass)) {
    throw new S3Error('InvalidStorageClass', 'Only STANDARD is stored here.');
  }
}

/** `aws-chunked` is how the body came, not what the object is. */
const withoutFraming = (value: string | undefined): string | undefined =>
  value
    ?.split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '' && part !== 'aws-chunked')
    .join(',');

function metadataFrom(exchange: Exchange): Record<string, string> {
  const names = Object.keys(exchange.request.headers).filter((name) => name.startsWith(META));
  const metadata = Object.fromEntries(names.map((name) => [name.slice(META.length), exchange.header(name) ?? '']));
  const bytes = Object.entries(metadata).reduce(
    (sum, [name, value]) => sum + name.length + Buffer.byteLength(value),
    0,
  );
  if (bytes <= META_BYTES_MAX) return metadata;
  throw new S3Error('MetadataTooLarge', 'Metadata has at most 2 KiB.', {
    fields: { MaxSizeAllowed: String(META_BYTES_MAX), Size: String(bytes) },
  });
}

function tagsFrom(header: string | undefined): Description['tags'] {
  return checkedTags([...new URLSearchParams(header ?? '')]);
}

/** Refuses tags that S3 would not take. */
export function checkedTags(tags: Description['tags']): Description['tags'] {
  const isGood =
    tags.length <= TAGS_MAX &&
    new Set(tags.map(([name]) => name)).size === tags.length &&
    tags.every(([name, value]) => name !== '' && name.length <= 128 && value.length <= 256);
  if (isGood) return tags;
  throw new S3Error('InvalidTag', 'At most 10 different tags, of 128 and 256 characters.');
}

const OVERRIDES = [
  'content-type',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'expires',
];

/** Headers of an answer about an object. */
export function headersOf(exchange: Exchange, record: ObjectRecord): OutgoingHttpHeaders {
  const overrides = OVERRIDES.flatMap((name) => {
    const value = exchange.query(`response-${name}`);
    return value === undefined ? [] : [[name, asHeader(value)] as const];
  });
  const { headers, metadata, checksum, tags } = record;
  return {
    ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, asHeader(value)])),
    ...Object.fromEntries(Object.entries(metadata).map(([name, value]) => [`${META}${name}`, asHeader(value)])),
    ...(tags.length === 0 ? {} : { 'x-amz-tagging-count': String(tags.length) }),
    ...(checksum === undefined || exchange.header('x-amz-checksum-mode')?.toUpperCase() !== 'ENABLED'
      ? {}
      : { [`x-amz-checksum-${checksum.algorithm}`]: checksum.value, 'x-amz-checksum-type': checksum.type }),
    ...Object.fromEntries(overrides),
    etag: quoted(record.etag),
    'last-modified': httpDate(record.modified),
    'accept-ranges': 'bytes',
  };
}

/** Node writes headers as Latin-1; line breaks would be another header, and no header has other control characters. */
const asHeader = (value: string): string =>
  Buffer.from(value.replace(/[\u0000-\u0008\u000a-\u001f\u007f]/g, ' '), 'utf8').toString('latin1');

export const quoted = (etag: string): string => `"${etag}"`;
export const httpDate = (ms: number): string => new Date(ms).toUTCString();
export const isoDate = (ms: number): string => new Date(ms).toISOString();
