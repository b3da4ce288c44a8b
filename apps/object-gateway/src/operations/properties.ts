/** What clients ask about a bucket or an object beside its content; most of it is the same for all. */
import { Body } from '../body/body';
import type { Gateway, Operation } from '../gateway';
import type { Exchange } from '../http/exchange';
import { document, type Node, parseXml } from '../http/xml';
import { type S3Code, S3Error } from '../s3-error';
import { checkedTags } from './description';
import { OWNER } from './paging';

const USUAL_REGION = 'us-east-1';
const XML_BYTES_MAX = 64 * 1024;

const GRANTEE = 'Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"';
const ACL: readonly Node[] = [
  ['Owner', OWNER],
  [
    'AccessControlList',
    [
      [
        'Grant',
        [
          [GRANTEE, OWNER],
          ['Permission', 'FULL_CONTROL'],
        ],
      ],
    ],
  ],
];

const ofBucket =
  (name: string, content: (gateway: Gateway) => readonly Node[]): Operation =>
  async (gateway, exchange) => {
    await gateway.store().buckets.require(exchange.bucket);
    exchange.sendXml(200, document(name, content(gateway)));
  };

const missing =
  (code: S3Code): Operation =>
  async ({ store }, { bucket }) => {
    await store().buckets.require(bucket);
    throw new S3Error(code, 'There is no such configuration.');
  };

/** `GET /bucket?location`. */
export async function getLocation({ store, region }: Gateway, exchange: Exchange): Promise<void> {
  await store().buckets.require(exchange.bucket);
  exchange.sendXml(200, document('LocationConstraint', region === USUAL_REGION ? '' : region));
}

/** What a bucket answers to `GET ?name`. */
export const bucketProperties: Readonly<Record<string, Operation>> = {
  location: getLocation,
  versioning: ofBucket('VersioningConfiguration', () => []),
  acl: ofBucket('AccessControlPolicy', () => ACL),
  requestPayment: ofBucket('RequestPaymentConfiguration', () => [['Payer', 'BucketOwner']]),
  notification: ofBucket('NotificationConfiguration', () => []),
  logging: ofBucket('BucketLoggingStatus', () => []),
  accelerate: ofBucket('AccelerateConfiguration', () => []),
  policy: missing('NoSuchBucketPolicy'),
  policyStatus: missing('NoSuchBucketPolicy'),
  lifecycle: missing('NoSuchLifecycleConfiguration'),
  cors: missing('NoSuchCORSConfiguration'),
  tagging: missing('NoSuchTagSet'),
  website: missing('NoSuchWebsiteConfiguration'),
  encryption: missing('ServerSideEncryptionConfigurationNotFoundError'),
  'object-lock': missing('ObjectLockConfigurationNotFoundError'),
  ownershipControls: missing('OwnershipControlsNotFoundError'),
  publicAccessBlock: missing('NoSuchPublicAccessBlockConfiguration'),
};

/** `GET /bucket/key?acl`. */
export async function getObjectAcl({ store }: Gateway, exchange: Exchange): Promise<void> {
  await store().object(exchange.bucket, exchange.key);
  exchange.sendXml(200, document('AccessControlPolicy', ACL));
}

/** `PUT ?acl`: takes what is so already. */
export async function putAcl({ store }: Gateway, exchange: Exchange): Promise<void> {
  const acl = exchange.header('x-amz-acl');
  if (acl !== 'private') throw new S3Error('NotImplemented', 'Everything here is private to its access keys.');
  if (exchange.key === '') await store().buckets.require(exchange.bucket);
  else await store().object(exchange.bucket, exchange.key);
  exchange.send(200);
}

/** `GET /bucket/key?tagging`. */
export async function getTags({ store }: Gateway, exchange: Exchange): Promise<void> {
  const { record } = await store().object(exchange.bucket, exchange.key);
  const tags = record.tags.map(([name, value]): Node => [
    'Tag',
    [
      ['Key', name],
      ['Value', value],
    ],
  ]);
  exchange.sendXml(200, document('Tagging', [['TagSet', tags]]));
}

/** `PUT /bucket/key?tagging`. */
export async function putTags({ store }: Gateway, exchange: Exchange): Promise<void> {
  const { bytes } = await new Body(exchange).whole(XML_BYTES_MAX);
  const [set] = parseXml(bytes.toString('utf8'), 'Tagging').all('TagSet');
  const tags = (set?.all('Tag') ?? []).map((tag): [string, string] => [
    tag.value('Key') ?? '',
    tag.value('Value') ?? '',
  ]);
  await retag({ store }, exchange, tags);
  exchange.send(200);
}

/** `DELETE /bucket/key?tagging`. */
export async function deleteTags({ store }: Gateway, exchange: Exchange): Promise<void> {
  await retag({ store }, exchange, []);
  exchange.send(204);
}

async function retag({ store }: Pick<Gateway, 'store'>, exchange: Exchange, tags: [string, string][]): Promise<void> {
  const checked = checkedTags(tags);
  await store().describe(exchange.bucket, exchange.key, (record) => ({ ...record, tags: checked }));
}
