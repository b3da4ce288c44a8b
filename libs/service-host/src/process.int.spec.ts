/** Runs the compiled library in processes of its own: signals, exit codes and telemetry cannot be seen from inside. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

const TIMEOUT_MS = 60_000;
const LIBRARY = join(__dirname, '..');
const started: ChildProcess[] = [];

afterEach(() => {
  for (const child of started) child.kill('SIGKILL');
});

/** Starts a script that has the library as `host` and says `up` when it runs. */
function start(script: string, env: Record<string, string> = {}, before: readonly string[] = []): ChildProcess {
  const whole = `const host = require(${JSON.stringify(LIBRARY)});
    const log = host.createLogger({ service: 'test' });
    const never = new Promise(() => setInterval(() => {}, 1000));
    ${script}; console.log('up');`;
  const child = spawn(process.execPath, [...before, '-e', whole], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'], ...env },
  });
  started.push(child);
  return child;
}

async function ended(
  child: ChildProcess,
  onOutput: (output: string) => void = () => undefined,
): Promise<[number | null, string]> {
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    onOutput((output += chunk.toString()));
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return [code, output];
}

function signalWhen(child: ChildProcess, word: string, signal: NodeJS.Signals): (output: string) => void {
  let isSent = false;
  return (output) => {
    if (isSent || !output.includes(word)) return;
    isSent = true;
    child.kill(signal);
  };
}

describe('the first process of a container', () => {
  const canBeFirst = process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/usr/bin/unshare');
  /** Tells the first process of a namespace of its own to end, when it says `up`. */
  async function endFirst(script: string): Promise<[number | null, string]> {
    const whole = `require(${JSON.stringify(join(LIBRARY, 'dist/register.js'))});
      const host = require(${JSON.stringify(LIBRARY)});
      setInterval(() => {}, 1000); ${script}; console.log('up as', process.pid);`;
    const child = spawn('unshare', ['--pid', '--fork', '--kill-child', process.execPath, '-e', whole], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    started.push(child);
    let isTold = false;
    return ended(child, (output) => {
      if (isTold || !output.includes('up as 1')) return;
      isTold = true;
      const pid = String(child.pid);
      process.kill(Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')), 'SIGTERM');
    });
  }

  (canBeFirst ? it : it.skip)(
    'can be stopped while it only waits for what it needs, and ends in order as soon as it knows how',
    async () => {
      expect(await endFirst('')).toEqual([128 + 15, 'up as 1\n']);
      const log = `host.createLogger({ service: 'test' })`;
      const [code] = await endFirst(`host.onShutdown({ log: ${log}, deadlineMs: 5000, steps: [] })`);
      expect(code).toBe(0);
    },
    TIMEOUT_MS,
  );
});

describe('onShutdown', () => {
  it(
    'does its steps in order, the failing one too, and tells by the exit code',
    async () => {
      const step = (name: string): string => `{ name: '${name}', run: async () => console.log('did ${name}') }`;
      const fine = start(`host.onShutdown({ log, deadlineMs: 5000, steps: [${step('a')}, ${step('b')}] }); never`);
      const [code, output] = await ended(fine, signalWhen(fine, 'up', 'SIGTERM'));
      expect(code).toBe(0);
      expect(output.indexOf('did a')).toBeLessThan(output.indexOf('did b'));
      const bad = `{ name: 'bad', run: () => Promise.reject(new Error('disk is gone')) }`;
      const failing = start(`host.onShutdown({ log, deadlineMs: 5000, steps: [${bad}, ${step('after')}] }); never`);
      const [badCode, badOutput] = await ended(failing, signalWhen(failing, 'up', 'SIGINT'));
      expect(badCode).toBe(1);
      expect(badOutput).toContain('disk is gone');
      expect(badOutput).toContain('did after');
    },
    TIMEOUT_MS,
  );

  it(
    'ends at its deadline, and at once at a second signal',
    async () => {
      const hanging = (deadlineMs: number): string =>
        `host.onShutdown({ log, deadlineMs: ${String(deadlineMs)}, steps: [{ name: 'hangs', run: () => new Promise(() => console.log('hanging')) }] }); never`;
      const late = start(hanging(50));
      const [code, output] = await ended(late, signalWhen(late, 'up', 'SIGTERM'));
      expect([code, output.includes('stopping takes too long')]).toEqual([1, true]);
      const impatient = start(hanging(100_000));
      const first = signalWhen(impatient, 'up', 'SIGTERM');
      const second = signalWhen(impatient, 'hanging', 'SIGTERM');
      const [secondCode] = await ended(impatient, (text) => {
        first(text);
        second(text);
      });
      expect(secondCode).toBe(1);
    },
    TIMEOUT_MS,
  );

  it.each(['ipc', 'ignore'])(
    'ends in order when its parent is gone (channel: %s)',
    async (channel) => {
      const script = `const host = require(${JSON.stringify(LIBRARY)});
      host.onShutdown({ log: host.createLogger({ service: 'child' }), deadlineMs: 5000, steps: [{ name: 'a', run: async () => console.log('did a') }] });
      setInterval(() => {}, 1000); console.log('up');`;
      const parent =
        start(`const child = require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(script)}],
      { stdio: ['ignore', 'inherit', 'inherit', '${channel}'], env: { ...process.env, BRICKYARD_PARENT_PID: String(process.pid) } });
      never`);
      // The pipe closes only when the grandchild has ended as well.
      const isUp = (output: string): boolean => output.split('up').length === 3;
      let isKilled = false;
      const [, output] = await ended(parent, (text) => {
        if (isKilled || !isUp(text)) return;
        isKilled = true;
        parent.kill('SIGKILL');
      });
      expect(output).toContain('did a');
    },
    TIMEOUT_MS,
  );
});

describe('register', () => {
  it(
    'sends spans to the endpoint, one trace over an inner span and an HTTP request',
    async () => {
      const bodies: string[] = [];
      const traceparents: string[] = [];
      const collector = createServer((request, response) => {
        traceparents.push(String(request.headers['traceparent'] ?? ''));
        void text(request).then((body) => {
          if (request.url === '/v1/traces') bodies.push(body);
          response.end();
        });
      }).listen(0, '127.0.0.1');
      await once(collector, 'listening');
      const url = `http://127.0.0.1:${String((collector.address() as AddressInfo).port)}`;
      const script = `host.inSpan('place volume', { size: 1 }, async () => {
        const own = host.currentTraceparent();
        const api = host.createApiClient({ url: '${url}', user: 'admin' });
        await api.get('/clusters');
        api.close();
        console.log('trace ' + own.split('-')[1]);
      }).then(() => host.stopTracing()).then(() => process.exit(0))`;
      const child = start(script, { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_SERVICE_NAME: 'test' }, [
        '--require',
        join(LIBRARY, 'dist/register.js'),
      ]);
      const [code, output] = await ended(child);
      collector.close();
      const traceId = /trace ([0-9a-f]{32})/.exec(output)?.[1] ?? 'none';
      expect(code).toBe(0);
      expect(traceparents[0]).toContain(traceId);
      expect(bodies.join('')).toContain('place volume');
    },
    TIMEOUT_MS,
  );

  it(
    'loads nothing of the SDK without an endpoint',
    async () => {
      const loaded = `console.log(Object.keys(require.cache).some((path) => path.includes('sdk-node')) ? 'loaded' : 'absent'); process.exit(0)`;
      const [, output] = await ended(start(loaded, {}, ['--require', join(LIBRARY, 'dist/register.js')]));
      expect(output).toContain('absent');
    },
    TIMEOUT_MS,
  );
});
