/** Which operation a request is: its method, whether it names a bucket and a key, and one word of its query. */
import type { Gateway, Operation } from '../gateway';
import { copyObject } from '../operations/copy';
import { createBucket, deleteBucket, deleteObjects, headBucket, listBuckets } from '../operations/buckets';
import { listObjects, listObjectsV2, listVersions } from '../operations/lists';
import { abort, createUpload } from '../operations/multipart/begin';
import { completeUpload } from '../operations/multipart/complete';
import { listParts, listUploads } from '../operations/multipart/lists';
import { copyPart, uploadPart } from '../operations/multipart/parts';
import { deleteObject, getObject, putObject, refuseVersion } from '../operations/objects';
import { bucketProperties, deleteTags, getObjectAcl, getTags, putAcl, putTags } from '../operations/properties';
import { S3Error } from '../s3-error';
import type { Exchange } from './exchange';

export interface Route {
  /** As S3 calls it, for metrics and the log. */
  readonly name: string;
  readonly run: Operation;
}

/** Words that make a request another one; a request with one that is not known here must not be taken for the plain one. */
const WORDS = new Set([
  ...[
    'accelerate',
    'acl',
    'analytics',
    'attributes',
    'cors',
    'delete',
    'encryption',
    'intelligent-tiering',
    'inventory',
  ],
  ...['legal-hold', 'lifecycle', 'location', 'logging', 'metrics', 'notification', 'object-lock', 'ownershipControls'],
  ...['policy', 'policyStatus', 'publicAccessBlock', 'replication', 'requestPayment', 'restore', 'retention', 'select'],
  ...[
    'session',
    'tagging',
    'torrent',
    'uploadId',
    'uploads',
    'versioning',
    'versions',
    'website',
    'renameObject',
    'append',
  ],
]);

type Table = Readonly<Record<string, Operation>>;

const service: Table = { 'GET ': listBuckets };

const bucket: Table = {
  'GET ': (gateway, exchange) =>
    exchange.query('list-type') === '2' ? listObjectsV2(gateway, exchange) : listObjects(gateway, exchange),
  'GET versions': listVersions,
  'GET uploads': listUploads,
  'HEAD ': headBucket,
  'PUT ': createBucket,
  'PUT acl': putAcl,
  'DELETE ': deleteBucket,
  'POST delete': deleteObjects,
  ...Object.fromEntries(Object.entries(bucketProperties).map(([name, operation]) => [`GET ${name}`, operation])),
};

const isCopy = (exchange: Exchange): boolean => exchange.header('x-amz-copy-source') !== undefined;
const reading: Operation = (gateway: Gateway, exchange) => {
  refuseVersion(exchange);
  return getObject(gateway, exchange);
};

const object: Table = {
  'GET ': reading,
  'HEAD ': reading,
  'GET acl': getObjectAcl,
  'GET tagging': getTags,
  'GET uploadId': listParts,
  'PUT ': (gateway, exchange) => (isCopy(exchange) ? copyObject : putObject)(gateway, exchange),
  'PUT uploadId': (gateway, exchange) => (isCopy(exchange) ? copyPart : uploadPart)(gateway, exchange),
  'PUT acl': putAcl,
  'PUT tagging': putTags,
  'POST uploads': createUpload,
  'POST uploadId': completeUpload,
  'DELETE ': deleteObject,
  'DELETE uploadId': abort,
  'DELETE tagging': deleteTags,
};

/** Finds it; throws for what is not done here. */
export function routeOf(exchange: Exchange): Route {
  const kind = exchange.bucket === '' ? 'service' : exchange.key === '' ? 'bucket' : 'object';
  const table = { service, bucket, object }[kind];
  const words = exchange.parameters.map(([name]) => name).filter((name) => WORDS.has(name));
  if (words.length > 1) throw new S3Error('InvalidArgument', `Conflicting parameters: ${words.join(', ')}`);
  const name = `${exchange.method} ${words[0] ?? ''}`;
  const run = table[name];
  if (run !== undefined) return { name: `${name}${name.endsWith(' ') ? '' : ' '}${kind}`, run };
  if (words.length > 0) {
    throw new S3Error('NotImplemented', `${name} of a ${kind} is not implemented here.`);
  }
  const allow = Object.keys(table).filter((one) => one.endsWith(' '));
  throw new S3Error('MethodNotAllowed', 'The specified method is not allowed against this resource.', {
    headers: { allow: allow.map((one) => one.trim()).join(', ') },
  });
}
