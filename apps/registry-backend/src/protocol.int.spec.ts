/** The protocol over HTTP, row by row. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { Digest, RepositoryName } from '@brickyard/contracts';
import { recordManifest } from './http/record-manifest';
import { RegistryUnderTest } from './testing/registry-under-test';

const OCI_IMAGE = 'application/vnd.oci.image.manifest.v1+json';
const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
type Algorithm = 'sha256' | 'sha512';
const digestOf = (bytes: Buffer | string, algorithm: Algorithm = 'sha256'): string =>
  `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;

let under: RegistryUnderTest;
let count = 0;
const fresh = (): string => `spec/repo-${String(count++)}`;

beforeAll(async () => {
  under = await RegistryUnderTest.start();
  await under.leader();
});
afterAll(() => under.stop());

const call = (method: string, path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(path.startsWith('http') ? path : `${under.url}${path}`, { method, ...init, redirect: 'manual' });
const codeOf = async (response: Response): Promise<string | undefined> =>
  ((await response.json()) as { errors: { code: string }[] }).errors[0]?.code;
const open = async (name: string, query = ''): Promise<string> => {
  const response = await call('POST', `/v2/${name}/blobs/uploads/${query}`);
  expect(response.status).toBe(202);
  return response.headers.get('location') ?? '';
};
const withDigest = (location: string, digest: string): string => `${location}?digest=${encodeURIComponent(digest)}`;
const pushBlob = async (name: string, bytes: Buffer, algorithm: Algorithm = 'sha256'): Promise<string> => {
  const digest = digestOf(bytes, algorithm);
  const response = await call('PUT', withDigest(await open(name), digest), { body: bytes });
  expect(response.status).toBe(201);
  expect(response.headers.get('docker-content-digest')).toBe(digest);
  return digest;
};
const descriptor = (bytes: Buffer, mediaType: string) => ({ mediaType, digest: digestOf(bytes), size: bytes.length });
const pushImage = async (
  name: string,
  reference: string,
  more: Record<string, unknown> = {},
): Promise<{ digest: string; text: string; layer: Buffer; response: Response }> => {
  const config = Buffer.from('{}');
  const layer = randomBytes(64);
  await pushBlob(name, config);
  await pushBlob(name, layer);
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_IMAGE,
    config: descriptor(config, 'application/vnd.oci.image.config.v1+json'),
    layers: [descriptor(layer, 'application/vnd.oci.image.layer.v1.tar')],
    ...more,
  });
  const target = reference === '' ? digestOf(text) : reference;
  const response = await putManifest(name, target, text);
  expect(response.status).toBe(201);
  return { digest: digestOf(text), text, layer, response };
};
const putManifest = (name: string, reference: string, body: string | Buffer, type = OCI_IMAGE): Promise<Response> =>
  call('PUT', `/v2/${name}/manifests/${reference}`, { body, headers: { 'content-type': type } });
const filesBelow = (): string[] =>
  readdirSync(join(under.replica(0).store.root, 'uploads'), { recursive: true }).map(String);

describe('the base', () => {
  it('answers every spelling with the version of the API', async () => {
    for (const path of ['/v2/', '/v2']) {
      const response = await call('GET', path);
      expect([response.status, await response.json()]).toEqual([200, {}]);
      expect(response.headers.get('docker-distribution-api-version')).toBe('registry/2.0');
    }
  });

  it('tells unknown paths and methods by the protocol’s errors', async () => {
    const nothing = await call('GET', '/v2/some/where');
    expect([nothing.status, nothing.headers.get('docker-distribution-api-version')]).toEqual([404, 'registry/2.0']);
    const wrong = await call('POST', '/v2/a/manifests/b');
    expect([wrong.status, await codeOf(wrong), wrong.headers.get('allow')]).toEqual([
      405,
      'UNSUPPORTED',
      'GET, HEAD, PUT, DELETE',
    ]);
  });

  it.each([
    '/v2/UPPER/tags/list',
    '/v2/a..b/tags/list',
    '/v2/%2e%2e/%2e%2e/etc/tags/list',
    '/v2/a%2fb/tags/list',
    '/v2/a/../../etc/passwd',
    '/v2/a%00b/tags/list',
    '/v2/-a/manifests/x',
    `/v2/${'a'.repeat(256)}/tags/list`,
  ])('refuses %s and touches no file outside', async (path) => {
    const response = await call('GET', path);
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(response.status).toBeLessThan(500);
  });
});

describe.each<Algorithm>(['sha256', 'sha512'])('pushing blobs as %s', (algorithm) => {
  const bytes = randomBytes(300_000);

  const check = async (name: string, digest: string, wanted: Buffer): Promise<void> => {
    const response = await call('GET', `/v2/${name}/blobs/${digest}`);
    expect(response.status).toBe(200);
    expect(Buffer.from(await response.arrayBuffer()).equals(wanted)).toBe(true);
    expect(response.headers.get('docker-content-digest')).toBe(digest);
    const head = await call('HEAD', `/v2/${name}/blobs/${digest}`);
    for (const header of ['content-length', 'content-type', 'docker-content-digest', 'etag', 'accept-ranges'])
      expect([header, head.headers.get(header)]).toEqual([header, response.headers.get(header)]);
  };

  it('takes one request', async () => {
    const name = fresh();
    const digest = digestOf(bytes, algorithm);
    const response = await call('POST', withDigest(`/v2/${name}/blobs/uploads/`, digest), { body: bytes });
    expect([response.status, response.headers.get('location')]).toEqual([201, `/v2/${name}/blobs/${digest}`]);
    await check(name, digest, bytes);
  });

  it('takes POST and PUT', async () => {
    const name = fresh();
    await check(name, await pushBlob(name, bytes, algorithm), bytes);
  });

  it('takes a stream of unknown length, then an empty PUT', async () => {
    const name = fresh();
    const location = await open(name, algorithm === 'sha512' ? '?digest-algorithm=sha512' : '');
    const body = new ReadableStream({
      start(controller) {
        for (let at = 0; at < bytes.length; at += 70_000) controller.enqueue(bytes.subarray(at, at + 70_000));
        controller.close();
      },
    });
    const patch = await call('PATCH', location, { body, duplex: 'half' });
    expect([patch.status, patch.headers.get('range')]).toEqual([202, `0-${String(bytes.length - 1)}`]);
    const digest = digestOf(bytes, algorithm);
    expect((await call('PUT', withDigest(patch.headers.get('location') ?? '', digest))).status).toBe(201);
    await check(name, digest, bytes);
    expect(filesBelow()).toEqual([]);
  });

  it.each([false, true])('takes chunks, the last one in the PUT: %s', async (isLastInPut) => {
    const name = fresh();
    let location = await open(name);
    const cuts = [0, 100_000, 200_000, bytes.length];
    for (let index = 0; index < 3; index++) {
      const [from, to] = [cuts[index] ?? 0, cuts[index + 1] ?? 0];
      const headers = {
        'content-range': `${String(from)}-${String(to - 1)}`,
        'content-type': 'application/octet-stream',
      };
      const body = bytes.subarray(from, to);
      if (isLastInPut && index === 2) {
        const put = await call('PUT', withDigest(location, digestOf(bytes, algorithm)), { body, headers });
        expect(put.status).toBe(201);
        break;
      }
      const patch = await call('PATCH', location, { body, headers });
      expect([patch.status, patch.headers.get('range')]).toEqual([202, `0-${String(to - 1)}`]);
      location = patch.headers.get('location') ?? '';
    }
    if (!isLastInPut) expect((await call('PUT', withDigest(location, digestOf(bytes, algorithm)))).status).toBe(201);
    await check(name, digestOf(bytes, algorithm), bytes);
    expect(filesBelow()).toEqual([]);
  });

  it('refuses other bytes than the digest says, stores nothing and ends the session', async () => {
    const name = fresh();
    const wrong = digestOf('something else', algorithm);
    const single = await call('POST', withDigest(`/v2/${name}/blobs/uploads/`, wrong), { body: bytes });
    expect([single.status, await codeOf(single)]).toEqual([400, 'DIGEST_INVALID']);
    const location = await open(name);
    const put = await call('PUT', withDigest(location, wrong), { body: bytes });
    expect([put.status, await codeOf(put)]).toEqual([400, 'DIGEST_INVALID']);
    expect((await call('GET', location)).status).toBe(404);
    expect((await call('HEAD', `/v2/${name}/blobs/${wrong}`)).status).toBe(404);
    expect(filesBelow()).toEqual([]);
  });

  it('takes the empty blob', async () => {
    const name = fresh();
    const digest = await pushBlob(name, Buffer.alloc(0), algorithm);
    const response = await call('GET', `/v2/${name}/blobs/${digest}`);
    expect([response.status, response.headers.get('content-length')]).toEqual([200, '0']);
    expect((await call('GET', `/v2/${name}/blobs/${digest}`, { headers: { range: 'bytes=0-1' } })).status).toBe(416);
  });
});

describe('an upload session', () => {
  it('refuses chunks out of order, and goes on where it was', async () => {
    const name = fresh();
    const bytes = randomBytes(2_000);
    const location = await open(name);
    expect((await call('GET', location)).headers.get('range')).toBe('0-0');
    const chunk = (from: number, to: number, method = 'PATCH', query = ''): Promise<Response> =>
      call(method, location + query, {
        body: bytes.subarray(from, to),
        headers: { 'content-range': `${String(from)}-${String(to - 1)}` },
      });
    expect((await chunk(500, 1_000)).status).toBe(416);
    expect((await chunk(0, 500)).status).toBe(202);
    const again = await chunk(0, 500);
    expect([again.status, again.headers.get('range')]).toEqual([416, '0-499']);
    const query = `?digest=${digestOf(bytes)}`;
    expect((await chunk(1_000, 2_000, 'PUT', query)).status).toBe(416);
    const status = await call('GET', location);
    expect([status.status, status.headers.get('range')]).toEqual([204, '0-499']);
    expect((await chunk(500, 1_500)).status).toBe(202);
    expect((await chunk(1_500, 2_000, 'PUT', query)).status).toBe(201);
  });

  it('refuses a chunk of another length than its range, and ranges that are none', async () => {
    const location = await open(fresh());
    const patch = (range: string): Promise<Response> =>
      call('PATCH', location, { body: 'abc', headers: { 'content-range': range } });
    const short = await patch('0-9');
    expect([short.status, await codeOf(short)]).toEqual([400, 'SIZE_INVALID']);
    expect((await patch('x-y')).status).toBe(400);
    expect((await call('GET', location)).headers.get('range')).toBe('0-0');
  });

  it('refuses a PUT without a digest, or with one it does not know, and is kept', async () => {
    const location = await open(fresh());
    for (const query of ['', '?digest=', '?digest=md5:abc', '?digest=sha256:XYZ']) {
      const put = await call('PUT', location + query, { body: 'a' });
      expect([put.status, await codeOf(put)]).toEqual([400, 'DIGEST_INVALID']);
    }
    expect((await call('GET', location)).status).toBe(204);
  });

  it('is unknown under another name, when cancelled, when finished and when it never was', async () => {
    const [name, other] = [fresh(), fresh()];
    const location = await open(name);
    const unknown = async (path: string, methods = ['GET', 'PATCH', 'PUT', 'DELETE']): Promise<void> => {
      for (const method of methods) {
        const query = method === 'PUT' ? `?digest=${digestOf('never pushed')}` : '';
        const response = await call(method, path + query);
        expect([method, response.status, response.status === 404 ? await codeOf(response) : '']).toEqual([
          method,
          404,
          'BLOB_UPLOAD_UNKNOWN',
        ]);
      }
    };
    await unknown(location.replace(name, other));
    await unknown(`/v2/${name}/blobs/uploads/${randomUUID()}`);
    await unknown(`/v2/${name}/blobs/uploads/nonsense`);
    expect((await call('PATCH', location, { body: 'abc' })).status).toBe(202);
    expect((await call('DELETE', location)).status).toBe(204);
    await unknown(location);
    expect(filesBelow()).toEqual([]);
    const finished = await open(name);
    const done = withDigest(finished, digestOf('abc'));
    expect((await call('PUT', done, { body: 'abc' })).status).toBe(201);
    await unknown(finished, ['GET', 'PATCH', 'DELETE']);
    expect((await call('PUT', done)).status).toBe(201); // The answer may have been lost; the blob is there.
  });

  it('keeps what arrived when the client goes away, and takes the rest', async () => {
    const name = fresh();
    const bytes = randomBytes(400_000);
    const location = await open(name);
    const leaving = new AbortController();
    const body = new ReadableStream({
      async start(controller) {
        controller.enqueue(bytes.subarray(0, 150_000));
        await new Promise((done) => setTimeout(done, 200));
        leaving.abort();
      },
    });
    await expect(call('PATCH', location, { body, duplex: 'half', signal: leaving.signal })).rejects.toThrow();
    let range = '0-0';
    while (range === '0-0') range = (await call('GET', location)).headers.get('range') ?? '';
    const next = Number(range.split('-')[1]) + 1;
    expect(next).toBe(150_000);
    const rest = await call('PUT', withDigest(location, digestOf(bytes)), {
      body: bytes.subarray(next),
      headers: { 'content-range': `${String(next)}-${String(bytes.length - 1)}` },
    });
    expect(rest.status).toBe(201);
  });

  it('whose last chunk came with a PUT that failed is finished by the next one, and leaves no part', async () => {
    const name = fresh();
    const location = await open(name);
    const [first, last] = [randomBytes(70_000), randomBytes(30_000)];
    const all = Buffer.concat([first, last]);
    expect((await call('PATCH', location, { body: first })).status).toBe(202);
    await under.replica(0).open.registry.uploads.close(); // As if the PUT came to another replica.
    const blobs = join(under.replica(0).store.root, 'blobs/sha256');
    renameSync(blobs, `${blobs}.away`);
    const failed = await call('PUT', withDigest(location, digestOf(all)), { body: last });
    renameSync(`${blobs}.away`, blobs);
    expect(failed.status).toBe(503);
    expect((await call('GET', location)).headers.get('range')).toBe('0-99999');
    const before = filesBelow().length;
    expect((await call('PUT', withDigest(location, digestOf(all)))).status).toBe(201);
    const got = await call('GET', `/v2/${name}/blobs/${digestOf(all)}`);
    expect(Buffer.from(await got.arrayBuffer()).equals(all)).toBe(true);
    expect(before - filesBelow().length).toBe(2);
  });

  it('serialises two streams at once; the bytes of one never mix with those of the other', async () => {
    const name = fresh();
    const location = await open(name);
    const [one, two] = [randomBytes(200_000), randomBytes(200_000)];
    const answers = await Promise.all([call('PATCH', location, { body: one }), call('PATCH', location, { body: two })]);
    expect(answers.map(({ status }) => status)).toEqual([202, 202]);
    const wanted = [Buffer.concat([one, two]), Buffer.concat([two, one])].map((bytes) => digestOf(bytes));
    let put = await call('PUT', withDigest(location, wanted[0] ?? ''));
    if (put.status === 400) {
      const again = await open(name);
      await Promise.all([call('PATCH', again, { body: two }).then(() => call('PATCH', again, { body: one }))]);
      put = await call('PUT', withDigest(again, wanted[1] ?? ''));
    }
    expect(put.status).toBe(201);
  });
});

describe('mounting', () => {
  it('links a blob of another repository in no time, with from and without', async () => {
    const [from, name, third] = [fresh(), fresh(), fresh()];
    const digest = await pushBlob(from, randomBytes(1_000));
    const mounted = await call('POST', `/v2/${name}/blobs/uploads/?mount=${digest}&from=${encodeURIComponent(from)}`);
    expect([mounted.status, mounted.headers.get('location')]).toEqual([201, `/v2/${name}/blobs/${digest}`]);
    expect((await call('HEAD', `/v2/${name}/blobs/${digest}`)).status).toBe(200);
    expect((await call('POST', `/v2/${third}/blobs/uploads/?mount=${digest}`)).status).toBe(201);
  });

  it.each(['no/such', 'NOT-A-NAME', 'spec/repo-0'])('opens a session when %s does not have it', async (from) => {
    const digest = digestOf('nowhere');
    const response = await call('POST', `/v2/${fresh()}/blobs/uploads/?mount=${digest}&from=${from}`);
    expect(response.status).toBe(202);
    expect(response.headers.get('location')).toMatch(/blobs\/uploads\/[0-9a-f-]{36}$/);
  });

  it('shows no blob of another repository that was not mounted', async () => {
    const digest = await pushBlob(fresh(), randomBytes(100));
    const name = fresh();
    await pushBlob(name, Buffer.from('x'));
    const response = await call('GET', `/v2/${name}/blobs/${digest}`);
    expect([response.status, await codeOf(response)]).toEqual([404, 'BLOB_UNKNOWN']);
  });
});

describe('ranges', () => {
  const bytes = randomBytes(2_500);
  let path: string;
  beforeAll(async () => {
    const name = fresh();
    path = `/v2/${name}/blobs/${await pushBlob(name, bytes)}`;
  });

  it.each([
    ['bytes=500-1499', 500, 1_499],
    ['bytes=500-', 500, 2_499],
    ['bytes=-500', 2_000, 2_499],
    ['bytes=2000-5000', 2_000, 2_499],
    ['bytes=0-0', 0, 0],
    ['bytes=-9999', 0, 2_499],
  ])('%s', async (range, first, last) => {
    const response = await call('GET', path, { headers: { range } });
    expect([response.status, response.headers.get('content-range')]).toEqual([
      206,
      `bytes ${String(first)}-${String(last)}/2500`,
    ]);
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes.subarray(first, last + 1))).toBe(true);
  });

  it.each(['bytes=500-0', 'bytes=5000-10000', 'bytes=2500-', 'bytes=-0'])('%s cannot be satisfied', async (range) => {
    const response = await call('GET', path, { headers: { range } });
    expect([response.status, response.headers.get('content-range')]).toEqual([416, 'bytes */2500']);
  });

  it('honours If-Range and If-None-Match', async () => {
    const etag = (await call('HEAD', path)).headers.get('etag') ?? '';
    const ranged = (ifRange: string): Promise<Response> =>
      call('GET', path, { headers: { range: 'bytes=0-9', 'if-range': ifRange } });
    expect((await ranged(etag)).status).toBe(206);
    expect((await ranged('"other"')).status).toBe(200);
    expect((await call('GET', path, { headers: { 'if-none-match': etag } })).status).toBe(304);
  });
});

