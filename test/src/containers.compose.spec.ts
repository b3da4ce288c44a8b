/** The compose file with a real Docker engine: built, started, used, watched, broken and ended. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type ApiClient, createApiClient } from '@brickyard/service-host';
import { eventually } from '@brickyard/stack';
import { z } from 'zod';
import { ALERTS } from './alerts/cases';
import { VolumeInfo } from './answers';
import { Collector, treeOf } from './collector';
import { bridgeName, type DockerEngine, ENGINE_PREFIX, startEngine } from './docker/engine';
import { BUILD_OVERRIDES, canRunContainers, makeImages } from './docker/images';
import { type Prometheus, startPrometheus } from './docker/observed';
import { run } from './docker/program';
import { folderFor } from './prepared';
import { REPOSITORY } from './repository';

jest.setTimeout(900_000);

const OBSERVABILITY = join(REPOSITORY, 'deploy/observability');
const MAKING_MS = 15 * 60_000;
const READY_S = 180;
const READY_MS = READY_S * 1_000;
/** What an operator with a machine for the stack alone waits for, from `up` to the first volume. */
const FIRST_VOLUME_MS = 90_000;
const MIB = 1024 * 1024;
/** Longer than an agent lets pass between two looks at its host. */
const IDLE_SECONDS = 58;
/** Windows to come to rest in: after a change, Gluster's daemons and heals have something left to do. */
const IDLE_WINDOWS = 2;
/** Of one core, all services together; 5 is what a machine of its own must keep (4.6 measured), and other tests beside make each look dearer. */
const IDLE_PERCENT_MAX = 8;
const HOSTS = ['storage-1', 'storage-2', 'storage-3'];
const CONTROL = ['allocator-1', 'allocator-2', 'gateway-1', 'gateway-2'];
const SERVICES = ['postgres', 'nats', ...CONTROL, ...HOSTS, 'registry'];
/** Addresses that two runs on one machine do not share. */
const [STORAGE_NET, BUS_NET] = [`10.214.${String(process.pid % 256)}`, `10.215.${String(process.pid % 256)}`];
/** What the compose file says of its networks, with addresses of our own and a letter for each bridge. */
const NETWORKS = {
  data: { letter: 'd', internal: true },
  bus: { letter: 'b', internal: true, ipam: { config: [{ subnet: `${BUS_NET}.0/24` }] } },
  storage: {
    letter: 's',
    ipam: { config: [{ subnet: `${STORAGE_NET}.0/24`, ip_range: `${STORAGE_NET}.128/25` }] },
  },
  api: { letter: 'a' },
};

/** In place of what .env says. */
const SETTINGS = {
  BRICKYARD_API_PORT_1: '0',
  BRICKYARD_API_PORT_2: '0',
  BRICKYARD_REGISTRY_PORT: '0',
  BRICKYARD_OBJECTS_PORT: '0',
  BRICKYARD_DEVICE_SIZE: '8G',
  BRICKYARD_STORAGE_NET: STORAGE_NET,
  COMPOSE_PROJECT_NAME: 'brickyard',
};

/** What all processors of this machine have worked so far, whoever for. */
const busyMs = (): number =>
  cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);

const Stats = z.object({
  cpu_stats: z.object({ cpu_usage: z.object({ total_usage: z.number() }) }),
  memory_stats: z.object({ usage: z.number(), stats: z.record(z.string(), z.number()) }),
});
const Dashboard = z.object({
  panels: z.array(z.object({ targets: z.array(z.object({ expr: z.string() })).default([]) })),
});

