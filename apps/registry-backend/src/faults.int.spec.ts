/** What a registry needs is taken away, and the process itself: what was acknowledged stays, and it heals. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readlinkSync, readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { ensureDatabase } from '@brickyard/servers';
import { RegistryPlace, type RegistryProcess } from './testing/registry-process';

jest.setTimeout(90_000);

const MIB = 1024 * 1024;
const KILLS = 2;
const TYPE = 'application/vnd.oci.image.manifest.v1+json';
const canMount = process.platform === 'linux' && process.getuid?.() === 0;
const digestOf = (bytes: Buffer | string): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const moment = (): Promise<void> => new Promise((done) => setTimeout(done, 20));

let place: RegistryPlace;
let registry: RegistryProcess;

beforeAll(async () => {
  place = await RegistryPlace.make();
  registry = await place.start();
});

afterAll(() => place.end());

const call = (method: string, path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(new URL(path, registry.url), { method, ...init });
const begin = async (): Promise<Response> => call('POST', '/v2/app/blobs/uploads/');
const locationOf = (response: Response): string => response.headers.get('location') ?? '';
const ending = (location: string, digest: string): string =>
  `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`;

async function pushBlob(bytes: Buffer): Promise<Response> {
  return call('PUT', ending(locationOf(await begin()), digestOf(bytes)), { body: bytes });
}

async function pushImage(tag: string, layer = randomBytes(1_000)): Promise<{ digest: string; text: string }> {
  const config = Buffer.from('{}');
  for (const bytes of [config, layer]) expect((await pushBlob(bytes)).status).toBe(201);
  const named = (bytes: Buffer, mediaType: string) => ({ mediaType, digest: digestOf(bytes), size: bytes.length });
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: TYPE,
    config: named(config, 'application/vnd.oci.image.config.v1+json'),
    layers: [named(layer, 'application/vnd.oci.image.layer.v1.tar')],
  });
  const put = await call('PUT', `/v2/app/manifests/${tag}`, { body: text, headers: { 'content-type': TYPE } });
  expect(put.status).toBe(201);
  return { digest: digestOf(layer), text };
}

/** What a client that pulls sees, by tag and of the layer. */
async function expectPulls(tag: string, { digest, text }: { digest: string; text: string }): Promise<void> {
  const manifest = await call('GET', `/v2/app/manifests/${tag}`);
  expect([manifest.status, await manifest.text()]).toEqual([200, text]);
  const blob = await call('GET', `/v2/app/blobs/${digest}`);
  expect(digestOf(Buffer.from(await blob.arrayBuffer()))).toBe(digest);
}

async function untilPushes(): Promise<void> {
  while ((await begin()).status !== 202) await moment();
}

