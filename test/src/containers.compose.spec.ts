/** The compose file with a real Docker engine: built, started, used, broken and ended. */
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApiClient, createApiClient } from '@brickyard/service-host';
import { eventually, loadTopology, sampleTopology } from '@brickyard/stack';
import { VolumeInfo } from './answers';
import { makeBaseImages } from './docker/base-images';
import { type DockerEngine, startEngine } from './docker/engine';
import { run } from './docker/program';

jest.setTimeout(600_000);

const REPOSITORY = join(__dirname, '../..');
/** Below what npm ci empties: it is small, and a fresh clone makes it anew. */
const CACHE = join(REPOSITORY, 'node_modules/.cache/brickyard-images');
const READY_MS = 180_000;
const MIB = 1024 * 1024;
const HOSTS = ['storage-1', 'storage-2', 'storage-3'];
/** One service for each image. */
const BUILT = ['secrets', 'migrate', 'registry'];
const SERVICES = ['postgres', 'nats', 'allocator-1', 'allocator-2', 'gateway-1', 'gateway-2', ...HOSTS];

const canRun =
  process.platform === 'linux' &&
  process.getuid?.() === 0 &&
  ['/dev/fuse', '/dev/loop-control', '/usr/sbin/dockerd', '/usr/bin/docker-compose', '/usr/sbin/debootstrap'].every(
    existsSync,
  );
const describeWithDocker = canRun ? describe : describe.skip;

