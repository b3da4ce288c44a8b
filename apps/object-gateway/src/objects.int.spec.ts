import { createHash, randomBytes } from 'node:crypto';
import { hasherOf } from './body/checksums';
import { type GatewayUnderTest, gatewayUnderTest } from './testing/gateway-under-test';
import { KEYS, type S3Answer, type S3Call, texts } from './testing/s3-client';

const READER = { accessKey: 'reader', secretKey: 'reader-secret', buckets: ['pub*'], access: 'read' as const };
const LARGE = 200_000;
const md5 = (data: Buffer | string): string => createHash('md5').update(data).digest('hex');

let gateway: GatewayUnderTest;

beforeAll(async () => {
  gateway = await gatewayUnderTest([READER]);
  await gateway.call('PUT', '/box');
});

afterAll(() => gateway.stop());

const call: GatewayUnderTest['call'] = (method, path, more) => gateway.call(method, path, more);
const code = (answer: S3Answer): string => `${String(answer.status)} ${texts(answer, 'Code')[0] ?? ''}`.trim();

describe('objects', () => {
  it.each([
    ['no bytes', Buffer.alloc(0)],
    ['few bytes', Buffer.from('hello')],
    ['exactly as many as fit into a record', randomBytes(65_536)],
    ['one more', randomBytes(65_537)],
    ['many', randomBytes(3_000_000)],
  ])('of %s come back as they were sent, with what was said of them', async (_, body) => {
    const put = await call('PUT', '/box/sizes/a', {
      body,
      headers: {
        'content-type': 'text/x',
        'cache-control': 'no-store',
        'x-amz-meta-owner': 'A name',
        'content-md5': createHash('md5').update(body).digest('base64'),
      },
    });
    expect([put.status, put.headers.etag]).toEqual([200, `"${md5(body)}"`]);
    const got = await call('GET', '/box/sizes/a');
    expect(got.body.equals(body)).toBe(true);
    const told = {
      'content-type': 'text/x',
      'cache-control': 'no-store',
      'x-amz-meta-owner': 'A name',
      etag: `"${md5(body)}"`,
      'content-length': String(body.length),
      'accept-ranges': 'bytes',
    };
    expect(got.headers).toMatchObject(told);
    const head = await call('HEAD', '/box/sizes/a');
    expect([head.status, head.body.length, head.headers]).toEqual([200, 0, expect.objectContaining(told)]);
  });

  it.each([10, LARGE])('of %i bytes are read in ranges', async (size) => {
    const body = randomBytes(size);
    await call('PUT', '/box/range', { body });
    const range = (text: string): Promise<S3Answer> => call('GET', '/box/range', { headers: { range: text } });
    const [first, open, last, clipped] = [
      ...(await Promise.all(['bytes=2-4', 'bytes=7-', 'bytes=-3', `bytes=5-${String(size + 9)}`].map(range))),
    ];
    expect([first?.status, first?.headers['content-range']]).toEqual([206, `bytes 2-4/${String(size)}`]);
    expect(first?.body.equals(body.subarray(2, 5))).toBe(true);
    expect(open?.body.equals(body.subarray(7))).toBe(true);
    expect(last?.body.equals(body.subarray(-3))).toBe(true);
    expect(clipped?.body.equals(body.subarray(5))).toBe(true);
    const beyond = await range(`bytes=${String(size)}-`);
    expect([code(beyond), beyond.headers['content-range']]).toEqual(['416 InvalidRange', `bytes */${String(size)}`]);
    const old = await call('GET', '/box/range', { headers: { range: 'bytes=0-1', 'if-range': '"other"' } });
    expect([old.status, old.body.length]).toEqual([200, size]);
  });

  it('are read with whatever headers are asked for, as far as there are such headers', async () => {
    await call('PUT', '/box/shown', { body: 'x' });
    const query = { 'response-content-disposition': 'a\x01\r\nb\x7f\u00e9', 'response-cache-control': 'no-store' };
    const { status, headers } = await call('GET', '/box/shown', { query });
    expect([status, headers['cache-control']]).toEqual([200, 'no-store']);
    expect(Buffer.from(headers['content-disposition'] ?? '', 'latin1').toString('utf8')).toBe('a   b \u00e9');
  });

  it('are read and written under conditions', async () => {
    await call('PUT', '/box/when', { body: 'one' });
    const etag = `"${md5('one')}"`;
    const later = new Date(Date.now() + 60_000).toUTCString();
    const ask = async (method: string, headers: Record<string, string>, body?: string): Promise<number> =>
      (await call(method, '/box/when', { headers, ...(body === undefined ? {} : { body }) })).status;
    expect([
      await ask('GET', { 'if-none-match': etag }),
      await ask('GET', { 'if-match': '"x"' }),
      await ask('GET', { 'if-match': etag }),
      await ask('HEAD', { 'if-modified-since': later }),
      await ask('GET', { 'if-unmodified-since': 'Thu, 01 Jan 1970 00:00:00 GMT' }),
      await ask('PUT', { 'if-none-match': '*' }, 'two'),
      await ask('PUT', { 'if-match': '"x"' }, 'two'),
      await ask('PUT', { 'if-match': etag }, 'two'),
      await ask('DELETE', { 'if-match': etag }),
    ]).toEqual([304, 412, 200, 304, 412, 412, 412, 200, 412]);
    expect((await call('GET', '/box/when')).text).toBe('two');
  });

  it('made only when new are made once, whoever asks', async () => {
    const other = await gateway.another();
    const tries = Array.from({ length: 20 }, (_, index) =>
      (index % 2 === 0 ? gateway : other).call('PUT', '/box/once', {
        body: String(index),
        headers: { 'if-none-match': '*' },
      }),
    );
    const statuses = (await Promise.all(tries)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(statuses.filter((status) => status === 412)).toHaveLength(19);
  });

  it.each([
    '..',
    '../../../etc/passwd',
    'a//b',
    '/lead',
    'trail/',
    'sp ace+plus&amp?q#f%2F%00',
    '\u0001\n\r\t\u007f',
    'ünï😀',
    'x'.repeat(1024),
    '%'.repeat(1024),
    '/'.repeat(1024),
    'y'.repeat(300),
    `${'y'.repeat(300)}/z`,
    '.a.object.0123456789ab',
  ])('of the key %j are safe', async (key) => {
    expect((await call('PUT', `/box/${key}`, { body: key })).status).toBe(200);
    expect((await call('GET', `/box/${key}`)).text).toBe(key);
    const listed = await call('GET', '/box', { query: { 'list-type': '2', prefix: key, 'encoding-type': 'url' } });
    expect(texts(listed, 'Key').map(decodeURIComponent)).toContain(key);
    expect((await call('DELETE', `/box/${key}`)).status).toBe(204);
    expect(code(await call('GET', `/box/${key}`))).toBe('404 NoSuchKey');
  });

  it('whose keys look alike in another normal form of Unicode do not meet', async () => {
    const forms = ['NFC', 'NFD', 'NFKC', 'NFKD'].map((form) => 'forms/\u00c5\ufb01\u1e9b\u0323/\uac00'.normalize(form));
    expect(new Set(forms).size).toBe(4);
    for (const [index, key] of forms.entries()) {
      const headers = { 'if-none-match': '*' };
      expect((await call('PUT', `/box/${key}`, { body: String(index), headers })).status).toBe(200);
    }
    for (const [index, key] of forms.entries()) expect((await call('GET', `/box/${key}`)).text).toBe(String(index));
    const listed = texts(await call('GET', '/box', { query: { 'list-type': '2', prefix: 'forms/' } }), 'Key');
    expect([...listed].sort()).toEqual([...forms].sort());
    for (const key of forms) expect((await call('DELETE', `/box/${key}`)).status).toBe(204);
  });

  it('whose keys begin alike do not meet', async () => {
    const keys = ['a', 'a/b', 'a/b/c', 'a.object', 'a.folder/b'];
    for (const key of keys) await call('PUT', `/box/${key}`, { body: key });
    await call('DELETE', '/box/a/b');
    const got = await Promise.all(keys.map(async (key) => (await call('GET', `/box/${key}`)).text));
    expect(got.map((text, index) => text === keys[index])).toEqual([true, false, true, true, true]);
    for (const key of keys) await call('DELETE', `/box/${key}`);
  });

  it('that go take their bytes and empty folders with them', async () => {
    const before = gateway.files();
    for (const key of ['gone/1', 'gone/deep/2']) await call('PUT', `/box/${key}`, { body: randomBytes(LARGE) });
    await call('PUT', '/box/gone/1', { body: 'small now' });
    const body =
      '<Delete><Object><Key>gone/1</Key></Object><Object><Key>gone/deep/2</Key></Object><Object><Key>never</Key></Object></Delete>';
    const answer = await call('POST', '/box', { query: { delete: '' }, body });
    expect(texts(answer, 'Key')).toEqual(['gone/1', 'gone/deep/2', 'never']);
    await gateway.store.settle();
    expect(gateway.files()).toEqual(before);
  });

  it('are copied without moving bytes, and live on when their source goes', async () => {
    const body = randomBytes(LARGE);
    const headers = { 'x-amz-meta-a': '1', 'content-type': 'text/a' };
    await call('PUT', '/box/source é', { body, headers });
    const from = { 'x-amz-copy-source': '/box/source%20%C3%A9' };
    const copied = await call('PUT', '/box/copy', { headers: from });
    expect([copied.status, texts(copied, 'ETag')[0]?.replaceAll('&quot;', '')]).toEqual([200, md5(body)]);
    const replaced = { ...from, 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-b': '2' };
    await call('PUT', '/box/source é', { headers: replaced });
    const changed = await call('HEAD', '/box/source é');
    expect([changed.headers['x-amz-meta-a'], changed.headers['x-amz-meta-b']]).toEqual([undefined, '2']);
    expect(code(await call('PUT', '/box/source é', { headers: from }))).toBe('400 InvalidRequest');
    expect(code(await call('PUT', '/box/c', { headers: { ...from, 'x-amz-copy-source-if-match': 'x' } }))).toBe(
      '412 PreconditionFailed',
    );
    await call('DELETE', '/box/source é');
    await gateway.store.settle();
    const got = await call('GET', '/box/copy');
    expect([got.body.equals(body), got.headers['x-amz-meta-a'], got.headers['content-type']]).toEqual([
      true,
      '1',
      'text/a',
    ]);
    await call('DELETE', '/box/copy');
  });

  it('have tags', async () => {
    await call('PUT', '/box/tagged', { body: 'x', headers: { 'x-amz-tagging': 'a=1&b=2' } });
    const tags = async (): Promise<readonly string[]> =>
      texts(await call('GET', '/box/tagged', { query: { tagging: '' } }), 'Value');
    expect(await tags()).toEqual(['1', '2']);
    const body = '<Tagging><TagSet><Tag><Key>c</Key><Value>3</Value></Tag></TagSet></Tagging>';
    await call('PUT', '/box/tagged', { query: { tagging: '' }, body });
    expect(await tags()).toEqual(['3']);
    await call('DELETE', '/box/tagged', { query: { tagging: '' } });
    expect([await tags(), (await call('GET', '/box/tagged')).text]).toEqual([[], 'x']);
  });
});

describe('bodies', () => {
  const body = randomBytes(LARGE);
  const crc = (bytes: Buffer): string => {
    const hasher = hasherOf('crc32c');
    hasher.update(bytes);
    return hasher.digest().toString('base64');
  };

  it.each([
    ['signed chunks', { size: 65_536, isSigned: true, trailer: false }],
    ['signed chunks with a signed trailer', { size: 8_192, isSigned: true, trailer: true }],
    ['unsigned chunks with a trailer', { size: 100_000, isSigned: false, trailer: true }],
  ])('come in %s', async (_, { size, isSigned, trailer }) => {
    const chunked = {
      size,
      isSigned,
      ...(trailer ? { trailer: ['x-amz-checksum-crc32c', crc(body)] as const } : {}),
    };
    const headers = { 'content-encoding': 'aws-chunked' };
    expect((await call('PUT', '/box/chunked', { body, chunked, headers })).status).toBe(200);
    const got = await call('GET', '/box/chunked', { headers: { 'x-amz-checksum-mode': 'ENABLED' } });
    expect(got.body.equals(body)).toBe(true);
    expect(got.headers['content-encoding']).toBeUndefined();
    expect(got.headers['x-amz-checksum-crc32c']).toBe(trailer ? crc(body) : undefined);
  });

  const flipped = (sent: Buffer): Buffer => {
    const other = Buffer.from(sent);
    other.writeUInt8(other.readUInt8(1_000) ^ 1, 1_000);
    return other;
  };
  const wrong = Buffer.alloc(4).toString('base64');
  const small = Buffer.from('small');

  it.each<[string, S3Call, string]>([
    ['bytes that were changed', { tamper: flipped }, '400 XAmzContentSHA256Mismatch'],
    [
      'a chunk that was changed',
      { tamper: flipped, chunked: { size: 65_536, isSigned: true } },
      '403 SignatureDoesNotMatch',
    ],
    ['another MD5', { headers: { 'content-md5': Buffer.alloc(16).toString('base64') } }, '400 BadDigest'],
    ['an MD5 that is none', { headers: { 'content-md5': 'AA==' } }, '400 InvalidDigest'],
    ['another checksum', { headers: { 'x-amz-checksum-crc32': wrong } }, '400 BadDigest'],
    [
      'two checksums',
      { headers: { 'x-amz-checksum-crc32': wrong, 'x-amz-checksum-crc32c': wrong } },
      '400 InvalidRequest',
    ],
    [
      'another checksum in the trailer',
      { chunked: { size: 65_536, isSigned: true, trailer: ['x-amz-checksum-crc32', wrong] as const } },
      '400 BadDigest',
    ],
    [
      'a trailer that was changed',
      {
        chunked: { size: 500_000, isSigned: true, trailer: ['x-amz-checksum-crc32', wrong] as const },
        tamper: (sent: Buffer) => Buffer.from(sent.toString('latin1').replace(wrong, 'AAAAAQ=='), 'latin1'),
      },
      '403 SignatureDoesNotMatch',
    ],
    [
      'fewer bytes than announced',
      { chunked: { size: 65_536, isSigned: true }, headers: { 'x-amz-decoded-content-length': '200001' } },
      '400 IncompleteBody',
    ],
    [
      'no last chunk',
      { chunked: { size: 65_536, isSigned: false }, tamper: (sent: Buffer) => sent.subarray(0, 199_000) },
      '400 IncompleteBody',
    ],
    [
      'more than 5 GiB',
      { chunked: { size: 65_536, isSigned: true }, headers: { 'x-amz-decoded-content-length': '5368709121' } },
      '400 EntityTooLarge',
    ],
    [
      'encryption that is not done here',
      { headers: { 'x-amz-server-side-encryption': 'AES256' } },
      '501 NotImplemented',
    ],
    ['a public object', { headers: { 'x-amz-acl': 'public-read' } }, '501 NotImplemented'],
    ['too much metadata', { headers: { 'x-amz-meta-a': 'x'.repeat(2_100) } }, '400 MetadataTooLarge'],
  ])('with %s are refused, and nothing stays', async (_, given, expected) => {
    await gateway.store.settle();
    const before = gateway.files();
    for (const bytes of [body, small]) {
      if (bytes === small && (given.tamper !== undefined || given.chunked !== undefined)) continue;
      expect(code(await call('PUT', '/box/bad', { body: bytes, ...given }))).toBe(expected);
    }
    expect(gateway.files()).toEqual(before);
    expect((await call('HEAD', '/box/bad')).status).toBe(404);
  });

  it('of a client that goes away leave nothing', async () => {
    await call('PUT', '/box/kept', { body: 'before' });
    const before = gateway.files();
    await expect(call('PUT', '/box/kept', { body, cutAfter: 150_000 })).rejects.toThrow('cut');
    while (JSON.stringify(gateway.files()) !== JSON.stringify(before)) await new Promise((done) => setImmediate(done));
    expect((await call('GET', '/box/kept')).text).toBe('before');
  });
});

describe('buckets', () => {
  it('are made, listed, and go when they are empty', async () => {
    expect((await call('PUT', '/made.here')).status).toBe(200);
    expect(code(await call('PUT', '/made.here'))).toBe('409 BucketAlreadyOwnedByYou');
    expect(texts(await call('GET', '/'), 'Name')).toEqual(['box', 'made.here']);
    await call('PUT', '/made.here/deep/down', { body: 'x' });
    expect(code(await call('DELETE', '/made.here'))).toBe('409 BucketNotEmpty');
    await call('DELETE', '/made.here/deep/down');
    expect((await call('DELETE', '/made.here')).status).toBe(204);
    expect(code(await call('PUT', '/made.here/x', { body: 'x' }))).toBe('404 NoSuchBucket');
    expect(code(await call('PUT', '/made.here/x', { body: randomBytes(LARGE) }))).toBe('404 NoSuchBucket');
    expect(code(await call('DELETE', '/made.here'))).toBe('404 NoSuchBucket');
  });

  it.each(['AB', 'a', 'a..b', '-ab', '192.168.1.1', 'x'.repeat(64), '..', 'a%2fb'])(
    'are not called %j',
    async (name) => {
      expect(code(await call('PUT', `/${name}`))).toBe('400 InvalidBucketName');
    },
  );

  it('that are removed while objects come lose none that was acknowledged', async () => {
    for (let round = 0; round < 10; round += 1) {
      await call('PUT', '/race');
      const [put, removed] = await Promise.all([call('PUT', '/race/a', { body: 'x' }), call('DELETE', '/race')]);
      const got = await call('GET', '/race/a');
      if (put.status === 200) expect([removed.status, got.status]).toEqual([409, 200]);
      await call('DELETE', '/race/a');
      await call('DELETE', '/race');
    }
  });

  it('answer what is asked about them, and refuse what they do not do', async () => {
    const ask = (method: string, word: string): Promise<S3Answer> => call(method, '/box', { query: { [word]: '' } });
    expect((await ask('GET', 'location')).text).toMatch(/<LocationConstraint [^>]*><\/LocationConstraint>/);
    expect((await ask('GET', 'versioning')).status).toBe(200);
    expect(code(await ask('GET', 'policy'))).toBe('404 NoSuchBucketPolicy');
    expect(code(await ask('DELETE', 'policy'))).toBe('501 NotImplemented');
    expect(code(await ask('PUT', 'versioning'))).toBe('501 NotImplemented');
    const patch = await call('PATCH', '/box');
    expect([code(patch), patch.headers.allow]).toEqual(['405 MethodNotAllowed', 'GET, HEAD, PUT, DELETE']);
    expect((await call('HEAD', '/box')).headers['x-amz-bucket-region']).toBe('us-east-1');
    expect((await call('HEAD', '/nobox')).status).toBe(404);
  });

  it('are subdomains, too', async () => {
    await call('PUT', '/box/in-host', { body: 'x' });
    expect((await call('GET', '/in-host', { headers: { host: 'box.objects.example:9000' } })).text).toBe('x');
  });

  it('are seen and changed only by keys that may', async () => {
    await call('PUT', '/public-one');
    await call('PUT', '/public-one/a', { body: 'x' });
    const keys = READER;
    expect(texts(await call('GET', '/', { keys }), 'Name')).toEqual(['public-one']);
    expect((await call('GET', '/public-one/a', { keys })).text).toBe('x');
    expect(code(await call('GET', '/box/in-host', { keys }))).toBe('403 AccessDenied');
    expect(code(await call('PUT', '/public-one/b', { keys, body: 'x' }))).toBe('403 AccessDenied');
    expect(code(await call('POST', '/public-one', { keys, query: { delete: '' }, body: '<Delete/>' }))).toBe(
      '403 AccessDenied',
    );
    expect(code(await call('GET', '/', { keys: { ...KEYS, secretKey: 'another' } }))).toBe('403 SignatureDoesNotMatch');
    expect((await fetch(gateway.url)).status).toBe(403);
  });
});
