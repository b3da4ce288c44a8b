import { createHash } from 'node:crypto';
import { verify } from 'jsonwebtoken';
import { queryStringHash, signRequest } from './api-client';

const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('queryStringHash', () => {
  it('covers method and decoded path, not the query', () => {
    expect(queryStringHash('get', '/volumes/0123abcd?at=5')).toBe(hash('GET&/volumes/0123abcd'));
    expect(queryStringHash('POST', '/clusters/')).not.toBe(queryStringHash('POST', '/clusters'));
    expect(queryStringHash('GET', '/a%20b')).toBe(hash('GET&/a b'));
  });
});

describe('signRequest', () => {
  it('makes an HS256 token with the claims heketi wants', () => {
    const now = Math.floor(Date.now() / 1_000);
    const token = signRequest('admin', 'a key', 'DELETE', '/volumes/1', now);
    expect(verify(token, 'a key', { algorithms: ['HS256'] })).toEqual({
      iss: 'admin',
      iat: now,
      exp: now + 300,
      qsh: hash('DELETE&/volumes/1'),
    });
    expect(() => verify(token, 'another key', { algorithms: ['HS256'] })).toThrow(/invalid signature/);
  });
});
