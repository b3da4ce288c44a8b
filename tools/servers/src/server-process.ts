import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { findProgram } from './binaries';

const LOG_BYTES_MAX = 16 * 1024 * 1024;
const LOG_TAIL_LINES = 12;
const ATTEMPT_PAUSE_MS = 20;

/** How to start one server process. */
export interface ServerProcessOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly logFile: string;
  /** Sent by the kernel when this process dies, however it dies. */
  readonly deathSignal: 'INT' | 'TERM';
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
}

/** A running server child. */
export interface ServerProcess {
  readonly pid: number;
  /** Resolves when it has ended, however that came. */
  readonly ended: Promise<void>;
  isRunning(): boolean;
  /** Sends the signals one after the other, each with its patience, until the process has ended. */
  end(signals: readonly NodeJS.Signals[], patienceMs: number): Promise<void>;
  /** The last lines the server wrote. */
  logTail(): string;
}

/** Starts a server in its own process group (Ctrl-C is for us to handle), its output in a file. */
export async function startServerProcess(options: ServerProcessOptions): Promise<ServerProcess> {
  const { program, args, logFile, user } = options;
  if (sizeOf(logFile) > LOG_BYTES_MAX) rmSync(logFile);
  const log = openSync(logFile, 'a', 0o600);
  const [command, ...rest] = dyingWithParent(options.deathSignal, [program, ...args]);
  const child = spawn(command, rest, { stdio: ['ignore', log, log], detached: true, cwd: '/', ...user });
  closeSync(log);
  const pid = await pidOf(child);
  const ended = new Promise<void>((resolve) =>
    child.once('exit', () => {
      resolve();
    }),
  );
  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null;
  return {
    pid,
    ended,
    isRunning,
    logTail: () => readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n'),
    async end(signals, patienceMs) {
      for (const signal of signals) {
        if (!isRunning()) return;
        child.kill(signal);
        const patience = new AbortController();
        const tooLong = pause(patienceMs, undefined, { signal: patience.signal }).catch(() => undefined);
        await Promise.race([ended, tooLong]);
        patience.abort();
      }
      await ended;
    },
  };
}

/** Repeats an attempt until it succeeds; gives up when the process ends or time is over, and says what the server wrote. */
export async function untilReady<T>(
  server: ServerProcess,
  name: string,
  timeoutMs: number,
  attempt: () => Promise<T>,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let cause: unknown;
  while (server.isRunning() && Date.now() < deadline) {
    try {
      return await attempt();
    } catch (error) {
      cause = error;
      await pause(ATTEMPT_PAUSE_MS);
    }
  }
  const what = server.isRunning() ? `did not become ready in ${String(timeoutMs)} ms` : 'ended while starting';
  throw new Error(`${name} ${what}:\n${server.logTail()}`, { cause });
}

/** Prefixes a command so that the kernel ends it with this process; where `setpriv` is missing the next start cleans up. */
export function dyingWithParent(
  signal: string,
  command: readonly [string, ...string[]],
): readonly [string, ...string[]] {
  const setpriv = process.platform === 'linux' ? findProgram('setpriv') : undefined;
  return setpriv === undefined ? command : [setpriv, '--pdeathsig', signal, '--', ...command];
}

function pidOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    if (child.pid !== undefined) resolve(child.pid);
  });
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
