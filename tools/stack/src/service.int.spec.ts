import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { eventually } from './readiness';
import { type LaunchedProcess, type Service, supervise } from './service';

const WAIT_MS = 10_000;

describe('supervise', () => {
  const children: ChildProcess[] = [];
  const said: string[] = [];
  let service: Service | undefined;

  /** A real process that lives until it is told to end, or ends at once with a code. */
  function launch(program = 'setInterval(() => {}, 1000)'): Promise<LaunchedProcess> {
    const child = spawn(process.execPath, ['-e', program], { stdio: 'ignore' });
    children.push(child);
    const ended = once(child, 'exit').then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as string | null,
    }));
    return Promise.resolve({
      pid: child.pid ?? 0,
      ended,
      kill: (signal) => child.kill(signal),
      end: async () => {
        child.kill('SIGTERM');
        await ended;
      },
    });
  }

  function supervised(program?: string, canRun?: () => boolean): Service {
    service = supervise({
      name: 'one',
      logFile: '/dev/null',
      launch: () => launch(program),
      onProgress: (text) => said.push(text),
      ...(canRun === undefined ? {} : { canRun }),
    });
    return service;
  }

  const untilChildren = (count: number): Promise<void> =>
    eventually('no new process', WAIT_MS, () =>
      children.length >= count ? Promise.resolve() : Promise.reject(new Error(String(children.length))),
    );

  afterEach(async () => {
    await service?.stop();
    children.length = 0;
    said.length = 0;
  });

  it('starts a process again that was killed, and says so', async () => {
    const one = supervised();
    await one.start();
    const first = one.pid;
    one.kill('SIGKILL');
    await untilChildren(2);
    expect(said).toEqual([expect.stringContaining('one ended (SIGKILL), starting it again')]);
    await eventually('it is not back', WAIT_MS, () =>
      one.pid !== undefined && one.pid !== first ? Promise.resolve() : Promise.reject(new Error('not yet')),
    );
  });

  it('waits longer after each failure, and not at all when the process asks for it', async () => {
    const from = performance.now();
    await supervised('process.exit(75)').start();
    await untilChildren(3);
    const quickMs = performance.now() - from;
    await service?.stop();
    children.length = 0;
    const again = performance.now();
    await supervised('process.exit(1)').start();
    await untilChildren(3);
    expect(performance.now() - again).toBeGreaterThan(600); // 200 ms, then 400 ms.
    expect(quickMs).toBeLessThan(WAIT_MS);
    expect(service?.failures).toBe(2);
  });

  it('leaves a stopped process down until it is started', async () => {
    const one = supervised();
    await one.start();
    await one.stop();
    expect(one.pid).toBeUndefined();
    await one.start();
    expect(children).toHaveLength(2);
    expect(said).toEqual([]);
  });

  it('does not restart what it let go or what cannot run', async () => {
    let isUp = true;
    const one = supervised(undefined, () => isUp);
    await one.start();
    one.letGo();
    const [first] = children;
    first?.kill('SIGKILL');
    if (first !== undefined) await once(first, 'exit');
    await one.start();
    isUp = false;
    const second = children[1];
    one.kill('SIGKILL');
    if (second !== undefined) await once(second, 'exit');
    expect(children).toHaveLength(2);
    expect(said).toEqual([]);
  });
});
