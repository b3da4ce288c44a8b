/** What happens behind the protocol: garbage, purges, strays, scrub, retention, history, moving, rebuilding. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { Digest, RepositoryName } from '@brickyard/contracts';
import { openLedgerReader } from '@brickyard/event-sourcing/postgres';
import { createLogger, createMetrics } from '@brickyard/service-host';
import { ConfigFile } from './config-file';
import { endOfCopy, rebuildFacts, startFactsCopy } from './facts/facts-copy';
import { startWebhook } from './history/webhooks';
import { exportLayout, importLayout } from './moving/distribution-layout';
import { RegistryUnderTest } from './testing/registry-under-test';
import { Upkeep } from './upkeep/upkeep';

jest.setTimeout(120_000);

const log = createLogger({ service: 'spec', level: 'silent' });
const OCI_IMAGE = 'application/vnd.oci.image.manifest.v1+json';
const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
const origin = { actor: { name: 'spec' }, correlationId: 'spec' };
const digestOf = (bytes: Buffer | string): Digest =>
  Digest.parse(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
const config = ConfigFile.parse({
  repositories: [
    { match: 'fixed/**', fixedTags: ['v*'] },
    { match: 'small/*', quotaBytes: 1_000 },
    { match: 'kept/*', keep: { newest: 2, tags: ['stable'], untaggedDays: 0 } },
  ],
});

/** Longer than a push takes here, short enough that much is collected while others push. */
const GRACE_MS = 3_000;

let under: RegistryUnderTest;
let upkeep: Upkeep;
let count = 0;
const fresh = (): RepositoryName => RepositoryName.parse(`spec/repo-${String(count++)}`);

const upkeepOf = (registry: RegistryUnderTest): Upkeep => {
  const { facts, store } = registry.replica(0);
  const never = { collectEveryMs: 0, scrubBytesSecond: 0, uploadAgeMs: 0 };
  return new Upkeep({ facts, store: () => store, config, log, metrics: createMetrics('spec'), graceMs: 0, ...never });
};

beforeAll(async () => {
  under = await RegistryUnderTest.start({ config, graceMs: GRACE_MS });
  await under.leader();
  upkeep = upkeepOf(under);
});
afterAll(async () => {
  await upkeep.stop();
  await under.stop();
});

