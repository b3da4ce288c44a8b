/** What every part of the run uses of this machine: commands under limits that end with the run, and lines of progress. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** A reason that a person can act on; shown as one message, without a stack. */
export class Problem extends Error {}

/** Limits of one command, and what it reads. */
export interface RunOptions {
  readonly timeoutMs: number;
  readonly cwd?: string;
  readonly input?: string;
}

/** This machine, for the time of one run. */
export interface Host {
  /** Aborted when the run is interrupted. */
  readonly signal: AbortSignal;
  /** A line of progress with the time since the start. */
  readonly say: (text: string) => void;
  /** Runs a command with low priority and gives its output; throws a problem unless it succeeds. */
  run(argv: readonly string[], options: RunOptions): Promise<string>;
  /** Feeds the output of one command to another; both have to succeed. */
  pipe(from: readonly string[], to: readonly string[], timeoutMs: number): Promise<void>;
}

const OUTPUT_CHARS_MAX = 8 * 1024 * 1024;
const ERROR_TAIL_CHARS = 1_500;
const POLITELY = ['nice', '-n', '19'];

/** Begins a run. */
export function hostFor(signal: AbortSignal): Host {
  const began = performance.now();
  return {
    signal,
    say(text) {
      const seconds = ((performance.now() - began) / 1_000).toFixed(1).padStart(6);
      process.stdout.write(`${seconds} s  ${text}\n`);
    },
    run: (argv, options) => run(argv, options, signal),
    pipe: (from, to, timeoutMs) => pipe(from, to, timeoutMs, signal),
  };
}

async function run(argv: readonly string[], options: RunOptions, signal: AbortSignal): Promise<string> {
  const child = begin(argv, options, signal);
  child.stdin.end(options.input ?? '');
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8');
    if (output.length > OUTPUT_CHARS_MAX) child.kill('SIGKILL');
  });
  await finished(child, argv);
  return output;
}

async function pipe(
  from: readonly string[],
  to: readonly string[],
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const source = begin(from, { timeoutMs }, signal);
  const sink = begin(to, { timeoutMs }, signal);
  source.stdin.end();
  source.stdout.pipe(sink.stdin);
  await Promise.all([finished(source, from), finished(sink, to)]);
}

type Child = ReturnType<typeof begin>;

function begin(argv: readonly string[], { timeoutMs, cwd }: RunOptions, signal: AbortSignal) {
  const [program = '', ...args] = [...POLITELY, ...argv];
  const env = { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' };
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env,
    signal,
    killSignal: 'SIGKILL',
    timeout: timeoutMs,
    ...(cwd === undefined ? {} : { cwd }),
  });
  child.stdin.on('error', () => undefined); // A program may end without reading; its exit code says what that meant.
  return child;
}

async function finished(child: Child, argv: readonly string[]): Promise<void> {
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString('utf8')).slice(-ERROR_TAIL_CHARS);
  });
  await once(child, 'close'); // Rejects when the run is interrupted or the program cannot be started.
  if (child.exitCode === 0) return;
  const how = child.signalCode === null ? `exit ${String(child.exitCode)}` : `ended by ${child.signalCode}`;
  throw new Problem(`${argv.slice(0, 12).join(' ')}: ${how}\n${complaint.trim()}`);
}
