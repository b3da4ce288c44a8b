/** Refusals as clients of S3 know them. */
import { Unavailable } from '@brickyard/service-host';
import { VolumeFull, VolumeTrouble } from '@brickyard/volume-storage';

const STATUS = {
  AccessDenied: 403,
  AuthorizationHeaderMalformed: 400,
  AuthorizationQueryParametersError: 400,
  BadDigest: 400,
  BucketAlreadyOwnedByYou: 409,
  BucketNotEmpty: 409,
  EntityTooLarge: 400,
  EntityTooSmall: 400,
  IncompleteBody: 400,
  InsufficientStorage: 507,
  InternalError: 500,
  InvalidAccessKeyId: 403,
  InvalidArgument: 400,
  InvalidBucketName: 400,
  InvalidDigest: 400,
  InvalidPart: 400,
  InvalidPartOrder: 400,
  InvalidRange: 416,
  InvalidRequest: 400,
  InvalidStorageClass: 400,
  InvalidTag: 400,
  InvalidURI: 400,
  KeyTooLongError: 400,
  MalformedXML: 400,
  MaxMessageLengthExceeded: 400,
  MetadataTooLarge: 400,
  MethodNotAllowed: 405,
  MissingContentLength: 411,
  MissingSecurityHeader: 400,
  NoSuchBucket: 404,
  NoSuchBucketPolicy: 404,
  NoSuchCORSConfiguration: 404,
  NoSuchKey: 404,
  NoSuchLifecycleConfiguration: 404,
  NoSuchPublicAccessBlockConfiguration: 404,
  NoSuchTagSet: 404,
  NoSuchUpload: 404,
  NoSuchWebsiteConfiguration: 404,
  NotImplemented: 501,
  ObjectLockConfigurationNotFoundError: 404,
  OwnershipControlsNotFoundError: 404,
  PreconditionFailed: 412,
  RequestTimeTooSkewed: 403,
  ServerSideEncryptionConfigurationNotFoundError: 404,
  ServiceUnavailable: 503,
  SignatureDoesNotMatch: 403,
  XAmzContentSHA256Mismatch: 400,
} as const;
export type S3Code = keyof typeof STATUS;

interface S3ErrorOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** More elements of the answer. */
  readonly fields?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** An answer that is no success. */
export class S3Error extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, string>>;

  constructor(
    readonly code: S3Code,
    message: string,
    { headers = {}, fields = {}, ...rest }: S3ErrorOptions = {},
  ) {
    super(message, rest);
    this.status = STATUS[code];
    this.headers = headers;
    this.fields = fields;
  }
}

/** Any failure as an answer; what went wrong inside is for the log, not for the client. */
export function s3ErrorFrom(error: unknown): S3Error {
  if (error instanceof S3Error) return error;
  if (error instanceof VolumeFull) {
    return new S3Error('InsufficientStorage', 'The volume is full; nothing was stored.', { cause: error });
  }
  if (error instanceof VolumeTrouble || error instanceof Unavailable) {
    const headers = { 'retry-after': '2' };
    return new S3Error('ServiceUnavailable', 'The storage does not answer as it should; try again.', {
      headers,
      cause: error,
    });
  }
  return new S3Error('InternalError', 'Something went wrong inside the gateway.', { cause: error });
}