describe('manifests', () => {
  it('come back byte for byte, by tag and by digest, HEAD like GET', async () => {
    const name = fresh();
    const config = Buffer.from('{}');
    await pushBlob(name, config);
    const text = `{\n\t"layers" : [ ],  "schemaVersion": 2, "x-unknown": {"ä": "\\u00e4", "n": 1e3},
      "config": ${JSON.stringify(descriptor(config, 'application/x'))}, "mediaType":"${OCI_IMAGE}" }  \n`;
    const put = await putManifest(name, 'v1', text);
    expect([put.status, put.headers.get('location')]).toEqual([201, `/v2/${name}/manifests/${digestOf(text)}`]);
    for (const reference of ['v1', digestOf(text)]) {
      const path = `/v2/${name}/manifests/${reference}`;
      const [got, head] = [await call('GET', path), await call('HEAD', path)];
      expect(await got.text()).toBe(text);
      for (const header of ['content-type', 'content-length', 'docker-content-digest', 'etag'])
        expect(head.headers.get(header)).toBe(got.headers.get(header));
      expect(got.headers.get('content-type')).toBe(OCI_IMAGE);
      const etag = digestOf(text);
      expect((await call('GET', path, { headers: { 'if-none-match': etag } })).status).toBe(304);
    }
  });

  it('are taken by sha512 and answered so', async () => {
    const name = fresh();
    const text = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] });
    const digest = digestOf(text, 'sha512');
    const put = await putManifest(name, digest, text, OCI_INDEX);
    expect([put.status, put.headers.get('docker-content-digest')]).toEqual([201, digest]);
    expect((await call('GET', `/v2/${name}/manifests/${digest}`)).headers.get('docker-content-digest')).toBe(digest);
  });

  it('have every shape: index, nested, empty, artifact, foreign layers, Docker’s', async () => {
    const name = fresh();
    const { digest, text } = await pushImage(name, 'image');
    const entry = { mediaType: OCI_IMAGE, digest, size: text.length };
    const index = JSON.stringify({ schemaVersion: 2, manifests: [entry] });
    expect((await putManifest(name, 'index', index, OCI_INDEX)).status).toBe(201);
    const nested = {
      schemaVersion: 2,
      manifests: [{ mediaType: OCI_INDEX, digest: digestOf(index), size: index.length }],
    };
    expect((await putManifest(name, 'nested', JSON.stringify(nested), OCI_INDEX)).status).toBe(201);
    const config = descriptor(Buffer.from('{}'), 'application/vnd.oci.empty.v1+json');
    const artifact = {
      schemaVersion: 2,
      artifactType: 'application/vnd.x',
      config,
      layers: [config],
      annotations: { a: 'b' },
    };
    expect((await putManifest(name, 'artifact', JSON.stringify(artifact))).status).toBe(201);
    const foreign = [
      { mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar', digest: digestOf('f'), size: 1 },
      { mediaType: 'application/x', digest: digestOf('g'), size: 1, urls: ['https://elsewhere.example/g'] },
    ];
    expect(
      (await putManifest(name, 'foreign', JSON.stringify({ schemaVersion: 2, config, layers: foreign }))).status,
    ).toBe(201);
    const docker = 'application/vnd.docker.distribution.manifest.v2+json';
    const schema2 = JSON.stringify({ schemaVersion: 2, mediaType: docker, config, layers: [] });
    expect((await putManifest(name, 'docker', schema2, docker)).status).toBe(201);
    const list = 'application/vnd.docker.distribution.manifest.list.v2+json';
    const entries = [{ mediaType: docker, digest: digestOf(schema2), size: schema2.length, platform: { os: 'linux' } }];
    const listText = JSON.stringify({ schemaVersion: 2, mediaType: list, manifests: entries });
    expect((await putManifest(name, 'list', listText, `${list}; charset=utf-8`)).status).toBe(201);
    expect((await call('GET', `/v2/${name}/manifests/list`)).headers.get('content-type')).toBe(list);
  });

  it('may be large, and not too large', async () => {
    const name = fresh();
    const big = (bytes: number): string =>
      JSON.stringify({ schemaVersion: 2, manifests: [], annotations: { a: 'x'.repeat(bytes) } });
    expect((await putManifest(name, 'big', big(4_000_000), OCI_INDEX)).status).toBe(201);
    const over = await putManifest(name, 'over', big(9_000_000), OCI_INDEX).catch(() => undefined);
    expect(over === undefined || over.status === 413).toBe(true); // The client may notice the end of the connection first.
  });

  it('name every missing blob', async () => {
    const name = fresh();
    const [a, b] = [descriptor(Buffer.from('a'), 'x/y'), descriptor(Buffer.from('b'), 'x/y')];
    const put = await putManifest(name, 'v', JSON.stringify({ schemaVersion: 2, config: a, layers: [b] }));
    expect(put.status).toBe(404);
    expect(await put.json()).toMatchObject({
      errors: [
        { code: 'MANIFEST_BLOB_UNKNOWN', detail: { digest: a.digest } },
        { code: 'MANIFEST_BLOB_UNKNOWN', detail: { digest: b.digest } },
      ],
    });
    expect((await call('GET', `/v2/${name}/manifests/v`)).status).toBe(404);
  });

  it.each([
    ['no JSON', '{', OCI_IMAGE, 'MANIFEST_INVALID'],
    ['no object', '[]', OCI_IMAGE, 'MANIFEST_INVALID'],
    [
      'another type than it says',
      JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX }),
      OCI_IMAGE,
      'MANIFEST_INVALID',
    ],
    [
      'schema 1',
      '{"schemaVersion":1}',
      'application/vnd.docker.distribution.manifest.v1+prettyjws',
      'MANIFEST_INVALID',
    ],
    ['a byte order mark', '\ufeff{"schemaVersion":2,"manifests":[]}', OCI_INDEX, 'MANIFEST_INVALID'],
    ['an unknown type', '{"schemaVersion":2}', 'text/plain', 'MANIFEST_INVALID'],
    ['no config', '{"schemaVersion":2}', OCI_IMAGE, 'MANIFEST_INVALID'],
    [
      'digests that lead upwards',
      '{"schemaVersion":2,"config":{"digest":"sha256:../../x"}}',
      OCI_IMAGE,
      'MANIFEST_INVALID',
    ],
  ])('are refused: %s', async (_, text, type, code) => {
    const put = await putManifest(fresh(), 'v', text, type);
    expect([put.status, await codeOf(put)]).toEqual([400, code]);
  });

  it('are refused under a wrong digest, an unknown algorithm and a bad tag', async () => {
    const text = JSON.stringify({ schemaVersion: 2, manifests: [] });
    for (const [reference, code] of [
      [digestOf('other'), 'DIGEST_INVALID'],
      ['md5:abcdef', 'DIGEST_INVALID'],
      ['sha256:totallywrong', 'DIGEST_INVALID'],
      ['.bad', 'TAG_INVALID'],
    ] as const) {
      const put = await putManifest(fresh(), reference, text, OCI_INDEX);
      expect([put.status, await codeOf(put)]).toEqual([400, code]);
    }
  });

  it('take several tags at once', async () => {
    const name = fresh();
    const text = JSON.stringify({ schemaVersion: 2, manifests: [] });
    const tags = Array.from({ length: 10 }, (_, index) => `t${String(index)}`);
    const query = tags.map((tag) => `tag=${tag}`).join('&');
    const put = await putManifest(name, `${digestOf(text)}?${query}`, text, OCI_INDEX);
    expect([put.status, put.headers.get('oci-tag')]).toEqual([201, tags.join(', ')]);
    expect(await (await call('GET', `/v2/${name}/tags/list`)).json()).toEqual({ name, tags });
  });

  it('are unknown in a repository that was never pushed to', async () => {
    const response = await call('GET', '/v2/never/was/manifests/latest');
    expect([response.status, await codeOf(response)]).toEqual([404, 'NAME_UNKNOWN']);
    const bad = await call('GET', `/v2/${fresh()}/manifests/.INVALID_MANIFEST_NAME`);
    expect(bad.status).toBe(404);
  });

  it('live in repositories with words of the protocol in their names', async () => {
    for (const name of ['blobs', 'a/manifests', 'tags/list', 'uploads/blobs/uploads', 'referrers/manifests']) {
      const { text } = await pushImage(name, 'list');
      expect(await (await call('GET', `/v2/${name}/manifests/list`)).text()).toBe(text);
      expect(await (await call('GET', `/v2/${name}/tags/list`)).json()).toEqual({ name, tags: ['list'] });
    }
  });
});

