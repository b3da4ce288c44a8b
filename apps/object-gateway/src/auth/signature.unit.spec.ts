/** The examples that Amazon publishes for signatures of S3. */
import { createHash } from 'node:crypto';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { Exchange } from '../http/exchange';
import { Credentials } from './credentials';
import { verifySignature } from './signature';

const NOW = Date.UTC(2013, 4, 24);
const credentials = new Credentials([
  {
    accessKey: 'AKIAIOSFODNN7EXAMPLE',
    secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    buckets: ['*'],
    access: 'write',
  },
]);
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const CREDENTIAL = 'AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request';

function exchange(method: string, url: string, headers: Record<string, string>): Exchange {
  const request = new IncomingMessage(new Socket());
  Object.assign(request, { method, url, headers: { host: 'examplebucket.s3.amazonaws.com', ...headers } });
  return new Exchange(request, new ServerResponse(request), 'id', false);
}

const signed = (headers: string, signature: string): string =>
  `AWS4-HMAC-SHA256 Credential=${CREDENTIAL},SignedHeaders=${headers},Signature=${signature}`;

const getObject = (signature: string, range = 'bytes=0-9'): Exchange =>
  exchange('GET', '/test.txt', {
    range,
    'x-amz-content-sha256': EMPTY,
    'x-amz-date': '20130524T000000Z',
    authorization: signed('host;range;x-amz-content-sha256;x-amz-date', signature),
  });
const GOOD = 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41';

describe('verifySignature', () => {
  it('takes a signed read', () => {
    expect(verifySignature(getObject(GOOD), credentials, NOW).payload).toBe(EMPTY);
  });

  it('takes a signed list, its parameters in any order', () => {
    const list = (query: string): Exchange =>
      exchange('GET', `/?${query}`, {
        'x-amz-content-sha256': EMPTY,
        'x-amz-date': '20130524T000000Z',
        authorization: signed(
          'host;x-amz-content-sha256;x-amz-date',
          '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
        ),
      });
    expect(verifySignature(list('prefix=J&max-keys=2'), credentials, NOW).credential.accessKey).toContain('AKIA');
    expect(() => verifySignature(list('prefix=K&max-keys=2'), credentials, NOW)).toThrow(/does not match/);
  });

  it('takes a signed address until it expires', () => {
    const url =
      `/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${encodeURIComponent(CREDENTIAL)}` +
      '&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host' +
      '&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404';
    expect(verifySignature(exchange('GET', url, {}), credentials, NOW + 86_400_000).payload).toBe('UNSIGNED-PAYLOAD');
    expect(() => verifySignature(exchange('GET', url, {}), credentials, NOW + 86_401_000)).toThrow(/expired/);
    expect(() => verifySignature(exchange('PUT', url, {}), credentials, NOW)).toThrow(/does not match/);
  });

  it('signs the chunks of a body, each after the one before', () => {
    const put = exchange('PUT', '/examplebucket/chunkObject.txt', {
      host: 's3.amazonaws.com',
      'content-encoding': 'aws-chunked',
      'content-length': '66824',
      'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      'x-amz-date': '20130524T000000Z',
      'x-amz-decoded-content-length': '66560',
      'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      authorization: signed(
        'content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class',
        '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
      ),
    });
    const signer = verifySignature(put, credentials, NOW).chunkSigner();
    const digest = (bytes: number): string => createHash('sha256').update('a'.repeat(bytes)).digest('hex');
    expect([65_536, 1_024, 0].map((bytes) => signer.ofChunk(digest(bytes)))).toEqual([
      'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
      '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
      'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9',
    ]);
  });

  it.each([
    ['another range than was signed', getObject(GOOD, 'bytes=0-99'), NOW, 'SignatureDoesNotMatch'],
    ['a signature of another length', getObject('f0'), NOW, 'SignatureDoesNotMatch'],
    ['a clock that is far off', getObject(GOOD), NOW + 16 * 60_000, 'RequestTimeTooSkewed'],
    ['no signature', exchange('GET', '/', {}), NOW, 'AccessDenied'],
    ['version 2', exchange('GET', '/', { authorization: 'AWS AKIA:abc=' }), NOW, 'InvalidRequest'],
    ['version 2 in the address', exchange('GET', '/?AWSAccessKeyId=a&Signature=b', {}), NOW, 'InvalidRequest'],
    [
      'a header of Amazon that was not signed',
      exchange('GET', '/', {
        'x-amz-content-sha256': EMPTY,
        'x-amz-acl': 'private',
        'x-amz-date': '20130524T000000Z',
        authorization: signed('host;x-amz-content-sha256;x-amz-date', GOOD),
      }),
      NOW,
      'AccessDenied',
    ],
    [
      'an unknown key',
      exchange('GET', '/', {
        'x-amz-content-sha256': EMPTY,
        'x-amz-date': '20130524T000000Z',
        authorization: signed('host;x-amz-content-sha256;x-amz-date', GOOD).replace('AKIAIOS', 'AKIAXXX'),
      }),
      NOW,
      'InvalidAccessKeyId',
    ],
  ])('refuses %s', (_, given, now, code) => {
    expect(() => verifySignature(given, credentials, now)).toThrow(expect.objectContaining({ code }) as Error);
  });
});
