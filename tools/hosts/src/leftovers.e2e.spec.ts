import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepareHosts, removeDeadLabs, removeLeftovers, tracesOf } from './index';

const MINUTE = 60_000;
const REPOSITORY = join(__dirname, '../../..');

describe('a killed run', () => {
  const folder = mkdtempSync(join(tmpdir(), 'brickyard-hosts-'));
  const directory = join(folder, 'killed');
  const other = join(folder, 'living');
  const everything = /process .*glusterd.*loop device.*interface.*namespace/;
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it(
    'is removed from the machine by the next start',
    async () => {
      expect(await killedRun(directory)).toBe('killed');
      expect((await tracesOf({ directory })).join()).toMatch(everything);
      const progress: string[] = [];
      const lab = await prepareHosts({ directory, count: 1, onProgress: (text) => progress.push(text) });
      expect(progress.join()).toMatch(new RegExp(`removed what a killed run left: .*${everything.source}`));
      await lab.down();
      expect(await tracesOf({ directory })).toEqual([]);
      expect(await removeLeftovers({ directory })).toEqual([]);
    },
    2 * MINUTE,
  );

  it(
    'is found and removed by somebody who does not know it, beside one that lives',
    async () => {
      const lab = await prepareHosts({ directory: other, count: 1 });
      const living = await tracesOf({ directory: other });
      expect(await killedRun(directory)).toBe('killed');
      expect((await removeDeadLabs(folder)).join()).toMatch(everything);
      expect(await tracesOf({ directory })).toEqual([]);
      expect(await removeDeadLabs(folder)).toEqual([]);
      expect(await tracesOf({ directory: other })).toEqual(living);
      await lab.down();
    },
    2 * MINUTE,
  );
});

describe('several labs at once', () => {
  it(
    'get networks of their own',
    async () => {
      const directories = [1, 2, 3].map(() => mkdtempSync(join(tmpdir(), 'brickyard-hosts-')));
      const labs = await Promise.all(directories.map((directory) => prepareHosts({ directory, count: 2 })));
      expect(new Set(labs.map((lab) => lab.subnet)).size).toBe(3);
      await Promise.all(labs.map((lab) => lab.down({ remove: true })));
      const traces = await Promise.all(
        labs.map((lab, index) => tracesOf({ directory: directories[index] ?? '', prefix: lab.prefix })),
      );
      expect(traces.flat()).toEqual([]);
      expect(directories.filter((directory) => existsSync(directory))).toEqual([]);
    },
    MINUTE,
  );
});

/** Starts a lab in a process of its own, which has time to attach a device and is then killed. Gives what it said. */
async function killedRun(directory: string): Promise<string> {
  const program = `
    const { startHosts } = require('./tools/hosts/dist');
    startHosts({ directory: process.argv[1], count: 1 })
      .then(({ hosts: [host] }) => host.run(['losetup', '--find', host.devices[0]], { timeoutMs: 10000 }))
      .then(({ exitCode }) => process.stdout.write(exitCode === 0 ? 'killed' : 'no loop', () => process.kill(process.pid, 'SIGKILL')));
  `;
  const child = spawn(process.execPath, ['-e', program, directory], {
    cwd: REPOSITORY,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await once(child, 'close'); // It closes although the lab's processes live on: none of them holds our pipe.
  return said;
}
