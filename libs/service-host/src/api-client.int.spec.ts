import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { type JwtPayload, verify } from 'jsonwebtoken';
import { type ApiClient, ApiError, createApiClient, isPassing, queryStringHash } from './api-client';
import { Unavailable } from './errors';

const KEY = 'the key of admin';
const VOLUME = { id: 'abc', name: 'registry' };

interface Reply {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** An HTTP server that answers with what is laid out for a route, one reply after the other, the last one again and again. */
class ScriptedApi {
  readonly seen: { route: string; headers: IncomingMessage['headers']; body?: unknown }[] = [];
  readonly #server: Server;

  url = '';

  constructor(readonly replies: Record<string, readonly Reply[]>) {
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  async listen(port = 0): Promise<string> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.url = `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
    return this.url;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const route = `${request.method ?? ''} ${request.url ?? ''}`;
    const body = request.method === 'POST' ? { body: await json(request) } : {};
    const times = this.seen.filter((one) => one.route === route).length;
    this.seen.push({ route, headers: request.headers, ...body });
    const replies = this.replies[route] ?? [{ status: 404, body: 'Id not found\n' }];
    const { status, headers = {}, body: text = '' } = replies[Math.min(times, replies.length - 1)] ?? { status: 500 };
    if (status === 0) response.destroy();
    else response.writeHead(status, headers).end(text);
  }
}

const accepted: Reply = { status: 202, headers: { location: '/queue/q1' } };
const pending: Reply = { status: 200, headers: { 'x-pending': 'true' } };
/** The connection ends without an answer. */
const broken: Reply = { status: 0 };
const passing: Reply = { status: 503, headers: { 'retry-after': '2' }, body: 'no leader\n' };
const found: Reply = {
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: `${JSON.stringify(VOLUME)}\n`,
};

let api: ScriptedApi;
let client: ApiClient;

async function serve(replies: Record<string, readonly Reply[]>): Promise<void> {
  api = new ScriptedApi(replies);
  client = createApiClient({ url: await api.listen(), user: 'admin', key: KEY, pollMs: 5 });
}

afterEach(async () => {
  client.close();
  await api.close();
});

describe('createApiClient', () => {
  it('follows 202 over the queue to the result, signing every request for its own path', async () => {
    await serve({
      'POST /volumes': [accepted],
      'GET /queue/q1': [
        pending,
        passing,
        pending,
        { status: 303, headers: { location: '/volumes/abc' } },
        { status: 404 },
      ],
      'GET /volumes/abc': [passing, found],
    });
    const answer = await client.post('/volumes', { size: 1 }, { idempotencyKey: 'claim-1' });
    expect(answer).toMatchObject({ status: 200, body: VOLUME });
    expect(api.seen.map(({ route }) => route)).toEqual([
      'POST /volumes',
      ...Array<string>(4).fill('GET /queue/q1'),
      ...Array<string>(2).fill('GET /volumes/abc'),
    ]);
    expect(api.seen[0]).toMatchObject({ body: { size: 1 }, headers: { 'idempotency-key': 'claim-1' } });
    expect(api.seen[1]?.headers['idempotency-key']).toBeUndefined();
    for (const { route, headers } of api.seen) {
      const [method = '', path = ''] = route.split(' ');
      const claims = verify((headers.authorization ?? '').replace('bearer ', ''), KEY) as JwtPayload;
      expect(claims).toMatchObject({ iss: 'admin', qsh: queryStringHash(method, path) });
    }
  });

  it('asks the server to hold the answer, and again at once when it did', async () => {
    const held: Reply = { status: 200, headers: { 'x-pending': 'true', 'preference-applied': 'wait=10' } };
    await serve({ 'DELETE /volumes/abc': [accepted], 'GET /queue/q1': [held, held, { status: 204 }] });
    client.close();
    const hour = 3_600_000;
    client = createApiClient({ url: api.url, user: 'admin', key: KEY, pollMs: hour });
    await expect(client.delete('/volumes/abc')).resolves.toMatchObject({ status: 204 });
    expect(api.seen.map(({ headers }) => headers['prefer'])).toEqual([undefined, 'wait=10', 'wait=10', 'wait=10']);
  });

  it('asks with a key for the end at once, and again when the connection broke meanwhile', async () => {
    const key = { idempotencyKey: 'claim-1' };
    const done: Reply = { status: 303, headers: { location: '/volumes/abc' } };
    await serve({ 'POST /volumes': [broken, done], 'GET /volumes/abc': [passing, found], 'GET /queue/q1': [done] });
    await expect(client.post('/volumes', { size: 1 }, key)).resolves.toMatchObject({ status: 200, body: VOLUME });
    await expect(client.post('/volumes', { size: 1 }, key)).resolves.toMatchObject({ body: VOLUME });
    const asked = api.seen.map(({ route, headers }) => [route, headers['prefer'], headers['idempotency-key']]);
    expect(asked).toEqual([
      ['POST /volumes', 'wait=10', 'claim-1'],
      ['POST /volumes', undefined, 'claim-1'],
      ['GET /volumes/abc', undefined, undefined],
      ['GET /volumes/abc', undefined, undefined],
      ['POST /volumes', 'wait=10', 'claim-1'],
      ['GET /volumes/abc', undefined, undefined],
    ]);
  });

  it('ends with 204 where there is no result, and with the failure of the operation where it failed', async () => {
    await serve({
      'DELETE /volumes/abc': [accepted],
      'GET /queue/q1': [pending, { status: 204 }, { status: 500, body: 'brick is busy\n' }],
    });
    await expect(client.delete('/volumes/abc')).resolves.toMatchObject({ status: 204, body: undefined });
    const failure: unknown = await client.delete('/volumes/abc').catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ApiError);
    expect(failure).toMatchObject({ status: 500, message: 'brick is busy' });
    expect(isPassing(failure)).toBe(false);
  });

  it('hands on what the API refuses, with its text, its advice and time to retry', async () => {
    const headers = { 'x-brickyard-remedy': 'add a device', 'x-brickyard-refusal': 'r1' };
    await serve({ 'POST /volumes': [passing, { status: 500, headers, body: 'No space\n' }] });
    const refusal: unknown = await client.post('/volumes', {}).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ status: 503, message: 'no leader', retryAfterMs: 2_000, advice: {} });
    expect(isPassing(refusal)).toBe(true);
    const advice = { remedy: 'add a device', refusal: 'r1' };
    await expect(client.post('/volumes', {})).rejects.toMatchObject({ status: 500, message: 'No space', advice });
    await expect(client.get('/volumes/none')).rejects.toMatchObject({ status: 404, message: 'Id not found' });
  });

  it('says what our own routes refuse in words, and not in JSON', async () => {
    const headers = { 'content-type': 'application/problem+json; charset=utf-8' };
    const detail = "position 99 is beyond the end of the log, 'which' is 7";
    const problem = (body: object): Reply => ({ status: 400, headers, body: JSON.stringify(body) });
    await serve({ 'GET /v1/status': [problem({ type: 'about:blank', status: 400, detail }), problem({ title: 't' })] });
    await expect(client.get('/v1/status')).rejects.toMatchObject({ status: 400, message: detail });
    await expect(client.get('/v1/status')).rejects.toMatchObject({ status: 400, message: '{"title":"t"}' });
  });

  it('asks again with the same key, also where nobody waits for the end', async () => {
    await serve({ 'POST /volumes': [broken, accepted] });
    const how = { idempotencyKey: 'k', follow: false };
    await expect(client.post('/volumes', {}, how)).resolves.toMatchObject({ location: '/queue/q1' });
    expect(api.seen.map(({ headers }) => [headers['prefer'], headers['idempotency-key']])).toEqual([
      [undefined, 'k'],
      [undefined, 'k'],
    ]);
  });

  it('does not follow when told so, gives up a queue in time, and stops when told to', async () => {
    await serve({ 'POST /volumes': [accepted], 'GET /queue/q1': [pending] });
    await expect(client.post('/volumes', {}, { follow: false })).resolves.toMatchObject({ location: '/queue/q1' });
    await expect(client.follow('/queue/q1', { operationTimeoutMs: 30 })).rejects.toThrow(Unavailable);
    const stopping = new AbortController();
    const following = client.follow('/queue/q1', { signal: stopping.signal });
    stopping.abort();
    await expect(following).rejects.toThrow(/abort/);
  });

  it.each<[what: string, said: Reply, cause: RegExp]>([
    ['the way to a login', { status: 302, headers: { location: 'https://login.example/' } }, /sends us on to https:/],
    ['a page', { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>Welcome</html>' }, /a page.*200/],
    [
      'a proxy without a server behind it',
      { status: 502, headers: { 'content-type': 'text/html' }, body: '<html><title>502 Bad Gateway</title>…' },
      /a page for people, status 502, titled "502 Bad Gateway"$/,
    ],
    ['an acceptance of nothing', { status: 202 }, /not tell where to watch/],
  ])('does not take %s for the end of a change', async (_what, said, cause) => {
    await serve({ 'DELETE /volumes/abc': [said] });
    const error: unknown = await client.delete('/volumes/abc').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Unavailable);
    expect((error as Error).cause).toMatchObject({ message: expect.stringMatching(cause) as unknown });
  });

  it('looks again when a proxy says that the server is away', async () => {
    await serve({
      'DELETE /volumes/abc': [accepted],
      'GET /queue/q1': [{ status: 502 }, { status: 504 }, { status: 204 }],
    });
    await expect(client.delete('/volumes/abc')).resolves.toMatchObject({ status: 204 });
  });

  it('is Unavailable when nobody listens', async () => {
    await serve({});
    const gone = createApiClient({ url: 'http://127.0.0.1:1', user: 'admin', key: KEY });
    const error: unknown = await gone.get('/clusters').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Unavailable);
    expect(isPassing(error)).toBe(true);
    expect((error as Error).message).toBe('no answer from http://127.0.0.1:1 to GET /clusters');
  });
});
