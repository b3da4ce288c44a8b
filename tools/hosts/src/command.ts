import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

const OUTPUT_BYTES_MAX = 8 * 1024 * 1024;
/** How long a daemon that a command left behind may keep our pipes before we let go of them. */
const PIPE_PATIENCE_MS = 200;
const MACHINE_COMMAND_TIMEOUT_MS = 30_000;

/** Limits of one command, and what it reads. */
export interface CommandOptions {
  readonly timeoutMs: number;
  readonly input?: string;
}

/** What became of a command that ended by itself; a signal counts as 128 plus its number, as in a shell. */
export interface Completed {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program by its argv and waits for its end; throws only if it cannot start or breaks a limit. */
export async function runCommand(argv: readonly string[], options: CommandOptions): Promise<Completed> {
  const [program, ...args] = argv;
  if (program === undefined) throw new Error('a command needs a program');
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true, cwd: '/' });
  child.stdin.on('error', () => undefined); // A program may end without reading; its exit code says what that meant.
  child.stdin.end(options.input ?? '');
  let broken: string | undefined;
  const stop = (reason: string): void => {
    broken ??= reason;
    endGroup(child);
  };
  const stdout = collect(child.stdout, stop);
  const stderr = collect(child.stderr, stop);
  const timer = setTimeout(() => {
    stop(`took longer than ${String(options.timeoutMs)} ms`);
  }, options.timeoutMs);
  try {
    const exitCode = await exitOf(child);
    await pipesClosed(child);
    if (broken !== undefined) throw new Error(`${argv.join(' ')} ${broken}`);
    return { exitCode, stdout: stdout(), stderr: stderr() };
  } finally {
    clearTimeout(timer);
  }
}

/** Runs a command of this machine (ip, mount, losetup …) that has to succeed, and gives its output. */
export async function mustRun(argv: readonly string[], timeoutMs = MACHINE_COMMAND_TIMEOUT_MS): Promise<string> {
  const { exitCode, stdout, stderr } = await runCommand(argv, { timeoutMs });
  if (exitCode !== 0) throw new Error(`${argv.join(' ')} ended with ${String(exitCode)}: ${stderr.trim()}`);
  return stdout;
}

/** Waits until the condition holds, asking again every `everyMs`; false when the time is over. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number,
  everyMs = 10,
): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() >= deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  return true;
}

/** True until the process has ended. */
export const isRunning = (child: ChildProcess): boolean =>
  child.pid !== undefined && child.exitCode === null && child.signalCode === null;

async function exitOf(child: ChildProcess): Promise<number> {
  await once(child, 'exit'); // Rejects with the reason when the program cannot be started.
  return child.exitCode ?? 128 + (child.signalCode === null ? 0 : signalNumber(child.signalCode));
}

function signalNumber(signal: NodeJS.Signals): number {
  return { SIGHUP: 1, SIGINT: 2, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGPIPE: 13, SIGTERM: 15 }[signal as string] ?? 0;
}

function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    child.kill('SIGKILL'); // The group is not there yet, or not any more.
  }
}

function collect(stream: NodeJS.ReadableStream, stop: (reason: string) => void): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > OUTPUT_BYTES_MAX) stop(`wrote more than ${String(OUTPUT_BYTES_MAX)} bytes`);
    else chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString('utf8');
}

/** A command such as `mount -t glusterfs` leaves a daemon behind, which may hold the pipes for ever. */
async function pipesClosed(child: ChildProcess): Promise<void> {
  const pipes = [child.stdout, child.stderr];
  await until(() => pipes.every((pipe) => pipe === null || pipe.readableEnded || pipe.destroyed), PIPE_PATIENCE_MS, 1);
  for (const pipe of pipes) pipe?.destroy();
}
