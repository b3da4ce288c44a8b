/** Starts a compiled service as a process of its own, its output in a file. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { dyingWithParent } from '@brickyard/servers';
import { killGroup, type ProcessNotes } from './process-record';
import type { LaunchedProcess } from './service';

const STOP_PATIENCE_MS = 20_000;

/** The folder of the repository: this file is two folders below a tool's, compiled or not. */
export const REPOSITORY = resolve(__dirname, '../../..');

/** What to run. */
export interface NodeProcessPlan {
  readonly name: string;
  /** The compiled entry, such as `apps/allocator/dist/main.js`. */
  readonly entry: string;
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
  readonly notes: ProcessNotes;
  /** Starts the argv somewhere else than here, such as inside a storage host. */
  readonly spawnIn?: (argv: readonly string[], options: SpawnOptions) => ChildProcess;
}

interface SpawnOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
}

/** The compiled main file of an app. */
export const mainOf = (app: string): string => join(REPOSITORY, 'apps', app, 'dist/main.js');

/** Starts the process; it ends by itself when this process is gone. */
export async function startNodeProcess(plan: NodeProcessPlan): Promise<LaunchedProcess> {
  const { name, entry, logFile, notes } = plan;
  const env = { OTEL_SERVICE_NAME: name, ...inherited(), ...plan.env, BRICKYARD_PARENT_PID: String(process.pid) };
  const argv = dyingWithParent('TERM', [process.execPath, entry]);
  const child = (plan.spawnIn ?? spawnHere)(argv, { env, logFile });
  const pid = await pidOf(child);
  notes.write(name, pid, entry);
  const ended = new Promise<{ code: number | null; signal: string | null }>((done) => {
    child.once('exit', (code, signal) => {
      notes.remove(name);
      done({ code, signal });
    });
  });
  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null;
  return {
    pid,
    ended,
    kill: (signal) => {
      if (isRunning()) child.kill(signal);
    },
    async end() {
      if (isRunning()) child.kill('SIGTERM');
      const patience = new AbortController();
      const tooLong = pause(STOP_PATIENCE_MS, undefined, { signal: patience.signal }).catch(() => undefined);
      await Promise.race([ended, tooLong]);
      patience.abort();
      if (isRunning()) killGroup(pid, 'SIGKILL');
      await ended;
    },
  };
}

/** In a group of its own, since Ctrl-C is for the launcher to handle. */
function spawnHere(argv: readonly string[], { env, logFile }: SpawnOptions): ChildProcess {
  const [program = '', ...args] = argv;
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(program, args, { stdio: ['ignore', log, log], detached: true, cwd: '/', env: { ...env } });
  closeSync(log);
  return child;
}

/** What a service takes over from this process; everything else it is told. */
function inherited(): Record<string, string> {
  const names = /^(PATH|HOME|LANG|TZ|TMPDIR|NODE_EXTRA_CA_CERTS|OTEL_.+)$/;
  const found = Object.entries(process.env).filter(([name]) => names.test(name));
  return Object.fromEntries(found.map(([name, value]) => [name, value ?? '']));
}

function pidOf(child: ChildProcess): Promise<number> {
  return new Promise((done, reject) => {
    child.once('error', reject);
    if (child.pid !== undefined) done(child.pid);
  });
}
