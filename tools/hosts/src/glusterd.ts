import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning, runCommand, until } from './command';
import { readProc, signal } from './processes';

const START_TIMEOUT_MS = 60_000;
const CLI_TIMEOUT_MS = 8_000;
const STOP_PATIENCE_MS = 3_000;
const RESTART_FIRST_MS = 500;
const RESTART_MAX_MS = 5_000;
const LOG_LINES = 8;
/** A listening socket on port 24007, as /proc/net/tcp writes it (proc(5): port in hex, state 0A). */
const LISTENING = /:5DC7 [0-9A-F]+:0000 0A /;

/** A glusterd that does not come up; the message ends with what it logged. */
export class GlusterdDown extends Error {}

/** Where one host's glusterd runs and logs. */
export interface GlusterdPlace {
  readonly hostName: string;
  readonly logDirectory: string;
  /** Puts an argv inside the host; throws when the host is off. */
  inside(argv: readonly string[]): string[];
}

/**
 * The glusterd of one host, supervised as an init system would: while it is wanted, an unexpected end is followed by a new
 * start. A state that glusterd refuses (an empty `vols/X/info` after a crash) is for the node agent to repair; the next
 * attempt then succeeds.
 */
export class Glusterd {
  private child: ChildProcess | undefined;
  private wanted = false;
  private ready = false;
  private restartMs = RESTART_FIRST_MS;
  private restart: NodeJS.Timeout | undefined;

  constructor(private readonly place: GlusterdPlace) {}

  /** True from its readiness until it ends. */
  get isReady(): boolean {
    return this.ready;
  }

  /** Starts it and waits until it answers its command line; rejects with the end of its log when it gives up first. */
  async start(): Promise<void> {
    this.wanted = true;
    this.restartMs = RESTART_FIRST_MS;
    clearTimeout(this.restart);
    const logged = this.log().length;
    const child = this.child !== undefined && isRunning(this.child) ? this.child : this.launch();
    const answered = await until(async () => !isRunning(child) || (await this.answers(child)), START_TIMEOUT_MS, 25);
    if (answered && this.ready) return;
    const what = isRunning(child) ? `does not answer after ${String(START_TIMEOUT_MS)} ms` : 'ended while starting';
    throw new GlusterdDown(`glusterd of ${this.place.hostName} ${what}:\n${errorsIn(this.log().slice(logged))}`);
  }

  /** Asks it to end, and leaves it stopped. */
  async stop(): Promise<void> {
    const child = this.unwant();
    if (child === undefined) return;
    child.kill('SIGTERM');
    if (!(await until(() => !isRunning(child), STOP_PATIENCE_MS))) await this.crash();
  }

  /** Kills it (-9) and leaves it stopped; bricks go on. */
  async crash(): Promise<void> {
    const child = this.unwant();
    if (child?.pid === undefined) return;
    signal(child.pid, 'SIGKILL');
    await until(() => !isRunning(child), STOP_PATIENCE_MS);
  }

  /** Forgets about it: the host is being switched off. */
  abandon(): void {
    this.unwant();
  }

  private unwant(): ChildProcess | undefined {
    this.wanted = false;
    clearTimeout(this.restart);
    return this.child !== undefined && isRunning(this.child) ? this.child : undefined;
  }

  private launch(): ChildProcess {
    const log = openSync(join(this.place.logDirectory, 'glusterd.out'), 'a', 0o600);
    const argv = this.place.inside(['glusterd', '-N', '--pid-file=/run/glusterd.pid', '--log-level=INFO']);
    const child = spawn(argv[0] ?? '', argv.slice(1), { stdio: ['ignore', log, log], detached: true, cwd: '/' });
    closeSync(log);
    child.unref();
    child.once('error', () => undefined); // Shows as a process that never ran.
    child.once('exit', () => {
      this.ended(child);
    });
    this.child = child;
    return child;
  }

  private ended(child: ChildProcess): void {
    if (this.child !== child) return;
    this.ready = false;
    if (!this.wanted) return;
    this.restart = setTimeout(() => {
      this.again();
    }, this.restartMs).unref();
    this.restartMs = Math.min(this.restartMs * 2, RESTART_MAX_MS);
  }

  private again(): void {
    try {
      const child = this.launch();
      void until(async () => !isRunning(child) || (await this.answers(child)), START_TIMEOUT_MS, 200);
    } catch {
      this.wanted = false; // The host was switched off meanwhile; booting it starts glusterd again.
    }
  }

  /** The port opens before glusterd has restored its volumes: only its command line tells the truth, at a dearer price. */
  private async answers(child: ChildProcess): Promise<boolean> {
    const listens = ['net/tcp', 'net/tcp6'].some((file) => LISTENING.test(readProc(child.pid ?? 0, file)));
    if (!listens) return false;
    // Without it, each `gluster` starts a Python to see whether geo-replication is there.
    const quick = ['env', 'PYTHON=/bin/false'];
    const argv = this.place.inside([...quick, 'gluster', '--mode=script', '--timeout=5', 'pool', 'list']);
    const { exitCode } = await runCommand(argv, { timeoutMs: CLI_TIMEOUT_MS }).catch(() => ({ exitCode: 1 }));
    this.ready = exitCode === 0 && isRunning(child);
    if (this.ready) this.restartMs = RESTART_FIRST_MS;
    return this.ready;
  }

  private log(): string {
    const file = join(this.place.logDirectory, 'glusterd.log');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }
}

const errorsIn = (log: string): string =>
  log
    .split('\n')
    .filter((line) => / [EC] \[/.test(line))
    .slice(-LOG_LINES)
    .join('\n');
