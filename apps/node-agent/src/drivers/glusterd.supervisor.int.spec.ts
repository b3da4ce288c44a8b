import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@brickyard/service-host';
import { type GlusterdOptions, type GlusterdSupervisor, superviseGlusterd } from './glusterd.supervisor';
import { until } from './gluster/converge';
import { hostCommand } from './host-command';

const PATIENCE_MS = 30_000;
const LOOK_MS = 50;

(process.platform === 'linux' ? describe : describe.skip)('a glusterd that hangs', () => {
  const directory = mkdtempSync(join(tmpdir(), 'brickyard-glusterd-'));
  const pidFile = join(directory, 'glusterd.pid');
  const started: ChildProcess[] = [];
  const supervisors: GlusterdSupervisor[] = [];
  let lines: string[];

  beforeAll(() => {
    // Programs of these names that do nothing for a long time: what counts is what the kernel calls them.
    for (const name of ['glusterd', 'other']) copyFileSync('/bin/sleep', join(directory, name));
  });
  beforeEach(() => {
    lines = [];
  });
  afterEach(async () => {
    await Promise.all(supervisors.splice(0).map((supervisor) => supervisor.stop()));
    const left = started.splice(0).filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
    const ended = left.map((child) => once(child, 'exit'));
    for (const child of left) child.kill('SIGKILL');
    await Promise.all(ended);
  });
  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  const supervise = (mode: GlusterdOptions['mode']): GlusterdSupervisor => {
    const supervisor = superviseGlusterd({
      mode,
      socket: join(directory, 'none.socket'),
      stateDirectory: directory,
      pidFile,
      run: hostCommand(),
      argv: [join(directory, 'glusterd'), '600'],
      log: createLogger({ service: 'spec', level: 'warn' }, { write: (line: string) => lines.push(line) }),
    });
    supervisors.push(supervisor);
    return supervisor;
  };
  /** Starts a program as an init would, and notes its process where glusterd would. */
  async function running(name: string): Promise<ChildProcess> {
    const child = spawn(join(directory, name), ['600'], { stdio: 'ignore' });
    started.push(child);
    await once(child, 'spawn');
    writeFileSync(pidFile, `${String(child.pid)}\n`);
    return child;
  }
  const pidsOf = (program: string): number[] =>
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => commandOf(pid) === `${program} 600`);
  it('is ended as a crash would, for its init to start it', async () => {
    const glusterd = await running('glusterd');
    const ended = once(glusterd, 'exit');
    await supervise('repair').restart('it hangs');
    expect(await ended).toEqual([null, 'SIGKILL']);
    expect(lines.join()).toContain('glusterd hangs and is started once more');
  });

  it('is not taken for a program that has its number by now', async () => {
    const other = await running('other');
    await supervise('repair').restart('it hangs');
    expect(other.exitCode ?? other.signalCode).toBeNull();
    expect(lines.join()).toMatch(/was not ended: process \d+ of .*glusterd\.pid is other, not glusterd/);
  });

  it.each([
    ['is not there', undefined],
    ['holds no number', 'x'],
    ['names the init of all', '1'],
  ])('is left alone when its note %s', async (_, note) => {
    rmSync(pidFile, { force: true });
    if (note !== undefined) writeFileSync(pidFile, note);
    await supervise('repair').restart('it hangs');
    expect(lines.join()).toContain('was not ended');
  });

  it('is left alone where that is asked for', async () => {
    const glusterd = await running('glusterd');
    await supervise('leave').restart('it hangs');
    expect(glusterd.exitCode ?? glusterd.signalCode).toBeNull();
    expect(lines.join()).toContain('BRICKYARD_GLUSTERD=leave');
  });

  it('is ended and started again where nobody else does', async () => {
    const program = join(directory, 'glusterd');
    const supervisor = supervise('start');
    await supervisor.start();
    const isRunning = (): Promise<boolean> => Promise.resolve(pidsOf(program).length === 1);
    expect(await until(isRunning, PATIENCE_MS, LOOK_MS)).toBe(true);
    const [first] = pidsOf(program);
    await supervisor.restart('it hangs');
    const isAnother = async (): Promise<boolean> => (await isRunning()) && pidsOf(program)[0] !== first;
    expect(await until(isAnother, PATIENCE_MS, LOOK_MS)).toBe(true);
    await supervisor.stop();
    expect(pidsOf(program)).toEqual([]);
  });
});

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8')
      .replaceAll('\0', ' ')
      .trim();
  } catch {
    return ''; // It has ended.
  }
}
