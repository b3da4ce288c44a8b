/** A registry that fetches what others have: from real registries, and from one that does everything wrong. */
import { type ChildProcess, execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '@brickyard/servers';
import { createLogger, createMetrics } from '@brickyard/service-host';
import { hashSync } from 'bcryptjs';
import { ConfigFile } from './config-file';
import { RegistryUnderTest } from './testing/registry-under-test';
import { IMAGE_TYPE, ScriptedUpstream, sha256 } from './testing/scripted-upstream';
import { Upkeep } from './upkeep/upkeep';

jest.setTimeout(20_000);

const run = promisify(execFile);
const has = (program: string): boolean => spawnSync('which', [program]).status === 0;
const moment = (): Promise<void> => new Promise((done) => setTimeout(done, 10));

const folder = mkdtempSync(join(tmpdir(), 'brickyard-upstream-'));
let upstream: ScriptedUpstream;
let secure: ScriptedUpstream;
let cache: RegistryUnderTest;
let debianPort: number;
let configOfCache: ConfigFile;

/** One upstream for each test, as trouble with it is remembered; all are the same server, always asked anew about tags. */
const UPSTREAMS: Readonly<Record<string, object>> = {
  hub: {},
  moves: {},
  gone: {},
  calm: { tagTtlSeconds: 300 },
  named: { namespaces: ['docker.io'], repositories: ['library/**'] },
  fixed: {},
  evicted: { keep: { days: 0 } },
  all: { prefix: '', repositories: ['mirrored/*'] },
  listed: {},
  wide: {},
  left: {},
  bad: {},
  torn: {},
  shared: {},
  unkept: {},
  ill401: {},
  ill403: {},
  ill429: {},
  ill500: {},
  ill504: {},
  ill404: {},
  ill418: {},
  limited: {},
  slow: { slowMs: 100 },
  odd: {},
  old: {},
  redirects: { credentialsFile: join(folder, 'plain.json') },
  tokens: { credentialsFile: join(folder, 'docker.json') },
  debian: { credentialsFile: join(folder, 'plain.json') },
  secure: { caFile: join(folder, 'ca.pem') },
  unknown: {},
};

/** Of a server at this address, by an authority of its own; what to trust lies in `ca.pem`. */
function certificate(): { readonly key: Buffer; readonly cert: Buffer } {
  const [key, cert] = [join(folder, 'tls.key'), join(folder, 'ca.pem')];
  const subject = ['-subj', '/CN=upstream', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert];
  execFileSync('openssl', ['req', '-x509', '-days', '1', ...made, ...subject], { stdio: 'pipe' });
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

beforeAll(async () => {
  upstream = await ScriptedUpstream.start();
  secure = await ScriptedUpstream.start(certificate());
  const auth = Buffer.from('mirror:pass:word').toString('base64');
  writeFileSync(join(folder, 'plain.json'), JSON.stringify({ username: 'mirror', password: 'secret' }));
  writeFileSync(join(folder, 'docker.json'), JSON.stringify({ auths: { [new URL(upstream.url).host]: { auth } } }));
  const [port, other] = [await freePort(), await freePort()];
  debianPort = other;
  const urls: Record<string, string> = {
    ...{ debian: `http://127.0.0.1:${String(debianPort)}`, secure: secure.url, unknown: secure.url },
  };
  const upstreams = Object.entries(UPSTREAMS).map(([name, more]) => ({
    ...{ name, prefix: name, url: urls[name] ?? upstream.url, tagTtlSeconds: 0 },
    ...more,
  }));
  const self = { name: 'self', prefix: 'self', url: `http://127.0.0.1:${String(port)}` };
  configOfCache = ConfigFile.parse({
    upstreams: [...upstreams, self],
    repositories: [
      { match: 'unkept/library/full', quotaBytes: 10 },
      { match: 'fixed/**', fixedTags: ['v*'] },
    ],
  });
  cache = await RegistryUnderTest.start({ config: configOfCache, settings: { manifestBytesMax: 10_000 }, port });
});

beforeEach(() => {
  upstream.script = () => false;
  upstream.asked.length = 0;
});

afterAll(async () => {
  await cache.stop();
  await Promise.all([upstream.stop(), secure.stop()]);
  rmSync(folder, { recursive: true });
});

const call = (path: string, init: RequestInit = {}): Promise<Response> => fetch(`${cache.url}/v2/${path}`, init);
const bytesOf = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer());
const codeOf = async (response: Response): Promise<string | undefined> =>
  ((await response.json()) as { errors: { code: string }[] }).errors[0]?.code;
const facts = () => cache.replica(0).facts.current.state;
const uploads = (): string[] => readdirSync(join(cache.folder, 'brickyard-registry/uploads'));
const history = (name: string) => cache.replica(0).open.registry.past.history(name as never);

/** Ends when the connection does; tells how many bytes came and whether that was all. */
function download(url: string, each: (bytes: number, response: IncomingMessage) => void = () => undefined) {
  return new Promise<{ status: number; bytes: Buffer; isWhole: boolean }>((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        each(bytes, response);
      });
      response.on('error', () => undefined);
      response.once('close', () => {
        resolve({ status: response.statusCode ?? 0, bytes: Buffer.concat(chunks), isWhole: response.complete });
      });
    }).once('error', reject);
  });
}

