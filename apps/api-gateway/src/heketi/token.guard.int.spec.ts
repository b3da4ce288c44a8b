import { signRequest } from '@brickyard/service-host';
import { GatewayUnderTest } from '../testing/gateway-under-test';

const ADMIN = 'admin-secret-of-the-spec';
const USER = 'user-secret-of-the-spec';

describe('the door of the gateway', () => {
  let under: GatewayUnderTest;
  beforeAll(async () => {
    under = await GatewayUnderTest.start({
      BRICKYARD_DISABLE_AUTH: '0',
      HEKETI_ADMIN_KEY: 'not this one',
      BRICKYARD_ADMIN_KEY: ADMIN,
      BRICKYARD_USER_KEY: USER,
    });
  });
  afterAll(() => under.stop());

  const answerOf = async (path: string, init: RequestInit = {}): Promise<unknown[]> => {
    const response = await under.fetch(path, init);
    return [response.status, await response.text()];
  };
  const signed = (method: string, path: string, [name, key] = ['admin', ADMIN] as [string, string]): RequestInit => {
    const token = signRequest(name, key, method, path, Math.floor(Date.now() / 1_000));
    return { method, headers: { authorization: `bearer ${token}` } };
  };
  const required = [401, 'Required authorization token not found\n'];

  it('stands before every path, known or not', async () => {
    expect(await answerOf('/clusters')).toEqual(required);
    expect(await answerOf('/nosuch')).toEqual(required);
    expect(await answerOf('/clusters', { method: 'OPTIONS' })).toEqual(required);
    expect(await answerOf('/v1/status')).toEqual(required);
    expect(await answerOf('/volumes', { method: 'POST', body: '{"size":1}' })).toEqual(required);
  });

  it('lets everybody say hello, and do nothing else with it', async () => {
    expect(await answerOf('/hello')).toEqual([200, 'Hello from Heketi']);
    expect(await answerOf('/hello', { headers: { authorization: 'nonsense' } })).toEqual([200, 'Hello from Heketi']);
    expect(await answerOf('/hello', { method: 'POST' })).toEqual(required);
    expect((await under.fetch('/hello', { method: 'HEAD' })).status).toBe(401);
  });

  it('turns away as text that is not sniffed, and tells nothing of the log', async () => {
    const response = await under.fetch('/clusters', { headers: { authorization: 'Basic x' } });
    expect([response.status, await response.text()]).toEqual([
      400,
      'Authorization header format must be Bearer {token}\n',
    ]);
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect((await under.fetch('/clusters')).headers.get('x-brickyard-position')).toBeNull();
  });

  it('opens to the right key; the query is not part of what is signed', async () => {
    expect(await answerOf('/clusters', signed('GET', '/clusters'))).toEqual([200, '{"clusters":[]}\n']);
    expect(await answerOf('/clusters?x=1', signed('GET', '/clusters'))).toEqual([200, '{"clusters":[]}\n']);
    expect(await answerOf('/clusters', signed('GET', '/clusters', ['admin', USER]))).toEqual([
      401,
      'Invalid JWT token: signature is invalid (client and server secrets may not match)\n',
    ]);
    expect(await answerOf('/nosuch', signed('GET', '/nosuch'))).toEqual([404, 'Invalid path or request\n']);
    expect(await answerOf('/clusters/', signed('GET', '/clusters'))).toEqual([401, 'Invalid qsh claim in token\n']);
    expect((await under.fetch('/clusters/', signed('GET', '/clusters/'))).status).toBe(301);
    expect((await under.fetch('/clusters/%61b', signed('GET', '/clusters/ab'))).status).toBe(404);
  });

  it('opens /volumes and nothing else to a user', async () => {
    const user: [string, string] = ['user', USER];
    expect(await answerOf('/volumes', signed('GET', '/volumes', user))).toEqual([200, '{"volumes":[]}\n']);
    const refused = [401, 'Administrator access required\n'];
    for (const path of ['/clusters', '/queue/ab', '/volumes/ab', '/v1/operations', '/nosuch']) {
      expect(await answerOf(path, signed('GET', path, user))).toEqual(refused);
    }
  });

  it('names whoever came in as the actor of a command', async () => {
    const allocator = under.answerCommands(({ actor }) => ({
      kind: 'rejected',
      position: 0,
      rejection: { kind: 'UnknownClusterRequested', clusterId: `${actor.name}/${String(actor.role)}` },
    }));
    const request = { ...signed('POST', '/volumes', ['user', USER]), body: '{"size":1}' };
    expect(await answerOf('/volumes', request)).toEqual([400, 'Cluster id user/user not found\n']);
    await allocator.close();
  });
});
