/** The compiled process: started, asked, killed at any moment, stopped. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { KEYS, s3, type S3Answer } from './testing/s3-client';

const TIMEOUT_MS = 60_000;
const KILLS = 6;
const APP = join(__dirname, '..');
const ROOT = join(APP, '../..');
let folder: string;
let child: ChildProcess | undefined;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'brickyard-objects-'));
});

afterEach(() => child?.kill('SIGKILL'));

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function start(env: Record<string, string> = {}): ChildProcess {
  child = spawn(process.execPath, [join(APP, 'dist/main.js')], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      BRICKYARD_OBJECTS_STATE: join(folder, 'state.json'),
      BRICKYARD_OBJECTS_FOLDER: join(folder, 'bytes'),
      BRICKYARD_OBJECTS_HOST: '127.0.0.1',
      BRICKYARD_OBJECTS_PORT: '0',
      BRICKYARD_HEALTH_HOST: '127.0.0.1',
      BRICKYARD_HEALTH_PORT: '0',
      BRICKYARD_OBJECTS_ACCESS_KEY: KEYS.accessKey,
      BRICKYARD_OBJECTS_SECRET_KEY: KEYS.secretKey,
      ...env,
    },
  });
  return child;
}

interface Running {
  readonly url: string;
  readonly health: string;
}

/** Resolves when it takes requests; what it writes afterwards is thrown away. */
async function listening({ stdout }: ChildProcess): Promise<Running> {
  if (stdout === null) throw new Error('no output');
  const found = await new Promise<Running>((resolve, reject) => {
    const lines = createInterface(stdout);
    lines.on('line', (line) => {
      const { msg, url, healthPort } = JSON.parse(line) as { msg: string; url?: string; healthPort?: number };
      if (msg === 'listening' && url !== undefined) resolve({ url, health: `http://127.0.0.1:${String(healthPort)}` });
    });
    lines.once('close', () => {
      reject(new Error('it ended without listening'));
    });
  });
  while ((await s3(found.url, 'GET', '/')).status === 503) await new Promise((done) => setImmediate(done));
  return found;
}

const digest = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex');

describe('object-gateway', () => {
  it(
    'tells its health and metrics, and stops when told to',
    async () => {
      const running = start();
      const { url, health } = await listening(running);
      expect((await s3(url, 'PUT', '/box')).status).toBe(200);
      const ready = await fetch(`${health}/health/ready`);
      expect([ready.status, await ready.text()]).toEqual([200, expect.stringContaining('local folder')]);
      const metrics = await (await fetch(`${health}/metrics`)).text();
      const told = new Set([...metrics.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
      const watched = ['alerts.yml', 'grafana/dashboards/brickyard.json'].flatMap(
        (file) => readFileSync(join(ROOT, 'deploy/observability', file), 'utf8').match(/\bobjects_[a-z0-9_]+/g) ?? [],
      );
      expect(watched.length).toBeGreaterThan(10);
      expect(watched.map((name) => name.replace(/_(bucket|count)$/, '')).filter((name) => !told.has(name))).toEqual([]);
      expect(metrics).toMatch(/objects_http_requests_total\{operation="PUT bucket",code="200",[^}]*\} 1/);
      expect(metrics).toMatch(/objects_storage_operation_duration_seconds_count\{[^}]*operation="make"[^}]*\} [1-9]/);
      expect(Number(/objects_received_bytes_total\{[^}]*\} (\d+)/.exec(metrics)?.[1])).toBeGreaterThan(100);
      running.kill('SIGTERM');
      expect((await once(running, 'exit'))[0]).toBe(0);
    },
    TIMEOUT_MS,
  );

  it(
    'lets a running upload end before it stops',
    async () => {
      const running = start();
      const { url, health } = await listening(running);
      const body = randomBytes(64 * 1024 * 1024);
      const sending = s3(url, 'PUT', '/box/last', { body });
      for (let text = ''; !/objects_http_in_flight_requests\{[^}]*\} 1/.test(text);) {
        text = await (await fetch(`${health}/metrics`)).text();
      }
      running.kill('SIGTERM');
      expect([(await sending).status, (await once(running, 'exit'))[0]]).toEqual([200, 0]);
      const again = await listening(start());
      expect(digest((await s3(again.url, 'GET', '/box/last')).body)).toBe(digest(body));
    },
    TIMEOUT_MS,
  );

  it(
    'killed at any moment of writes, has every object whole: the old or the new one, never less than was acknowledged',
    async () => {
      /** Per key: what may be there, the last acknowledged first. */
      const possible = new Map<string, Set<string>>();
      let acknowledged = 0;
      for (let round = 0; round < KILLS; round += 1) {
        const running = start();
        const { url } = await listening(running);
        for (const [key, versions] of possible) {
          const got = await s3(url, 'GET', `/box/${key}`);
          const found = got.status === 404 ? 'nothing' : digest(got.body);
          expect([key, [...versions]]).toEqual([key, expect.arrayContaining([found])]);
          versions.clear();
          versions.add(found);
        }
        let isKilled = false;
        const writer = async (key: string, size: number): Promise<void> => {
          const versions = possible.get(key) ?? new Set(['nothing']);
          possible.set(key, versions);
          while (!isKilled) {
            const body = randomBytes(size);
            versions.add(digest(body));
            const answer = await s3(url, 'PUT', `/box/${key}`, { body }).catch((): S3Answer | undefined => undefined);
            if (answer?.status !== 200) continue;
            acknowledged += 1;
            versions.clear();
            versions.add(digest(body));
          }
        };
        const writers = [writer('small', 500), writer('deep/a/b/c', 70_000), writer('large', 3_000_000)];
        const until = acknowledged + 1 + round * 5;
        while (acknowledged < until) await new Promise((done) => setImmediate(done));
        running.kill('SIGKILL');
        await once(running, 'exit');
        isKilled = true;
        await Promise.all(writers);
      }
    },
    TIMEOUT_MS,
  );

  it(
    'does not start without a key of its own, or with settings that make no sense, and names them',
    async () => {
      for (const [env, problem] of [
        [{ BRICKYARD_OBJECTS_PORT: 'http' }, /BRICKYARD_OBJECTS_PORT: .*\(port to listen on\)/],
        [{ BRICKYARD_OBJECTS_ACCESS_KEY: '', BRICKYARD_OBJECTS_SECRET_KEY: '' }, /nobody could get in without them/],
        [{ BRICKYARD_OBJECTS_SECRET_KEY: '' }, /both or none of them/],
      ] as const) {
        const running = start(env);
        let problems = '';
        running.stderr?.on('data', (chunk: Buffer) => (problems += chunk.toString()));
        expect((await once(running, 'close'))[0]).toBe(1);
        expect(problems).toMatch(problem);
      }
    },
    TIMEOUT_MS,
  );
});
