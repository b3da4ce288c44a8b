/** Version 4 of Amazon's request signatures, as far as S3 uses it: header, query, and chunks of a body. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { ChunkSigner } from '../body/chunked';
import type { Exchange } from '../http/exchange';
import { S3Error } from '../s3-error';
import type { Credentials } from './credentials';
import type { Signed } from './signed';

const ALGORITHM = 'AWS4-HMAC-SHA256';
const SKEW_MS = 15 * 60_000;
const EXPIRES_MAX = 604_800;
const EMPTY_SHA256 = createHash('sha256').digest('hex');

interface Claim {
  readonly accessKey: string;
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  readonly time: string;
  readonly isQuery: boolean;
}

/** Checks the signature of a request; throws what S3 says to one that is not good. */
export function verifySignature(exchange: Exchange, credentials: Credentials, now: number): Signed {
  const claim = claimOf(exchange, now);
  const credential = credentials.find(claim.accessKey);
  if (credential === undefined) {
    throw new S3Error('InvalidAccessKeyId', 'There is no such access key.', {
      fields: { AWSAccessKeyId: claim.accessKey },
    });
  }
  const payload = payloadOf(exchange, claim);
  const scope = `${claim.date}/${claim.region}/${claim.service}/aws4_request`;
  const request = canonicalRequest(exchange, claim, payload);
  const toSign = [ALGORITHM, claim.time, scope, sha256(request)].join('\n');
  const key = signingKey(credential.secretKey, claim);
  if (!isSame(hmac(key, toSign).toString('hex'), claim.signature)) {
    throw new S3Error('SignatureDoesNotMatch', 'The signature does not match; check the key and how it is signed.', {
      fields: { AWSAccessKeyId: claim.accessKey, StringToSign: toSign, CanonicalRequest: request },
    });
  }
  return { credential, payload, chunkSigner: () => signerOf(key, claim, scope) };
}

function claimOf(exchange: Exchange, now: number): Claim {
  const header = exchange.header('authorization');
  if (header !== undefined) return headerClaim(exchange, header, now);
  if (exchange.query('X-Amz-Algorithm') !== undefined) return queryClaim(exchange, now);
  if (exchange.query('AWSAccessKeyId') !== undefined) throw otherMechanism();
  throw new S3Error('AccessDenied', 'Requests must be signed (AWS4-HMAC-SHA256).');
}

const otherMechanism = (): S3Error =>
  new S3Error(
    'InvalidRequest',
    'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.',
  );

function headerClaim(exchange: Exchange, header: string, now: number): Claim {
  const malformed = (what: string): S3Error => new S3Error('AuthorizationHeaderMalformed', what);
  const [algorithm = '', ...rest] = header.split(' ');
  if (algorithm !== ALGORITHM) throw otherMechanism();
  const fields = new Map(
    rest
      .join('')
      .split(',')
      .map((field) => {
        const at = field.indexOf('=');
        return [field.slice(0, at), field.slice(at + 1)] as const;
      }),
  );
  const time = exchange.header('x-amz-date') ?? isoFrom(exchange.header('date'));
  const [credential, headers, signature] = ['Credential', 'SignedHeaders', 'Signature'].map((name) => fields.get(name));
  if (credential === undefined || headers === undefined || signature === undefined) {
    throw malformed('Credential, SignedHeaders and Signature must be there.');
  }
  if (time === undefined) throw new S3Error('AccessDenied', 'A signed request has x-amz-date or Date.');
  const at = timeOf(time);
  if (at === undefined) throw new S3Error('AccessDenied', 'x-amz-date is not a time.');
  if (Math.abs(now - at) > SKEW_MS) throw skewed(time, now);
  const scope = scopeOf(credential, time);
  if (scope === undefined) throw malformed('The credential is not <key>/<date>/<region>/s3/aws4_request.');
  return { ...scope, time, signature, signedHeaders: signedHeadersOf(exchange, headers), isQuery: false };
}

