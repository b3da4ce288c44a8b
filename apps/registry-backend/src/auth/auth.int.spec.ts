/** Who is let in, over HTTP: users of a file, and tokens of a server. */
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@brickyard/service-host';
import { hashSync } from 'bcryptjs';
import { ConfigFile } from '../config-file';
import { RegistryUnderTest } from '../testing/registry-under-test';
import { openHtpasswd } from './htpasswd';
import { passwordGuard } from './password-guard';
import { readKeys, tokenGuard } from './token-guard';

const log = createLogger({ service: 'spec', level: 'silent' });
const folder = mkdtempSync(join(tmpdir(), 'brickyard-auth-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
const digestOf = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;

describe('a registry with a file of users', () => {
  const file = join(folder, 'htpasswd');
  const config = ConfigFile.parse({
    access: [
      { match: 'public/**', users: ['anonymous'], actions: ['pull'] },
      { match: '**', users: ['*'], actions: ['pull'] },
      { match: 'team/**', users: ['ann'], actions: ['push', 'delete'] },
    ],
  });
  let under: RegistryUnderTest;
  const call = (method: string, path: string, user?: string, password = 'secret'): Promise<Response> =>
    fetch(`${under.url}${path}`, {
      method,
      headers:
        user === undefined ? {} : { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` },
    });
  const push = (name: string, user?: string): Promise<Response> => call('POST', `/v2/${name}/blobs/uploads/`, user);

  beforeAll(async () => {
    writeFileSync(file, `ann:${hashSync('secret', 5)}\nbob:${hashSync('secret', 5)}\nold:{SHA}abc=\n`);
    under = await RegistryUnderTest.start({ config, guard: passwordGuard('images', openHtpasswd(file, log), config) });
    await under.leader();
  });
  afterAll(() => under.stop());

  it('lets those in who know their password, and asks the others for it', async () => {
    expect((await call('GET', '/v2/', 'ann')).status).toBe(200);
    for (const [user, password] of [
      ['ann', 'wrong'],
      ['nobody', 'secret'],
      ['old', 'abc'],
      ['ann', ''],
    ]) {
      const refused = await call('GET', '/v2/', user, password);
      expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Basic realm="images"']);
      expect(refused.headers.get('docker-distribution-api-version')).toBe('registry/2.0');
    }
  });

  it('lets everybody in who comes at once when nobody came before', async () => {
    const users = openHtpasswd(file, log);
    expect(await Promise.all(['ann', 'bob', 'ann'].map((user) => users.verify(user, 'secret')))).toEqual([
      ...[true, true, true],
    ]);
  });

  it('knows who may push where', async () => {
    expect((await push('team/app', 'ann')).status).toBe(202);
    expect((await push('other/app', 'ann')).status).toBe(403);
    expect((await push('team/app', 'bob')).status).toBe(403);
    expect((await push('team/app')).status).toBe(401);
    expect((await call('GET', '/v2/team/app/tags/list', 'bob')).status).toBe(404); // May look; there is nothing yet.
    expect((await call('GET', '/v2/team/app/tags/list')).status).toBe(401);
    expect((await call('GET', '/v2/public/app/tags/list')).status).toBe(404); // So may everybody here.
    expect((await push('public/app')).status).toBe(401);
  });

  it('tells the log who it was', async () => {
    const events = await under.replica(0).open.registry.past.history('team/app' as never);
    expect(events).toEqual([]); // Opening an upload is about the upload.
    await fetch(`${under.url}/v2/team/app/blobs/uploads/?digest=${digestOf('x')}`, {
      method: 'POST',
      body: 'x',
      headers: { authorization: `Basic ${Buffer.from('ann:secret').toString('base64')}` },
    });
    const [linked] = await under.replica(0).open.registry.past.history('team/app' as never);
    expect(linked?.metadata.actor).toMatchObject({ name: 'ann', address: '127.0.0.1' });
  });

  it('reads the file again when it changes', async () => {
    writeFileSync(file, `eve:${hashSync('secret', 5)}\n`);
    utimesSync(file, 1, 1);
    const deadline = Date.now() + 20_000;
    while ((await call('GET', '/v2/', 'eve')).status !== 200) expect(Date.now()).toBeLessThan(deadline);
    expect((await call('GET', '/v2/', 'ann')).status).toBe(401);
  });
});

describe('a registry with a token server', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const settings = {
    realm: 'https://auth.example/token',
    service: 'images',
    issuer: 'auth',
    keysFile: join(folder, 'jwks'),
  };
  let under: RegistryUnderTest;

  beforeAll(async () => {
    writeFileSync(
      settings.keysFile,
      JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one' }] }),
    );
    under = await RegistryUnderTest.start({ guard: tokenGuard(settings, await readKeys(settings.keysFile)) });
    await under.leader();
  });
  afterAll(() => under.stop());

  function token(access: readonly unknown[], more: object = {}): string {
    const now = Math.floor(Date.now() / 1_000);
    const claims = { iss: 'auth', sub: 'ann', aud: 'images', exp: now + 60, nbf: now, access, ...more };
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const signed = `${encode({ alg: 'EdDSA', kid: 'one' })}.${encode(claims)}`;
    return `${signed}.${sign(null, Buffer.from(signed), privateKey).toString('base64url')}`;
  }
  const right = (name: string, ...actions: string[]): unknown => ({ type: 'repository', name, actions });
  const call = (method: string, path: string, bearer?: string): Promise<Response> =>
    fetch(`${under.url}${path}`, {
      method,
      headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
    });
  const challengeOf = (response: Response): [number, string | null] => [
    response.status,
    response.headers.get('www-authenticate'),
  ];

  it('says where tokens are, and for what', async () => {
    const start = 'Bearer realm="https://auth.example/token",service="images"';
    expect(challengeOf(await call('GET', '/v2/'))).toEqual([401, start]);
    expect(challengeOf(await call('GET', '/v2/a/tags/list'))).toEqual([401, `${start},scope="repository:a:pull"`]);
    expect(challengeOf(await call('POST', '/v2/a/blobs/uploads/', 'no.t.oken'))).toEqual([
      401,
      `${start},scope="repository:a:pull,push",error="invalid_token"`,
    ]);
    expect(challengeOf(await call('POST', '/v2/a/blobs/uploads/', token([right('a', 'pull')])))).toEqual([
      401,
      `${start},scope="repository:a:pull,push",error="insufficient_scope"`,
    ]);
  });

  it('lets a token do what it says, and mounts only what it may pull', async () => {
    const ann = token([right('a', 'pull', 'push')]);
    const blob = digestOf('y');
    const pushed = await fetch(`${under.url}/v2/a/blobs/uploads/?digest=${blob}`, {
      method: 'POST',
      body: 'y',
      headers: { authorization: `Bearer ${ann}` },
    });
    expect(pushed.status).toBe(201);
    const mount = `/v2/b/blobs/uploads/?mount=${blob}&from=a`;
    expect((await call('POST', mount, token([right('b', 'pull', 'push')]))).status).toBe(202);
    expect((await call('POST', mount, token([right('b', 'pull', 'push'), right('a', 'pull')]))).status).toBe(201);
    expect((await call('GET', '/v2/', token([]))).status).toBe(200);
    expect((await call('GET', '/v2/_catalog', token([]))).status).toBe(401);
    const all = token([{ type: 'registry', name: 'catalog', actions: ['*'] }]);
    expect(await (await call('GET', '/v2/_catalog', all)).json()).toEqual({ repositories: ['a', 'b'] });
  });
});
