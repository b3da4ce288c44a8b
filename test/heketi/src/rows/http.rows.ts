/** H: how the server speaks HTTP. A: whom it lets in. */
import assert from 'node:assert/strict';
import { type Claims, hashOf, nowSeconds, tokenOf } from '../heketi-server';
import { type Bench, expectText, makeCluster, type Row } from '../row';

const JSON_ROUTES = [
  '/clusters',
  '/nodes',
  '/devices',
  '/volumes',
  '/blockvolumes',
  '/operations/pending/cleanup',
  ...['clusters/ab/flags', 'nodes/ab/state', 'nodes/ab/tags', 'devices/ab/state', 'devices/ab/tags'].map(
    (path) => `/${path}`,
  ),
  '/volumes/ab/expand',
  '/volumes/ab/block-restriction',
];

export const httpRows = (): readonly Row[] => [
  {
    id: 'H01',
    title: 'hello needs no token, has no line break, and minds no bad token',
    run: async ({ server }) => {
      for (const authorization of [null, 'bearer x.y.z']) {
        const answer = await server.ask('GET', '/hello', { authorization });
        assert.deepEqual([answer.status, answer.text], [200, 'Hello from Heketi']);
        assert.match(answer.headers['content-type'] ?? '', /^text\/plain/);
      }
      assert.equal((await server.ask('POST', '/hello', { authorization: null })).status, 401);
    },
  },
  {
    id: 'H02',
    title: 'an unknown path is 404',
    run: async ({ server }) => {
      expectText(await server.get('/nosuch'), 404, 'Invalid path or request');
      assert.equal((await server.ask('GET', '/nosuch', { authorization: null })).status, 401);
    },
  },
  {
    id: 'H03',
    title: 'a wrong method is 405, empty, without Allow',
    run: async ({ server }) => {
      for (const [method, path] of [
        ['PUT', '/clusters'],
        ['GET', '/nodes'],
        ['HEAD', '/clusters'],
        ['POST', '/queue/ab'],
      ]) {
        const answer = await server.ask(method ?? '', path ?? '');
        expectText(answer, 405, '');
        assert.equal(answer.headers['allow'], undefined);
      }
    },
  },
  {
    id: 'H04',
    title: 'a trailing slash is 301',
    run: async ({ server }) => {
      const answer = await server.get('/clusters/');
      assert.deepEqual([answer.status, answer.headers['location']], [301, '/clusters']);
    },
  },
  {
    id: 'H05',
    title: 'a segment that is no hexadecimal text is no id',
    run: async ({ server }) => {
      expectText(await server.get('/clusters/zzz'), 404, 'Invalid path or request');
      expectText(await server.get('/clusters/abc'), 404, 'Id not found');
    },
  },
  {
    id: 'H06',
    title: 'an id in upper case names nothing',
    run: async ({ server, shared }) => {
      const { cluster } = await shared();
      const upper = cluster.toUpperCase();
      if (upper !== cluster) assert.equal((await server.get(`/clusters/${upper}`)).status, 404);
    },
  },
  {
    id: 'H07',
    title: 'errors are plain text with nosniff and a line break',
    run: async ({ server }) => {
      for (const answer of [
        await server.get('/nosuch'),
        await server.get('/volumes/ab'),
        await server.post('/volumes', {}),
      ]) {
        assert.equal(answer.headers['content-type'], 'text/plain; charset=utf-8');
        assert.equal(answer.headers['x-content-type-options'], 'nosniff');
        assert.ok(answer.text.endsWith('\n'));
      }
    },
  },
  {
    id: 'H08',
    title: 'JSON that cannot be read is 422 on every route, 400 on two',
    run: async ({ server }) => {
      for (const path of JSON_ROUTES) {
        for (const body of [
          '{bad',
          '',
          '[]',
          '{"size":"1","name":1,"zone":"x","file":1,"state":1,"change_type":1,"operations":"x","expand_size":1.5,"restriction":[],"node":3}',
        ]) {
          expectText(await server.ask('POST', path, { body }), 422, 'request unable to be parsed');
        }
      }
      for (const path of ['/admin', '/internal/logging']) {
        expectText(await server.ask('POST', path, { body: '{bad' }), 400, /^request unable to be parsed: ./);
      }
    },
  },
  {
    id: 'H09',
    title: 'a body on GET is tolerated, names match whatever their case',
    run: async ({ server }) => {
      assert.equal((await server.ask('GET', '/clusters', { body: '{}' })).status, 200);
      expectText(await server.post('/volumes', { Size: -1 }), 400, 'validation failed: size: must be no less than 1.');
    },
  },
  {
    id: 'H10',
    title: 'there is no CORS',
    run: async ({ server }) => {
      const answer = await server.ask('OPTIONS', '/clusters', { headers: { origin: 'http://elsewhere' } });
      assert.equal(answer.status, 405);
      assert.deepEqual(
        Object.keys(answer.headers).filter((name) => name.startsWith('access-control')),
        [],
      );
    },
  },
  {
    id: 'H11',
    title: 'metrics need no token',
    run: async ({ server }) => {
      const answer = await server.ask('GET', '/metrics', { authorization: null });
      assert.equal(answer.status, 200);
      assert.match(answer.text, /^heketi_up 1$/m);
    },
  },
];