describe('an image of another registry', () => {
  it('is fetched once, kept, told in the log and served from here when the other is away', async () => {
    const layer = randomBytes(3_000_000);
    const image = upstream.image('library/app', 'v1', layer);
    const manifest = await call('hub/library/app/manifests/v1');
    expect([manifest.status, await manifest.text()]).toEqual([200, image.text]);
    expect(manifest.headers.get('docker-content-digest')).toBe(image.digest);
    expect(manifest.headers.get('x-brickyard-cache')).toBe('miss');
    const blob = await call(`hub/library/app/blobs/${image.layer}`);
    expect([blob.status, (await bytesOf(blob)).equals(layer)]).toEqual([200, true]);
    while (!facts().blobs.has(image.layer as never)) await moment();
    upstream.asked.length = 0;
    upstream.script = (request) => {
      request.socket.destroy();
      return true;
    };
    const held = await call('hub/library/app/manifests/v1');
    expect([held.status, await held.text(), held.headers.get('x-brickyard-cache')]).toEqual([200, image.text, 'stale']);
    expect(held.headers.get('warning')).toContain('upstream hub is in trouble');
    expect((await bytesOf(await call(`hub/library/app/blobs/${image.layer}`))).equals(layer)).toBe(true);
    expect((await call(`hub/library/app/manifests/${image.digest}`)).headers.get('x-brickyard-cache')).toBe('hit');
    expect(upstream.questions).toEqual(['HEAD library/app/manifests/v1']);
    const host = new URL(upstream.url).host;
    const told = (await history('hub/library/app')).map(({ type, data, metadata }) => [
      type,
      data['digest'],
      data['fetchedFrom'],
      metadata.actor.name,
    ]);
    expect(told).toEqual([
      ['ManifestPushed', image.digest, `${host}/library/app`, 'anonymous'],
      ['TagMoved', image.digest, `${host}/library/app`, 'anonymous'],
      ['BlobLinked', image.layer, `${host}/library/app`, 'anonymous'],
    ]);
    expect(uploads()).toEqual([]);
  });

  it('is followed when its tag moves, and forgotten when the other registry says that the tag is gone', async () => {
    const first = upstream.image('library/moves', 'v1', randomBytes(10));
    expect((await call('moves/library/moves/manifests/v1')).headers.get('docker-content-digest')).toBe(first.digest);
    const second = upstream.image('library/moves', 'v1', randomBytes(10));
    expect((await call('moves/library/moves/manifests/v1')).headers.get('docker-content-digest')).toBe(second.digest);
    upstream.script = (_, response) => {
      response.writeHead(404).end('<html>nothing here</html>');
      return true;
    };
    const doubtful = await call('moves/library/moves/manifests/v1');
    expect([doubtful.status, doubtful.headers.get('x-brickyard-cache')]).toEqual([200, 'stale']);
    upstream.script = () => false;
    await call('gone/library/moves/manifests/v1');
    upstream.remove('library/moves', 'v1');
    expect((await call('gone/library/moves/manifests/v1')).status).toBe(404);
    expect((await call(`gone/library/moves/manifests/${second.digest}`)).status).toBe(200);
    expect((await history('gone/library/moves')).at(-1)).toMatchObject({
      type: 'TagDeleted',
      data: { cause: 'upstream', digest: second.digest },
    });
  });

  it('stays where it was when its tag is fixed here', async () => {
    const first = upstream.image('library/fixed', 'v1', randomBytes(10));
    await call('fixed/library/fixed/manifests/v1');
    upstream.image('library/fixed', 'v1', randomBytes(10));
    const held = await call('fixed/library/fixed/manifests/v1');
    expect([held.status, await held.text()]).toEqual([200, first.text]);
  });

  it('goes when the rules say so, bytes and all, and is fetched again when it is asked for', async () => {
    const layer = randomBytes(1_000);
    const image = upstream.image('library/old', 'v1', layer);
    const pull = async (): Promise<void> => {
      expect(await (await call('evicted/library/old/manifests/v1')).text()).toBe(image.text);
      expect((await bytesOf(await call(`evicted/library/old/blobs/${image.layer}`))).equals(layer)).toBe(true);
      while (!facts().blobs.has(image.layer as never)) await moment();
    };
    await pull();
    const { facts: followed, store } = cache.replica(0);
    const never = { collectEveryMs: 0, scrubBytesSecond: 0, uploadAgeMs: 0, graceMs: 0 };
    const log = createLogger({ service: 'spec', level: 'silent' });
    const metrics = createMetrics('spec');
    const upkeep = new Upkeep({ facts: followed, store: () => store, config: configOfCache, log, metrics, ...never });
    try {
      const { evicted } = upkeep.previewRetention();
      expect(evicted).toEqual([{ repository: 'evicted/library/old', digest: image.digest }]);
      await upkeep.applyRetention();
      while (facts().blobs.has(image.layer as never)) await upkeep.collect();
      await pull();
    } finally {
      await upkeep.stop();
    }
    const told = (await history('evicted/library/old')).map(({ type }) => type);
    expect(told.filter((type) => type === 'ManifestPushed' || type === 'ManifestDeleted')).toEqual([
      'ManifestPushed',
      'ManifestDeleted',
      'ManifestPushed',
    ]);
  });

  it('never takes the place of one that was pushed here before, nor takes it away', async () => {
    const own = await cache.addReplica();
    try {
      const config = Buffer.from('{}');
      const put = (path: string, body: Buffer | string, method = 'POST', type = 'application/octet-stream') =>
        fetch(`${own.url}/v2/hub/own/app/${path}`, { method, body, headers: { 'content-type': type } });
      expect((await put(`blobs/uploads/?digest=${sha256(config)}`, config)).status).toBe(201);
      const named = { mediaType: 'a/b', digest: sha256(config), size: config.length };
      const text = JSON.stringify({ schemaVersion: 2, mediaType: IMAGE_TYPE, config: named, layers: [] });
      expect((await put('manifests/v1', text, 'PUT', IMAGE_TYPE)).status).toBe(201);
      upstream.asked.length = 0;
      expect(await (await call('hub/own/app/manifests/v1')).text()).toBe(text);
      upstream.image('own/app', 'v1', randomBytes(10));
      expect(await (await call('hub/own/app/manifests/v1')).text()).toBe(text);
      expect((await call('hub/own/app/blobs/uploads/', { method: 'POST' })).status).toBe(202);
      expect(upstream.questions).toEqual([]);
    } finally {
      await own.stop();
    }
  });

  it('that another replica has fetched is not fetched again', async () => {
    const other = await cache.addReplica({
      config: { upstreams: [{ name: 'calm', prefix: 'calm', url: upstream.url }] },
    });
    try {
      const layer = randomBytes(1_000);
      const image = upstream.image('library/twice', 'v1', layer);
      await bytesOf(await call('calm/library/twice/manifests/v1'));
      await bytesOf(await call(`calm/library/twice/blobs/${image.layer}`));
      while (!facts().blobs.has(image.layer as never)) await moment();
      upstream.asked.length = 0;
      const there = (path: string): Promise<Response> => fetch(`${other.url}/v2/calm/library/twice/${path}`);
      expect(await (await there('manifests/v1')).text()).toBe(image.text);
      expect((await bytesOf(await there(`blobs/${image.layer}`))).equals(layer)).toBe(true);
      expect(upstream.questions).toEqual([]);
    } finally {
      await other.stop();
    }
  });

  it('is fetched from a registry like this one, index and all', async () => {
    const theirs = await RegistryUnderTest.start();
    const port = new URL(theirs.url).port;
    const here = await cache.addReplica({
      config: { upstreams: [{ name: 'theirs', prefix: 'theirs', url: theirs.url }] },
    });
    try {
      const put = (path: string, body: Buffer | string, method = 'POST', type = 'application/octet-stream') =>
        fetch(`${theirs.url}/v2/app/${path}`, { method, body, headers: { 'content-type': type } });
      const config = Buffer.from('{}');
      expect((await put(`blobs/uploads/?digest=${sha256(config)}`, config)).status).toBe(201);
      const named = {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: sha256(config),
        size: config.length,
      };
      const image = JSON.stringify({ schemaVersion: 2, mediaType: IMAGE_TYPE, config: named, layers: [] });
      expect((await put(`manifests/${sha256(image)}`, image, 'PUT', IMAGE_TYPE)).status).toBe(201);
      const indexType = 'application/vnd.oci.image.index.v1+json';
      const entry = { mediaType: IMAGE_TYPE, digest: sha256(image), size: image.length };
      const index = JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests: [entry] });
      expect((await put('manifests/all', index, 'PUT', indexType)).status).toBe(201);
      const from = (path: string): Promise<Response> => fetch(`${here.url}/v2/theirs/app/${path}`);
      const head = await fetch(`${here.url}/v2/theirs/app/manifests/all`, { method: 'HEAD' });
      expect([head.headers.get('docker-content-digest'), head.headers.get('content-type')]).toEqual([
        sha256(index),
        indexType,
      ]);
      expect(await (await from('manifests/all')).text()).toBe(index);
      expect(await (await from(`manifests/${sha256(image)}`)).text()).toBe(image);
      expect((await bytesOf(await from(`blobs/${sha256(config)}`))).equals(config)).toBe(true);
      expect(await (await from('tags/list')).json()).toEqual({ name: 'theirs/app', tags: ['all'] });
      expect((await history('theirs/app'))[0]?.data['fetchedFrom']).toBe(`127.0.0.1:${port}/app`);
    } finally {
      await here.stop();
      await theirs.stop();
    }
  });

  it('is not asked for again within the time its tags are trusted, and by digest never', async () => {
    const image = upstream.image('library/calm', 'v1', randomBytes(10));
    await call('calm/library/calm/manifests/v1');
    upstream.asked.length = 0;
    for (const reference of ['v1', image.digest]) {
      expect((await call(`calm/library/calm/manifests/${reference}`)).headers.get('x-brickyard-cache')).toBe('hit');
    }
    expect(upstream.questions).toEqual([]);
  });

  it('can be named as containerd names it, and pushes to it are refused', async () => {
    const image = upstream.image('library/named', 'v1', randomBytes(10));
    const asked = await call('library/named/manifests/v1?ns=docker.io');
    expect([asked.status, asked.headers.get('docker-content-digest')]).toEqual([200, image.digest]);
    expect((await call('library/named/manifests/v1?ns=elsewhere.io')).status).toBe(404);
    expect((await call('named/other/named/manifests/v1')).status).toBe(404);
    upstream.image('mirrored/app', 'v1', randomBytes(10));
    expect((await call('mirrored/app/manifests/v1')).status).toBe(200);
    for (const [method, path] of [
      ['POST', 'named/library/named/blobs/uploads/'],
      ['PUT', 'named/library/named/manifests/v2'],
      ['POST', 'mirrored/app/blobs/uploads/?mount=x'],
    ] as const) {
      const refused = await call(path, { method });
      expect([refused.status, await codeOf(refused)]).toEqual([405, 'UNSUPPORTED']);
    }
    expect((await call('own/app/blobs/uploads/', { method: 'POST' })).status).toBe(202);
  });

  it('is listed as the other registry lists it, and as it is held when that is away', async () => {
    upstream.image('library/listed', 'v1', randomBytes(10));
    await call('listed/library/listed/manifests/v1');
    upstream.script = (_, response) => {
      const headers = {
        'content-type': 'application/json',
        link: '</v2/library/listed/tags/list?last=b&n=2>; rel="next"',
      };
      response.writeHead(200, headers).end(JSON.stringify({ name: 'library/listed', tags: ['a', 'b', '../x'] }));
      return true;
    };
    const list = await call('listed/library/listed/tags/list?n=2');
    expect(await list.json()).toEqual({ name: 'listed/library/listed', tags: ['a', 'b'] });
    expect(list.headers.get('link')).toBe('</v2/listed/library/listed/tags/list?last=b&n=2>; rel="next"');
    upstream.script = (_, response) => {
      response.writeHead(503).end();
      return true;
    };
    const held = await call('listed/library/listed/tags/list');
    expect([await held.json(), held.headers.get('x-brickyard-cache')]).toEqual([
      { name: 'listed/library/listed', tags: ['v1'] },
      'stale',
    ]);
  });
});

