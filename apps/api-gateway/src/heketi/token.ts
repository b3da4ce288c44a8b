/** Whether a request's token lets it in: heketi's checks in heketi's order, with heketi's texts. Pure but for HMAC. */
import { createHash, createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import { goDuration } from './go-duration';

/** Who may ask: `admin` everything, `user` only to list and create volumes. */
export type Role = 'admin' | 'user';

/** The secrets tokens are signed with, one for each role. */
export type TokenKeys = Readonly<Record<Role, KeyObject>>;

/** Keys from the secrets of a configuration. */
export const tokenKeys = (admin: string, user: string): TokenKeys => ({
  admin: createSecretKey(admin, 'utf8'),
  user: createSecretKey(user, 'utf8'),
});

/** What is known of a request before its body is read. */
export interface RequestHead {
  readonly authorization: string | undefined;
  readonly method: string;
  /** Decoded, without the query. */
  readonly path: string;
}

/** When tokens are checked: now in whole seconds, and how far ahead of us a client's clock may be. */
export interface TokenTiming {
  readonly nowSeconds: number;
  readonly issuedAtLeewaySeconds: number;
}

/** Let in as a role, or turned away with status and text. */
export type TokenVerdict =
  | { readonly ok: true; readonly role: Role }
  | { readonly ok: false; readonly status: 400 | 401; readonly text: string };

interface Claims {
  readonly iss: string;
  readonly exp: number;
  readonly iat: number;
  readonly nbf: number;
  readonly qsh: string;
}

/** RFC 7518, section 3.2: what each is made with. */
const HMAC_ALGORITHMS = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' } as const;
type HmacAlgorithm = keyof typeof HMAC_ALGORITHMS;

const isHmacAlgorithm = (name: string): name is HmacAlgorithm => Object.hasOwn(HMAC_ALGORITHMS, name);

const refused = (status: 400 | 401, text: string): TokenVerdict => ({ ok: false, status, text });
const invalid = (reason: string): TokenVerdict => refused(401, `Invalid JWT token: ${reason}`);

/** Decides on one request. */
export function checkToken(head: RequestHead, keys: TokenKeys, timing: TokenTiming): TokenVerdict {
  if (head.authorization === undefined || head.authorization === '') {
    return refused(401, 'Required authorization token not found');
  }
  const [scheme, token, ...more] = head.authorization.split(' ');
  if (scheme?.toLowerCase() !== 'bearer' || token === undefined || more.length > 0) {
    return refused(400, 'Authorization header format must be Bearer {token}');
  }
  return checkJwt(token, head, keys, timing);
}

function checkJwt(token: string, head: RequestHead, keys: TokenKeys, timing: TokenTiming): TokenVerdict {
  const segments = token.split('.');
  if (segments.length !== 3) return invalid('token contains an invalid number of segments');
  const header = readHeader(segments[0] ?? '');
  if (typeof header === 'string') return invalid(header);
  const claims = readClaims(readSegment(segments[1] ?? ''));
  if (typeof claims === 'string') return invalid(claims);
  const { algorithm } = header;
  if (algorithm === undefined) return invalid(`Unexpected signing method: ${header.named}`);
  if (claims.iss === '') return invalid('Token missing iss claim');
  if (claims.iss !== 'admin' && claims.iss !== 'user') return invalid('Unknown user');
  if (!isSigned(token, keys[claims.iss], algorithm)) {
    return invalid('signature is invalid (client and server secrets may not match)');
  }
  const untimely = timeProblem(claims, timing);
  if (untimely !== undefined) return invalid(untimely);
  if (claims.qsh !== queryStringHash(head)) return refused(401, 'Invalid qsh claim in token');
  return admit(claims.iss, head.path);
}

/** What binds a token to one method and path. */
export function queryStringHash({ method, path }: Pick<RequestHead, 'method' | 'path'>): string {
  return createHash('sha256').update(`${method.toUpperCase()}&${path}`).digest('hex');
}

function admit(role: Role, path: string): TokenVerdict {
  if (role === 'user' && path !== '/volumes') return refused(401, 'Administrator access required');
  return { ok: true, role };
}

/** RFC 7515, section 5.2: over the first two segments as they came. */
function isSigned(token: string, key: KeyObject, algorithm: HmacAlgorithm): boolean {
  const end = token.lastIndexOf('.');
  const expected = createHmac(HMAC_ALGORITHMS[algorithm], key).update(token.slice(0, end)).digest('base64url');
  const given = Buffer.from(token.slice(end + 1));
  return given.length === expected.length && timingSafeEqual(given, Buffer.from(expected));
}

/** As in Go, the last check that fails is the one that is told. */
function timeProblem(
  { exp, iat, nbf }: Claims,
  { nowSeconds, issuedAtLeewaySeconds }: TokenTiming,
): string | undefined {
  if (nbf > nowSeconds) return 'token is not valid yet';
  if (iat > nowSeconds + issuedAtLeewaySeconds) {
    return 'Token used before issued (client and server clocks may differ)';
  }
  return nowSeconds > exp ? `Token is expired by ${goDuration(nowSeconds - exp)}` : undefined;
}

/** The JSON object in one segment, or what is wrong with it. */
function readSegment(segment: string): Record<string, unknown> | string {
  const bad = /[^A-Za-z0-9_-]/.exec(segment);
  if (bad !== null) return `illegal base64 data at input byte ${String(bad.index)}`;
  try {
    const value: unknown = JSON.parse(Buffer.from(segment, 'base64url').toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    return 'token segment is not a JSON object';
  } catch {
    return 'token segment is not valid JSON';
  }
}

/** The header of a token: the algorithm as named, and as one of ours. */
interface Header {
  readonly named: string;
  readonly algorithm: HmacAlgorithm | undefined;
}

/** A client library writes the same header into every token. */
const headers = new Map<string, Header>();
const HEADERS_MAX = 64;

function readHeader(segment: string): Header | string {
  const known = headers.get(segment);
  if (known !== undefined) return known;
  const read = readSegment(segment);
  if (typeof read === 'string') return read;
  const named = printable(read['alg']);
  const header = { named, algorithm: isHmacAlgorithm(named) ? named : undefined };
  if (header.algorithm !== undefined && headers.size < HEADERS_MAX) headers.set(segment, header);
  return header;
}

/** Absent claims are empty or zero, as Go leaves them. */
function readClaims(payload: Record<string, unknown> | string): Claims | string {
  if (typeof payload === 'string') return payload;
  const text = { iss: payload['iss'] ?? '', qsh: payload['qsh'] ?? '' };
  const times = { exp: payload['exp'] ?? 0, iat: payload['iat'] ?? 0, nbf: payload['nbf'] ?? 0 };
  const badText = Object.entries(text).find(([, value]) => typeof value !== 'string');
  const badTime = Object.entries(times).find(([, value]) => !Number.isInteger(value));
  if (badText !== undefined) return `claim ${badText[0]} is not a string`;
  if (badTime !== undefined) return `claim ${badTime[0]} is not a whole number of seconds`;
  return { ...text, ...times } as Claims;
}

function printable(value: unknown): string {
  return typeof value === 'string' ? value : '<nil>';
}
