import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { claimsIn } from './token-guard';

const settings = { issuer: 'auth.example', service: 'registry.example' };
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const ed = generateKeyPairSync('ed25519');
const keys = [
  { kid: 'rsa', key: rsa.publicKey },
  { kid: 'ec', key: ec.publicKey },
  { kid: undefined, key: ed.publicKey },
];
const NOW = 1_000_000;
const good = { iss: 'auth.example', sub: 'ann', aud: 'registry.example', exp: NOW + 60, nbf: NOW - 1, access: [] };
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function token(claims: unknown, alg = 'RS256', key: KeyObject = rsa.privateKey, kid?: string): string {
  const signed = `${encode({ alg, typ: 'JWT', ...(kid === undefined ? {} : { kid }) })}.${encode(claims)}`;
  const hash = alg === 'EdDSA' ? null : 'sha256';
  return `${signed}.${sign(hash, Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}
const read = (text: string): unknown => claimsIn(text, settings, keys, NOW)?.sub;

describe('a token', () => {
  it.each([
    ['RS256', rsa.privateKey, 'rsa'],
    ['ES256', ec.privateKey, 'ec'],
    ['EdDSA', ed.privateKey, undefined],
  ])('counts when signed by a known key with %s', (alg, key, kid) => {
    expect(read(token(good, alg, key, kid))).toBe('ann');
  });

  it('counts for one of several services, and a minute late', () => {
    expect(read(token({ ...good, aud: ['other', 'registry.example'] }))).toBe('ann');
    expect(read(token({ ...good, exp: NOW - 59 }))).toBe('ann');
  });

  it.each([
    ['another issuer', { iss: 'evil' }],
    ['another service', { aud: 'other' }],
    ['an end in the past', { exp: NOW - 61 }],
    ['a beginning in the future', { nbf: NOW + 61 }],
    ['no end', { exp: undefined }],
  ])('does not count with %s', (_, change) => {
    expect(read(token({ ...good, ...change }))).toBeUndefined();
  });

  it('does not count unsigned, by a stranger, by a shared secret made of a public key, or changed', () => {
    expect(read(`${encode({ alg: 'none' })}.${encode(good)}.`)).toBeUndefined();
    expect(read(`${encode({ alg: 'none' })}.${encode(good)}.AA`)).toBeUndefined();
    const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    expect(read(token(good, 'RS256', stranger, 'rsa'))).toBeUndefined();
    const signed = `${encode({ alg: 'HS256' })}.${encode(good)}`;
    const secret = rsa.publicKey.export({ type: 'spki', format: 'pem' });
    expect(read(`${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`)).toBeUndefined();
    const [head, , signature] = token(good).split('.');
    expect(read(`${head ?? ''}.${encode({ ...good, sub: 'bob' })}.${signature ?? ''}`)).toBeUndefined();
    expect(read(token(good, 'ES256', ec.privateKey, 'rsa'))).toBeUndefined();
    expect(read('nonsense')).toBeUndefined();
  });
});