describe('a blob of another registry', () => {
  it('is fetched once for all who ask at the same time, ranges included, at whatever speed they read', async () => {
    const bytes = randomBytes(9_000_000);
    const digest = upstream.blob('library/wide', bytes);
    let go: () => void = () => undefined;
    upstream.script = (request, response) => {
      if (request.method === 'HEAD') return false;
      response.writeHead(200, { 'content-length': bytes.length });
      response.write(bytes.subarray(0, 4_000_000));
      go = () => response.end(bytes.subarray(4_000_000));
      return true;
    };
    const url = `${cache.url}/v2/wide/library/wide/blobs/${digest}`;
    const slow = download(url, (_, response) => {
      response.pause();
      setTimeout(() => response.resume(), 1);
    });
    const all = Promise.all([...Array.from({ length: 5 }, () => download(url)), slow]);
    const range = fetch(url, { headers: { range: 'bytes=8000000-8000009' } });
    const early = await fetch(url, { headers: { range: 'bytes=10-19' } });
    expect([early.status, (await bytesOf(early)).equals(bytes.subarray(10, 20))]).toEqual([206, true]);
    expect(facts().blobs.has(digest as never)).toBe(false);
    go();
    for (const got of await all) expect([got.status, got.isWhole, got.bytes.equals(bytes)]).toEqual([200, true, true]);
    const late = await range;
    expect(late.headers.get('content-range')).toBe('bytes 8000000-8000009/9000000');
    expect((await bytesOf(late)).equals(bytes.subarray(8_000_000, 8_000_010))).toBe(true);
    expect(upstream.questions).toEqual([`GET library/wide/blobs/${digest}`]);
    while (!facts().blobs.has(digest as never)) await moment();
    expect((await bytesOf(await fetch(url))).equals(bytes)).toBe(true);
    expect(upstream.questions).toHaveLength(1);
  });

  it('goes on for others when the client that began it vanishes', async () => {
    const bytes = randomBytes(3_000_000);
    const digest = upstream.blob('library/left', bytes);
    let finish: () => void = () => undefined;
    upstream.script = (_, response) => {
      response.writeHead(200, { 'content-length': bytes.length });
      response.write(bytes.subarray(0, 1_500_000));
      finish = () => response.end(bytes.subarray(1_500_000));
      return true;
    };
    const url = `${cache.url}/v2/left/library/left/blobs/${digest}`;
    const first = await download(url, (count, response) => {
      if (count > 100_000) response.destroy();
    });
    expect(first.isWhole).toBe(false);
    const seen = { bytes: 0 };
    const second = download(url, (count) => (seen.bytes = count));
    while (seen.bytes === 0) await moment();
    finish();
    const { isWhole, bytes: got } = await second;
    expect([isWhole, got.equals(bytes), upstream.asked.length]).toEqual([true, true, 1]);
  });

  it('that is not what it should be is neither kept nor given whole to anybody', async () => {
    const bytes = randomBytes(300_000);
    const digest = upstream.blob('library/bad', bytes);
    upstream.script = (_, response) => {
      const wrong = Buffer.from(bytes);
      wrong[wrong.length - 1] = (wrong.at(-1) ?? 0) ^ 1;
      response.writeHead(200, { 'content-length': wrong.length }).end(wrong);
      return true;
    };
    const got = await download(`${cache.url}/v2/bad/library/bad/blobs/${digest}`);
    expect(got.isWhole).toBe(false);
    expect(got.bytes.length).toBeLessThan(bytes.length);
    expect(facts().blobs.has(digest as never)).toBe(false);
    while (uploads().length > 0) await moment();
    upstream.script = () => false;
    expect((await bytesOf(await call(`bad/library/bad/blobs/${digest}`))).equals(bytes)).toBe(true);
  });

  it('that breaks off is gone on with, and given up when it cannot be', async () => {
    const bytes = randomBytes(300_000);
    const digest = upstream.blob('library/torn', bytes);
    const tear = (response: Parameters<typeof upstream.script>[1]): boolean => {
      response.writeHead(200, { 'content-length': bytes.length });
      response.write(bytes.subarray(0, 100_000), () => setTimeout(() => response.destroy(), 20));
      return true;
    };
    upstream.script = (request, response) => request.headers.range === undefined && tear(response);
    expect((await bytesOf(await call(`torn/library/torn/blobs/${digest}`))).equals(bytes)).toBe(true);
    expect(upstream.asked.map(({ headers }) => headers.range)).toEqual([undefined, 'bytes=100000-']);
    const other = upstream.blob('library/torn', randomBytes(300_000));
    upstream.script = (_, response) => tear(response);
    const got = await download(`${cache.url}/v2/torn/library/torn/blobs/${other}`);
    expect([got.isWhole, facts().blobs.has(other as never)]).toEqual([false, false]);
    while (uploads().length > 0) await moment();
  });

  it('that another repository of the same registry brought here is linked; bytes of our own repositories never are', async () => {
    const bytes = randomBytes(1_000);
    const digest = upstream.blob('library/one', bytes);
    upstream.blob('library/two', bytes);
    await bytesOf(await call(`shared/library/one/blobs/${digest}`));
    while (!facts().blobs.has(digest as never)) await moment();
    upstream.asked.length = 0;
    expect((await bytesOf(await call(`shared/library/two/blobs/${digest}`))).equals(bytes)).toBe(true);
    expect((await call(`shared/library/three/blobs/${digest}`)).status).toBe(404);
    expect(upstream.questions).toEqual([`HEAD library/two/blobs/${digest}`, `HEAD library/three/blobs/${digest}`]);
    const secret = randomBytes(1_000);
    const own = await call(`own/app/blobs/uploads/?digest=${sha256(secret)}`, { method: 'POST', body: secret });
    expect(own.status).toBe(201);
    upstream.script = (request, response) => {
      if (request.method !== 'HEAD') return false;
      response.writeHead(200, { 'content-length': secret.length }).end();
      return true;
    };
    expect((await call(`shared/library/one/blobs/${sha256(secret)}`)).status).toBe(404);
  });

  it('is served without being kept while the registry is read-only or over its quota', async () => {
    const layer = randomBytes(500_000);
    const actor = { actor: { name: 'spec' }, correlationId: 'spec' };
    for (const name of ['full', 'closed']) {
      const image = upstream.image(`library/${name}`, 'v1', layer);
      if (name === 'closed') {
        const command = { type: 'SwitchWrites', isReadOnly: true, reason: 'a move' } as const;
        await cache.replica(0).facts.submit(command, actor);
      }
      expect(await (await call(`unkept/library/${name}/manifests/v1`)).text()).toBe(image.text);
      expect((await bytesOf(await call(`unkept/library/${name}/blobs/${image.layer}`))).equals(layer)).toBe(true);
      const part = await call(`unkept/library/${name}/blobs/${image.layer}`, { headers: { range: 'bytes=499990-' } });
      expect([part.status, (await bytesOf(part)).equals(layer.subarray(499_990))]).toEqual([206, true]);
      expect(facts().repositories.has(`unkept/library/${name}` as never)).toBe(false);
    }
    await cache.replica(0).facts.submit({ type: 'SwitchWrites', isReadOnly: false, reason: '' }, actor);
    while (uploads().length > 0) await moment();
  });
});

