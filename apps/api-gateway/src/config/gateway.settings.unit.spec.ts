import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type GatewaySettings, MISSING_KEYS, readSettings } from './gateway.settings';

describe('settings of the gateway', () => {
  const folder = mkdtempSync(join(tmpdir(), 'brickyard-settings-'));
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const settings = (env: NodeJS.ProcessEnv = {}): GatewaySettings =>
    readSettings({
      BRICKYARD_NATS_URL: 'nats://n',
      BRICKYARD_PG_URL: 'postgres://p/db',
      BRICKYARD_ADMIN_KEY: 'a',
      BRICKYARD_USER_KEY: 'u',
      ...env,
    });
  const heketi = (value: unknown): NodeJS.ProcessEnv => ({
    BRICKYARD_CONFIG: file('heketi.json', JSON.stringify(value)),
  });

  it('are heketi’s defaults, but for the limit of operations in flight', () => {
    expect(settings()).toEqual({
      http: { host: '127.0.0.1', port: 8080, logRequests: false },
      health: { host: '127.0.0.1', port: 0 },
      nats: { url: 'nats://n', user: undefined, password: undefined },
      postgresUrl: 'postgres://p/db',
      keys: { admin: 'a', user: 'u' },
      issuedAtLeewaySeconds: 120,
      policy: {
        brickMinKib: 1_048_576,
        brickMaxKib: 4_294_967_296,
        bricksPerVolumeMax: 32,
        volumesPerClusterMax: 1_000,
        zoneChecking: 'none',
      },
      volumeOptions: { before: '', after: '', hosting: 'group gluster-block' },
      hosting: { isAutomatic: false, sizeGib: 1_024 },
      logLevel: 'info',
    });
  });

  it('A12 need both keys unless authentication is off', () => {
    expect(() => settings({ BRICKYARD_USER_KEY: '' })).toThrow(MISSING_KEYS);
    expect(settings({ BRICKYARD_ADMIN_KEY: '', BRICKYARD_DISABLE_AUTH: '1' }).keys).toBeUndefined();
  });

  it('A13 ask for tokens whatever use_auth says', () => {
    expect(settings(heketi({ use_auth: false })).keys).toEqual({ admin: 'a', user: 'u' });
    expect(() => settings({ ...heketi({ use_auth: false }), BRICKYARD_ADMIN_KEY: '' })).toThrow(MISSING_KEYS);
  });

  it('take keys from files, without the last line break', () => {
    const env = { BRICKYARD_ADMIN_KEY: '', BRICKYARD_ADMIN_KEY_FILE: file('admin', 'secret\n') };
    expect(settings(env).keys?.admin).toBe('secret');
    expect(() => settings({ ...env, BRICKYARD_ADMIN_KEY_FILE: join(folder, 'none') })).toThrow(
      /BRICKYARD_ADMIN_KEY_FILE/,
    );
  });

  it('take heketi’s file, 0 as its default, and let heketi’s variables win', () => {
    const config = heketi({
      _port_comment: 'ignored',
      port: '9090',
      jwt: { admin: { key: 'x' }, user: { key: 'y' } },
      glusterfs: {
        executor: 'ssh',
        brick_max_size_gb: 50,
        brick_min_size_gb: 2,
        max_bricks_per_volume: 8,
        max_volumes_per_cluster: -1,
        max_inflight_operations: 0,
        zone_checking: 'strict',
        pre_request_volume_options: 'a 1,b 2',
        auto_create_block_hosting_volume: true,
        block_hosting_volume_size: 500,
      },
    });
    const own = { BRICKYARD_ADMIN_KEY: '', BRICKYARD_USER_KEY: '' };
    expect(
      settings({ ...config, ...own, HEKETI_USER_KEY: 'z', HEKETI_POST_REQUEST_VOLUME_OPTIONS: 'c 3' }),
    ).toMatchObject({
      http: { port: 9_090 },
      keys: { admin: 'x', user: 'z' },
      policy: {
        brickMinKib: 2_097_152,
        brickMaxKib: 52_428_800,
        bricksPerVolumeMax: 8,
        volumesPerClusterMax: -1,
        zoneChecking: 'strict',
      },
      volumeOptions: { before: 'a 1,b 2', after: 'c 3', hosting: 'group gluster-block' },
      hosting: { isAutomatic: true, sizeGib: 500 },
      inFlightMax: 8,
    });
    const blocks = { HEKETI_AUTO_CREATE_BLOCK_HOSTING_VOLUME: 'false', HEKETI_BLOCK_HOSTING_VOLUME_SIZE: '50' };
    expect(settings({ ...config, ...own, ...blocks }).hosting).toEqual({ isAutomatic: false, sizeGib: 50 });
    const env = { HEKETI_HTTP_PORT: '7070', HEKETI_ZONE_CHECKING: 'odd', HEKETI_MAX_INFLIGHT_OPERATIONS: '3' };
    expect(settings({ ...config, ...env })).toMatchObject({
      http: { port: 7_070 },
      policy: { zoneChecking: 'none' },
      inFlightMax: 3,
    });
    expect(settings({ ...config, ...env, BRICKYARD_HTTP_PORT: '6060' }).http.port).toBe(6_060);
  });

  it.each([
    [{ BRICKYARD_HTTP_PORT: '70000' }, /BRICKYARD_HTTP_PORT/],
    [{ BRICKYARD_NATS_URL: '' }, /BRICKYARD_NATS_URL: is not set/],
    [{ BRICKYARD_PG_URL: '' }, /BRICKYARD_PG_URL: is not set/],
    [{ BRICKYARD_CONFIG: '/nowhere/heketi.json' }, /BRICKYARD_CONFIG: .*ENOENT/],
    [{ HEKETI_HTTP_PORT: 'x' }, /must be a port number/],
    [{ HEKETI_DEFAULT_STATE: 'odd' }, /unknown admin state name: odd/],
  ])('name what is wrong with %j', (env, text) => {
    expect(() => settings(env)).toThrow(text);
  });

  it('name the key of heketi’s file that cannot be read, never its value', () => {
    expect(() => settings(heketi({ jwt: { admin: { key: 7 } } }))).toThrow(/jwt\.admin\.key/);
    expect(() => settings({ BRICKYARD_CONFIG: file('bad.json', '{') })).toThrow(/is not valid JSON/);
  });
});