const list = (bench: Bench, authorization: string | null) => bench.server.ask('GET', '/clusters', { authorization });
const withClaims = (bench: Bench, claims: Claims) => list(bench, bench.server.bearer('GET', '/clusters', claims));

export const authRows = (): readonly Row[] => [
  {
    id: 'A01',
    title: 'no token',
    run: async (bench) => {
      expectText(await list(bench, null), 401, 'Required authorization token not found');
    },
  },
  {
    id: 'A02',
    title: 'a header of another form',
    run: async (bench) => {
      for (const header of ['Basic x', 'bearer', 'bearer a b']) {
        expectText(await list(bench, header), 400, 'Authorization header format must be Bearer {token}');
      }
    },
  },
  {
    id: 'A03',
    title: 'a token signed with another key',
    run: async (bench) => {
      const header = bench.server.bearer('GET', '/clusters', {}, 'not the key');
      expectText(
        await list(bench, header),
        401,
        'Invalid JWT token: signature is invalid (client and server secrets may not match)',
      );
    },
  },
  {
    id: 'A04',
    title: 'a token of nobody',
    run: async (bench) => {
      expectText(await withClaims(bench, { iss: 'root' }), 401, 'Invalid JWT token: Unknown user');
      const now = nowSeconds();
      const token = tokenOf({ iat: now, exp: now + 9, qsh: hashOf('GET', '/clusters') }, bench.server.address.adminKey);
      expectText(await list(bench, `bearer ${token}`), 401, 'Invalid JWT token: Token missing iss claim');
    },
  },
  {
    id: 'A05',
    title: 'the end of a token',
    run: async (bench) => {
      const qsh = hashOf('GET', '/clusters');
      const without = tokenOf({ iss: 'admin', iat: nowSeconds(), qsh }, bench.server.address.adminKey);
      assert.equal((await list(bench, `bearer ${without}`)).status, 401);
      expectText(
        await withClaims(bench, { exp: nowSeconds() - 10 }),
        401,
        /^Invalid JWT token: Token is expired by 1[01]s$/m,
      );
      assert.equal((await withClaims(bench, { exp: nowSeconds() + 1 })).status, 200);
    },
  },
  {
    id: 'A06',
    title: 'a clock that is ahead',
    run: async (bench) => {
      assert.equal((await withClaims(bench, { iat: nowSeconds() + 110 })).status, 200);
      const text = 'Invalid JWT token: Token used before issued (client and server clocks may differ)';
      expectText(await withClaims(bench, { iat: nowSeconds() + 130 }), 401, text);
    },
  },
  {
    id: 'A07',
    title: 'a token for another request',
    run: async (bench) => {
      for (const qsh of ['', hashOf('POST', '/clusters'), hashOf('GET', '/clusters/')]) {
        expectText(await withClaims(bench, { qsh }), 401, 'Invalid qsh claim in token');
      }
    },
  },
  {
    id: 'A08',
    title: 'the query is not signed',
    run: async ({ server }) => {
      const authorization = server.bearer('GET', '/clusters');
      assert.equal((await server.ask('GET', '/clusters?x=1', { authorization })).status, 200);
    },
  },
  {
    id: 'A09',
    title: 'any HMAC, and nothing else',
    run: async (bench) => {
      const { server } = bench;
      for (const bits of [384, 512] as const) {
        const header = server.bearer('GET', '/clusters', {}, server.address.adminKey, bits);
        assert.equal((await list(bench, header)).status, 200);
      }
      const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
      const now = nowSeconds();
      const claims = { iss: 'admin', iat: now, exp: now + 9, qsh: hashOf('GET', '/clusters') };
      const unsigned = `bearer ${part({ alg: 'none' })}.${part(claims)}.`;
      expectText(await list(bench, unsigned), 401, 'Invalid JWT token: Unexpected signing method: none');
    },
  },
  {
    id: 'A10',
    title: 'what the role user may do',
    needs: 'user',
    run: async ({ server }) => {
      const as = (method: string, path: string, body?: object) => {
        const authorization = server.bearer(method, path, { iss: 'user' }, server.address.userKey);
        return server.ask(method, path, body === undefined ? { authorization } : { authorization, body });
      };
      assert.equal((await as('GET', '/volumes')).status, 200);
      expectText(await as('POST', '/volumes', { size: -1 }), 400, /^validation failed/);
      for (const path of ['/volumes/ab', '/volumes/', '/queue/ab', '/clusters', '/nosuch']) {
        expectText(await as('GET', path), 401, 'Administrator access required');
      }
    },
  },
  {
    id: 'A11',
    title: 'the scheme in any case',
    run: async (bench) => {
      for (const scheme of ['BEARER', 'bearer', 'Bearer']) {
        const header = bench.server.bearer('GET', '/clusters').replace('bearer', scheme);
        assert.equal((await list(bench, header)).status, 200);
      }
    },
  },
];