function queryClaim(exchange: Exchange, now: number): Claim {
  const wrong = (what: string): S3Error => new S3Error('AuthorizationQueryParametersError', what);
  const [algorithm, credential, time, expires, headers, signature] = [
    ...['X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Date', 'X-Amz-Expires', 'X-Amz-SignedHeaders', 'X-Amz-Signature'],
  ].map((name) => exchange.query(name));
  if (algorithm !== ALGORITHM) throw wrong(`Only ${ALGORITHM} is known here.`);
  if (
    credential === undefined ||
    time === undefined ||
    expires === undefined ||
    headers === undefined ||
    signature === undefined
  ) {
    throw wrong('X-Amz-Credential, -Date, -Expires, -SignedHeaders and -Signature must be there.');
  }
  const at = timeOf(time);
  if (at === undefined) throw wrong('X-Amz-Date is not a time.');
  if (!/^\d{1,6}$/.test(expires) || Number(expires) > EXPIRES_MAX) throw wrong('X-Amz-Expires is at most a week.');
  if (now > at + Number(expires) * 1_000) throw new S3Error('AccessDenied', 'Request has expired');
  if (at - now > SKEW_MS) throw skewed(time, now);
  const scope = scopeOf(credential, time);
  if (scope === undefined) throw wrong('X-Amz-Credential is not <key>/<date>/<region>/s3/aws4_request.');
  return { ...scope, time, signature, signedHeaders: signedHeadersOf(exchange, headers), isQuery: true };
}

function scopeOf(
  credential: string,
  time: string,
): Pick<Claim, 'accessKey' | 'date' | 'region' | 'service'> | undefined {
  const parts = credential.split('/');
  const [terminator, service, region, date] = [parts.pop(), parts.pop(), parts.pop(), parts.pop()];
  const accessKey = parts.join('/');
  if (terminator !== 'aws4_request' || service !== 's3' || accessKey === '') return undefined;
  if (region === undefined || date === undefined || !time.startsWith(date) || date.length !== 8) return undefined;
  return { accessKey, date, region, service };
}

/** The host must be signed, and so must every header of Amazon's that is sent: it says what to do. */
function signedHeadersOf(exchange: Exchange, text: string): readonly string[] {
  const names = text.split(';');
  const unsigned = Object.keys(exchange.request.headers).filter(
    (name) => name.startsWith('x-amz-') && !names.includes(name),
  );
  const missing = names.includes('host') ? unsigned : ['host', ...unsigned];
  if (missing.length === 0) return names;
  throw new S3Error('AccessDenied', 'There were headers present in the request which were not signed', {
    fields: { HeadersNotSigned: missing.join(', ') },
  });
}

function payloadOf(exchange: Exchange, { isQuery }: Claim): string {
  const given = exchange.header('x-amz-content-sha256');
  if (given !== undefined) return given;
  if (isQuery) return 'UNSIGNED-PAYLOAD';
  throw new S3Error('MissingSecurityHeader', 'x-amz-content-sha256 is missing.');
}

function canonicalRequest(exchange: Exchange, { signedHeaders, isQuery }: Claim, payload: string): string {
  const query = exchange.parameters
    .filter(([name]) => !isQuery || name !== 'X-Amz-Signature')
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([a, x], [b, y]) => (a === b ? compare(x, y) : compare(a, b)))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
  const headers = signedHeaders.map((name) => `${name}:${(exchange.header(name) ?? '').trim().replace(/ +/g, ' ')}\n`);
  const path = exchange.signedPath.split('/').map(encode).join('/');
  return [exchange.method, path, query, headers.join(''), signedHeaders.join(';'), payload].join('\n');
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** RFC 3986: everything but unreserved characters. */
export const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);

function signerOf(key: Buffer, { time, signature }: Claim, scope: string): ChunkSigner {
  let before = signature;
  const sign = (kind: string, ...parts: readonly string[]): string => {
    before = hmac(key, [`${ALGORITHM}-${kind}`, time, scope, before, ...parts].join('\n')).toString('hex');
    return before;
  };
  return {
    ofChunk: (digest) => sign('PAYLOAD', EMPTY_SHA256, digest),
    ofTrailer: (digest) => sign('TRAILER', digest),
  };
}

const signingKey = (secretKey: string, { date, region, service }: Claim): Buffer =>
  [date, region, service, 'aws4_request'].reduce<Buffer>(
    (key, part) => hmac(key, part),
    Buffer.from(`AWS4${secretKey}`),
  );

const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

function isSame(mine: string, theirs: string): boolean {
  const [left, right] = [Buffer.from(mine), Buffer.from(theirs)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** `20260102T030405Z` in milliseconds. */
function timeOf(text: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second] = match.map(Number);
  return Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second);
}

function isoFrom(date: string | undefined): string | undefined {
  const at = date === undefined ? Number.NaN : Date.parse(date);
  return Number.isNaN(at) ? undefined : new Date(at).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

const skewed = (time: string, now: number): S3Error =>
  new S3Error('RequestTimeTooSkewed', 'The time of the request is too far from that of the gateway.', {
    fields: { RequestTime: time, ServerTime: new Date(now).toISOString() },
  });
