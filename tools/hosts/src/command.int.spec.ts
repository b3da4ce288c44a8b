import { runCommand } from './command';

const node = (program: string): string[] => [process.execPath, '-e', program];

describe('runCommand', () => {
  it('gives exit code and both outputs, and passes the input on', async () => {
    const program = 'process.stdin.pipe(process.stdout); console.error("hm"); process.exitCode = 3';
    const completed = await runCommand(node(program), { timeoutMs: 10_000, input: 'text' });
    expect(completed).toEqual({ exitCode: 3, stdout: 'text', stderr: 'hm\n' });
  });

  it('ends a command that takes too long, together with its children', async () => {
    const endless = 'require("child_process").spawnSync(process.execPath, ["-e", "setInterval(() => 0, 1000)"])';
    await expect(runCommand(node(endless), { timeoutMs: 300 })).rejects.toThrow(/took longer than 300 ms/);
  });

  it('ends a command that writes without end', async () => {
    const flood = 'const more = () => process.stdout.write("x".repeat(65536), more); more()';
    await expect(runCommand(node(flood), { timeoutMs: 10_000 })).rejects.toThrow(/wrote more than/);
  });

  it('does not wait for a daemon that keeps the pipes', async () => {
    const daemon = 'setTimeout(() => 0, 5000)';
    const start = `require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(daemon)}], { stdio: "inherit", detached: true }).unref(); console.log("started")`;
    const startedAt = Date.now();
    const { stdout } = await runCommand(node(start), { timeoutMs: 10_000 });
    expect(stdout).toBe('started\n');
    expect(Date.now() - startedAt).toBeLessThan(4_000);
  });

  it('says when a program does not exist', async () => {
    await expect(runCommand(['/nowhere/program'], { timeoutMs: 1_000 })).rejects.toThrow(/ENOENT/);
  });
});
