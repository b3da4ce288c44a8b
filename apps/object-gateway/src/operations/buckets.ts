/** The service and its buckets. */
import { maySee } from '../auth/credentials';
import { Body } from '../body/body';
import type { Gateway } from '../gateway';
import type { Exchange } from '../http/exchange';
import { checkKey } from '../http/exchange';
import { document, type Element, type Node, parseXml } from '../http/xml';
import { S3Error, s3ErrorFrom } from '../s3-error';
import { mapLimited } from '../store/limited';
import type { ObjectStore } from '../store/object-store';
import { isoDate, refuseUnkept } from './description';
import { OWNER } from './paging';

const XML_BYTES_MAX = 2 * 1024 * 1024;
const DELETES_MAX = 1_000;
const DELETES_AT_ONCE = 16;

/** `GET /`. */
export async function listBuckets({ store }: Gateway, exchange: Exchange): Promise<void> {
  const buckets = (await store().buckets.list()).filter(({ name }) => maySee(exchange.signed.credential, name));
  exchange.sendXml(
    200,
    document('ListAllMyBucketsResult', [
      ['Owner', OWNER],
      [
        'Buckets',
        buckets.map(({ name, created }): Node => [
          'Bucket',
          [
            ['Name', name],
            ['CreationDate', isoDate(created)],
          ],
        ]),
      ],
    ]),
  );
}

/** `PUT /bucket`. A bucket that is there already is yours: everything is. */
export async function createBucket({ store, region }: Gateway, exchange: Exchange): Promise<void> {
  refuseUnkept(exchange);
  const { bytes } = await new Body(exchange).whole(XML_BYTES_MAX);
  if (bytes.length > 0) checkPlace(parseXml(bytes.toString('utf8'), 'CreateBucketConfiguration'), region);
  const isNew = await store().buckets.create(exchange.bucket, exchange.actor);
  if (!isNew) throw new S3Error('BucketAlreadyOwnedByYou', 'The bucket is there already, and yours.');
  exchange.send(200, { location: `/${exchange.bucket}` });
}

function checkPlace(root: Element, region: string): void {
  const asked = root.value('LocationConstraint');
  if (asked === undefined || asked === '' || asked === region) return;
  throw new S3Error('InvalidArgument', `The specified location-constraint is not valid: this is ${region}.`);
}

/** `HEAD /bucket`. */
export async function headBucket({ store, region }: Gateway, exchange: Exchange): Promise<void> {
  await store().buckets.require(exchange.bucket);
  exchange.send(200, { 'x-amz-bucket-region': region, 'content-type': 'application/xml' });
}

/** `DELETE /bucket`. */
export async function deleteBucket({ store }: Gateway, exchange: Exchange): Promise<void> {
  await store().buckets.delete(exchange.bucket);
  exchange.send(204);
}

/** `POST /bucket?delete`. */
export async function deleteObjects({ store, log }: Gateway, exchange: Exchange): Promise<void> {
  const { bytes } = await new Body(exchange).whole(XML_BYTES_MAX);
  const root = parseXml(bytes.toString('utf8'), 'Delete');
  const objects = root.all('Object');
  if (objects.length === 0 || objects.length > DELETES_MAX) throw new S3Error('MalformedXML', 'One to 1000 objects.');
  await store().buckets.require(exchange.bucket);
  const isQuiet = root.value('Quiet') === 'true';
  const results = await mapLimited(objects, DELETES_AT_ONCE, async (object): Promise<Node> => {
    const key = object.value('Key') ?? '';
    try {
      await deleteOne(store(), exchange.bucket, key, object.value('VersionId'));
      return ['Deleted', [['Key', key]]];
    } catch (error) {
      const { code, message, cause } = s3ErrorFrom(error);
      if (cause !== undefined) log.warn({ bucket: exchange.bucket, key, err: error }, 'an object could not be removed');
      return [
        'Error',
        [
          ['Key', key],
          ['Code', code],
          ['Message', message],
        ],
      ];
    }
  });
  exchange.sendXml(200, document('DeleteResult', isQuiet ? results.filter(([name]) => name === 'Error') : results));
}

async function deleteOne(store: ObjectStore, bucket: string, key: string, version: string | undefined): Promise<void> {
  if (key === '') throw new S3Error('MalformedXML', 'An object has a key.');
  checkKey(key);
  if (version !== undefined && version !== '' && version !== 'null') {
    throw new S3Error('InvalidArgument', 'Invalid version id specified');
  }
  await store.deleteObject(bucket, key);
}
