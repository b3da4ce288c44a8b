import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDataDirectory } from './data-directory';
import { planOf, type StackOptions } from './options';
import { processNotes, startTimeOf } from './process-record';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'brickyard-data-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const open = (more: Partial<StackOptions> = {}): ReturnType<typeof openDataDirectory> =>
  openDataDirectory(planOf({ dataDir: folder, hosts: 'simulated', ...more }));

describe('openDataDirectory', () => {
  it('makes keys once, for the owner alone, and finds them again', async () => {
    const first = await open();
    expect(first.kept.adminKey).toMatch(/^[0-9a-f]{32}$/);
    expect(statSync(join(folder, 'config.json')).mode & 0o777).toBe(0o600);
    first.release();
    expect((await open()).kept).toEqual(first.kept);
  });

  it('begins anew when told to', async () => {
    const first = await open();
    writeFileSync(join(first.logs, 'old.log'), '');
    first.release();
    const second = await open({ fresh: true });
    expect(second.kept.adminKey).not.toBe(first.kept.adminKey);
    expect(existsSync(join(second.logs, 'old.log'))).toBe(false);
  });

  it('touches nothing in a folder that is not its own', async () => {
    writeFileSync(join(folder, 'thesis.txt'), 'words');
    await expect(open({ fresh: true })).rejects.toThrow(/holds no system of ours/);
    expect(readFileSync(join(folder, 'thesis.txt'), 'utf8')).toBe('words');
  });

  it('refuses hosts of another kind than those the data is of', async () => {
    (await open()).release();
    await expect(open({ hosts: 'real' })).rejects.toThrow(/simulated hosts; use another folder/);
    await expect(open()).resolves.toBeDefined();
  });

  it('refuses a folder that a running launcher uses, and takes one whose launcher is dead', async () => {
    const other = sleeper();
    const pid = other.pid ?? 0;
    (await open()).release();
    const launcher = { pid, startTime: startTimeOf(pid) ?? '', mark: '' };
    writeFileSync(join(folder, 'launcher.json'), JSON.stringify(launcher));
    await expect(open()).rejects.toThrow(`runs already (process ${String(pid)})`);
    await ended(other);
    await expect(open()).resolves.toBeDefined();
  });
});

describe('processNotes', () => {
  it('ends the process that was noted, with its children, and no other one that has its number', async () => {
    const [left, reused] = [sleeper('noted-here'), sleeper('somebody-else')];
    const notes = processNotes(join(folder, 'run'));
    notes.write('left', left.pid ?? 0, 'noted-here');
    notes.write('reused', reused.pid ?? 0, 'noted-here');
    const exit = once(left, 'exit');
    expect(await notes.endLeftovers()).toEqual(['left']);
    await exit;
    expect(startTimeOf(reused.pid ?? 0)).toBeDefined();
    await ended(reused);
    expect(await notes.endLeftovers()).toEqual([]);
  });
});

function sleeper(mark = 'sleeper'): ChildProcess {
  return spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', mark], { stdio: 'ignore', detached: true });
}

async function ended(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}
