import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { hostsSupported, removeLeftovers } from '@brickyard/hosts';
import { eventually, type RunningStack, startStack } from './index';
import { startTimeOf } from './process-record';
import { findSystem } from './running-system';

const MINUTES = 60_000;
const DIST = join(__dirname, '../dist');
const run = promisify(execFile);

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'brickyard-stack-'));
  chmodSync(dataDir, 0o755); // Postgres runs under a user of its own.
});
afterEach(() => {
  rmSync(dataDir, { recursive: true, force: true });
});

describe('startStack with simulated hosts', () => {
  let stack: RunningStack | undefined;
  afterEach(async () => {
    await stack?.stop();
  });

  const start = async (): Promise<RunningStack> =>
    (stack = await startStack({ dataDir, hosts: 'simulated', registry: false }));

  it(
    'finds its data again after a stop that left nothing',
    async () => {
      const first = await start();
      const client = first.client();
      await client.post('/volumes', { size: 1, name: 'kept', durability: { type: 'replicate' } });
      client.close();
      expect(await first.traces()).not.toEqual([]);
      await first.stop();
      expect(await first.traces()).toEqual([]);

      const again = (await start()).client();
      const { volumes } = (await again.get('/volumes')).body as { volumes: readonly string[] };
      const [id = ''] = volumes;
      expect((await again.get(`/volumes/${id}`)).body).toMatchObject({ name: 'kept', size: 1 });
      again.close();
    },
    2 * MINUTES,
  );

  it(
    'gives up soon when a service ends whenever it is started, and tells why',
    async () => {
      const faultsFile = join(dataDir, 'faults.json');
      writeFileSync(faultsFile, '[{"bad": 1}]');
      const starting = startStack({ dataDir: join(dataDir, 'data'), hosts: 'simulated', faultsFile });
      await expect(starting).rejects.toThrow(/node-agents ends whenever it is started[^]*Unrecognized key: "bad"/);
    },
    MINUTES,
  );

  it(
    'is broken off when it is told so, and leaves nothing running',
    async () => {
      const telling = new AbortController();
      const said: string[] = [];
      const onProgress = (text: string): void => {
        said.push(text);
        if (text.startsWith('Postgres')) telling.abort();
      };
      const starting = startStack({ dataDir, hosts: 'simulated', signal: telling.signal, onProgress });
      await expect(starting).rejects.toThrow('the start was broken off');
      expect(said).not.toContainEqual(expect.stringContaining('allocator and gateway answer'));
      await start(); // Nobody holds the folder.
    },
    MINUTES,
  );

  it(
    'takes commands again after its database, its bus and its leader were killed',
    async () => {
      const running = await start();
      const client = running.client();
      const victims = [running.service('postgres'), running.service('nats'), await running.leader()];
      for (const [number, victim] of victims.entries()) {
        const before = victim.pid;
        victim.kill('SIGKILL');
        await eventually('it is not back', MINUTES, () =>
          victim.pid !== undefined && victim.pid !== before ? Promise.resolve() : Promise.reject(new Error('down')),
        );
        await eventually('no command is taken', MINUTES, () =>
          client.post('/clusters', { file: true }, { idempotencyKey: `after-${String(number)}` }),
        );
      }
      const { clusters } = (await client.get('/clusters')).body as { clusters: readonly string[] };
      expect(clusters).toHaveLength(1 + victims.length);
      client.close();
    },
    3 * MINUTES,
  );

  it(
    'switches a host off and on: a lost node is noticed, and its return, too',
    async () => {
      const running = await start();
      const client = running.client();
      const isLost = async (): Promise<boolean> => {
        const { nodes } = (await client.get('/v1/status')).body as { nodes: { host: string; lost: boolean }[] };
        return nodes.find(({ host }) => host === 'storage-2')?.lost ?? false;
      };
      const until = (wanted: boolean): Promise<void> =>
        eventually(`lost is not ${String(wanted)}`, MINUTES, async () => {
          if ((await isLost()) !== wanted) throw new Error('not yet');
        });
      await running.crashHost('storage-2');
      await until(true);
      await running.bootHost('storage-2');
      await until(false);
      client.close();
    },
    3 * MINUTES,
  );
});

describe('npm start', () => {
  /** Starts the compiled launcher, waits for `ready`, gives the process. */
  async function launch(...options: readonly string[]): Promise<ChildProcess> {
    const argv = [join(DIST, 'main.js'), '--port', '0', '--data', dataDir, ...options];
    const launcher = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    const exit = once(launcher, 'exit').then(() => Promise.reject(new Error('the launcher ended')));
    const ready = new Promise<void>((done) => {
      createInterface({ input: launcher.stdout }).on('line', (line) => {
        if (line === 'ready') done();
      });
    });
    exit.catch(() => undefined); // Later it is told to end.
    await Promise.race([ready, exit]);
    return launcher;
  }

  const noted = (): { pid: number; startTime: string } =>
    JSON.parse(readFileSync(join(dataDir, 'run/api-gateway-1.json'), 'utf8')) as { pid: number; startTime: string };

  it(
    'leaves no service running when it is killed, and goes on with its data',
    async () => {
      const first = await launch('--hosts', 'simulated');
      const { pid, startTime } = noted();
      expect(startTimeOf(pid)).toBe(startTime);
      await run(process.execPath, [join(DIST, 'call.js'), 'POST', '/clusters', '{"file":true}', '--data', dataDir]);
      first.kill('SIGKILL');
      await eventually('the gateway goes on alone', MINUTES, () =>
        startTimeOf(pid) === startTime ? Promise.reject(new Error('it runs')) : Promise.resolve(),
      );

      const second = await launch('--hosts', 'simulated');
      const { stdout } = await run(process.execPath, [join(DIST, 'call.js'), 'GET', '/clusters', '--data', dataDir]);
      expect((JSON.parse(stdout) as { clusters: string[] }).clusters).toHaveLength(2);
      second.kill('SIGINT');
      const [code] = (await once(second, 'exit')) as [number];
      expect(code).toBe(0);
    },
    3 * MINUTES,
  );

  it(
    'passes the demonstration on real storage hosts, and leaves no trace of them',
    async () => {
      expect(hostsSupported().missing).toEqual([]);
      const launcher = await launch('--hosts', 'real');
      const { stdout } = await run(process.execPath, [join(DIST, 'demo.js'), '--data', dataDir]);
      expect(stdout).toMatch(/cut the power[^]*every checksum is right[^]*all as it should be/);
      expect(findSystem(dataDir).hosts).toBe('real');
      launcher.kill('SIGTERM');
      const [code] = (await once(launcher, 'exit')) as [number];
      expect(code).toBe(0);
      expect(await removeLeftovers({ directory: join(dataDir, 'hosts') })).toEqual([]);
    },
    5 * MINUTES,
  );
});
