/** The compiled process: started, asked, stopped. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const TIMEOUT_MS = 60_000;
const APP = join(__dirname, '..');
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'brickyard-registry-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function start(env: Record<string, string>): ChildProcess {
  return spawn(process.execPath, [join(APP, 'dist/main.js')], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], BRICKYARD_REGISTRY_STATE: join(folder, 'state.json'), ...env },
  });
}

async function listening(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('no output');
  for await (const line of createInterface(child.stdout)) {
    const { msg, url } = JSON.parse(line) as { msg: string; url?: string };
    if (msg === 'listening' && url !== undefined) return url;
  }
  throw new Error('it ended without listening');
}

describe('registry-backend', () => {
  it(
    'is alive and not ready while the API is away, serves nothing without a log, and stops when told to',
    async () => {
      const child = start({
        BRICKYARD_API_URL: 'http://127.0.0.1:1',
        BRICKYARD_REGISTRY_HOST: '127.0.0.1',
        BRICKYARD_REGISTRY_PORT: '0',
      });
      try {
        const url = await listening(child);
        expect(await (await fetch(`${url}/health/live`)).json()).toEqual({ status: 'alive' });
        const ready = await fetch(`${url}/health/ready`);
        expect([ready.status, await ready.json()]).toEqual([503, expect.objectContaining({ status: 'not ready' })]);
        expect((await fetch(`${url}/v2/`)).status).toBe(503);
        child.kill('SIGTERM');
        expect((await once(child, 'exit'))[0]).toBe(0);
      } finally {
        child.kill('SIGKILL');
      }
    },
    TIMEOUT_MS,
  );

  it(
    'takes no empty text for no time of grace',
    async () => {
      const child = start({
        BRICKYARD_API_URL: 'http://127.0.0.1:1',
        BRICKYARD_API_KEY: 'key',
        BRICKYARD_PG_URL: 'postgresql://127.0.0.1:1/none',
        BRICKYARD_NATS_URL: process.env['BRICKYARD_TEST_NATS_URL'] ?? '',
        BRICKYARD_REGISTRY_HOST: '127.0.0.1',
        BRICKYARD_REGISTRY_PORT: '0',
      });
      try {
        const url = await listening(child);
        const headers = { authorization: `Basic ${Buffer.from('admin:key').toString('base64')}` };
        const collect = (grace: string): Promise<Response> =>
          fetch(`${url}/v1/registry/gc?dry-run=1&grace=${grace}`, { method: 'POST', headers });
        expect(await Promise.all(['0', '3600', '', '-1', '1e300'].map((grace) => collect(grace)))).toMatchObject([
          ...[{ status: 201 }, { status: 201 }, { status: 400 }, { status: 400 }, { status: 400 }],
        ]);
      } finally {
        child.kill('SIGKILL');
      }
    },
    TIMEOUT_MS,
  );

  it(
    'does not start with settings that make no sense, and names them',
    async () => {
      const child = start({ BRICKYARD_REGISTRY_PORT: 'http' });
      let problems = '';
      child.stderr?.on('data', (chunk: Buffer) => (problems += chunk.toString()));
      expect((await once(child, 'close'))[0]).toBe(1);
      expect(problems).toMatch(/BRICKYARD_REGISTRY_PORT: .*\(port to listen on\)/);
    },
    TIMEOUT_MS,
  );
});