(canRunContainers() ? describe : describe.skip)('docker-compose.yml', () => {
  const { folder, isMade } = folderFor(ENGINE_PREFIX);
  const collector = new Collector();
  const figures: Record<string, string> = {};
  const ids = new Map<string, string>();
  let engine: DockerEngine;
  let env: NodeJS.ProcessEnv;
  let api: ApiClient;
  let volume: VolumeInfo;
  let startedAt: number;
  let busyAtStartMs: number;

  const compose = (...args: string[]): Promise<string> =>
    run(['docker-compose', ...args], { cwd: REPOSITORY, env, timeoutMs: 600_000 });
  const idOf = async (service: string): Promise<string> => {
    const known = ids.get(service);
    if (known !== undefined) return known;
    const id = (await compose('ps', '--quiet', service)).trim();
    ids.set(service, id);
    return id;
  };
  const inside = async (service: string, ...argv: string[]): Promise<string> =>
    engine.docker(['exec', await idOf(service), ...argv]);
  const script = (service: string, text: string): Promise<string> => inside(service, 'bash', '-ec', text);
  const portOf = async (service: string, inner: number): Promise<string> =>
    (await compose('port', service, String(inner))).trim().split(':').pop() ?? '';
  const secret = async (service: string, name: string): Promise<string> =>
    (await inside(service, 'cat', `/run/brickyard/${name}`)).trim();
  const untilReady = (service: string, port = 9100): Promise<string> =>
    script(
      service,
      `timeout ${String(READY_S)} bash -c 'until healthy ${String(port)} 2>/dev/null; do sleep 0.2; done'`,
    );
  const timed = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    const from = performance.now();
    try {
      return await work();
    } finally {
      figures[what] = seconds(performance.now() - from);
    }
  };
  const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

  beforeAll(async () => {
    engine = await startEngine(join(folder, 'engine'));
    if (!isMade) Object.assign(figures, await makeImages(engine));
    env = { ...engine.env, ...SETTINGS, COMPOSE_FILE: [join(REPOSITORY, 'docker-compose.yml'), overrides()].join(':') };
  }, MAKING_MS);

  /** What only a test wants of the compose file, in a file of its own. */
  function overrides(): string {
    // Compose 1 takes a network from the last file that names it, whole.
    const networks = Object.fromEntries(
      Object.entries(NETWORKS).map(([name, { letter, ...network }]) => [
        name,
        { ...network, driver_opts: { 'com.docker.network.bridge.name': bridgeName(letter) } },
      ]),
    );
    const file = join(folder, 'override.yml');
    writeFileSync(file, JSON.stringify({ services: BUILD_OVERRIDES, networks }));
    return file;
  }

  afterAll(async () => {
    await collector.stop();
    const left = await engine.end();
    rmSync(folder, { recursive: true, force: true });
    process.stdout.write(`docker-compose.yml: ${JSON.stringify(figures, undefined, 2)}\n`);
    expect(left).toEqual([]);
  });

  it('makes images that are small and, but for those that mount, not run as root', async () => {
    const sizeOf = async (image: string): Promise<number> =>
      Number(await engine.docker(['inspect', '--format', '{{.Size}}', image])) / MIB;
    const base = await sizeOf('node:20-bookworm-slim');
    for (const [name, most] of [
      ['control', 250],
      ['registry', 450],
      ['storage-host', 450],
    ] as const) {
      const above = (await sizeOf(`brickyard/${name}`)) - base;
      figures[`image ${name} above its base`] = `${above.toFixed(0)} MiB`;
      expect(above).toBeLessThan(most);
    }
    const user = await engine.docker(['inspect', '--format', '{{.Config.User}}', 'brickyard/control']);
    expect(user.trim()).toBe('10001:10001');
  });

  it('comes up by itself, each part as soon as what it needs is there', async () => {
    [startedAt, busyAtStartMs] = [performance.now(), busyMs()];
    await compose('up', '--detach', '--no-build', 'secrets');
    // Its network is there now, and the machine has an address in it that all parts reach.
    const endpoint = await collector.start(`${BUS_NET}.1`).catch(() => collector.start('0.0.0.0'));
    env = { ...env, BRICKYARD_OTLP_ENDPOINT: endpoint.replace('0.0.0.0', `${BUS_NET}.1`) };
    await compose('up', '--detach', '--no-build', ...SERVICES);
    // As README has it: right after `up`, whatever is not ready by then.
    const load = ['topology', 'load', '--json', '/topology.json', '--hosts-within', '120'];
    const told = await compose('run', '--rm', '-T', 'cli', ...load);
    for (const name of HOSTS) expect(told).toContain(`Creating node ${name}`);
    for (const service of [...CONTROL, ...HOSTS]) await untilReady(service);
    figures['up'] = seconds(performance.now() - startedAt);
    const [key, ca] = [await secret('gateway-1', 'admin-key'), await secret('gateway-1', 'ca.pem')];
    const url = `https://localhost:${await portOf('gateway-1', 8080)}`;
    api = createApiClient({ url, user: 'admin', key, tls: { ca: [ca] } });
  });

  it('makes a volume on three hosts, and a fourth machine mounts it', async () => {
    const wanted = { size: 1, name: 'data', durability: { type: 'replicate', replicate: { replica: 3 } } };
    volume = VolumeInfo.parse((await api.post('/volumes', wanted)).body);
    const tookMs = performance.now() - startedAt;
    // A busy machine is not the stack's fault: what the processors did for others meanwhile was not there for it.
    const oursMs = [...(await usage()).values()].reduce((sum, { cpuNs }) => sum + cpuNs / 1e6, 0);
    const lentMs = Math.max(0, busyMs() - busyAtStartMs - oursMs) / cpus().length;
    figures['up to first volume ready'] = `${seconds(tookMs)}, ${seconds(lentMs)} of them for other programs`;
    figures['processor time of the stack till then'] = seconds(oursMs);
    expect(tookMs - lentMs).toBeLessThan(FIRST_VOLUME_MS);
    await compose('up', '--detach', '--no-build', 'client');
    await inside('client', 'mount', '-t', 'glusterfs', volume.mount.glusterfs.device, '/mnt');
    await script('client', 'head -c 5000000 /dev/urandom > /mnt/file && sha256sum /mnt/file > /root/sum');
  });

  it('tells one trace from the request to the programs on hosts and to the fold that answers', async () => {
    const chains = [
      ['POST /volumes', 'command CreateVolume', 'commit'],
      ['POST /volumes', 'command CreateVolume', 'task CreateBrick', 'run mkfs.xfs'],
      ['POST /volumes', 'command CreateVolume', 'task CreateBrick', 'run mount'],
      ['POST /volumes', 'task CreateBrick', 'outcome done', 'task CreateGlusterVolume', 'run gluster'],
      ['POST /volumes', 'task StartGlusterVolume', 'outcome done', 'fold VolumeCreated'],
    ];
    const root = (): ReturnType<Collector['rootOf']> =>
      collector.spans.find(({ name, service, traceId }) => {
        const isRequest = name === 'POST /volumes' && service === 'api-gateway';
        return (
          isRequest &&
          collector.missing(
            collector.spans.find((span) => span.traceId === traceId),
            chains,
          ).length === 0
        );
      });
    await eventually('the trace is not whole', 30_000, () =>
      root() === undefined ? Promise.reject(new Error('not yet')) : Promise.resolve(),
    ).catch(() => undefined);
    const found = root();
    const shown = collector.spans
      .filter(({ name }) => name === 'POST /volumes')
      .flatMap((one) => treeOf(collector.traceOf(one)));
    expect(found === undefined ? shown : []).toEqual([]);
    const trace = found === undefined ? [] : collector.traceOf(found);
    figures['spans of one creation'] = String(trace.length);
    if (process.env['BRICKYARD_SHOW_TRACE'] === '1') process.stdout.write(`${treeOf(trace).join('\n')}\n`);
    const ran = trace.filter(({ name }) => name.startsWith('run '));
    const codes = ran.map(
      ({ attributes }) => attributes.find(({ key }) => key === 'process.exit.code')?.value['intValue'],
    );
    expect(codes.length).toBeGreaterThan(10);
    expect(codes.filter((code) => code === undefined)).toEqual([]);
  });

  it('stores images that clients push on a volume of its own', async () => {
    await untilReady('registry', 5_000);
    mkdirSync(join(folder, 'image'));
    await run(['bash', '-ec', 'head -c 3000000 /dev/urandom > image/bytes; tar -cf image.tar -C image .'], {
      cwd: folder,
    });
    await engine.docker(['import', join(folder, 'image.tar'), 'tiny:1']);
    await skopeo('copy', '--src-daemon-host', engine.env['DOCKER_HOST'] ?? '', 'docker-daemon:tiny:1', await image());
    expect(await skopeo('inspect', '--format', '{{.Name}} {{len .Layers}}', await image())).toMatch(/tiny 1\s*$/);
    expect(await fileSystemOf('images')).toBe('fuse.glusterfs');
  });

  const image = async (): Promise<string> => `docker://127.0.0.1:${await portOf('registry', 5_000)}/tiny:1`;
  const skopeo = (what: string, ...args: string[]): Promise<string> => {
    const tls = what === 'copy' ? '--dest-tls-verify=false' : '--tls-verify=false';
    return run(['skopeo', what, tls, ...args]);
  };

  it('needs little while nothing happens', async () => {
    const seen: number[] = [];
    do seen.push(await idleWindow());
    while ((seen.at(-1) ?? 0) >= IDLE_PERCENT_MAX && seen.length < IDLE_WINDOWS);
    figures['idle'] = seen.map((percent) => `${percent.toFixed(1)} % of a core`).join(', then ');
    expect(seen.at(-1)).toBeLessThan(IDLE_PERCENT_MAX);
  });

  /** What all services together need of one core; notes each of them. */
  async function idleWindow(): Promise<number> {
    const [before, from] = [await usage(), performance.now()];
    await pause(IDLE_SECONDS * 1_000); // A duration is what is measured here.
    const [after, tookMs] = [await usage(), performance.now() - from];
    let [memory, cpu] = [0, 0];
    for (const [service, { cpuNs, memoryBytes }] of after) {
      const percent = (cpuNs - (before.get(service)?.cpuNs ?? 0)) / 1e4 / tookMs;
      figures[`idle ${service}`] = `${percent.toFixed(2)} % of a core, ${(memoryBytes / MIB).toFixed(0)} MiB`;
      memory += memoryBytes / MIB;
      cpu += percent;
    }
    figures['idle memory'] = `${memory.toFixed(0)} MiB`;
    expect(memory).toBeLessThan(1_536);
    return cpu;
  }

  async function usage(): Promise<ReadonlyMap<string, { cpuNs: number; memoryBytes: number }>> {
    const found = await Promise.all(
      SERVICES.map(async (service) => {
        const { cpu_stats: cpu, memory_stats: memory } = Stats.parse(
          await engineAnswer(`/containers/${await idOf(service)}/stats?stream=false&one-shot=true`),
        );
        // Files that were read and can be dropped at any moment are nobody's need.
        const cache = memory.stats['total_inactive_file'] ?? memory.stats['inactive_file'] ?? 0;
        return [service, { cpuNs: cpu.cpu_usage.total_usage, memoryBytes: memory.usage - cache }] as const;
      }),
    );
    return new Map(found);
  }

  const engineAnswer = (path: string): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const socketPath = (engine.env['DOCKER_HOST'] ?? '').replace('unix://', '');
      const call = request({ socketPath, path }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.once('end', () => {
          resolve(JSON.parse(text));
        });
      });
      call.once('error', reject);
      call.end();
    });

  it('stores objects on a volume of its own, where the profile of objects is asked for', async () => {
    await compose('--profile', 'objects', 'up', '--detach', '--no-build', 'objects');
    await untilReady('objects', 9_001);
    const host = `127.0.0.1:${await portOf('objects', 9_000)}`;
    const lines = ['[default]', `host_base = ${host}`, `host_bucket = ${host}`, 'use_https = False'];
    for (const name of ['access-key', 'secret-key'])
      lines.push(`${name.replace('-', '_')} = ${await secret('objects', name)}`);
    writeFileSync(join(folder, 's3cmd'), lines.join('\n'), { mode: 0o600 });
    const s3cmd = (...args: string[]): Promise<string> =>
      run(['s3cmd', '--config', join(folder, 's3cmd'), '--quiet', ...args]);
    await s3cmd('mb', 's3://box');
    await s3cmd('put', join(folder, 'image.tar'), 's3://box/image.tar');
    await s3cmd('get', 's3://box/image.tar', join(folder, 'again.tar'));
    expect(readFileSync(join(folder, 'again.tar')).equals(readFileSync(join(folder, 'image.tar')))).toBe(true);
    expect(await fileSystemOf('objects')).toBe('fuse.glusterfs');
  });

  /** What images or objects are stored on. */
  async function fileSystemOf(what: 'images' | 'objects'): Promise<string> {
    const service = what === 'images' ? 'registry' : 'objects';
    const argv = ['findmnt', '--noheadings', '--output', 'FSTYPE', `/var/lib/brickyard/${what}`];
    return (await inside(service, ...argv)).trim();
  }

  it('is understood by Prometheus: targets, alerts, and every panel of the dashboard', async () => {
    const addresses = new Map<string, string>();
    for (const service of [...SERVICES, 'objects']) {
      const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}';
      const told = await engine.docker(['inspect', '--format', format, await idOf(service)]);
      addresses.set(service, told.split(' ')[0] ?? '');
    }
    const prometheus = await startPrometheus(
      join(folder, 'prometheus'),
      OBSERVABILITY,
      (service) => addresses.get(service) ?? 'unknown.invalid',
    );
    try {
      await eventually('targets are down', READY_MS, () => allUp(prometheus));
      await eventually('alerts are not evaluated', READY_MS, async () => {
        const alerts = await prometheus.alerts();
        expect(alerts.map(({ name }) => name).sort()).toEqual(Object.keys(ALERTS).sort());
        expect(alerts.filter(({ health }) => health !== 'ok')).toEqual([]);
        expect(alerts.filter(({ state }) => state === 'firing')).toEqual([]);
      });
      const dashboard = readFileSync(join(OBSERVABILITY, 'grafana/dashboards/brickyard.json'), 'utf8');
      const { panels } = Dashboard.parse(JSON.parse(dashboard));
      const expressions = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
      expect(expressions.length).toBeGreaterThan(20);
      const results = await Promise.all(expressions.map((one) => prometheus.query(one)));
      // What counts occurrences has nothing to show while there are none; bricks in containers share no thin pools.
      const empty = expressions.filter((_, index) => results[index]?.length === 0);
      expect(empty.filter((one) => !/rate\(|increase\(|brickyard_(operations|drift|heal|thin_pool)/.test(one))).toEqual(
        [],
      );
      // Each name in a panel or an alert is one that some service tells.
      const texts = [...expressions, readFileSync(join(OBSERVABILITY, 'alerts.yml'), 'utf8')];
      const names = texts.flatMap(
        (text) => text.match(/\b(brickyard|nodejs|process|registry|objects)_[a-z0-9_]+/g) ?? [],
      );
      const told = await prometheus.metrics();
      const isTold = (name: string): boolean => told.has(name) || told.has(name.replace(/_(bucket|sum|count)$/, ''));
      expect([...new Set(names)].filter((name) => !isTold(name))).toEqual([]);
      expect(await prometheus.query('sum(brickyard_leader)')).toEqual([1]);
      expect(await prometheus.query('max(brickyard_volumes)')).toEqual([3]);
    } finally {
      prometheus.stop();
    }
  });

  async function allUp(prometheus: Prometheus): Promise<void> {
    const targets = await prometheus.targets();
    expect(targets).toHaveLength(9);
    expect(targets.filter(({ health }) => health !== 'up')).toEqual([]);
  }

  it('has everything still when a storage host and the leading allocator are killed', async () => {
    const leader = await leadingAllocator();
    await Promise.all([idOf('storage-2'), idOf(leader)].map(async (id) => engine.docker(['kill', await id])));
    const killedAt = performance.now();
    const small = { size: 1, name: 'second', durability: { type: 'none' } };
    const [second] = await Promise.all([
      api.post('/volumes', small, { idempotencyKey: 'second' }).then(({ body }) => VolumeInfo.parse(body)),
      inside('client', 'sha256sum', '--check', '/root/sum'),
      script('client', 'echo while away > /mnt/later'),
    ]);
    figures['volume after the kill'] = seconds(performance.now() - killedAt);
    expect(second.name).toBe('second');
    expect(VolumeInfo.parse((await api.get(`/volumes/${volume.id}`)).body)).toEqual(volume);
    expect(await skopeo('inspect', '--format', '{{.Name}}', await image())).toMatch(/tiny\s*$/);
    await engine.docker(['start', await idOf('storage-2'), await idOf(leader)]);
    for (const service of ['storage-2', leader]) await untilReady(service);
    const copies = (): Promise<string[]> =>
      Promise.all(HOSTS.map((host) => script(host, 'cat /var/lib/heketi/mounts/*/*/brick/later 2>/dev/null || true')));
    await timed('healed after the kill', () =>
      eventually('the host that was away is not healed', READY_MS, async () => {
        expect((await copies()).filter((text) => text.includes('while away'))).toHaveLength(3);
      }).catch(async (error: unknown) => {
        throw new Error(`${String(error)}\n${await stateOfHeal()}`, { cause: error });
      }),
    );
  });

  /** What Gluster and its hosts say of a heal that does not come. */
  async function stateOfHeal(): Promise<string> {
    const looks = [
      'gluster peer status; gluster volume status; gluster volume heal $(gluster volume list | head -1) info',
      'mount | grep brick; pgrep -a gluster; tail -n 15 /var/log/glusterfs/glustershd.log /var/log/glusterfs/bricks/*.log',
    ];
    const told = HOSTS.flatMap((host) => looks.map((look) => script(host, `(${look}) 2>&1 || true`).catch(String)));
    return (await Promise.all(told)).join('\n----\n');
  }

  async function leadingAllocator(): Promise<string> {
    const ask = `fetch('http://127.0.0.1:9100/health/ready').then((r) => r.text()).then(console.log)`;
    for (const name of ['allocator-1', 'allocator-2'])
      if ((await inside(name, 'node', '-e', ask)).includes('"leader')) return name;
    throw new Error('no allocator leads');
  }

  it('shows a storage host no way to the database, and no secrets but its own', async () => {
    const knock = `require('net').connect(5432, 'postgres').on('connect', () => process.exit(1)).on('error', (e) => { console.log(e.code); process.exit(0); })`;
    // Nobody else is asked about a name that this network does not know: the first answer is the last one.
    const once = ['exec', '--env', 'RES_OPTIONS=timeout:1 attempts:1', await idOf('storage-1')];
    expect(await engine.docker([...once, 'node', '-e', knock])).toMatch(/ENOTFOUND|EAI_AGAIN/);
    const secrets = (await inside('storage-1', 'ls', '/run/brickyard')).split('\n').filter((name) => name !== '');
    expect(secrets.sort()).toEqual(['ca.pem', 'nats-password']);
  });

  it('writes no secret into any log', async () => {
    const secrets = [
      ...(await Promise.all(['admin-key', 'user-key', 'nats-password'].map((name) => secret('gateway-1', name)))),
      await secret('allocator-1', 'nats-password'),
      new URL(await secret('allocator-1', 'pg-url')).password,
    ];
    expect(secrets.filter((one) => one.length >= 16)).toHaveLength(5);
    for (const service of SERVICES) {
      const log = await run(['docker', 'logs', await idOf(service)], { env: engine.env, withErrors: true });
      expect([service, secrets.filter((one) => log.includes(one))]).toEqual([service, []]);
      if (![...CONTROL, ...HOSTS].includes(service)) continue;
      const isJson = (line: string): boolean => line.startsWith('{') && JSON.parse(line) !== undefined;
      expect([service, log.split('\n').filter((line) => line !== '' && !isJson(line))]).toEqual([service, []]);
    }
  });

  it('goes and leaves nothing', async () => {
    api.close();
    engine.noteBricks();
    await inside('client', 'umount', '/mnt');
    await timed('down', () => compose('down', '--volumes', '--timeout', '40'));
    expect(await engine.docker(['ps', '--all', '--quiet'])).toBe('');
    expect(await engine.docker(['volume', 'ls', '--quiet'])).toBe('');
    expect(await engine.docker(['network', 'ls', '--filter', 'type=custom', '--quiet'])).toBe('');
  });
});