const call = (method: string, path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${under.url}${path}`, { method, ...init });
const pushBlob = async (name: string, bytes: Buffer): Promise<Digest> => {
  const digest = digestOf(bytes);
  expect((await call('POST', `/v2/${name}/blobs/uploads/?digest=${digest}`, { body: bytes })).status).toBe(201);
  return digest;
};
const pushImage = async (name: string, reference: string, layer = randomBytes(500)): Promise<Digest> => {
  const blob = await pushBlob(name, layer);
  const entry = { mediaType: 'application/x', digest: blob, size: layer.length };
  const text = JSON.stringify({ schemaVersion: 2, mediaType: OCI_IMAGE, config: entry, layers: [] });
  const put = await call('PUT', `/v2/${name}/manifests/${reference}`, {
    body: text,
    headers: { 'content-type': OCI_IMAGE },
  });
  expect(put.status).toBe(201);
  return digestOf(text);
};
const fileOf = (digest: Digest): string | undefined => {
  const file = under.replica(0).facts.current.state.blobs.get(digest)?.file;
  return file === undefined ? undefined : under.replica(0).store.pathOf(file);
};
const blobFiles = (): string[] =>
  readdirSync(join(under.replica(0).store.root, 'blobs'), { recursive: true })
    .map(String)
    .filter((name) => /\.[0-9a-f]{16}$/.test(name));

describe('garbage', () => {
  it('is what no manifest needs; what one needs stays, and the dry run tells the bytes', async () => {
    const name = fresh();
    const layer = randomBytes(2_000);
    const kept = await pushImage(name, 'kept');
    const gone = await pushImage(name, 'gone', layer);
    expect((await call('DELETE', `/v2/${name}/manifests/${gone}`)).status).toBe(202);
    await new Promise((done) => setTimeout(done, 5));
    expect(upkeep.preview(0).bytes).toBeGreaterThanOrEqual(2_000);
    await upkeep.collect(origin, 0);
    await new Promise((done) => setTimeout(done, 5));
    await upkeep.collect(origin, 0);
    expect((await call('HEAD', `/v2/${name}/blobs/${digestOf(layer)}`)).status).toBe(404);
    expect(blobFiles().some((file) => file.includes(digestOf(layer).slice(7)))).toBe(false);
    expect((await call('GET', `/v2/${name}/manifests/kept`)).status).toBe(200);
    expect(fileOf(kept)).toBeDefined();
    await pushBlob(name, layer); // What was collected can be pushed again.
    expect((await call('GET', `/v2/${name}/blobs/${digestOf(layer)}`)).status).toBe(200);
  });

  it('never is what concurrent pushes rely on', async () => {
    const shared = Array.from({ length: 6 }, () => randomBytes(300));
    const pushing = new AbortController();
    const collecting = (async () => {
      while (!pushing.signal.aborted) {
        await upkeep.collect(origin, GRACE_MS);
        await new Promise((done) => setTimeout(done, 20));
      }
    })();
    const push = async (number: number): Promise<void> => {
      const name = `gc/r${String(number % 3)}`;
      const layers = shared.filter((_, index) => (number + index) % 2 === 0);
      for (let attempt = 0; ; attempt++) {
        for (const layer of layers) {
          const digest = digestOf(layer);
          const head = await call('HEAD', `/v2/${name}/blobs/${digest}`);
          if (head.status === 404) await pushBlob(name, layer);
        }
        const entries = layers.map((layer) => ({ mediaType: 'application/x', digest: digestOf(layer), size: 300 }));
        const body = JSON.stringify({
          schemaVersion: 2,
          config: entries[0],
          layers: entries,
          annotations: { n: String(number) },
        });
        const put = await call('PUT', `/v2/${name}/manifests/t${String(number)}`, {
          body,
          headers: { 'content-type': OCI_IMAGE },
        });
        // On a machine that stands still a link may go between HEAD and PUT: the protocol tells, nothing is half there.
        if (put.status === 201) break;
        expect(put.status).toBe(404);
        expect(attempt).toBeLessThan(5);
      }
      const manifest = (await (await call('GET', `/v2/${name}/manifests/t${String(number)}`)).json()) as {
        layers: { digest: string }[];
      };
      for (const { digest } of manifest.layers) {
        const got = await call('GET', `/v2/${name}/blobs/${digest}`);
        expect(got.status).toBe(200);
        expect(digestOf(Buffer.from(await got.arrayBuffer()))).toBe(digest);
      }
      if (number % 2 === 0) await call('DELETE', `/v2/${name}/manifests/t${String(number)}`);
    };
    try {
      for (let from = 0; from < 24; from += 4) {
        await Promise.all(Array.from({ length: 4 }, (_, index) => push(from + index)));
      }
    } finally {
      pushing.abort();
      await collecting;
    }
    for (let number = 1; number < 24; number += 2) {
      const name = `gc/r${String(number % 3)}`;
      const manifest = (await (await call('GET', `/v2/${name}/manifests/t${String(number)}`)).json()) as {
        layers: { digest: string }[];
      };
      for (const { digest } of manifest.layers)
        expect((await call('GET', `/v2/${name}/blobs/${digest}`)).status).toBe(200);
    }
  });
});

describe('upkeep', () => {
  it('drops old uploads with their bytes, and files that the log does not name', async () => {
    const name = fresh();
    const open = await call('POST', `/v2/${name}/blobs/uploads/`);
    const location = open.headers.get('location') ?? '';
    expect((await call('PATCH', location, { body: 'abc' })).status).toBe(202);
    await new Promise((done) => setTimeout(done, 5));
    expect(await upkeep.purgeUploads(0)).toBeGreaterThanOrEqual(1);
    expect((await call('GET', location)).status).toBe(404);
    const stray = under.replica(0).store.pathOf('uploads/left.000000000000');
    writeFileSync(stray, 'left by a crash');
    utimesSync(stray, 0, 0); // Old bytes; when it got its name is what counts.
    expect(await upkeep.sweepStrays()).toEqual([]);
    await new Promise((done) => setTimeout(done, 5));
    expect(await upkeep.sweepStrays(1)).toEqual(['uploads/left.000000000000']);
  });

  it('leaves old bytes alone that have just become a blob', async () => {
    const { store } = under.replica(0);
    const bytes = randomBytes(100);
    const part = await store.begin('slow');
    await part.append([bytes]);
    await part.sync();
    await part.close();
    utimesSync(store.pathOf(part.file), 0, 0); // Sent days ago, finished now.
    const file = await store.publish(part.file, digestOf(bytes));
    expect(await upkeep.sweepStrays()).toEqual([]); // The log is about to name it.
    await store.remove(file);
  });

  it('finds a blob that has changed or is gone; it is not served, and a push brings it back', async () => {
    const name = fresh();
    const [changed, cut] = [randomBytes(3_000), randomBytes(3_000)];
    for (const bytes of [changed, cut]) await pushBlob(name, bytes);
    const file = fileOf(digestOf(changed)) ?? '';
    const bytes = readFileSync(file);
    bytes.writeUInt8((bytes.readUInt8(7) + 1) % 256, 7);
    writeFileSync(file, bytes);
    truncateSync(fileOf(digestOf(cut)) ?? '', 10);
    const findings = await Promise.all([upkeep.check(digestOf(changed)), upkeep.check(digestOf(cut))]);
    expect(findings).toEqual(['its bytes have another digest', 'its file has 10 bytes and not 3000']);
    for (const whole of [changed, cut]) {
      expect((await call('GET', `/v2/${name}/blobs/${digestOf(whole)}`)).status).toBe(404);
      await pushBlob(name, whole);
      const got = await call('GET', `/v2/${name}/blobs/${digestOf(whole)}`);
      expect(Buffer.from(await got.arrayBuffer()).equals(whole)).toBe(true);
    }
  });

  it('applies retention as its dry run says', async () => {
    const name = 'kept/app';
    const untagged = await pushImage(name, 'old');
    for (const tag of ['stable', 'old', 'b', 'c']) {
      await pushImage(name, tag);
      await new Promise((done) => setTimeout(done, 5));
    }
    const plan = upkeep.previewRetention();
    expect(plan.tags.map(({ tag }) => tag)).toEqual(['old']);
    expect(plan.manifests.map(({ digest }) => digest)).toContain(untagged);
    await upkeep.applyRetention(origin);
    expect(await (await call('GET', `/v2/${name}/tags/list`)).json()).toEqual({ name, tags: ['b', 'c', 'stable'] });
    expect((await call('GET', `/v2/${name}/manifests/${untagged}`)).status).toBe(404);
  });

  it('keeps to quotas and fixed tags, and to the switch for writes', async () => {
    const quota = await call('POST', `/v2/small/a/blobs/uploads/?digest=${digestOf(Buffer.alloc(2_000))}`, {
      body: Buffer.alloc(2_000),
    });
    expect([quota.status, await quota.json()]).toMatchObject([403, { errors: [{ code: 'DENIED' }] }]);
    const fixed = await pushImage('fixed/app', 'v1');
    const body = JSON.stringify({ schemaVersion: 2, manifests: [] });
    const moved = await call('PUT', '/v2/fixed/app/manifests/v1', { body, headers: { 'content-type': OCI_INDEX } });
    expect(moved.status).toBe(403);
    for (const reference of ['v1', fixed]) {
      expect((await call('DELETE', `/v2/fixed/app/manifests/${reference}`)).status).toBe(403);
    }
    const loose = await pushImage('fixed/app', 'nightly');
    expect((await call('DELETE', `/v2/fixed/app/manifests/${loose}`)).status).toBe(202);
    const { facts } = under.replica(0);
    await facts.submit({ type: 'SwitchWrites', isReadOnly: true, reason: 'moving house' }, origin);
    const refused = await call('POST', `/v2/${fresh()}/blobs/uploads/`);
    expect([refused.status, await refused.text()]).toEqual([405, expect.stringContaining('moving house')]);
    expect((await call('GET', '/v2/fixed/app/manifests/v1')).status).toBe(200);
    await facts.submit({ type: 'SwitchWrites', isReadOnly: false, reason: '' }, origin);
    expect((await call('POST', `/v2/${fresh()}/blobs/uploads/`)).status).toBe(202);
  });
});

describe('the past', () => {
  it('tells what a tag pointed to, and gives the image as it was tagged then', async () => {
    const name = fresh();
    const first = await pushImage(name, 'latest');
    const then = under.replica(0).facts.current.position;
    const time = new Date().toISOString();
    await new Promise((done) => setTimeout(done, 5));
    const second = await pushImage(name, 'latest');
    await call('DELETE', `/v2/${name}/manifests/latest`);
    const digestAt = async (path: string): Promise<string | null> =>
      (await call('GET', `/v2/${name}/manifests/${path}`)).headers.get('docker-content-digest');
    expect(await digestAt(`latest?at=${String(then)}`)).toBe(first);
    expect(await digestAt(`latest?at=${time}`)).toBe(first);
    expect(await digestAt(`latest__at__${String(then)}`)).toBe(first);
    expect((await call('GET', `/v2/${name}/manifests/latest`)).status).toBe(404);
    expect(await (await call('GET', `/v2/${name}/tags/list?at=${String(then)}`)).json()).toMatchObject({
      tags: ['latest'],
    });
    expect(await call('GET', `/v2/_catalog?at=0`).then((response) => response.json())).toEqual({ repositories: [] });
    expect((await call('GET', `/v2/${name}/tags/list?at=soon`)).status).toBe(400);
    const events = await under.replica(0).open.registry.past.history(name);
    const tags = events.filter(({ type }) => type.startsWith('Tag')).map(({ type, data }) => [type, data['digest']]);
    expect(tags).toEqual([
      ['TagMoved', first],
      ['TagMoved', second],
      ['TagDeleted', second],
    ]);
  });

  it('is told to webhooks, in order, again after a failure, from where they stopped', async () => {
    const taken: { action: string; target: Record<string, unknown>; actor: unknown; id: string }[] = [];
    let failures = 2;
    const receiver = createServer((request, response) => {
      void json(request).then((body) => {
        if (failures-- > 0) {
          // Neither has taken anything: redirects are not followed.
          response.writeHead(failures === 0 ? 500 : 302, { location: '/elsewhere' }).end();
          return;
        }
        expect(request.headers['content-type']).toBe('application/vnd.docker.distribution.events.v1+json');
        taken.push(...(body as { events: typeof taken }).events);
        response.writeHead(200).end();
      });
    });
    await new Promise<void>((done) => receiver.listen(0, '127.0.0.1', done));
    const url = `http://127.0.0.1:${String((receiver.address() as AddressInfo).port)}/`;
    const [webhook] = ConfigFile.parse({
      webhooks: [{ name: 'ci', url, ignoreMediaTypes: ['application/octet-stream'] }],
    }).webhooks;
    if (webhook === undefined) throw new Error('no webhook');
    const reader = openLedgerReader({ url: under.pgUrl, ledger: 'registry', role: 'writer' });
    const sent = createMetrics('spec').counter({ name: 'sent', help: 'sent' });
    const start = () =>
      startWebhook({ webhook, reader, baseUrl: 'http://registry.example', instance: 'one', log, sent });
    const relay = await start();
    const name = fresh();
    const digest = await pushImage(name, 'hooked');
    await relay.close();
    await call('DELETE', `/v2/${name}/manifests/hooked`);
    const again = await start();
    await again.published(under.replica(0).facts.current.position);
    await again.close();
    expect(taken.map(({ action, target }) => [action, target['digest'], target['tag'], target['repository']])).toEqual([
      ['push', digest, undefined, name],
      ['push', digest, 'hooked', name],
      ['delete', undefined, 'hooked', name],
    ]);
    expect(taken[0]?.target['url']).toBe(`http://registry.example/v2/${name}/manifests/${digest}`);
    expect(taken[0]?.actor).toEqual({ name: 'anonymous' });
    await reader.close();
    receiver.close();
  });

  it('is told to webhooks from its very first event, however late they take it', async () => {
    let isUp = false;
    let taken = 0;
    const receiver = createServer((request, response) => {
      request.resume().on('end', () => {
        if (isUp) taken += 1;
        response.writeHead(isUp ? 200 : 503).end();
      });
    });
    await new Promise<void>((done) => receiver.listen(0, '127.0.0.1', done));
    const url = `http://127.0.0.1:${String((receiver.address() as AddressInfo).port)}/`;
    const [webhook] = ConfigFile.parse({ webhooks: [{ name: 'first', url }] }).webhooks;
    if (webhook === undefined) throw new Error('no webhook');
    const empty = await RegistryUnderTest.start();
    await empty.leader();
    const reader = openLedgerReader({ url: empty.pgUrl, ledger: 'registry', role: 'writer' });
    const sent = createMetrics('spec').counter({ name: 'sent', help: 'sent' });
    const start = () =>
      startWebhook({ webhook, reader, baseUrl: 'http://registry.example', instance: 'one', log, sent });
    try {
      const relay = await start();
      const push = { method: 'POST', body: 'first' };
      expect((await fetch(`${empty.url}/v2/a/blobs/uploads/?digest=${digestOf('first')}`, push)).status).toBe(201);
      await relay.close();
      isUp = true;
      const again = await start(); // The replica that leads now.
      await again.published(empty.replica(0).facts.current.position);
      await again.close();
      expect(taken).toBe(1);
    } finally {
      await reader.close();
      receiver.close();
      await empty.stop();
    }
  });
});

