import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { causeOf, commandFailed, hostCommand, mustRun } from './host-command';

const run = hostCommand();
const LIMITS = { timeoutMs: 10_000 };

const isGone = (pid: number): boolean => {
  try {
    return readFileSync(`/proc/${String(pid)}/stat`, 'utf8').includes(') Z ');
  } catch {
    return true;
  }
};

describe('a command of the host', () => {
  it('gets its words as they are, without a shell, in the C locale', async () => {
    const script = 'process.stdout.write(JSON.stringify([process.argv.slice(1), process.env.LC_ALL, process.cwd()]))';
    const words = ['$HOME', '; rm -rf /', "it's", 'a b', ''];
    const { exit, out } = await run([process.execPath, '-e', script, '--', ...words], LIMITS);
    expect(exit).toBe(0);
    expect(JSON.parse(out)).toEqual([words, 'C', '/']);
  });

  it('runs behind the words of its host', async () => {
    const { out } = await hostCommand(['env', 'WHERE=inside'])(['printenv', 'WHERE'], LIMITS);
    expect(out).toBe('inside\n');
  });

  it('gets variables of its own beside those of this process', async () => {
    const script = 'process.stdout.write([process.env.PYTHON, process.env.PATH, process.env.LC_ALL].join())';
    const { out } = await run([process.execPath, '-e', script], { ...LIMITS, env: { PYTHON: '/bin/false' } });
    expect(out).toBe(`/bin/false,${process.env['PATH'] ?? ''},C`);
  });

  it('tells how it ended', async () => {
    const script = "process.stderr.write('it broke'); process.exit(7)";
    const result = await run([process.execPath, '-e', script], LIMITS);
    expect(result).toMatchObject({ exit: 7, out: '', err: 'it broke' });
    expect(causeOf(result)).toMatch(/: exit 7: it broke$/);
    expect(commandFailed('no brick', result).failure).toMatchObject({ transient: false, detail: 'no brick: it broke' });
    await expect(mustRun(run, ['false'], 1000, 'it had to')).rejects.toThrow('it had to');
  });

  it('is ended with all it started when its time is over, also when it will not listen', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'brickyard-stubborn-'));
    const program = join(folder, 'stubborn'); // A script: a busy machine takes longer than the time limit to start a Node.
    await writeFile(program, "#!/bin/sh\ntrap '' TERM; sleep 60 >/dev/null 2>&1 & echo $!; wait\n", { mode: 0o755 });
    const result = await run([program], { timeoutMs: 1_000 });
    await rm(folder, { recursive: true });
    expect(result).toMatchObject({ exit: 137, broken: 'time' });
    expect(isGone(Number(result.out))).toBe(true);
    expect(commandFailed('no brick', result).failure).toMatchObject({ transient: true, uncertain: true });
  });

  it('is ended when it says too much', async () => {
    const result = await run(['yes'], { timeoutMs: 10_000, outputBytesMax: 1000 });
    expect(result.broken).toBe('output');
    expect(result.out.length).toBeLessThanOrEqual(65_536);
  });

  it('that is not installed is a failure that says so', async () => {
    await expect(run(['no-such-program', 'x'], LIMITS)).rejects.toThrow(
      'no-such-program is not installed on this host; install it and try again',
    );
  });
});
