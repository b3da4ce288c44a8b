/** The lists of uploads and of their parts. */
import type { Gateway } from '../../gateway';
import type { Exchange } from '../../http/exchange';
import { document, type Node } from '../../http/xml';
import { compareKeys } from '../../store/key-path';
import { groupOf } from '../../store/list';
import { partsOf, type Upload, uploadFolderOf, uploadOf, uploadsOf } from '../../store/uploads';
import { isoDate, quoted } from '../description';
import { countOf, encodedFor, limitOf, OWNER } from '../paging';
import { uploadIdOf } from './begin';

/** `GET /bucket/key?uploadId`. */
export async function listParts({ store: storeOf }: Gateway, exchange: Exchange): Promise<void> {
  const { bucket, key } = exchange;
  const upload = await uploadOf(storeOf(), bucket, key, uploadIdOf(exchange));
  const max = limitOf(exchange, 'max-parts');
  const marker = countOf(exchange, 'part-number-marker', 0);
  const all = (await partsOf(storeOf(), bucket, uploadFolderOf(upload.id))).filter(({ number }) => number > marker);
  const parts = all.slice(0, max);
  // As S3 has it: who asks for nothing is not told that there is more.
  const isTruncated = max > 0 && parts.length < all.length;
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
  await store().buckets.require(bucket);
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
    if (uploads.length + groups.size === max) {
      isTruncated = max > 0;
      break;
    }
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
