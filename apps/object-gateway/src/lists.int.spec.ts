import * as fc from 'fast-check';
import { type GatewayUnderTest, gatewayUnderTest } from './testing/gateway-under-test';
import { texts } from './testing/s3-client';

const RUNS = 120;
let gateway: GatewayUnderTest;

/** Keys that make every kind of trouble for an order: beginnings of each other, slashes, long and odd names. */
const KEYS = [
  ...['a', 'a-', 'a/', 'a/b', 'a/b/c', 'a//b', 'a0', 'ab', 'b/1', 'b/2', 'b/3/x', '/', '//', 'z😀', 'z\uffff', 'zz'],
  ...['x'.repeat(201), `${'x'.repeat(201)}/y`, 'x'.repeat(200), `${'x'.repeat(200)}/y`, `${'x'.repeat(200)}z`],
  ...['d/'.repeat(40), `${'d/'.repeat(40)}e`, `${'d/'.repeat(31)}e`, 'd/'.repeat(32), 'd/d/f', '%41', 'A', ' '],
].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

beforeAll(async () => {
  gateway = await gatewayUnderTest();
  await gateway.call('PUT', '/box');
  for (const key of KEYS) await gateway.call('PUT', `/box/${key}`, { body: key });
});

afterAll(() => gateway.stop());

interface Listed {
  readonly keys: readonly string[];
  readonly groups: readonly string[];
}

/** What a list should be, thought of in the plainest way. */
function expected(prefix: string, delimiter: string, after: string): Listed {
  const compare = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
  const keys: string[] = [];
  const groups = new Set<string>();
  for (const key of KEYS) {
    if (!key.startsWith(prefix) || compare(key, after) <= 0) continue;
    const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    if (at === -1) keys.push(key);
    else groups.add(key.slice(0, at + delimiter.length));
  }
  return { keys, groups: [...groups] };
}

async function listed(
  query: Record<string, string>,
  marker: 'continuation-token' | 'marker',
): Promise<Listed & { pages: number }> {
  const keys: string[] = [];
  const groups: string[] = [];
  let more: Record<string, string> = {};
  for (let pages = 1; ; pages += 1) {
    const answer = await gateway.call('GET', '/box', { query: { ...query, ...more, 'encoding-type': 'url' } });
    expect(answer.status).toBe(200);
    keys.push(...texts(answer, 'Key').map(decodeURIComponent));
    groups.push(...texts(answer, 'Prefix').slice(1).map(decodeURIComponent));
    const [next] = texts(answer, marker === 'marker' ? 'NextMarker' : 'NextContinuationToken');
    if (texts(answer, 'IsTruncated')[0] === 'false' || next === undefined) return { keys, groups, pages };
    more = { [marker]: marker === 'marker' ? decodeURIComponent(next) : next };
  }
}

const cut = fc
  .constantFrom(...KEYS, '', 'b/', 'x', 'nothing')
  .chain((key) =>
    fc.nat(Math.min(key.length, 5)).map((end) => (end === 5 ? key : Array.from(key).slice(0, end).join(''))),
  );

describe('lists', () => {
  it('of version 2 give every key once and in order, whatever the pages', async () => {
    await fc.assert(
      fc.asyncProperty(
        cut,
        fc.constantFrom('', '/', 'b', '//'),
        cut,
        fc.integer({ min: 1, max: 40 }),
        async (prefix, delimiter, after, max) => {
          const query = { 'list-type': '2', prefix, delimiter, 'start-after': after, 'max-keys': String(max) };
          const { pages: _, ...found } = await listed(query, 'continuation-token');
          expect(found).toEqual(expected(prefix, delimiter, after));
        },
      ),
      { numRuns: RUNS },
    );
  }, 30_000);

  it('of version 1 do so, too', async () => {
    await fc.assert(
      fc.asyncProperty(
        cut,
        fc.constantFrom('', '/', 'b'),
        fc.integer({ min: 1, max: 40 }),
        async (prefix, delimiter, max) => {
          const { pages: _, ...found } = await listed({ prefix, delimiter, 'max-keys': String(max) }, 'marker');
          expect(found).toEqual(expected(prefix, delimiter, ''));
        },
      ),
      { numRuns: RUNS },
    );
  }, 30_000);

  it('tell size, ETag and time', async () => {
    const answer = await gateway.call('GET', '/box', { query: { 'list-type': '2', prefix: 'zz' } });
    expect([texts(answer, 'Size'), texts(answer, 'ETag'), texts(answer, 'KeyCount')]).toEqual([
      ['2'],
      ['&quot;25ed1bcb423b0b7200f485fc5ff71c8e&quot;'],
      ['1'],
    ]);
    expect(Date.parse(texts(answer, 'LastModified')[0] ?? '')).toBeGreaterThan(Date.now() - 60_000);
  });

  it('of versions know one of each', async () => {
    const answer = await gateway.call('GET', '/box', { query: { versions: '', prefix: 'b/' } });
    expect([texts(answer, 'Key'), texts(answer, 'VersionId')]).toEqual([
      ['b/1', 'b/2', 'b/3/x'],
      ['null', 'null', 'null'],
    ]);
  });

  it.each([
    [{ 'max-keys': '-1' }, 'InvalidArgument'],
    [{ 'max-keys': 'many' }, 'InvalidArgument'],
    [{ 'list-type': '2', 'continuation-token': 'eyJ4' }, 'InvalidArgument'],
    [{ 'encoding-type': 'base64' }, 'InvalidArgument'],
  ])('refuse %j', async (query: Record<string, string>, code) => {
    expect(texts(await gateway.call('GET', '/box', { query }), 'Code')).toEqual([code]);
  });

  it.each([
    ['', ''],
    ['2', '/'],
  ])('of what begins with more than a key can have are empty (%s %s)', async (version, delimiter) => {
    const prefix = `${'x'.repeat(150)}/`.repeat(40);
    const query = { prefix, delimiter, ...(version === '' ? {} : { 'list-type': version }) };
    const answer = await gateway.call('GET', '/box', { query });
    expect([answer.status, texts(answer, 'Key'), texts(answer, 'IsTruncated')]).toEqual([200, [], ['false']]);
  });

  it('of no keys are empty and end there', async () => {
    const answer = await gateway.call('GET', '/box', { query: { 'list-type': '2', 'max-keys': '0' } });
    expect([texts(answer, 'KeyCount'), texts(answer, 'IsTruncated')]).toEqual([['0'], ['false']]);
    expect(texts(await gateway.call('GET', '/nobox'), 'Code')).toEqual(['NoSuchBucket']);
  });
});
