/** Two replicas over one folder and one log: any request to either of them. */
import { createHash, randomBytes } from 'node:crypto';
import { RegistryUnderTest } from './testing/registry-under-test';

jest.setTimeout(120_000);

const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
/** A thousand pass as well; they take a minute on a busy machine. */
const UPLOADS = 200;
const digestOf = (bytes: Buffer | string): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

let under: RegistryUnderTest;
beforeAll(async () => {
  under = await RegistryUnderTest.start();
  await under.leader();
  await under.addReplica();
});
afterAll(() => under.stop());

const at = (replica: number, method: string, path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${under.replica(replica).url}${path}`, { method, ...init });
const locationFrom = (response: Response): string => response.headers.get('location') ?? '';
const index = (name: string): string => JSON.stringify({ schemaVersion: 2, manifests: [], annotations: { name } });
const tag = (replica: number, reference: string, text: string): Promise<Response> =>
  at(replica, 'PUT', `/v2/app/manifests/${reference}`, { body: text, headers: { 'content-type': OCI_INDEX } });

describe('two replicas', () => {
  it.each([
    [0, 1, 0],
    [0, 0, 1],
    [1, 0, 1],
    [1, 1, 0],
  ])('take POST on %i, PATCH on %i and PUT on %i', async (post, patch, put) => {
    for (let round = 0; round < 5; round++) {
      const bytes = randomBytes(100_000);
      const location = locationFrom(await at(post, 'POST', '/v2/app/blobs/uploads/'));
      const patched = await at(patch, 'PATCH', location, { body: bytes });
      expect([patched.status, patched.headers.get('range')]).toEqual([202, '0-99999']);
      const finished = await at(put, 'PUT', `${location}?digest=${digestOf(bytes)}`);
      expect(finished.status).toBe(201);
      for (const replica of [0, 1]) {
        const got = await at(replica, 'GET', `/v2/app/blobs/${digestOf(bytes)}`);
        expect(got.status).toBe(200);
        expect(digestOf(Buffer.from(await got.arrayBuffer()))).toBe(digestOf(bytes));
      }
    }
  });

  it('take the chunks of one upload in turns', async () => {
    const bytes = randomBytes(500_000);
    const location = locationFrom(await at(0, 'POST', '/v2/app/blobs/uploads/'));
    for (let chunk = 0; chunk < 5; chunk++) {
      const [from, to] = [chunk * 100_000, (chunk + 1) * 100_000];
      const range = `${String(from)}-${String(to - 1)}`;
      const wrong = await at((chunk + 1) % 2, 'PATCH', location, { body: 'x', headers: { 'content-range': '7-7' } });
      expect(wrong.status).toBe(416);
      const init = { body: bytes.subarray(from, to), headers: { 'content-range': range } };
      expect((await at(chunk % 2, 'PATCH', location, init)).status).toBe(202);
    }
    expect((await at(1, 'PUT', `${location}?digest=${digestOf(bytes)}`)).status).toBe(201);
    const got = await at(0, 'GET', `/v2/app/blobs/${digestOf(bytes)}`);
    expect(digestOf(Buffer.from(await got.arrayBuffer()))).toBe(digestOf(bytes));
  });

  it('let one of two streams at once win, whole', async () => {
    const [one, two] = [randomBytes(300_000), randomBytes(300_000)];
    const location = locationFrom(await at(0, 'POST', '/v2/app/blobs/uploads/'));
    const answers = await Promise.all([
      at(0, 'PATCH', location, { body: one }),
      at(1, 'PATCH', location, { body: two }),
    ]);
    const statuses = answers.map(({ status }) => status).sort();
    expect([
      [202, 416],
      [202, 202],
    ]).toContainEqual(statuses);
    const candidates = [one, two, Buffer.concat([one, two]), Buffer.concat([two, one])];
    const length = Number(((await at(0, 'GET', location)).headers.get('range') ?? '').split('-')[1]) + 1;
    let isStored = false;
    for (const bytes of candidates.filter((candidate) => candidate.length === length)) {
      const put = await at(1, 'PUT', `${location}?digest=${digestOf(bytes)}`);
      if (put.status === 201) isStored = true;
      if (put.status === 201 || put.status === 404) break;
      expect(put.status).toBe(400);
      break; // The session ends with a wrong digest; the winner was the other one.
    }
    expect(isStored || length === 300_000).toBe(true);
  });

  it('never show a tag from before its last acknowledged move', async () => {
    for (let round = 0; round < 40; round++) {
      const text = index(String(round));
      expect((await tag(round % 2, 'latest', text)).status).toBe(201);
      for (const replica of [0, 1]) {
        const head = await at(replica, 'HEAD', '/v2/app/manifests/latest');
        expect(head.headers.get('docker-content-digest')).toBe(digestOf(text));
      }
    }
  });

  it('push the same blob and race for the same tag, and agree', async () => {
    const bytes = randomBytes(50_000);
    const pushes = Array.from({ length: 12 }, (_, number) =>
      at(number % 2, 'POST', `/v2/r${String(number % 3)}/blobs/uploads/?digest=${digestOf(bytes)}`, { body: bytes }),
    );
    expect((await Promise.all(pushes)).map(({ status }) => status)).toEqual(pushes.map(() => 201));
    const texts = Array.from({ length: 10 }, (_, number) => index(`race ${String(number)}`));
    const tags = await Promise.all(texts.map((text, number) => tag(number % 2, 'race', text)));
    expect(tags.every(({ status }) => status === 201)).toBe(true);
    const heads = await Promise.all([0, 1].map((replica) => at(replica, 'HEAD', '/v2/app/manifests/race')));
    const [first, second] = heads.map((head) => head.headers.get('docker-content-digest'));
    expect(first).toBe(second);
    expect(texts.map(digestOf)).toContain(first);
    const files = under.replica(0).facts.current.state.blobs.get(digestOf(bytes) as never);
    expect(files?.links).toBe(3);
  });
});

describe('uploads spread at random', () => {
  it('all succeed, in every style', async () => {
    const styles = ['single', 'monolithic', 'stream', 'chunks'] as const;
    const any = (): number => Math.floor(Math.random() * 2);
    const upload = async (number: number): Promise<number> => {
      const bytes = randomBytes(200 + (number % 7) * 100);
      const query = `?digest=${digestOf(bytes)}`;
      const style = styles[number % styles.length];
      if (style === 'single')
        return (await at(any(), 'POST', `/v2/many/blobs/uploads/${query}`, { body: bytes })).status;
      const location = locationFrom(await at(any(), 'POST', '/v2/many/blobs/uploads/'));
      if (style === 'monolithic') return (await at(any(), 'PUT', location + query, { body: bytes })).status;
      const cuts = style === 'stream' ? [0, bytes.length] : [0, 50, 120, bytes.length];
      for (let index = 0; index + 1 < cuts.length; index++) {
        const [from = 0, to = 0] = cuts.slice(index);
        const headers = style === 'chunks' ? { 'content-range': `${String(from)}-${String(to - 1)}` } : {};
        const patch = await at(any(), 'PATCH', location, { body: bytes.subarray(from, to), headers });
        if (patch.status !== 202) return patch.status;
      }
      return (await at(any(), 'PUT', location + query)).status;
    };
    const failures: number[] = [];
    for (let from = 0; from < UPLOADS; from += 25) {
      const statuses = await Promise.all(Array.from({ length: 25 }, (_, index) => upload(from + index)));
      failures.push(...statuses.filter((status) => status !== 201));
    }
    expect(failures).toEqual([]);
    expect(under.replica(0).facts.current.state.repositories.get('many' as never)?.blobs.size).toBe(UPLOADS);
  });
});

describe('a replica that is left alone', () => {
  it('go on when the leader is gone, and nothing acknowledged is lost', async () => {
    const leader = await under.leader();
    const pushed: string[] = [];
    for (let round = 0; round < 5; round++) {
      const text = index(`before ${String(round)}`);
      expect((await tag(round % 2, `t${String(round)}`, text)).status).toBe(201);
      pushed.push(digestOf(text));
    }
    await leader.stop();
    const after = await tag(0, 'after', index('after'));
    expect(after.status).toBe(201);
    for (const [round, digest] of pushed.entries()) {
      const head = await at(0, 'HEAD', `/v2/app/manifests/t${String(round)}`);
      expect(head.headers.get('docker-content-digest')).toBe(digest);
    }
  });
});
