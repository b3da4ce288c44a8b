/** The lists of objects: version 1, version 2, and that of versions. */
import type { Gateway } from '../gateway';
import type { Exchange } from '../http/exchange';
import { document, type Node } from '../http/xml';
import { S3Error } from '../s3-error';
import { groupOf, type ListPage, listPage, type ListQuery } from '../store/list';
import { isoDate, quoted } from './description';
import { encodedFor, limitOf, OWNER } from './paging';

type After = ListQuery['after'];

interface Asked {
  readonly prefix: string;
  readonly delimiter: string;
  readonly max: number;
  readonly encode: (text: string) => string;
}

function askedOf(exchange: Exchange): Asked {
  return {
    prefix: exchange.query('prefix') ?? '',
    delimiter: exchange.query('delimiter') ?? '',
    max: limitOf(exchange, 'max-keys'),
    encode: encodedFor(exchange),
  };
}

async function pageOf({ store }: Gateway, { bucket }: Exchange, asked: Asked, after: After): Promise<ListPage> {
  await store().buckets.require(bucket);
  return listPage(store(), bucket, { ...asked, after });
}

/** A marker that is a common prefix stands for everything below it. */
function markerOf(text: string, { prefix, delimiter }: Asked): After {
  return { key: text, isGroup: delimiter !== '' && groupOf(text, prefix, delimiter) === text };
}

/** What a list of one kind has besides what all of them have. */
interface ListForm {
  readonly root: string;
  /** Where it began and how it goes on. */
  readonly place: readonly Node[];
  readonly entries: readonly Node[];
}

function sendList(exchange: Exchange, asked: Asked, page: ListPage, { root, place, entries }: ListForm): void {
  const { prefix, delimiter, max, encode } = asked;
  exchange.sendXml(
    200,
    document(root, [
      ['Name', exchange.bucket],
      ['Prefix', encode(prefix)],
      ...place,
      ['MaxKeys', max],
      ['Delimiter', delimiter === '' ? undefined : encode(delimiter)],
      ['EncodingType', exchange.query('encoding-type')],
      ['IsTruncated', page.next !== undefined],
      ...entries,
      ...page.groups.map((group): Node => ['CommonPrefixes', [['Prefix', encode(group)]]]),
    ]),
  );
}

/** `GET /bucket?list-type=2`. */
export async function listObjectsV2(gateway: Gateway, exchange: Exchange): Promise<void> {
  const asked = askedOf(exchange);
  const token = exchange.query('continuation-token');
  const startAfter = exchange.query('start-after') ?? '';
  const after = token === undefined ? { key: startAfter, isGroup: false } : fromToken(token);
  const page = await pageOf(gateway, exchange, asked, after);
  sendList(exchange, asked, page, {
    root: 'ListBucketResult',
    place: [
      ['StartAfter', startAfter === '' ? undefined : asked.encode(startAfter)],
      ['ContinuationToken', token],
      ['NextContinuationToken', page.next === undefined ? undefined : toToken(page.next)],
      ['KeyCount', page.objects.length + page.groups.length],
    ],
    entries: contents(page, asked.encode, exchange.query('fetch-owner') === 'true'),
  });
}

/** `GET /bucket`. */
export async function listObjects(gateway: Gateway, exchange: Exchange): Promise<void> {
  const asked = askedOf(exchange);
  const marker = exchange.query('marker') ?? '';
  const page = await pageOf(gateway, exchange, asked, markerOf(marker, asked));
  sendList(exchange, asked, page, {
    root: 'ListBucketResult',
    place: [
      ['Marker', asked.encode(marker)],
      ['NextMarker', page.next === undefined ? undefined : asked.encode(page.next.key)],
    ],
    entries: contents(page, asked.encode, true),
  });
}

/** `GET /bucket?versions`: each object has the one version that it has. */
export async function listVersions(gateway: Gateway, exchange: Exchange): Promise<void> {
  const asked = askedOf(exchange);
  const marker = exchange.query('key-marker') ?? '';
  const page = await pageOf(gateway, exchange, asked, markerOf(marker, asked));
  sendList(exchange, asked, page, {
    root: 'ListVersionsResult',
    place: [
      ['KeyMarker', asked.encode(marker)],
      ['VersionIdMarker', exchange.query('version-id-marker') ?? ''],
      ['NextKeyMarker', page.next === undefined ? undefined : asked.encode(page.next.key)],
      ['NextVersionIdMarker', page.next === undefined ? undefined : 'null'],
    ],
    entries: page.objects.map(({ key, summary }): Node => ['Version', versionOf(asked.encode(key), summary)]),
  });
}

type Summary = ListPage['objects'][number]['summary'];

const versionOf = (key: string, { etag, size, modified }: Summary): readonly Node[] => [
  ['Key', key],
  ['VersionId', 'null'],
  ['IsLatest', true],
  ['LastModified', isoDate(modified)],
  ['ETag', quoted(etag)],
  ['Size', size],
  ['Owner', OWNER],
  ['StorageClass', 'STANDARD'],
];

const contents = ({ objects }: ListPage, encode: Asked['encode'], isOwned: boolean): readonly Node[] =>
  objects.map(({ key, summary }) => [
    'Contents',
    [
      ['Key', encode(key)],
      ['LastModified', isoDate(summary.modified)],
      ['ETag', quoted(summary.etag)],
      ['Size', summary.size],
      ['Owner', isOwned ? OWNER : undefined],
      ['StorageClass', 'STANDARD'],
    ],
  ]);

const toToken = ({ key, isGroup }: After): string => Buffer.from(JSON.stringify([key, isGroup])).toString('base64url');

function fromToken(token: string): After {
  try {
    const [key, isGroup] = JSON.parse(Buffer.from(token, 'base64url').toString('utf8')) as readonly unknown[];
    if (typeof key === 'string' && typeof isGroup === 'boolean') return { key, isGroup };
  } catch {
    // Not one of ours.
  }
  throw new S3Error('InvalidArgument', 'The continuation token provided is incorrect');
}