describe('moving', () => {
  it('gives everything in the layout of the open-source registry, and takes it back without copying', async () => {
    const name = fresh();
    const digest = await pushImage(name, 'moved');
    const index = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] });
    await call('PUT', `/v2/${name}/manifests/index`, { body: index, headers: { 'content-type': OCI_INDEX } });
    const folder = mkdtempSync(join(tmpdir(), 'brickyard-layout-'));
    const other = await RegistryUnderTest.start();
    try {
      await other.leader();
      const { store, facts } = under.replica(0);
      const given = await exportLayout({ store, facts, log }, folder);
      expect([given.copied, given.problems]).toEqual([0, []]);
      const link = join(folder, 'docker/registry/v2/repositories', name, '_manifests/tags/moved/current/link');
      expect(readFileSync(link, 'utf8')).toBe(digest);
      const target = other.replica(0);
      const taken = await importLayout({ store: target.store, facts: target.facts, log }, folder, origin);
      expect(taken).toEqual({ ...given, problems: [] });
      for (const reference of ['moved', 'index', digest]) {
        const [before, after] = await Promise.all(
          [under.url, other.url].map((url) => fetch(`${url}/v2/${name}/manifests/${reference}`)),
        );
        expect(await after?.text()).toBe(await before?.text());
        expect(after?.headers.get('content-type')).toBe(before?.headers.get('content-type'));
      }
      const again = await importLayout({ store: target.store, facts: target.facts, log }, folder, origin);
      expect(again.problems).toEqual([]);
    } finally {
      await other.stop();
      rmSync(folder, { recursive: true });
    }
  });

  it('has all facts again from the copy beside the bytes when the log is lost', async () => {
    const { store, facts } = under.replica(0);
    const reader = openLedgerReader({ url: under.pgUrl, ledger: 'registry', role: 'writer' });
    const relay = await startFactsCopy(reader, () => store, log);
    await relay.published(facts.current.position);
    await relay.close();
    await reader.close();
    expect(await endOfCopy(store)).toBe(facts.current.position);
    const other = await RegistryUnderTest.start();
    try {
      await other.leader();
      const empty = other.replica(0);
      const rebuilt = await rebuildFacts(store, empty.facts, false, origin);
      expect(rebuilt.events).toBe(facts.current.position);
      const told = ({ state }: typeof facts.current): unknown =>
        [...state.repositories.entries()]
          .map(([name, { tags, bytes }]) => [
            name,
            bytes,
            [...tags.entries()].map(([tag, { digest }]) => [tag, digest]).sort(),
          ])
          .sort();
      expect(told(empty.facts.current)).toEqual(told(facts.current));
      expect(await rebuildFacts(store, empty.facts, false, origin)).toEqual({ events: 0, isDryRun: false });
    } finally {
      await other.stop();
    }
  });
});
