/** Runs programs of this machine for the specs of the containers. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

const TAIL = 16_000;

/** How to run a program. */
export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly timeoutMs?: number;
  /** Gives what it wrote to standard error, too. */
  readonly withErrors?: boolean;
  /** Sent to its standard input. */
  readonly input?: string;
}

/** Runs it to its end and gives what it wrote; a failure rejects with the end of both outputs. */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const [program = '', ...args] = argv;
  const { cwd, env, timeoutMs = 300_000, withErrors = false, input = '' } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env, timeout: timeoutMs, killSignal: 'SIGKILL' });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString('utf8')));
    child.stderr.on('data', (chunk: Buffer) => {
      const text = chunk.toString('utf8');
      if (withErrors) out += text;
      err = (err + text).slice(-TAIL);
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve(out);
      else reject(new Error(`${argv.join(' ')} ended with ${String(code ?? signal)}:\n${out.slice(-TAIL)}\n${err}`));
    });
    child.stdin.on('error', () => undefined); // It may end before it has read all.
    child.stdin.end(input);
  });
}

/** Starts a daemon that dies with this process, its output in a file. */
export function startDaemon(
  argv: readonly string[],
  logFile: string,
  env: NodeJS.ProcessEnv,
): ReturnType<typeof spawn> {
  const [program = '', ...args] = argv;
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(program, args, { stdio: ['ignore', log, log], detached: true, cwd: '/', env });
  closeSync(log);
  return child;
}
