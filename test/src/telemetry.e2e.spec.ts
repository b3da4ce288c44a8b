/** What a running system tells of itself: traces, metrics that the dashboard and the alerts name, and logs without secrets. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { Collector, treeOf } from './collector';
import { stackUnderTest, type StackUnderTest } from './stack-under-test';

jest.setTimeout(300_000);

const OBSERVABILITY = join(__dirname, '../../deploy/observability');

describe('what a system tells of itself', () => {
  const collector = new Collector();
  let system: StackUnderTest;

  beforeAll(async () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: await collector.start(),
      OTEL_BSP_SCHEDULE_DELAY: '100',
      BRICKYARD_LOG_REQUESTS: '1',
      BRICKYARD_LOG_LEVEL: 'debug',
    };
    system = await stackUnderTest({ hosts: 'simulated', nodes: 3, registry: false, env });
    await system.createVolume({
      size: 1,
      name: 'traced',
      durability: { type: 'replicate', replicate: { replica: 2 } },
    });
    await expect(system.api.post('/volumes', { size: 999_999 })).rejects.toThrow(/space/i);
  });

  afterAll(async () => {
    await system.end();
    await collector.stop();
  });

  it('is one trace from the request through command, commit, task and outcome to the fold that answers', async () => {
    const chains = [
      ['POST /volumes', 'command CreateVolume', 'commit'],
      ['POST /volumes', 'command CreateVolume', 'fold VolumePlanned'],
      ['POST /volumes', 'command CreateVolume', 'task CreateBrick', 'outcome done'],
      // What a later step does follows from the outcomes of the one before.
      ['POST /volumes', 'command CreateVolume', 'task CreateBrick', 'outcome done', 'task CreateGlusterVolume'],
      ['POST /volumes', 'task StartGlusterVolume', 'outcome done', 'fold VolumeCreated'],
    ];
    const missing = (): (readonly string[])[] => collector.missing(collector.rootOf('POST /volumes'), chains);
    const isWhole = (): Promise<boolean> => Promise.resolve(missing().length === 0);
    await system.until('the trace is not whole', isWhole, 30_000).catch(() => undefined);
    const root = collector.rootOf('POST /volumes');
    const trace = root === undefined ? collector.spans : collector.traceOf(root);
    expect({ missing: missing(), shown: missing().length === 0 ? [] : treeOf(trace) }).toEqual({
      missing: [],
      shown: [],
    });
    const services = new Set(trace.map(({ service }) => service.replace(/-\d$/, '')));
    expect([...services].sort()).toEqual(['allocator', 'api-gateway', 'node-agents']);
  });

  /** The lines that every service has written, as objects. */
  function logLines(): Record<string, unknown>[] {
    const folder = join(system.dataDir, 'logs');
    const files = readdirSync(folder).filter((name) => /^(api|allocator|node)/.test(name));
    return files.flatMap((name) =>
      readFileSync(join(folder, name), 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    );
  }

  it('has each metric that the dashboard and the alerts name', async () => {
    const ports = new Set(logLines().flatMap(({ healthPort }) => (typeof healthPort === 'number' ? [healthPort] : [])));
    const texts = await Promise.all(
      [...ports].map(async (port) => (await fetch(`http://127.0.0.1:${String(port)}/metrics`)).text()),
    );
    const told = new Set(texts.flatMap((text) => [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name)));
    const files = ['alerts.yml', 'grafana/dashboards/brickyard.json'].map((name) =>
      readFileSync(join(OBSERVABILITY, name), 'utf8'),
    );
    // Those of registry and objects are held against a running one by the spec of the containers.
    const named = new Set(files.flatMap((text) => text.match(/\b(brickyard|nodejs)_[a-z0-9_]+/g) ?? []));
    expect(named.size).toBeGreaterThan(15);
    const wanted = [...named].map((name) => name.replace(/_(bucket|sum|count)$/, ''));
    expect(wanted.filter((name) => !told.has(name))).toEqual([]);
    const samples = texts.flatMap((text) => text.split('\n'));
    const valueOf = (name: string, ...labels: string[]): number[] =>
      samples
        .filter((line) => line.startsWith(`${name}{`) && labels.every((label) => line.includes(label)))
        .map((line) => Number(line.split(' ').pop()));
    expect(valueOf('brickyard_refusals_total', 'reason="NoSpace"')).toEqual([1]);
    expect(valueOf('brickyard_leader').sort()).toEqual([0, 1]);
    expect(valueOf('brickyard_tasks_total', 'task="CreateBrick"', 'outcome="done"')).toEqual([2]);
  });

  it('writes a line for each request and each step, with the id under which the log keeps both', () => {
    const lines = logLines();
    const request = lines.find(
      ({ msg, method, path }) => msg === 'request' && method === 'POST' && path === '/volumes',
    );
    expect(request).toMatchObject({ status: 202, correlationId: expect.stringMatching(/^[0-9a-f]{32}$/) as unknown });
    const planned = lines.filter(
      ({ msg, correlationId }) => msg === 'operation' && correlationId === request?.['correlationId'],
    );
    expect(planned.map(({ event }) => event)).toContain('StepStarted');
    expect(planned.every(({ traceId }) => typeof traceId === 'string')).toBe(true);
  });

  it('writes no secret into any log', () => {
    const config = z.record(z.string(), z.string());
    const kept = config.parse(JSON.parse(readFileSync(join(system.dataDir, 'config.json'), 'utf8')));
    const { adminKey, userKey, busPassword } = kept;
    const env = system.stack.env;
    const passwords = [env['BRICKYARD_NATS_PASSWORD'], new URL(env['BRICKYARD_PG_URL'] ?? '').password];
    const secrets = [adminKey, userKey, busPassword, ...passwords].filter((one) => one !== undefined);
    expect(secrets.filter((one) => one.length >= 16)).toHaveLength(5);
    const folder = join(system.dataDir, 'logs');
    const found = readdirSync(folder).filter((name) => {
      const text = readFileSync(join(folder, name), 'utf8');
      return secrets.some((secret) => text.includes(secret)) || /eyJ[A-Za-z0-9_-]+\.eyJ/.test(text);
    });
    expect(found).toEqual([]);
  });
});