describeWithDocker('docker-compose.yml', () => {
  const folder = mkdtempSync(join(tmpdir(), 'brickyard-docker-'));
  chmodSync(folder, 0o711);
  let engine: DockerEngine;
  let api: ApiClient;
  let volume: VolumeInfo;
  const seconds: Record<string, number> = {};
  const env = {
    BRICKYARD_API_PORT_1: '0',
    BRICKYARD_API_PORT_2: '0',
    BRICKYARD_REGISTRY_PORT: '0',
    BRICKYARD_DEVICE_SIZE: '8G',
    COMPOSE_PROJECT_NAME: 'brickyard',
    COMPOSE_FILE: [join(REPOSITORY, 'docker-compose.yml'), join(folder, 'build.yml')].join(':'),
  };

  const compose = (...args: string[]): Promise<string> =>
    run(['docker-compose', ...args], { cwd: REPOSITORY, env: { ...engine.env, ...env } });
  const inside = (service: string, ...argv: string[]): Promise<string> => compose('exec', '-T', service, ...argv);
  /** A script inside a container. */
  const script = (service: string, text: string): Promise<string> =>
    run(['docker-compose', 'exec', '-T', service, 'bash', '-s'], {
      cwd: REPOSITORY,
      env: { ...engine.env, ...env },
      input: text,
    });
  const secret = async (service: string, name: string): Promise<string> =>
    (await inside(service, 'cat', `/run/brickyard/${name}`)).trim();
  const urlOf = async (gateway: string): Promise<string> => {
    const port = (await compose('port', gateway, '8080')).trim().split(':').pop() ?? '';
    return `https://localhost:${port}`;
  };
  const healthOf = async (service: string): Promise<string> => {
    const id = (await compose('ps', '--quiet', service)).trim();
    return (await engine.docker(['inspect', '--format', '{{.State.Health.Status}}', id])).trim();
  };
  const untilHealthy = (services: readonly string[]): Promise<void> =>
    eventually('not healthy', READY_MS, async () => {
      for (const service of services) {
        const health = await healthOf(service);
        if (health !== 'healthy') throw new Error(`${service} is ${health}`);
      }
    });
  const timed = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    const from = performance.now();
    try {
      return await work();
    } finally {
      seconds[what] = Math.round(performance.now() - from) / 1_000;
    }
  };

  beforeAll(async () => {
    engine = await startEngine(join(folder, 'engine'));
    await timed('base images', () => makeBaseImages(engine, CACHE));
    // This engine leaves the machine's packet filter alone, so only the machine's own network leads outside.
    const build = { network: 'host' };
    const services = Object.fromEntries(BUILT.map((name) => [name, { build }]));
    writeFileSync(join(folder, 'build.yml'), JSON.stringify({ services }));
    await timed('build', () => compose('build', '--quiet', ...BUILT));
  });

  afterAll(async () => {
    const left = await engine.end();
    rmSync(folder, { recursive: true, force: true });
    process.stdout.write(`compose: ${JSON.stringify(seconds)}\n`);
    expect(left).toEqual([]);
  });

  it('makes images that are small and, but for those that mount, not run as root', async () => {
    const sizeOf = async (image: string): Promise<number> =>
      Number(await engine.docker(['inspect', '--format', '{{.Size}}', image])) / MIB;
    const base = await sizeOf('node:20-bookworm-slim');
    expect((await sizeOf('brickyard/control')) - base).toBeLessThan(250);
    expect((await sizeOf('brickyard/registry')) - base).toBeLessThan(450);
    expect((await sizeOf('brickyard/storage-host')) - base).toBeLessThan(450);
    expect((await engine.docker(['inspect', '--format', '{{.Config.User}}', 'brickyard/control'])).trim()).toBe(
      '10001:10001',
    );
  });

  it('comes up by itself, in the order of its needs', async () => {
    await timed('up', async () => {
      await compose('up', '--detach', '--no-build', ...SERVICES);
      await untilHealthy(SERVICES);
    });
    const [key, ca] = [await secret('gateway-1', 'admin-key'), await secret('gateway-1', 'ca.pem')];
    api = createApiClient({ url: await urlOf('gateway-1'), user: 'admin', key, tls: { ca: [ca] } });
  });

  it('makes a volume on three hosts, and a fourth machine mounts it', async () => {
    await timed('first volume', async () => {
      const places = HOSTS.map((name) => ({
        name,
        address: name,
        devices: ['disk1', 'disk2'].map((one) => `/var/lib/brickyard/devices/${one}`),
      }));
      const { problems } = await loadTopology(api, sampleTopology(places));
      expect(problems).toEqual([]);
      volume = VolumeInfo.parse(
        (await api.post('/volumes', { size: 1, name: 'data', durability: { type: 'replicate' } })).body,
      );
    });
    await compose('up', '--detach', '--no-build', 'client');
    await inside('client', 'mount', '-t', 'glusterfs', volume.mount.glusterfs.device, '/mnt');
    await script('client', 'head -c 5000000 /dev/urandom > /mnt/file && sha256sum /mnt/file > /root/sum');
  });

  it('has everything still when a storage host and the leading allocator are killed', async () => {
    const leader = await leadingAllocator();
    await Promise.all([compose('kill', 'storage-2'), compose('kill', leader)]);
    await inside('client', 'sha256sum', '--check', '/root/sum');
    await script('client', 'echo while away > /mnt/later');
    const found = VolumeInfo.parse((await api.get(`/volumes/${volume.id}`)).body);
    expect(found).toEqual(volume);
    const small = { size: 1, name: 'second', durability: { type: 'none' } };
    const second = await eventually('no volume without the dead', READY_MS, async () =>
      VolumeInfo.parse((await api.post('/volumes', small)).body),
    );
    expect(second.name).toBe('second');
    await compose('start', 'storage-2');
    await compose('start', leader);
    await untilHealthy(SERVICES);
    await eventually('the host that was away is not healed', READY_MS, async () => {
      const healed = await inside('storage-1', 'gluster', '--mode=script', 'volume', 'heal', 'data', 'info');
      const counts = [...healed.matchAll(/Number of entries: (\S+)/g)].map(([, count]) => count);
      expect(counts).toEqual(['0', '0', '0']);
    });
    const brick = volume.bricks[1]?.path ?? '';
    expect(brick).not.toBe('');
    const copies = await Promise.all(
      HOSTS.map((host) => script(host, 'cat /var/lib/heketi/mounts/*/*/brick/later 2>/dev/null || true')),
    );
    expect(copies.filter((text) => text.includes('while away'))).toHaveLength(3);
  });

  async function leadingAllocator(): Promise<string> {
    for (const name of ['allocator-1', 'allocator-2']) {
      const health = await inside(
        name,
        'node',
        '-e',
        `fetch('http://127.0.0.1:9100/health/ready').then((r) => r.text()).then(console.log)`,
      );
      if (health.includes('"leader')) return name;
    }
    throw new Error('no allocator leads');
  }

  it('lets nobody from a storage host to the database, nor over the bus to where it has no business', async () => {
    const knock = `require('net').connect(5432, 'postgres').on('connect', () => process.exit(1)).on('error', (e) => { console.log(e.code); process.exit(0); })`;
    expect(await inside('storage-1', 'node', '-e', knock)).toMatch(/ENOTFOUND|EAI_AGAIN/);
    const secrets = (await inside('storage-1', 'ls', '/run/brickyard')).split('\n').filter((name) => name !== '');
    expect(secrets.sort()).toEqual(['ca.pem', 'nats-password']);
  });

  it('goes and leaves nothing', async () => {
    api.close();
    await inside('client', 'umount', '/mnt');
    await timed('down', () => compose('down', '--volumes', '--timeout', '40'));
    expect(await engine.docker(['ps', '--all', '--quiet'])).toBe('');
    expect(await engine.docker(['volume', 'ls', '--quiet'])).toBe('');
    expect(await engine.docker(['network', 'ls', '--filter', 'type=custom', '--quiet'])).toBe('');
  });
});