describe('another registry in trouble', () => {
  const answers = (status: number, headers = {}) => {
    upstream.script = (_, response) => {
      response.writeHead(status, headers).end();
      return true;
    };
  };

  it.each([
    [401, 403, 'DENIED'],
    [403, 403, 'DENIED'],
    [429, 429, 'TOOMANYREQUESTS'],
    [500, 503, 'UNAVAILABLE'],
    [504, 503, 'UNAVAILABLE'],
    [404, 503, 'UNAVAILABLE'],
    [418, 502, 'UNKNOWN'],
  ])('that answers %d is told as %d to who asks for what is not held', async (theirs, ours, code) => {
    answers(theirs, { 'retry-after': '7' });
    const response = await call(`ill${String(theirs)}/library/ill/manifests/v1`);
    expect([response.status, await codeOf(response)]).toEqual([ours, code]);
    if (ours === 429) expect(response.headers.get('retry-after')).toBe('7');
  });

  it('is left alone for as long as it asks, and what is held is served', async () => {
    const image = upstream.image('library/limited', 'v1', randomBytes(10));
    await call('limited/library/limited/manifests/v1');
    answers(429, { 'retry-after': '60' });
    upstream.asked.length = 0;
    for (let count = 0; count < 3; count++) {
      const held = await call('limited/library/limited/manifests/v1');
      expect([held.headers.get('x-brickyard-cache'), await held.text()]).toEqual(['stale', image.text]);
    }
    expect((await call('limited/library/limited/manifests/v2')).status).toBe(429);
    expect(upstream.questions).toEqual(['HEAD library/limited/manifests/v1']);
  });

  it('that is slow keeps nobody waiting for what is held', async () => {
    const image = upstream.image('library/slow', 'v1', randomBytes(10));
    await call('slow/library/slow/manifests/v1');
    const waiting: (() => void)[] = [];
    upstream.script = (request, response) => {
      waiting.push(() => {
        upstream.answer(request, response);
      });
      return true;
    };
    const held = await call('slow/library/slow/manifests/v1');
    expect([held.headers.get('x-brickyard-cache'), await held.text()]).toEqual(['stale', image.text]);
    for (const answer of waiting) answer();
  });

  it('that sends a manifest of another digest, too large or of another kind is not believed', async () => {
    const digest = upstream.manifest('library/odd', 'v1', '{"schemaVersion":2}');
    const send = (body: string, headers: object) => {
      upstream.script = (_, response) => {
        response.writeHead(200, { 'content-type': IMAGE_TYPE, ...headers }).end(body);
        return true;
      };
    };
    const image = JSON.stringify({
      schemaVersion: 2,
      config: { digest: sha256('x'), size: 1, mediaType: 'a/b' },
      layers: [],
    });
    const refused = async (reference: string): Promise<void> => {
      const response = await call(`odd/library/odd/manifests/${reference}`);
      expect([response.status, await codeOf(response)]).toEqual([502, 'UNKNOWN']);
    };
    send(image, { 'docker-content-digest': sha256('other') });
    await refused('v1');
    send(image, {});
    await refused(digest);
    send(image.replace('2', `2,"x":"${'y'.repeat(20_000)}"`), {});
    await refused('v1');
    send('{"schemaVersion":1}', { 'content-type': 'application/vnd.docker.distribution.manifest.v1+prettyjws' });
    await refused('v1');
    expect(facts().repositories.has('odd/library/odd' as never)).toBe(false);
  });

  it('that has no list of referrers is not in trouble for that', async () => {
    const { digest } = upstream.image('library/old', 'v1', Buffer.from('of an old registry'));
    expect((await call('old/library/old/manifests/v1')).status).toBe(200);
    upstream.script = (request, response) => {
      if (request.url?.includes('/referrers/') !== true) return false;
      response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found');
      return true;
    };
    const list = await call(`old/library/old/referrers/${digest}`);
    expect([list.status, await list.json()]).toMatchObject([200, { manifests: [] }]);
    const again = await call('old/library/old/manifests/v1');
    expect([again.status, again.headers.get('x-brickyard-cache'), again.headers.get('warning')]).toEqual([
      200,
      'hit',
      null,
    ]);
    expect((await call('old/library/old/referrers/nothing')).status).toBe(400);
  });

  it('comes over TLS from whom a file of authorities vouches for, and from nobody else', async () => {
    const layer = randomBytes(10_000);
    const image = secure.image('library/app', 'v1', layer);
    expect(sha256(await bytesOf(await call('secure/library/app/manifests/v1')))).toBe(image.digest);
    expect(sha256(await bytesOf(await call(`secure/library/app/blobs/${image.layer}`)))).toBe(image.layer);
    const refused = await call('unknown/library/app/manifests/v1');
    expect([refused.status, await refused.text()]).toEqual([503, expect.stringMatching(/unknown authority .*caFile/)]);
    expect(facts().repositories.has('unknown/library/app' as never)).toBe(false);
  });

  it('that redirects gets its answers from there, without our credentials, and never from a worse or a local place', async () => {
    const other = await ScriptedUpstream.start();
    try {
      const bytes = randomBytes(1_000);
      const digest = other.blob('library/moved', bytes);
      // Another host by its name: the same machine, but not the same origin.
      const elsewhere = other.url.replace('127.0.0.1', 'localhost');
      let location = `${elsewhere}/v2/library/moved/blobs/${digest}`;
      upstream.script = (request, response) => {
        if (request.headers.authorization === undefined) {
          response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
        } else response.writeHead(307, { location }).end();
        return true;
      };
      expect((await bytesOf(await call(`redirects/library/moved/blobs/${digest}`))).equals(bytes)).toBe(true);
      expect(upstream.asked.at(-1)?.headers.authorization).toBe(
        `Basic ${Buffer.from('mirror:secret').toString('base64')}`,
      );
      expect(other.asked.map(({ headers }) => headers.authorization)).toEqual([undefined]);
      for (const bad of [
        'http://169.254.169.254/latest/meta-data',
        'file:///etc/passwd',
        'gopher://127.0.0.1/',
        'http://[fe80::1]/',
      ]) {
        location = bad;
        const refused = await call(`redirects/library/moved/blobs/${sha256(bad)}`);
        expect([bad, refused.status]).toEqual([bad, 502]);
      }
      location = `${upstream.url}/v2/again`;
      expect((await call(`redirects/library/moved/blobs/${sha256('again')}`)).status).toBe(502);
    } finally {
      await other.stop();
    }
  });

  it('that hands out tokens is asked for one, with the password of a file, and again when it is not taken any more', async () => {
    const image = upstream.image('library/tokens', 'v1', randomBytes(10));
    let token = 'first';
    upstream.script = (request, response) => {
      if (request.url?.startsWith('/token') === true) {
        response.end(JSON.stringify({ token, expires_in: 300 }));
        return true;
      }
      if (request.headers.authorization === `Bearer ${token}`) return false;
      const realm = `Bearer realm="${upstream.url}/token?x=1",service="hub & co",scope="repository:all:*"`;
      response.writeHead(401, { 'www-authenticate': realm }).end();
      return true;
    };
    expect(await (await call('tokens/library/tokens/manifests/v1')).text()).toBe(image.text);
    const [asked] = upstream.asked.filter(({ path }) => path.startsWith('/token'));
    expect(asked?.headers.authorization).toBe(`Basic ${Buffer.from('mirror:pass:word').toString('base64')}`);
    expect(Object.fromEntries(new URL(asked?.path ?? '', upstream.url).searchParams)).toEqual({
      x: '1',
      service: 'hub & co',
      scope: 'repository:library/tokens:pull',
    });
    await bytesOf(await call(`tokens/library/tokens/blobs/${image.layer}`));
    expect(upstream.asked.filter(({ path }) => path.startsWith('/token'))).toHaveLength(1);
    token = 'second';
    expect((await call('tokens/library/tokens/manifests/v1')).headers.get('x-brickyard-cache')).toBe('hit');
    expect(upstream.asked.filter(({ path }) => path.startsWith('/token'))).toHaveLength(2);
  });

  it('that is this registry itself is found out', async () => {
    const response = await call('self/self/app/manifests/v1');
    expect([response.status, await codeOf(response)]).toEqual([503, 'UNAVAILABLE']);
  });
});

