/** Bearer tokens of a token server: a signature by one of its keys, for this service, not expired, with the rights asked for. */
import { createPublicKey, type JsonWebKey, type KeyObject, verify } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { RepositoryName } from '@brickyard/contracts';
import { z } from 'zod';
import type { Exchange } from '../http/exchange';
import { OciError } from '../http/oci-error';
import type { TokenSettings } from '../settings';
import type { Access, Grant, Guard } from './guard';

const LEEWAY_SECONDS = 60;
const TOKEN_CHARACTERS_MAX = 64 * 1024;

/** Signature algorithms by name: the kind of key each takes, and how it is verified. None takes a shared secret. */
const ALGORITHMS: Readonly<
  Record<string, { readonly key: string; readonly hash: string | null; readonly curve?: string }>
> = {
  RS256: { key: 'rsa', hash: 'sha256' },
  RS384: { key: 'rsa', hash: 'sha384' },
  RS512: { key: 'rsa', hash: 'sha512' },
  ES256: { key: 'ec', hash: 'sha256', curve: 'prime256v1' },
  ES384: { key: 'ec', hash: 'sha384', curve: 'secp384r1' },
  ES512: { key: 'ec', hash: 'sha512', curve: 'secp521r1' },
  EdDSA: { key: 'ed25519', hash: null },
};

const Header = z.looseObject({ alg: z.string(), kid: z.string().optional() });
const Rights = z.object({ type: z.string(), name: z.string(), actions: z.array(z.string()) });
const Claims = z.looseObject({
  iss: z.string(),
  sub: z.string().default(''),
  aud: z.union([z.string(), z.array(z.string())]),
  exp: z.number(),
  nbf: z.number().optional(),
  access: z.array(Rights).nullish(),
});
type Claims = z.infer<typeof Claims>;

/** A key of the issuer, with its name if it has one. */
export interface NamedKey {
  readonly kid: string | undefined;
  readonly key: KeyObject;
}

/** Reads a JWKS file, or certificates and public keys in PEM. */
export async function readKeys(file: string): Promise<readonly NamedKey[]> {
  const text = await readFile(file, 'utf8');
  const keys = text.trimStart().startsWith('{') ? keysInJwks(text) : keysInPem(text);
  if (keys.length === 0) throw new Error(`${file} holds no key`);
  return keys;
}

function keysInJwks(text: string): readonly NamedKey[] {
  const { keys } = z
    .object({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.string().optional() })) })
    .parse(JSON.parse(text));
  return keys
    .filter(({ kty }) => kty !== 'oct')
    .map((key) => ({ kid: key.kid, key: createPublicKey({ key: key as JsonWebKey, format: 'jwk' }) }));
}

function keysInPem(text: string): readonly NamedKey[] {
  const blocks = text.match(/-----BEGIN (?:CERTIFICATE|PUBLIC KEY)-----[\s\S]+?-----END [A-Z ]+-----/g) ?? [];
  return blocks.map((block) => ({ kid: undefined, key: createPublicKey(block) }));
}

/** Lets requests in by their tokens. */
export function tokenGuard(settings: TokenSettings, keys: readonly NamedKey[], nowMs: () => number = Date.now): Guard {
  return {
    admit(exchange: Exchange, wanted: Access | undefined): Grant {
      const match = /^Bearer (\S+)$/i.exec(exchange.header('authorization') ?? '');
      if (match === null) throw challenge(settings, wanted, undefined);
      const claims = claimsIn(match[1] ?? '', settings, keys, nowMs() / 1_000);
      if (claims === undefined) throw challenge(settings, wanted, 'invalid_token');
      if (wanted !== undefined && !hasRights(claims, wanted)) throw challenge(settings, wanted, 'insufficient_scope');
      const mayPull = (name: RepositoryName): boolean =>
        hasRights(claims, { type: 'repository', name, actions: ['pull'] }) ||
        hasRights(claims, { type: 'registry', name: 'catalog', actions: ['*'] });
      const pull = exchange.path.endsWith('/_catalog')
        ? mayPull
        : (name: RepositoryName): boolean => hasRights(claims, { type: 'repository', name, actions: ['pull'] });
      return {
        actor: {
          name: claims.sub === '' ? 'anonymous' : claims.sub,
          address: exchange.request.socket.remoteAddress ?? '',
        },
        mayPull: pull,
      };
    },
  };
}

const hasRights = ({ access }: Claims, { type, name, actions }: Access): boolean =>
  actions.every((action) =>
    (access ?? []).some(
      (right) =>
        right.type === type && right.name === name && (right.actions.includes(action) || right.actions.includes('*')),
    ),
  );

/** What a token says; undefined when it is not one that counts here. */
export function claimsIn(
  token: string,
  { issuer, service }: Pick<TokenSettings, 'issuer' | 'service'>,
  keys: readonly NamedKey[],
  nowSeconds: number,
): Claims | undefined {
  const [head = '', body = '', signature = '', ...rest] = token.split('.');
  if (token.length > TOKEN_CHARACTERS_MAX || rest.length > 0 || signature === '') return undefined;
  const header = Header.safeParse(decoded(head));
  const claims = Claims.safeParse(decoded(body));
  if (!header.success || !claims.success) return undefined;
  const { alg, kid } = header.data;
  const candidates = keys.filter((one) => kid === undefined || one.kid === undefined || one.kid === kid);
  const signed = Buffer.from(`${head}.${body}`);
  const isSigned = candidates.some(({ key }) => isSignedBy(key, alg, signed, Buffer.from(signature, 'base64url')));
  if (!isSigned) return undefined;
  const { iss, aud, exp, nbf } = claims.data;
  const isForUs = (Array.isArray(aud) ? aud : [aud]).includes(service);
  const isNow = exp + LEEWAY_SECONDS > nowSeconds && (nbf ?? 0) - LEEWAY_SECONDS < nowSeconds;
  return iss === issuer && isForUs && isNow ? claims.data : undefined;
}

function isSignedBy(key: KeyObject, alg: string, signed: Buffer, signature: Buffer): boolean {
  const algorithm = Object.hasOwn(ALGORITHMS, alg) ? ALGORITHMS[alg] : undefined;
  if (algorithm === undefined || key.asymmetricKeyType !== algorithm.key) return false;
  if (algorithm.curve !== undefined && key.asymmetricKeyDetails?.namedCurve !== algorithm.curve) return false;
  return verify(algorithm.hash, signed, { key, dsaEncoding: 'ieee-p1363' }, signature);
}

function decoded(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}

function challenge(
  { realm, service }: TokenSettings,
  wanted: Access | undefined,
  error: 'invalid_token' | 'insufficient_scope' | undefined,
): OciError {
  const scope = wanted === undefined ? '' : `,scope="${wanted.type}:${wanted.name}:${wanted.actions.join(',')}"`;
  const why = error === undefined ? '' : `,error="${error}"`;
  const headers = { 'www-authenticate': `Bearer realm="${realm}",service="${service}"${scope}${why}` };
  const message = error === 'insufficient_scope' ? 'the token does not allow this' : 'a token is needed';
  return new OciError('UNAUTHORIZED', message, { headers, detail: wanted === undefined ? undefined : [wanted] });
}
