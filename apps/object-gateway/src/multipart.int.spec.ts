import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync, linkSync, truncateSync, writeFileSync } from 'node:fs';
import { hasherOf, type ChecksumAlgorithm } from './body/checksums';
import { sweep } from './store/sweep';
import { type GatewayUnderTest, gatewayUnderTest } from './testing/gateway-under-test';
import { type S3Answer, texts } from './testing/s3-client';

const MIB5 = 5 * 1024 * 1024;
let gateway: GatewayUnderTest;

beforeAll(async () => {
  gateway = await gatewayUnderTest();
  await gateway.call('PUT', '/box');
});

afterAll(() => gateway.stop());

const call: GatewayUnderTest['call'] = (method, path, more) => gateway.call(method, path, more);
const code = (answer: S3Answer): string => `${String(answer.status)} ${texts(answer, 'Code')[0] ?? ''}`.trim();
const etagIn = ({ headers }: S3Answer): string => (headers.etag ?? '').replaceAll('"', '');

async function begin(key: string, headers: Record<string, string> = {}): Promise<string> {
  const answer = await call('POST', `/box/${key}`, { query: { uploads: '' }, headers });
  return texts(answer, 'UploadId')[0] ?? '';
}

const part = (
  key: string,
  uploadId: string,
  number: number,
  body: Buffer,
  headers: Record<string, string> = {},
): Promise<S3Answer> => call('PUT', `/box/${key}`, { query: { uploadId, partNumber: String(number) }, body, headers });

function complete(
  key: string,
  uploadId: string,
  parts: readonly (readonly [number, string])[],
  headers: Record<string, string> = {},
  from = gateway,
): Promise<S3Answer> {
  const list = parts.map(
    ([number, etag]) => `<Part><PartNumber>${String(number)}</PartNumber><ETag>"${etag}"</ETag></Part>`,
  );
  const body = `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${list.join('')}</CompleteMultipartUpload>`;
  return from.call('POST', `/box/${key}`, { query: { uploadId }, body, headers });
}

const checksum = (algorithm: ChecksumAlgorithm, ...bytes: readonly Buffer[]): string => {
  const hasher = hasherOf(algorithm);
  for (const one of bytes) hasher.update(one);
  return hasher.digest().toString('base64');
};