describe('a registry', () => {
  it('without Postgres serves pulls and refuses pushes for the moment, until it is back', async () => {
    const image = await pushImage('pg');
    place.postgres.kill();
    await place.postgres.ended;
    const refused = await begin();
    expect([refused.status, refused.headers.has('retry-after')]).toEqual([503, true]);
    await expectPulls('pg', image);
    await place.revivePostgres();
    await untilPushes();
    await expectPulls('pg', image);
  });

  it('without NATS serves pulls; a push is done or refused for the moment, and goes on when it is back', async () => {
    const image = await pushImage('nats');
    place.nats.kill();
    await place.nats.ended;
    const push = await begin();
    if (push.status !== 202) expect([push.status, push.headers.has('retry-after')]).toEqual([503, true]);
    await expectPulls('nats', image);
    await place.reviveNats();
    await untilPushes();
    await expectPulls('nats', await pushImage('nats'));
  });

  it('told to stop lets a running upload end, begins none, and another process goes on with it', async () => {
    const location = locationOf(await begin());
    const [first, second] = [randomBytes(100_000), randomBytes(100_000)];
    const { hostname, port } = new URL(registry.url);
    const status = new Promise<number>((resolve, reject) => {
      const headers = { 'content-length': String(first.length) };
      const sending = httpRequest({ hostname, port, method: 'PATCH', path: location, headers }, (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      });
      sending.once('error', reject);
      sending.write(first.subarray(0, 50_000));
      const finish = async (): Promise<void> => {
        const text = async (): Promise<string> => (await call('GET', '/metrics')).text();
        while (!/registry_http_in_flight_requests\{[^}]*\} 1/.test(await text())) await moment();
        registry.child.kill('SIGTERM');
        while ((await begin().catch(() => undefined))?.status === 202) await moment();
        sending.end(first.subarray(50_000));
      };
      finish().catch(reject);
    });
    expect([await status, await registry.ended]).toEqual([202, 0]);
    registry = await place.start();
    expect((await call('GET', location)).headers.get('range')).toBe('0-99999');
    const all = Buffer.concat([first, second]);
    expect((await call('PUT', ending(location, digestOf(all)), { body: second })).status).toBe(201);
    const got = await call('GET', `/v2/app/blobs/${digestOf(all)}`);
    expect(Buffer.from(await got.arrayBuffer()).equals(all)).toBe(true);
    const metrics = await (await call('GET', '/metrics')).text();
    for (const action of ['Writer', 'Reader', 'Move']) {
      expect(metrics).toMatch(
        new RegExp(`registry_storage_action_seconds_count\\{[^}]*action="${action}"[^}]*\\} [1-9]`),
      );
    }
  });

  it('whose readers go away in the middle keeps no file open', async () => {
    const layer = randomBytes(8 * MIB);
    await pushImage('gone', layer);
    const { hostname, port } = new URL(registry.url);
    const path = `/v2/app/blobs/${digestOf(layer)}`;
    const leave = (): Promise<void> =>
      new Promise((done) => {
        const reading = httpRequest({ hostname, port, path, agent: false }, (answer) => {
          answer.once('data', () => {
            reading.destroy();
            done();
          });
        });
        reading.once('error', () => undefined);
        reading.end();
      });
    await Promise.all(Array.from({ length: 40 }, leave));
    const openBlobs = (): number => {
      const folder = `/proc/${String(registry.pid)}/fd`;
      const links = readdirSync(folder).map((name) => linkOf(join(folder, name)));
      return links.filter((link) => link.includes('/blobs/')).length;
    };
    while (openBlobs() > 0) await moment();
    expect((await call('GET', path)).status).toBe(200);
  });

  it.each([
    ['a blob has its name and the log does not know', 'blobs/sha256'],
    ['bytes arrive', 'uploads'],
  ])('killed when %s has what was acknowledged, and takes the push again', async (_, below) => {
    const folder = join(place.folder, 'bytes/brickyard-registry', below);
    const names = (): number => readdirSync(folder, { recursive: true }).length;
    for (let round = 0; round < KILLS; round += 1) {
      const acknowledged = await pushImage(`kill-${String(round)}`);
      const layer = randomBytes(3 * MIB);
      const before = names();
      const pushing = pushBlob(layer).then(
        ({ status }) => status,
        () => 0,
      );
      while (names() === before) await new Promise((done) => setImmediate(done));
      registry.child.kill('SIGKILL');
      const [status] = await Promise.all([pushing, registry.ended]);
      registry = await place.start();
      await expectPulls(`kill-${String(round)}`, acknowledged);
      const found = await call('GET', `/v2/app/blobs/${digestOf(layer)}`);
      if (status === 201) expect(found.status).toBe(200);
      if (found.status === 200) expect(digestOf(Buffer.from(await found.arrayBuffer()))).toBe(digestOf(layer));
      else expect(found.status).toBe(404);
      expect((await pushBlob(layer)).status).toBe(201);
    }
  });

  it('speaks TLS', async () => {
    const file = (name: string): string => join(place.folder, name);
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const made = ['-keyout', file('tls.key'), '-out', file('tls.pem'), '-days', '2', ...subject];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...made], { stdio: 'pipe' });
    const secure = await place.start({
      BRICKYARD_REGISTRY_TLS_CERT: file('tls.pem'),
      BRICKYARD_REGISTRY_TLS_KEY: file('tls.key'),
      BRICKYARD_REGISTRY_STATE: file('tls.json'),
    });
    const status = await new Promise<number>((resolve, reject) => {
      const asking = httpsRequest(
        `${secure.url}/v2/`,
        { ca: readFileSync(file('tls.pem')), agent: false },
        (answer) => {
          answer.resume();
          resolve(answer.statusCode ?? 0);
        },
      );
      asking.once('error', reject);
      asking.end();
    });
    expect([new URL(secure.url).protocol, status]).toEqual(['https:', 200]);
    secure.child.kill('SIGTERM');
    expect(await secure.ended).toBe(0);
  });
});

(canMount ? describe : describe.skip)('a registry whose volume is full', () => {
  const mounted = (): string => join(place.folder, 'small');

  afterAll(() => {
    if (existsSync(mounted())) execFileSync('umount', [mounted()]);
  });

  it('refuses clearly, stores nothing of it, and goes on when there is room', async () => {
    registry.child.kill('SIGTERM');
    await registry.ended;
    mkdirSync(mounted());
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', mounted()]);
    // A ledger of its own: the log of the other volume must not be taken for this one's.
    const ledger = await ensureDatabase(place.postgres, 'small');
    registry = await place.start({ BRICKYARD_PG_URL: ledger, BRICKYARD_REGISTRY_FOLDER: mounted() });
    const image = await pushImage('kept');
    const large = randomBytes(40 * MIB);
    const refused = await pushBlob(large).catch(() => undefined);
    // The refusal comes in the middle of the body: a client that still sends may see the connection end first.
    if (refused !== undefined)
      expect([refused.status, await refused.text()]).toEqual([413, expect.stringContaining('full')]);
    const left = join(mounted(), 'brickyard-registry/uploads');
    while (readdirSync(left).length > 0) await moment();
    await expectPulls('kept', image);
    await expectPulls('small', await pushImage('small'));
    execFileSync('mount', ['-o', 'remount,size=96m', mounted()]);
    expect((await pushBlob(large)).status).toBe(201);
    registry.child.kill('SIGTERM');
    expect(await registry.ended).toBe(0);
  });
});

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // Closed since the folder was read.
  }
}
