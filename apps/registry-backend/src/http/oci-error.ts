/** Every refusal of the registry as the protocol words it, from one exhaustive table. */
import type { RegistryRejection } from '@brickyard/contracts';
import { Overloaded, Unavailable as LogUnavailable } from '@brickyard/event-sourcing';
import { describeError, Unavailable } from '@brickyard/service-host';
import { VolumeFull, VolumeTrouble } from '@brickyard/volume-storage';

const STATUS = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DENIED: 403,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 404,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  NOT_FOUND: 404,
  PAGINATION_NUMBER_INVALID: 400,
  RANGE_INVALID: 416,
  SIZE_INVALID: 400,
  TAG_INVALID: 400,
  TOOMANYREQUESTS: 429,
  UNAUTHORIZED: 401,
  UNAVAILABLE: 503,
  UNKNOWN: 500,
  UNSUPPORTED: 405,
} as const;

export type OciCode = keyof typeof STATUS;

/** More about a refusal than its code. */
interface Refusal {
  readonly status?: number;
  readonly detail?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
  /** The same code once for each. */
  readonly details?: readonly unknown[];
}

/** A refusal on its way to the client. */
export class OciError extends Error {
  override readonly name = 'OciError';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly #details: readonly unknown[];

  constructor(
    readonly code: OciCode,
    message: string,
    { status, detail, details, headers, cause }: Refusal = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = status ?? STATUS[code];
    this.headers = headers ?? {};
    this.#details = details ?? [detail];
  }

  /** The body of the answer. */
  get body(): string {
    const { code, message } = this;
    const errors = this.#details.map((detail) => ({ code, message, ...(detail === undefined ? {} : { detail }) }));
    return JSON.stringify({ errors });
  }
}

/** How the protocol says why a command changes nothing. */
export function errorFrom(rejection: RegistryRejection): OciError {
  switch (rejection.kind) {
    case 'ReadOnly':
      return new OciError('UNSUPPORTED', `the registry is read-only: ${rejection.reason}`);
    case 'RepositoryUnknown':
      return new OciError('NAME_UNKNOWN', 'no such repository', { detail: { name: rejection.repository } });
    case 'BlobUnknown':
      return new OciError('BLOB_UNKNOWN', 'no such blob in this repository', { detail: { digest: rejection.digest } });
    case 'ManifestUnknown':
      return new OciError('MANIFEST_UNKNOWN', 'no such manifest', { detail: { digest: rejection.digest } });
    case 'TagUnknown':
      return new OciError('MANIFEST_UNKNOWN', 'no such tag', { detail: { tag: rejection.tag } });
    case 'TagFixed':
      return new OciError('DENIED', `tag ${rejection.tag} may not be moved or deleted: it is immutable`, {
        detail: { tag: rejection.tag, digest: rejection.digest },
      });
    case 'UploadUnknown':
      return new OciError('BLOB_UPLOAD_UNKNOWN', 'no such upload', { detail: { uploadId: rejection.uploadId } });
    case 'WrongOffset':
      return new OciError('RANGE_INVALID', 'the chunk does not begin where the upload ends', {
        detail: { offset: rejection.offset },
      });
    case 'ReferencesMissing':
      return new OciError('MANIFEST_BLOB_UNKNOWN', 'the manifest names content that is not in this repository', {
        details: rejection.digests.map((digest) => ({ digest })),
      });
    case 'QuotaExceeded':
      return new OciError('DENIED', describeQuota(rejection), {
        detail: { quotaBytes: rejection.quotaBytes, usedBytes: rejection.usedBytes },
      });
    case 'StillInUse':
      return new OciError('DENIED', `still in use by ${rejection.by}`, { status: 409 });
    case 'NotEmpty':
      return new OciError('DENIED', `the log has ${String(rejection.position)} events already`, { status: 409 });
    case 'FactRefused':
      return new OciError('UNKNOWN', rejection.detail);
  }
}

function describeQuota(quota: Extract<RegistryRejection, { readonly kind: 'QuotaExceeded' }>): string {
  const { quotaBytes, usedBytes, wantedBytes } = quota;
  return `quota exceeded: ${String(usedBytes)} of ${String(quotaBytes)} bytes are used, ${String(wantedBytes)} more were asked for`;
}

const RETRY_SECONDS = 2;

/** Any failure as an answer; what went wrong inside is for the log, not for the client. */
export function ociErrorFrom(error: unknown): OciError {
  if (error instanceof OciError) return error;
  if (error instanceof VolumeFull) {
    // A 4xx: a client would send a gigabyte five times on a 5xx, and the volume is not larger the next second.
    const message = 'the volume of the registry is full; nothing was stored';
    return new OciError('DENIED', message, { status: 413, cause: error });
  }
  if (error instanceof VolumeTrouble)
    return unavailable('the storage of the registry does not answer as it should', error);
  if (error instanceof Unavailable || error instanceof LogUnavailable || error instanceof Overloaded) {
    return unavailable(`the registry cannot write at the moment: ${describeError(error)}`, error);
  }
  return new OciError('UNKNOWN', 'something went wrong inside the registry', { cause: error });
}

function unavailable(message: string, cause: unknown): OciError {
  const wantedMs = cause instanceof Unavailable ? (cause.retryAfterMs ?? 0) : 0;
  const seconds = Math.max(RETRY_SECONDS, Math.ceil(wantedMs / 1_000));
  return new OciError('UNAVAILABLE', message, { headers: { 'retry-after': String(seconds) }, cause });
}