export const clusterRows = (): readonly Row[] => [
  {
    id: 'C01',
    title: 'a cluster of nothing has no flags',
    run: async ({ server }) => {
      const answer = await server.post('/clusters', {});
      assert.equal(answer.status, 201);
      const { id, ...rest } = JSON.parse(answer.text) as { id: string };
      assert.deepEqual(rest, { nodes: [], volumes: [], block: false, file: false, blockvolumes: [] });
      expectText(await server.ask('DELETE', `/clusters/${id}`), 200, '');
    },
  },
  {
    id: 'C02',
    title: 'flags are overwritten, both of them',
    run: async ({ server }) => {
      const id = await makeCluster(server, { file: false, block: true });
      expectText(await server.post(`/clusters/${id}/flags`, { file: true }), 200, '');
      const info = await server.read(`/clusters/${id}`);
      assert.deepEqual([info.text('file'), info.text('block')], ['true', 'false']);
      expectText(await server.post('/clusters/ab/flags', { file: true }), 404, 'Id not found');
      await server.ask('DELETE', `/clusters/${id}`);
    },
  },
  {
    id: 'C03',
    title: 'a cluster with something in it stays',
    run: async ({ server, shared }) => {
      const { cluster } = await shared();
      const text = `Unable to delete cluster [${cluster}] because it contains volumes and/or nodes`;
      expectText(await server.ask('DELETE', `/clusters/${cluster}`), 409, text);
    },
  },
  {
    id: 'C04',
    title: 'a cluster is deleted once',
    run: async ({ server }) => {
      const id = await makeCluster(server);
      expectText(await server.ask('DELETE', `/clusters/${id}`), 200, '');
      expectText(await server.ask('DELETE', `/clusters/${id}`), 404, 'Id not found');
    },
  },
  {
    id: 'C05',
    title: 'clusters are listed in ascending order',
    run: async ({ server }) => {
      const made = await Promise.all([1, 2, 3].map(() => makeCluster(server)));
      const ids = (await server.read('/clusters')).texts('clusters');
      assert.deepEqual(ids, [...ids].sort());
      for (const id of made) {
        assert.ok(ids.includes(id));
        await server.ask('DELETE', `/clusters/${id}`);
      }
    },
  },
];
