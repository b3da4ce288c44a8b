import { createHash, createHmac, randomBytes } from 'node:crypto';
import { verify } from 'jsonwebtoken';
import { hmacSha256, sha256 } from './sha256.ts';
import { tokenFor } from './token.ts';

describe('a token made in the browser', () => {
  it.each([0, 1, 55, 56, 63, 64, 65, 119, 120, 1_000])('has the digest that Node gives for %i bytes', (length) => {
    const message = randomBytes(length);
    expect(Buffer.from(sha256(message)).toString('hex')).toBe(createHash('sha256').update(message).digest('hex'));
  });

  it.each([1, 32, 64, 65, 200])('has the signature that Node gives with a key of %i bytes', (length) => {
    const [key, message] = [randomBytes(length), randomBytes(77)];
    const expected = createHmac('sha256', key).update(message).digest('hex');
    expect(Buffer.from(hmacSha256(key, message)).toString('hex')).toBe(expected);
  });

  it('is what the API takes, with WebCrypto and without', async () => {
    const { subtle } = globalThis.crypto;
    for (const known of [subtle, undefined]) {
      Object.defineProperty(globalThis.crypto, 'subtle', { value: known, configurable: true });
      const token = await tokenFor('key ü', 'GET', '/v1/overview', 1_700_000_000);
      const claims = verify(token, 'key ü', { algorithms: ['HS256'], ignoreExpiration: true });
      const qsh = createHash('sha256').update('GET&/v1/overview').digest('hex');
      expect(claims).toEqual({ iss: 'admin', iat: 1_700_000_000, exp: 1_700_000_120, qsh });
    }
    Object.defineProperty(globalThis.crypto, 'subtle', { value: subtle, configurable: true });
  });
});