describe("Debian's docker-registry", () => {
  let debian: ChildProcess | undefined;

  afterAll(async () => {
    const ended = new Promise((done) => debian?.once('exit', done));
    if (debian?.kill('SIGTERM') === true) await ended;
  });

  (has('docker-registry') && has('skopeo') ? it : it.skip)(
    'is cached for skopeo, which gets every byte when it is away',
    async () => {
      const htpasswd = join(folder, 'htpasswd');
      writeFileSync(htpasswd, `mirror:${hashSync('secret', 4)}\n`);
      const config = join(folder, 'config.yml');
      const lines = [
        'version: 0.1',
        'log: {level: error, accesslog: {disabled: true}}',
        `storage: {filesystem: {rootdirectory: ${join(folder, 'data')}}}`,
        `http: {addr: "127.0.0.1:${String(debianPort)}"}`,
        `auth: {htpasswd: {realm: debian, path: ${htpasswd}}}`,
      ];
      writeFileSync(config, `${lines.join('\n')}\n`);
      debian = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
      const url = `http://127.0.0.1:${String(debianPort)}`;
      while ((await fetch(`${url}/v2/`).catch(() => undefined))?.status !== 401) await moment();
      const layout = join(folder, 'image');
      makeImage(layout, randomBytes(2_000_000));
      const skopeo = (...argv: string[]) => run('skopeo', argv, { timeout: 20_000 });
      const theirs = `docker://127.0.0.1:${String(debianPort)}/team/app:v1`;
      await skopeo('copy', '--dest-tls-verify=false', '--dest-creds', 'mirror:secret', `dir:${layout}`, theirs);
      const pushed = join(folder, 'pushed'); // The layer was compressed on its way.
      await skopeo('copy', '--src-tls-verify=false', '--src-creds', 'mirror:secret', theirs, `dir:${pushed}`);
      const ours = `docker://${new URL(cache.url).host}/debian/team/app:v1`;
      for (const round of ['fetched', 'held']) {
        const out = join(folder, round);
        await skopeo('copy', '--src-tls-verify=false', ours, `dir:${out}`);
        for (const name of readdirSync(pushed)) {
          expect([round, name, readFileSync(join(out, name)).equals(readFileSync(join(pushed, name)))]).toEqual([
            round,
            name,
            true,
          ]);
        }
        while (facts().repositories.get('debian/team/app' as never)?.blobs.size !== 2) await moment();
        const ended = new Promise((done) => debian?.once('exit', done));
        if (debian.kill('SIGTERM')) await ended;
      }
    },
  );
});

/** An image as skopeo keeps it in a folder. */
function makeImage(folder: string, layer: Buffer): void {
  mkdirSync(folder);
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: [sha256(layer)] },
    }),
  );
  const named = (bytes: Buffer, mediaType: string) => ({ mediaType, digest: sha256(bytes), size: bytes.length });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: IMAGE_TYPE,
    config: named(config, 'application/vnd.oci.image.config.v1+json'),
    layers: [named(layer, 'application/vnd.oci.image.layer.v1.tar')],
  });
  for (const bytes of [config, layer]) writeFileSync(join(folder, sha256(bytes).replace('sha256:', '')), bytes);
  writeFileSync(join(folder, 'manifest.json'), manifest);
  writeFileSync(join(folder, 'version'), 'Directory Transport Version: 1.1\n');
}
