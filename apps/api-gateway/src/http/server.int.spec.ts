import { request } from 'node:http';
import { GatewayUnderTest } from '../testing/gateway-under-test';
import { CLUSTER, smallCluster } from '../testing/events';

describe('routes of the gateway', () => {
  let under: GatewayUnderTest;

  beforeAll(async () => {
    under = await GatewayUnderTest.start();
    const position = await under.record(...smallCluster());
    expect((await under.fetch(`/clusters?after=${String(position)}`)).status).toBe(200);
  });
  afterAll(() => under.stop());

  const answerOf = async (path: string, init?: RequestInit): Promise<unknown[]> => {
    const response = await under.fetch(path, init);
    return [response.status, await response.text()];
  };

  it('says hello as heketi does', async () => {
    const response = await under.fetch('/hello');
    expect(response.headers.get('content-type')).toBe('text/plain; charset=UTF-8');
    expect(await response.text()).toBe('Hello from Heketi');
  });

  it('answers an unknown path with 404 and heketi’s text, as plain text that is not sniffed', async () => {
    const response = await under.fetch('/nosuch');
    expect([response.status, await response.text()]).toEqual([404, 'Invalid path or request\n']);
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  });

  it.each([
    ['PUT', '/clusters'],
    ['OPTIONS', '/clusters'],
    ['HEAD', '/clusters'],
    ['GET', '/nodes'],
    ['PATCH', `/clusters/${CLUSTER}`],
    ['PUT', '/clusters/'],
  ])('answers %s %s with an empty 405', async (method, path) => {
    const response = await under.fetch(path, { method });
    expect([response.status, await response.text()]).toEqual([405, '']);
    expect([...response.headers.keys()].filter((name) => /^(allow|access-control)/.test(name))).toEqual([]);
  });

  it('moves a path with one slash too many, the query with it', async () => {
    const response = await under.fetch('/clusters/?x=1');
    expect([response.status, response.headers.get('location')]).toEqual([301, '/clusters?x=1']);
    expect(await response.text()).toBe('<a href="/clusters?x=1">Moved Permanently</a>.\n\n');
    expect(await answerOf('/clusters/', { method: 'POST', body: '{}' })).toEqual([301, '']);
  });

  it('takes an id of any length in hexadecimal, and nothing else, as an id', async () => {
    expect(await answerOf('/clusters/zzz')).toEqual([404, 'Invalid path or request\n']);
    expect(await answerOf('/clusters/abc')).toEqual([404, 'Id not found\n']);
    expect(await answerOf(`/clusters/${'a'.repeat(3_000)}`)).toEqual([404, 'Id not found\n']);
    expect(await answerOf(`/clusters/${CLUSTER.toUpperCase()}`)).toEqual([404, 'Id not found\n']);
    expect(await answerOf('/clusters//flags', { method: 'POST', body: '{}' })).toEqual([
      404,
      'Invalid path or request\n',
    ]);
    expect(await answerOf('/clusters/%zz')).toEqual([400, 'Bad Request\n']);
  });

  it.each(['/clusters', '/nodes', '/devices', '/volumes', `/volumes/${CLUSTER}/expand`, `/nodes/${CLUSTER}/state`])(
    'answers POST %s without readable JSON with 422',
    async (path) => {
      for (const body of ['', '{bad', '[]', '"text"', '{} {}']) {
        expect(await answerOf(path, { method: 'POST', body })).toEqual([422, 'request unable to be parsed\n']);
      }
    },
  );

  it('tolerates a body where none is read', async () => {
    const url = new URL(under.gateway.url);
    const status = await new Promise((resolve, reject) => {
      const call = request({ port: url.port, path: '/clusters', method: 'GET', headers: { 'content-length': '2' } });
      call.once('response', (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      call.once('error', reject);
      call.end('{}');
    });
    expect(status).toBe(200);
  });

  it.each(['text/plain', 'application/json; charset=', 'nonsense', ';;'])(
    'does not look at the content type %s',
    async (type) => {
      const headers = { 'content-type': type };
      const answer = await answerOf('/volumes', { method: 'POST', body: '{"size":0}', headers });
      expect(answer).toEqual([400, 'validation failed: size: cannot be blank.\n']);
    },
  );

  it('refuses a body of more than 1 MiB', async () => {
    const body = `{"name":"${'a'.repeat(1_100_000)}"}`;
    expect(await answerOf('/volumes', { method: 'POST', body })).toEqual([413, 'request body too large\n']);
  });

  it('answers in JSON as Go writes it', async () => {
    const response = await under.fetch('/clusters');
    expect(response.headers.get('content-type')).toBe('application/json; charset=UTF-8');
    expect(await response.text()).toBe(`{"clusters":["${CLUSTER}"]}\n`);
    expect(response.headers.get('x-brickyard-position')).toBe('9');
  });
});