describe('lists', () => {
  it('page through tags, whatever n and last are', async () => {
    const name = fresh();
    const text = JSON.stringify({ schemaVersion: 2, manifests: [] });
    const tags = ['B', 'a', 'b', 'c', 'Z1'];
    await putManifest(name, `${digestOf(text)}?${tags.map((tag) => `tag=${tag}`).join('&')}`, text, OCI_INDEX);
    const sorted = ['B', 'Z1', 'a', 'b', 'c'];
    const list = async (query: string): Promise<[unknown, string | null]> => {
      const response = await call('GET', `/v2/${name}/tags/list${query}`);
      return [((await response.json()) as { tags: unknown }).tags, response.headers.get('link')];
    };
    expect(await list('')).toEqual([sorted, null]);
    expect(await list('?n=2')).toEqual([['B', 'Z1'], `</v2/${name}/tags/list?n=2&last=Z1>; rel="next"`]);
    expect(await list('?n=2&last=Z1')).toEqual([['a', 'b'], `</v2/${name}/tags/list?n=2&last=b>; rel="next"`]);
    expect(await list('?n=2&last=b')).toEqual([['c'], null]);
    expect(await list('?n=0')).toEqual([[], null]);
    expect(await list('?last=c')).toEqual([[], null]);
    expect(await list('?last=aa')).toEqual([['b', 'c'], null]);
    expect(await list('?n=5')).toEqual([sorted, null]);
    for (const n of ['-1', 'x', '1.5']) {
      const bad = await call('GET', `/v2/${name}/tags/list?n=${n}`);
      expect([bad.status, await codeOf(bad)]).toEqual([400, 'PAGINATION_NUMBER_INVALID']);
    }
  });

  it('show an empty list for a repository whose tags are gone, and none for one that never was', async () => {
    const name = fresh();
    await pushImage(name, 'x');
    expect((await call('DELETE', `/v2/${name}/manifests/x`)).status).toBe(202);
    expect(await (await call('GET', `/v2/${name}/tags/list`)).json()).toEqual({ name, tags: [] });
    expect((await call('GET', '/v2/never/was/tags/list')).status).toBe(404);
  });

  it('page through the catalog', async () => {
    const names: string[] = [];
    for (let query = '?n=7'; query !== '';) {
      const response = await call('GET', `/v2/_catalog${query}`);
      const page = ((await response.json()) as { repositories: string[] }).repositories;
      expect(page.length).toBeLessThanOrEqual(7);
      names.push(...page);
      query = /<\/v2\/_catalog(\?[^>]+)>/.exec(response.headers.get('link') ?? '')?.[1] ?? '';
    }
    expect(names).toEqual([...new Set(names)].sort());
    expect(names).toContain('tags/list');
    expect((await call('GET', '/v2/_catalog?n=1001')).status).toBe(400);
  });
});

