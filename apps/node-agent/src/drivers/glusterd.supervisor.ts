/**
 * Looks after this host's glusterd: repairs what keeps it from starting, ends it when it hangs and, where nobody else does,
 * starts it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describeError, type Logger } from '@brickyard/service-host';
import { type HostCommand, mustRun } from './host-command';
import { isListening } from './local-socket';
import { unless } from './step-failure';

const LOOK_MS = 1_000;
/** Looks in a row that find nobody, before a daemon counts as down: a restart takes less. */
const DOWN_AFTER_LOOKS = 3;
const RESTART_PAUSE_MS = 1_000;
const RESTART_PAUSE_MS_MAX = 30_000;
/** A daemon that lived this long started well: its next end is a new story. */
const SETTLED_MS = 60_000;
const STOP_PATIENCE_MS = 10_000;
const KILL_TIMEOUT_MS = 10_000;
const PROGRAM = 'glusterd';

/** What is done about a glusterd that is down, and where it lives. */
export interface GlusterdOptions {
  readonly mode: 'leave' | 'repair' | 'start';
  readonly socket: string;
  /** glusterd's own memory; `/var/lib/glusterd` on Debian. */
  readonly stateDirectory: string;
  /** Where a daemon that somebody else started notes its process. */
  readonly pidFile: string;
  /** Reaches the processes of the host. */
  readonly run: HostCommand;
  readonly log: Logger;
  /** The daemon in the foreground. */
  readonly argv?: readonly string[];
}

/** Somebody who looks after glusterd. */
export interface GlusterdSupervisor {
  /** Begins; bricks must be mounted before. Does not wait for glusterd. */
  start(): Promise<void>;
  /**
   * Ends a daemon that hangs, for `why`, so that whoever starts it does so anew: this supervisor, or the host's init, which
   * takes the signal for a crash. Its brick processes go on. Never rejects: what fails is logged.
   */
  restart(why: string): Promise<void>;
  /** Ends a daemon that was started here; its brick processes go on. */
  stop(): Promise<void>;
}

/** Makes a supervisor for this host's glusterd. */
export const superviseGlusterd = (options: GlusterdOptions): GlusterdSupervisor => new Supervisor(options);

class Supervisor implements GlusterdSupervisor {
  private readonly stopping = new AbortController();
  private child: ChildProcess | undefined;
  private running: Promise<void> | undefined;

  constructor(private readonly options: GlusterdOptions) {}

  async start(): Promise<void> {
    if (this.options.mode === 'leave') return;
    // At the very start nobody is in the middle of writing: what is broken now stays broken.
    const isDown = !(await isListening(this.options.socket));
    if (isDown) await quarantineBroken(this.options);
    this.running = this.watch(isDown);
  }

  private async watch(isDownNow: boolean): Promise<void> {
    let isDown = isDownNow;
    let failures = 0;
    while (!this.isStopping()) {
      if (!isDown) await this.untilDown();
      if (this.isStopping()) return;
      const startedAt = Date.now();
      await this.lookAfter();
      isDown = this.options.mode === 'start';
      failures = Date.now() - startedAt > SETTLED_MS ? 0 : failures + 1;
      if (isDown) await this.wait(Math.min(RESTART_PAUSE_MS_MAX, RESTART_PAUSE_MS * 2 ** failures));
    }
  }

  async restart(why: string): Promise<void> {
    const { mode, log } = this.options;
    if (mode === 'leave' || this.isStopping()) {
      log.warn({ why }, 'glusterd hangs and should be started once more (BRICKYARD_GLUSTERD=leave keeps it from that)');
      return;
    }
    try {
      const pid = this.child?.pid ?? (await this.runningPid());
      log.warn({ pid, why }, 'glusterd hangs and is started once more');
      await mustRun(this.options.run, ['kill', '-KILL', String(pid)], KILL_TIMEOUT_MS, 'glusterd cannot be ended');
    } catch (error) {
      log.error({ err: error, why }, `glusterd hangs and was not ended: ${describeError(error)}`);
    }
  }

  /** Of a daemon that was started elsewhere; a process of another name is left alone. */
  private async runningPid(): Promise<number> {
    const { run, pidFile } = this.options;
    const read = (path: string): Promise<string> =>
      mustRun(run, ['cat', path], KILL_TIMEOUT_MS, `${path} is not there`);
    const pid = Number((await read(pidFile)).trim());
    if (!Number.isSafeInteger(pid) || pid <= 1) throw new Error(`${pidFile} holds no process id`);
    const program = (await read(`/proc/${String(pid)}/comm`)).trim();
    if (program !== PROGRAM) throw new Error(`process ${String(pid)} of ${pidFile} is ${program}, not ${PROGRAM}`);
    return pid;
  }

  private isStopping(): boolean {
    return this.stopping.signal.aborted;
  }

  private async untilDown(): Promise<void> {
    for (let missed = 0; missed < DOWN_AFTER_LOOKS && !this.isStopping();) {
      await this.wait(LOOK_MS);
      missed = (await isListening(this.options.socket)) ? 0 : missed + 1;
    }
  }

  private async lookAfter(): Promise<void> {
    try {
      await quarantineBroken(this.options);
      if (this.options.mode === 'start') await this.runOnce();
    } catch (error) {
      this.options.log.error({ err: error }, `glusterd cannot be looked after: ${describeError(error)}`);
    }
  }

  private async wait(ms: number): Promise<void> {
    await pause(ms, undefined, { signal: this.stopping.signal }).catch(() => undefined); // Stopping ends the pause.
  }

  private async runOnce(): Promise<void> {
    const [program = '', ...args] = this.options.argv ?? [PROGRAM, '-N'];
    const child = spawn(program, args, { stdio: 'ignore', detached: true, cwd: '/' });
    this.child = child;
    try {
      const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
      if (this.isStopping()) return;
      this.options.log.warn({ code, signal }, 'glusterd has ended; it is started again');
    } finally {
      this.child = undefined;
    }
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    const { child } = this;
    child?.kill('SIGTERM');
    const timer = setTimeout(() => child?.kill('SIGKILL'), STOP_PATIENCE_MS);
    await this.running;
    clearTimeout(timer);
  }
}

/**
 * A crash in the middle of `volume create` can leave a volume whose `info` is empty, and glusterd then refuses to start.
 * Such a volume is moved away, never deleted: its peers give it back if it exists.
 */
export async function quarantineBroken({
  stateDirectory,
  log,
}: Pick<GlusterdOptions, 'stateDirectory' | 'log'>): Promise<readonly string[]> {
  const volumes = join(stateDirectory, 'vols');
  const quarantine = join(stateDirectory, 'brickyard-quarantine');
  const moved: string[] = [];
  for (const name of (await readdir(volumes).catch(unless('ENOENT'))) ?? []) {
    const info = await stat(join(volumes, name, 'info')).catch(unless('ENOENT', 'ENOTDIR'));
    if (info !== undefined && info.size > 0) continue;
    await mkdir(quarantine, { recursive: true, mode: 0o700 });
    const place = join(quarantine, `${name}.${String(Date.now())}`);
    await rename(join(volumes, name), place);
    log.warn({ volume: name, place }, 'a half-written volume keeps glusterd from starting and was moved away');
    moved.push(name);
  }
  return moved;
}