describe('uploads in parts', () => {
  it('become one object, the last of each part counting, and leave nothing else', async () => {
    await gateway.store.settle();
    const before = gateway.files();
    const [one, two] = [randomBytes(MIB5), randomBytes(1_000)];
    const id = await begin('big', { 'content-type': 'text/b', 'x-amz-meta-m': 'n' });
    await part('big', id, 2, randomBytes(10));
    const [second, first, unused] = [
      await part('big', id, 2, two),
      await part('big', id, 1, one),
      await part('big', id, 3, two),
    ];
    expect(unused.status).toBe(200);
    const listed = await call('GET', '/box/big', { query: { uploadId: id, 'max-parts': '2' } });
    expect([texts(listed, 'PartNumber'), texts(listed, 'Size'), texts(listed, 'NextPartNumberMarker')]).toEqual([
      ['1', '2'],
      [String(MIB5), '1000'],
      ['2'],
    ]);
    const parts = (query: Record<string, string>): Promise<S3Answer> =>
      call('GET', '/box/big', { query: { uploadId: id, ...query } });
    expect(texts(await parts({ 'part-number-marker': '2' }), 'PartNumber')).toEqual(['3']);
    expect(code(await parts({ 'part-number-marker': 'two' }))).toBe('400 InvalidArgument');
    expect(texts(await parts({ 'max-parts': '0' }), 'IsTruncated')).toEqual(['false']);
    expect((await call('HEAD', '/box/big')).status).toBe(404);
    const done = await complete('big', id, [
      [1, etagIn(first)],
      [2, etagIn(second)],
    ]);
    const etag = `${createHash('md5').update(etagIn(first), 'hex').update(etagIn(second), 'hex').digest('hex')}-2`;
    expect([done.status, texts(done, 'ETag')]).toEqual([200, [`&quot;${etag}&quot;`]]);
    const got = await call('GET', '/box/big');
    expect([
      got.body.equals(Buffer.concat([one, two])),
      got.headers.etag,
      got.headers['content-type'],
      got.headers['x-amz-meta-m'],
    ]).toEqual([true, `"${etag}"`, 'text/b', 'n']);
    const across = await call('GET', '/box/big', {
      headers: { range: `bytes=${String(MIB5 - 3)}-${String(MIB5 + 2)}` },
    });
    expect(across.body.equals(Buffer.concat([one.subarray(-3), two.subarray(0, 3)]))).toBe(true);
    const second2 = await call('GET', '/box/big', { query: { partNumber: '2' } });
    expect([second2.status, second2.body.equals(two), second2.headers['x-amz-mp-parts-count']]).toEqual([
      206,
      true,
      '2',
    ]);
    expect(texts(await complete('big', id, [[1, etagIn(first)]]), 'ETag')).toEqual([`&quot;${etag}&quot;`]);
    expect(code(await part('big', id, 4, two))).toBe('404 NoSuchUpload');
    await call('DELETE', '/box/big');
    await gateway.store.settle();
    expect(gateway.files()).toEqual(before);
  });

  it('are refused when they are not what was said, and may go on', async () => {
    const id = await begin('odd');
    const [small, last] = [await part('odd', id, 1, randomBytes(10)), await part('odd', id, 2, randomBytes(10))];
    const [a, b] = [etagIn(small), etagIn(last)];
    expect(
      code(
        await complete('odd', id, [
          [1, a],
          [2, b],
        ]),
      ),
    ).toBe('400 EntityTooSmall');
    expect(
      code(
        await complete('odd', id, [
          [2, b],
          [1, a],
        ]),
      ),
    ).toBe('400 InvalidPartOrder');
    expect(code(await complete('odd', id, [[1, b]]))).toBe('400 InvalidPart');
    expect(code(await complete('odd', id, []))).toBe('400 MalformedXML');
    expect(code(await complete('odd', id, [[1, a]], { 'x-amz-mp-object-size': '11' }))).toBe('400 InvalidRequest');
    expect(code(await part('odd', id, 10_001, randomBytes(1)))).toBe('400 InvalidArgument');
    expect(code(await part('other', id, 1, randomBytes(1)))).toBe('404 NoSuchUpload');
    expect(code(await part('odd', '../../..', 1, randomBytes(1)))).toBe('404 NoSuchUpload');
    await call('PUT', '/box/odd', { body: 'there' });
    expect(code(await complete('odd', id, [[1, a]], { 'if-none-match': '*' }))).toBe('412 PreconditionFailed');
    expect((await complete('odd', id, [[1, a]])).status).toBe(200);
    await call('DELETE', '/box/odd');
  });

  it('stay open when a condition of their completion does not hold', async () => {
    const id = await begin('wanted');
    const etag = etagIn(await part('wanted', id, 1, Buffer.from('x')));
    for (const refused of ['404 NoSuchKey', '412 PreconditionFailed']) {
      expect(code(await complete('wanted', id, [[1, etag]], { 'if-match': '"other"' }))).toBe(refused);
      expect(texts(await call('GET', '/box/wanted', { query: { uploadId: id } }), 'PartNumber')).toEqual(['1']);
      await call('PUT', '/box/wanted', { body: 'y' });
    }
    expect((await call('DELETE', '/box/wanted', { query: { uploadId: id } })).status).toBe(204);
    await gateway.store.settle();
    expect(gateway.files().filter((file) => file.includes(id))).toEqual([]);
  });

  it('may end with an empty part, which is read like any other', async () => {
    const id = await begin('tail');
    const etags = [
      etagIn(await part('tail', id, 1, randomBytes(MIB5))),
      etagIn(await part('tail', id, 2, Buffer.alloc(0))),
    ];
    const done = await complete(
      'tail',
      id,
      etags.map((etag, index) => [index + 1, etag] as const),
    );
    for (const method of ['GET', 'HEAD']) {
      const { status, headers, body } = await call(method, '/box/tail', { query: { partNumber: '2' } });
      expect([status, body.length, headers]).toMatchObject([
        206,
        0,
        { etag: texts(done, 'ETag')[0]?.replaceAll('&quot;', '"'), 'content-length': '0', 'x-amz-mp-parts-count': '2' },
      ]);
      expect(headers['content-range']).toBeUndefined();
    }
  });

  it('are listed while they are open, and aborted', async () => {
    await gateway.store.settle();
    const before = gateway.files();
    const ids = [await begin('list/b'), await begin('list/a'), await begin('list/c/d')];
    await part('list/a', ids[1] ?? '', 1, randomBytes(10));
    const list = (query: Record<string, string>): Promise<S3Answer> =>
      call('GET', '/box', { query: { uploads: '', prefix: 'list/', ...query } });
    const page = await list({ delimiter: '/', 'max-uploads': '2' });
    expect([texts(page, 'Key'), texts(page, 'IsTruncated')]).toEqual([['list/a', 'list/b'], ['true']]);
    const nothing = await list({ 'max-uploads': '0' });
    expect([texts(nothing, 'Key'), texts(nothing, 'IsTruncated')]).toEqual([[], ['false']]);
    const rest = await list({
      delimiter: '/',
      'key-marker': texts(page, 'NextKeyMarker')[0] ?? '',
      'upload-id-marker': texts(page, 'NextUploadIdMarker')[0] ?? '',
    });
    expect([texts(rest, 'Key'), texts(rest, 'Prefix').slice(1)]).toEqual([[], ['list/c/']]);
    for (const [index, key] of ['list/b', 'list/a', 'list/c/d'].entries()) {
      const query = { uploadId: ids[index] ?? '' };
      expect([
        (await call('DELETE', `/box/${key}`, { query })).status,
        (await call('DELETE', `/box/${key}`, { query })).status,
      ]).toEqual([204, 404]);
    }
    await gateway.store.settle();
    expect(gateway.files()).toEqual(before);
  });

  it.each([
    ['CRC32', 'COMPOSITE'],
    ['SHA256', 'COMPOSITE'],
    ['CRC32C', 'FULL_OBJECT'],
    ['CRC64NVME', 'FULL_OBJECT'],
  ])('carry checksums: %s of type %s', async (name, type) => {
    const algorithm = name.toLowerCase() as ChecksumAlgorithm;
    const id = await begin('sum', { 'x-amz-checksum-algorithm': name, 'x-amz-checksum-type': type });
    const bodies = [randomBytes(MIB5), randomBytes(77)];
    const sums = bodies.map((body) => checksum(algorithm, body));
    const header = `x-amz-checksum-${algorithm}`;
    const sent = [];
    for (const [index, body] of bodies.entries())
      sent.push(await part('sum', id, index + 1, body, { [header]: sums[index] ?? '' }));
    const whole =
      type === 'FULL_OBJECT'
        ? checksum(algorithm, ...bodies)
        : `${checksum(algorithm, ...sums.map((sum) => Buffer.from(sum, 'base64')))}-2`;
    const parts = sent.map((answer, index) => [index + 1, etagIn(answer)] as const);
    expect(code(await complete('sum', id, parts, { [header]: sums[0] ?? '' }))).toBe('400 BadDigest');
    expect((await complete('sum', id, parts, { [header]: whole })).status).toBe(200);
    const head = await call('HEAD', '/box/sum', { headers: { 'x-amz-checksum-mode': 'ENABLED' } });
    expect([head.headers[header], head.headers['x-amz-checksum-type']]).toEqual([whole, type]);
  });

  it('take parts from other objects without moving their bytes', async () => {
    const [large, small] = [randomBytes(MIB5 + 500), Buffer.from('inline')];
    await call('PUT', '/box/from/large', { body: large });
    await call('PUT', '/box/from/small', { body: small });
    const id = await begin('put/together');
    const copy = (number: number, source: string, range?: string): Promise<S3Answer> =>
      call('PUT', '/box/put/together', {
        query: { uploadId: id, partNumber: String(number) },
        headers: {
          'x-amz-copy-source': `box/from/${source}`,
          ...(range === undefined ? {} : { 'x-amz-copy-source-range': range }),
        },
      });
    expect(code(await copy(1, 'large', `bytes=0-${String(MIB5 + 500)}`))).toBe('400 InvalidArgument');
    expect(code(await copy(1, 'none'))).toBe('404 NoSuchKey');
    const answers = [await copy(1, 'large', `bytes=100-${String(MIB5 + 99)}`), await copy(2, 'small', 'bytes=1-3')];
    const parts = answers.map(
      (answer, index) => [index + 1, texts(answer, 'ETag')[0]?.replaceAll('&quot;', '') ?? ''] as const,
    );
    await call('DELETE', '/box/from/large');
    expect((await complete('put/together', id, parts)).status).toBe(200);
    const again = await call('PUT', '/box/put/copy', { headers: { 'x-amz-copy-source': 'box/put/together' } });
    expect(again.status).toBe(200);
    await call('DELETE', '/box/put/together');
    await gateway.store.settle();
    const got = await call('GET', '/box/put/copy');
    expect(got.body.equals(Buffer.concat([large.subarray(100, MIB5 + 100), small.subarray(1, 4)]))).toBe(true);
  });

  it('are completed once by two gateways at the same time', async () => {
    const other = await gateway.another();
    const id = await begin('twice');
    const body = randomBytes(300);
    const etag = etagIn(await part('twice', id, 1, body));
    const answers = await Promise.all([
      complete('twice', id, [[1, etag]]),
      complete('twice', id, [[1, etag]], {}, other),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    await gateway.store.settle();
    expect((await other.call('GET', '/box/twice')).body.equals(body)).toBe(true);
  });
});

/** Parts as `addPart` leaves them, without sending 50 GiB: their bytes are holes, but for the number at the end. */
function partsOnDisk(folder: string, id: string, count: number): readonly (readonly [number, string])[] {
  const base = `${folder}/brickyard-objects/buckets/box/uploads/${id}`;
  const holes = `${base}/00001.data`;
  writeFileSync(holes, '');
  truncateSync(holes, MIB5);
  writeFileSync(`${base}/last.data`, '');
  truncateSync(`${base}/last.data`, MIB5 - 5);
  appendFileSync(`${base}/last.data`, String(count).padStart(5, '0'));
  return Array.from({ length: count }, (_, index) => {
    const number = index + 1;
    const name = String(number).padStart(5, '0');
    const etag = createHash('md5').update(name).digest('hex');
    if (number > 1 && number < count) linkSync(holes, `${base}/${name}.data`);
    const segments = [{ file: `${number === count ? 'last' : name}.data`, offset: 0, length: MIB5 }];
    writeFileSync(`${base}/part-${name}.json`, JSON.stringify({ number, size: MIB5, etag, modified: 1, segments }));
    return [number, etag] as const;
  });
}

describe('a completion that takes long', () => {
  let slow: GatewayUnderTest;
  beforeAll(async () => {
    slow = await gatewayUnderTest([], undefined, 1);
    await slow.call('PUT', '/box');
  });
  afterAll(() => slow.stop());

  const begun = async (key: string): Promise<string> =>
    texts(await slow.call('POST', `/box/${key}`, { query: { uploads: '' } }), 'UploadId')[0] ?? '';

  it('of ten thousand parts says so in time, and all of them are there', async () => {
    const id = await begun('many');
    const parts = partsOnDisk(slow.folder, id, 10_000);
    const done = await complete('many', id, parts, {}, slow);
    expect([done.status, texts(done, 'Key'), done.headers['content-length']]).toEqual([200, ['many'], undefined]);
    expect(done.text).toMatch(/^<\?xml version="1.0" encoding="UTF-8"\?>\n +<CompleteMultipartUploadResult/);
    const last = await slow.call('GET', '/box/many', { headers: { range: 'bytes=-5' } });
    const size = 10_000 * MIB5;
    expect([last.text, last.headers['content-range']]).toEqual([
      '10000',
      `bytes ${String(size - 5)}-${String(size - 1)}/${String(size)}`,
    ]);
    const again = await complete('many', id, parts, {}, slow);
    expect(texts(again, 'ETag')).toEqual(texts(done, 'ETag'));
    await slow.store.settle();
    expect(slow.files().filter((name) => name.includes('part-'))).toEqual([]);
  });

  it('and fails tells why in the body, and may be tried again', async () => {
    const id = await begun('taken');
    const parts = partsOnDisk(slow.folder, id, 500);
    await slow.call('PUT', '/box/taken', { body: 'first' });
    const refused = await complete('taken', id, parts, { 'if-none-match': '*' }, slow);
    expect([refused.status, texts(refused, 'Code')]).toEqual([200, ['PreconditionFailed']]);
    expect((await slow.call('GET', '/box/taken')).text).toBe('first');
    const done = await complete('taken', id, parts, {}, slow);
    expect(done.text).toContain('<CompleteMultipartUploadResult');
    expect((await slow.call('HEAD', '/box/taken')).headers['content-length']).toBe(String(500 * MIB5));
  });
});

describe('sweep', () => {
  const day = 86_400_000;
  const options = { now: Date.now() + 2 * day, graceMs: day, uploadAgeMs: day };

  it('removes what nobody needs, and no byte of an object', async () => {
    const fresh = await gatewayUnderTest();
    try {
      await fresh.call('PUT', '/box');
      const body = randomBytes(100_000);
      await fresh.call('PUT', '/box/one', { body });
      await fresh.call('PUT', '/box/dir/two', { body: 'small' });
      const kept = fresh.files();
      const { id } = (await fresh.store.object('box', 'one')).record;
      const orphan = id.replace(/^..../, `${id.slice(0, 2)}00`);
      for (const [file, name] of [
        [`data/${id.slice(0, 2)}/${orphan}.data`, 'bytes without a record'],
        [`data/${id.slice(0, 2)}/${orphan.replace(/.$/, 'x')}/a.data`, 'a folder of them'],
      ] as const) {
        const part = await fresh.store.beginFile('box', file);
        await part.append([Buffer.from(name)]);
        await part.close();
      }
      await fresh.call('POST', '/box/unfinished', { query: { uploads: '' } });
      expect(fresh.files()).toHaveLength(kept.length + 3);
      expect(await sweep(fresh.store, { ...options, now: Date.now() })).toEqual({ files: 0, uploads: 0 });
      expect(await sweep(fresh.store, options)).toEqual({ files: 2, uploads: 1 });
      await fresh.store.settle();
      expect(fresh.files()).toEqual(kept);
      expect((await fresh.call('GET', '/box/one')).body.equals(body)).toBe(true);
    } finally {
      await fresh.stop();
    }
  });

  it('stops at a record that cannot be read: it might name bytes', async () => {
    const fresh = await gatewayUnderTest();
    try {
      await fresh.call('PUT', '/box');
      await fresh.call('PUT', '/box/broken', { body: randomBytes(100_000) });
      const [file] = fresh.files().filter((name) => name.endsWith('broken.object'));
      writeFileSync(`${fresh.folder}/brickyard-objects/${file ?? ''}`, 'rubbish');
      await expect(sweep(fresh.store, options)).rejects.toThrow(/not a record/);
      expect(fresh.files().filter((name) => name.endsWith('.data'))).toHaveLength(1);
      expect((await fresh.call('GET', '/box/broken')).status).toBe(503);
    } finally {
      await fresh.stop();
    }
  });
});