describe('referrers', () => {
  it('are told with their types and annotations, filtered, and vanish with the manifest', async () => {
    const name = fresh();
    const { digest, text } = await pushImage(name, 'subject');
    const subject = { mediaType: OCI_IMAGE, digest, size: text.length };
    const sbom = await pushImage(name, '', { subject, artifactType: 'application/x.sbom', annotations: { k: 'v' } });
    expect(sbom.response.headers.get('oci-subject')).toBe(digest);
    const plain = await pushImage(name, '', { subject });
    const index = JSON.stringify({ schemaVersion: 2, manifests: [], subject });
    expect((await putManifest(name, digestOf(index), index, OCI_INDEX)).headers.get('oci-subject')).toBe(digest);
    const list = async (query = ''): Promise<[Response, { digest: string; artifactType?: string }[]]> => {
      const response = await call('GET', `/v2/${name}/referrers/${digest}${query}`);
      expect([response.status, response.headers.get('content-type')]).toEqual([200, OCI_INDEX]);
      const body = (await response.json()) as { manifests: { digest: string }[] };
      expect(body).toMatchObject({ schemaVersion: 2, mediaType: OCI_INDEX });
      return [response, body.manifests];
    };
    const [unfiltered, all] = await list();
    expect(unfiltered.headers.get('oci-filters-applied')).toBeNull();
    expect(all).toHaveLength(3);
    expect(all.find((one) => one.digest === sbom.digest)).toEqual({
      mediaType: OCI_IMAGE,
      digest: sbom.digest,
      size: sbom.text.length,
      artifactType: 'application/x.sbom',
      annotations: { k: 'v' },
    });
    expect(all.find((one) => one.digest === plain.digest)?.artifactType).toBe(
      'application/vnd.oci.image.config.v1+json',
    );
    expect(all.find((one) => one.digest === digestOf(index))).not.toHaveProperty('artifactType');
    const [filtered, some] = await list(`?artifactType=${encodeURIComponent('application/x.sbom')}`);
    expect(filtered.headers.get('oci-filters-applied')).toBe('artifactType');
    expect(some.map((one) => one.digest)).toEqual([sbom.digest]);
    expect((await call('DELETE', `/v2/${name}/manifests/${sbom.digest}`)).status).toBe(202);
    expect((await list())[1]).toHaveLength(2);
  });

  it('are told whatever one of them calls annotations', async () => {
    const name = fresh();
    const { digest, text } = await pushImage(name, 'subject');
    const subject = { mediaType: OCI_IMAGE, digest, size: text.length };
    const config = (JSON.parse(text) as { config: unknown }).config;
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`; // Can be read, and not be written again.
    const body = `${JSON.stringify({ schemaVersion: 2, config, layers: [], subject }).slice(0, -1)},"annotations":{"a":${deep},"b":"c"}}`;
    expect((await putManifest(name, digestOf(body), body)).status).toBe(201);
    await pushImage(name, '', { subject, annotations: ['x'] });
    const marked = Buffer.from('\ufeff{"schemaVersion":2,"manifests":[],"annotations":{"d":"e"}}'); // Taken by older releases.
    await recordManifest(
      under.replica(0).open.registry,
      { actor: { name: 'spec' }, correlationId: 'spec' },
      {
        ...{ name: RepositoryName.parse(name), digest: Digest.parse(digestOf(marked)), bytes: marked, tags: [] },
        shape: {
          ...{ mediaType: OCI_INDEX, artifactType: undefined, subject: Digest.parse(digest) },
          ...{ references: [], blobs: [], manifests: [] },
        },
      },
    );
    const answer = await call('GET', `/v2/${name}/referrers/${digest}`);
    expect(answer.status).toBe(200);
    const { manifests } = (await answer.json()) as { manifests: { digest: string; annotations?: unknown }[] };
    const told = new Map(manifests.map((one) => [one.digest, one.annotations]));
    expect([told.size, told.get(digestOf(body)), told.get(digestOf(marked))]).toEqual([3, { b: 'c' }, { d: 'e' }]);
  });

  it('are an empty list for what nobody knows, and refused for what is no digest', async () => {
    const empty = await call('GET', `/v2/never/was/referrers/${digestOf('x')}`);
    expect([empty.status, await empty.json()]).toEqual([
      200,
      { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] },
    ]);
    expect((await call('GET', '/v2/never/was/referrers/sha256:bad')).status).toBe(400);
  });

  it('take a subject that is not there', async () => {
    const missing = { mediaType: OCI_IMAGE, digest: digestOf('not there'), size: 9 };
    const { response } = await pushImage(fresh(), '', { subject: missing });
    expect(response.headers.get('oci-subject')).toBe(missing.digest);
  });
});

describe('deleting', () => {
  it('takes a tag, a manifest with its tags, a blob; the second time there is nothing', async () => {
    const name = fresh();
    const { digest, text, layer } = await pushImage(name, 'one');
    await putManifest(name, 'two', text);
    await putManifest(name, 'three', text);
    const twice = async (path: string): Promise<number[]> => [
      (await call('DELETE', path)).status,
      (await call('DELETE', path)).status,
    ];
    expect(await twice(`/v2/${name}/manifests/one`)).toEqual([202, 404]);
    expect((await call('GET', `/v2/${name}/manifests/two`)).status).toBe(200);
    expect(await twice(`/v2/${name}/manifests/${digest}`)).toEqual([202, 404]);
    for (const reference of ['two', 'three', digest])
      expect((await call('HEAD', `/v2/${name}/manifests/${reference}`)).status).toBe(404);
    expect(await twice(`/v2/${name}/blobs/${digestOf(layer)}`)).toEqual([202, 404]);
    expect((await call('HEAD', `/v2/${name}/blobs/${digestOf(layer)}`)).status).toBe(404);
  });
});
