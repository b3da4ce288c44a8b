/** The door to the programs of this host: argv in, exit code and output out, under limits. Never a shell. */
import { type ChildProcess, spawn } from 'node:child_process';
import { inSpan } from '@brickyard/service-host';
import { assertHeard } from '../lease';
import { codeOf, passing, refusal, type StepFailed, unsure } from './step-failure';

/** Limits of one command. */
export interface CommandLimits {
  /** Past it the command's whole process group is ended. */
  readonly timeoutMs: number;
  /** Output kept of each stream, bytes; a command that writes more is ended. 4 MiB when absent. */
  readonly outputBytesMax?: number;
  /** Words of the command that no log, trace or failure may show. */
  readonly secrets?: readonly string[];
  /** Variables for the command, beside those of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

/** How a command ended. */
export interface CommandResult {
  readonly argv: readonly string[];
  /** Exit code; 128 plus the signal's number when a signal ended it. */
  readonly exit: number;
  readonly out: string;
  readonly err: string;
  /** Why it was ended before its time, if it was. */
  readonly broken?: 'time' | 'output';
}

/** Runs a program of this host and waits for its end; rejects only when it cannot be started. */
export type HostCommand = (argv: readonly string[], limits: CommandLimits) => Promise<CommandResult>;

const OUTPUT_BYTES_MAX = 4 * 1024 * 1024;
const TERM_PATIENCE_MS = 2_000;
const PIPE_PATIENCE_MS = 200;
const ERROR_TAIL_CHARS = 800;

/** Runs commands on this host, each behind the same first words (`nsenter …` for an agent in a container). */
export function hostCommand(prefix: readonly string[] = []): HostCommand {
  return (argv, limits) =>
    inSpan(`run ${argv[0] ?? ''}`, {}, async (span) => {
      assertHeard();
      const shown = argv.map((word) => (limits.secrets?.includes(word) === true ? '***' : word));
      const result = await runLimited([...prefix, ...argv], limits);
      span.setAttributes({ 'process.command_args': shown, 'process.exit.code': result.exit });
      return { ...result, argv: [...prefix, ...shown] };
    });
}

async function runLimited(argv: readonly string[], limits: CommandLimits): Promise<CommandResult> {
  const [program = '', ...args] = argv;
  const env = { ...process.env, LC_ALL: 'C', LVM_SUPPRESS_FD_WARNINGS: '1', ...limits.env };
  // A process group of its own, so that what the program started ends with it.
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, cwd: '/', env });
  let broken: 'time' | 'output' | undefined;
  let patience: NodeJS.Timeout | undefined;
  const stop = (why: 'time' | 'output'): void => {
    if (broken !== undefined) return;
    broken = why;
    signalGroup(child, 'SIGTERM');
    patience = setTimeout(() => {
      signalGroup(child, 'SIGKILL');
    }, TERM_PATIENCE_MS);
  };
  const timer = setTimeout(stop, limits.timeoutMs, 'time');
  const bytesMax = limits.outputBytesMax ?? OUTPUT_BYTES_MAX;
  const out = collect(child.stdout, bytesMax, () => {
    stop('output');
  });
  const err = collect(child.stderr, bytesMax, () => {
    stop('output');
  });
  try {
    const exit = await ended(child);
    return { argv, exit, out: out(), err: err(), ...(broken === undefined ? {} : { broken }) };
  } finally {
    clearTimeout(timer);
    clearTimeout(patience);
  }
}

function ended(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      reject(cannotStart(child.spawnargs, error));
    });
    // `exit`, not `close`: a daemon the program leaves behind may hold the pipes for ever.
    child.once('exit', (code, signal) => {
      const done = (): void => {
        for (const pipe of [child.stdout, child.stderr]) pipe?.destroy();
        resolve(code ?? 128 + (signal === 'SIGKILL' ? 9 : 15));
      };
      // A timer that is late comes before the pipes are read: what the program wrote must be in by then.
      const letGo = setTimeout(() => setImmediate(done), PIPE_PATIENCE_MS);
      child.once('close', () => {
        clearTimeout(letGo);
        done();
      });
    });
  });
}

function cannotStart(argv: readonly string[], error: Error): StepFailed {
  const program = argv[0] ?? '';
  const cause = `${argv.join(' ')}: ${error.message}`;
  if (codeOf(error) !== 'ENOENT') return passing(`this host cannot start ${program} now`, cause);
  return refusal(`${program} is not installed on this host; install it and try again`, cause);
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    child.kill(signal); // The group is gone; the leader may be, too.
  }
}

function collect(stream: NodeJS.ReadableStream, bytesMax: number, overflow: () => void): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= bytesMax) chunks.push(chunk);
    else overflow();
  });
  return () => Buffer.concat(chunks).toString('utf8');
}

/** For the log: command line, exit code, tail of the error output. */
export function causeOf(result: CommandResult): string {
  const tail = (result.err.trim() || result.out.trim()).slice(-ERROR_TAIL_CHARS);
  const why = result.broken === undefined ? '' : ` (ended: ${result.broken} limit)`;
  return `${result.argv.join(' ')}: exit ${String(result.exit)}${why}${tail === '' ? '' : `: ${tail}`}`;
}

/** The failure that an ended command means: `detail` says what it was for and what to do. */
export function commandFailed(detail: string, result: CommandResult): StepFailed {
  if (result.broken === 'time') return unsure(`${detail}: the command took too long`, causeOf(result));
  const tail = (result.err.trim() || result.out.trim()).slice(-ERROR_TAIL_CHARS);
  return refusal(tail === '' ? detail : `${detail}: ${tail}`, causeOf(result));
}

/** Runs a command that has to succeed, and gives its output. */
export async function mustRun(
  run: HostCommand,
  argv: readonly string[],
  timeoutMs: number,
  detail: string,
): Promise<string> {
  const result = await run(argv, { timeoutMs });
  if (result.exit !== 0 || result.broken !== undefined) throw commandFailed(detail, result);
  return result.out;
}
