import { createHmac } from 'node:crypto';
import { type Algorithm, sign } from 'jsonwebtoken';
import { goDuration } from './go-duration';
import { checkToken, queryStringHash, tokenKeys, type TokenVerdict } from './token';

const NOW = 1_800_000_000;
const keys = tokenKeys('admin secret', 'user secret');
const HASHES: Readonly<Record<string, string>> = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' };

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token as any client library makes it. */
function token(claims: object, { alg = 'HS256', secret = 'admin secret' } = {}): string {
  const signed = `${encode({ alg, typ: 'JWT' })}.${encode(claims)}`;
  const hash = HASHES[alg];
  return `${signed}.${hash === undefined ? '' : createHmac(hash, secret).update(signed).digest('base64url')}`;
}

const head = { method: 'GET', path: '/clusters' };
const good = { iss: 'admin', iat: NOW, exp: NOW + 60, qsh: queryStringHash(head) };

const check = (authorization: string | undefined, request = head): TokenVerdict =>
  checkToken({ authorization, ...request }, keys, { nowSeconds: NOW, issuedAtLeewaySeconds: 120 });
const bearer = (claims: object, how?: Parameters<typeof token>[1]): TokenVerdict =>
  check(`bearer ${token(claims, how)}`);
const refused = (text: string, status = 401): TokenVerdict => ({ ok: false, status, text }) as TokenVerdict;
const invalid = (reason: string): TokenVerdict => refused(`Invalid JWT token: ${reason}`);
const admin: TokenVerdict = { ok: true, role: 'admin' };

describe('token', () => {
  it('A01 is required', () => {
    expect(check(undefined)).toEqual(refused('Required authorization token not found'));
    expect(check('')).toEqual(refused('Required authorization token not found'));
  });

  it.each(['Basic x', 'bearer', 'bearer a b', 'x'])('A02 is not taken from the header %s', (header) => {
    expect(check(header)).toEqual(refused('Authorization header format must be Bearer {token}', 400));
  });

  it('A03 is refused when it is signed with another key', () => {
    const text = 'signature is invalid (client and server secrets may not match)';
    expect(bearer(good, { secret: 'wrong' })).toEqual(invalid(text));
    expect(bearer({ ...good, iss: 'user' })).toEqual(invalid(text));
    expect(check(`bearer ${token(good).slice(0, -4)}`)).toEqual(invalid(text));
  });

  it.each<Algorithm>(['HS256', 'HS384', 'HS512'])(
    'A03 is taken as a library of others signs it with %s',
    (algorithm) => {
      expect(check(`bearer ${sign(good, 'admin secret', { algorithm })}`)).toEqual(admin);
      const [first = '', second = '', signature = ''] = sign(good, 'admin secret', { algorithm }).split('.');
      for (const other of [
        '',
        `${signature}A`,
        signature.toLowerCase(),
        `${signature.slice(1)}${signature.charAt(0)}`,
      ]) {
        expect(check(`bearer ${first}.${second}.${other}`).ok).toBe(false);
      }
    },
  );

  it('A04 must say who issued it', () => {
    expect(bearer({ ...good, iss: 'root' })).toEqual(invalid('Unknown user'));
    expect(bearer({ ...good, iss: undefined })).toEqual(invalid('Token missing iss claim'));
  });

  it('A05 ends with the second it names', () => {
    expect(bearer({ ...good, exp: NOW })).toEqual(admin);
    expect(bearer({ ...good, exp: NOW - 10 })).toEqual(invalid('Token is expired by 10s'));
    expect(bearer({ ...good, exp: undefined })).toEqual(invalid(`Token is expired by ${goDuration(NOW)}`));
  });

  it('A06 may come from a clock that is a little ahead', () => {
    expect(bearer({ ...good, iat: NOW + 110 })).toEqual(admin);
    expect(bearer({ ...good, iat: NOW + 130 })).toEqual(
      invalid('Token used before issued (client and server clocks may differ)'),
    );
    expect(bearer({ ...good, iat: 1 })).toEqual(admin);
    expect(bearer({ ...good, nbf: NOW + 1 })).toEqual(invalid('token is not valid yet'));
  });

  it('A07 is for one method and path', () => {
    const text = refused('Invalid qsh claim in token');
    expect(bearer({ ...good, qsh: undefined })).toEqual(text);
    expect(bearer({ ...good, qsh: queryStringHash({ method: 'POST', path: '/clusters' }) })).toEqual(text);
    expect(bearer({ ...good, qsh: queryStringHash({ method: 'GET', path: '/clusters/' }) })).toEqual(text);
  });

  it('A09 is signed with HMAC', () => {
    expect(bearer(good, { alg: 'HS384' })).toEqual(admin);
    expect(bearer(good, { alg: 'HS512' })).toEqual(admin);
    expect(bearer(good, { alg: 'none' })).toEqual(invalid('Unexpected signing method: none'));
    expect(bearer(good, { alg: 'RS256' })).toEqual(invalid('Unexpected signing method: RS256'));
  });

  it('A10 of a user opens /volumes and nothing else', () => {
    const user = (method: string, path: string): TokenVerdict => {
      const claims = { ...good, iss: 'user', qsh: queryStringHash({ method, path }) };
      return check(`bearer ${token(claims, { secret: 'user secret' })}`, { method, path });
    };
    expect(user('GET', '/volumes')).toEqual({ ok: true, role: 'user' });
    expect(user('POST', '/volumes')).toEqual({ ok: true, role: 'user' });
    for (const path of ['/volumes/', '/volumes/ab', '/queue/ab', '/clusters', '/v1/status', '/nosuch']) {
      expect(user('GET', path)).toEqual(refused('Administrator access required'));
    }
  });

  it.each(['BEARER', 'bearer', 'Bearer'])('A11 follows the word %s', (word) => {
    expect(check(`${word} ${token(good)}`)).toEqual(admin);
  });

  it.each([
    ['a.b', 'token contains an invalid number of segments'],
    ['a!.b.c', 'illegal base64 data at input byte 1'],
    ['bm8.bm8.c', 'token segment is not valid JSON'],
    [`${encode({ alg: 'HS256' })}.${encode([])}.c`, 'token segment is not a JSON object'],
    [token({ ...good, exp: 'soon' }), 'claim exp is not a whole number of seconds'],
    [token({ ...good, iss: 7 }), 'claim iss is not a string'],
  ])('is refused as %s', (text, reason) => {
    expect(check(`bearer ${text}`)).toEqual(invalid(reason));
  });
});

describe('a duration as Go prints it', () => {
  it.each([
    [0, '0s'],
    [10, '10s'],
    [60, '1m0s'],
    [3_600, '1h0m0s'],
    [93_784, '26h3m4s'],
    [-61, '-1m1s'],
    [1e12, '2562047h47m16.854775807s'],
  ])('%d s is %s', (seconds, text) => {
    expect(goDuration(seconds)).toBe(text);
  });
});
