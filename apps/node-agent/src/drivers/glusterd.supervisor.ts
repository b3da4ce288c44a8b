/** Keeps this host's glusterd running, where nobody else does: in a container, or on a host without systemd. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describeError, type Logger } from '@brickyard/service-host';
import { unless } from './step-failure';

const READY_TIMEOUT_MS = 120_000;
const LOOK_MS = 200;
const RESTART_PAUSE_MS = 1_000;
const RESTART_PAUSE_MS_MAX = 30_000;
/** A daemon that lived this long started well: its next death is a new story. */
const SETTLED_MS = 60_000;
const STOP_PATIENCE_MS = 10_000;

/** What the supervisor runs and repairs. */
export interface GlusterdOptions {
  /** The daemon in the foreground: `glusterd -N`. */
  readonly argv: readonly string[];
  /** glusterd's own memory; `/var/lib/glusterd` on Debian. */
  readonly stateDirectory: string;
  /** Where volumes go that keep glusterd from starting. */
  readonly quarantine: string;
  readonly log: Logger;
  health(): Promise<'running' | 'stopped'>;
}

/** A supervised glusterd. */
export interface GlusterdSupervisor {
  /** Starts it unless one runs already (then it is left to whoever started it), and resolves when it answers. */
  start(): Promise<void>;
  /** Ends the one that was started here; its brick processes go on. */
  stop(): Promise<void>;
}

/** Supervises glusterd; bricks must be mounted before `start`. */
export function superviseGlusterd(options: GlusterdOptions): GlusterdSupervisor {
  const supervisor = new Supervisor(options);
  return { start: () => supervisor.start(), stop: () => supervisor.stop() };
}

class Supervisor {
  private child: ChildProcess | undefined;
  private stopping = new AbortController();

  constructor(private readonly options: GlusterdOptions) {}

  async start(): Promise<void> {
    if ((await this.options.health()) === 'running') {
      this.options.log.info('glusterd runs already; it is left to whoever started it');
      return;
    }
    this.stopping = new AbortController();
    void this.keepRunning(this.stopping.signal);
    const deadline = Date.now() + READY_TIMEOUT_MS;
    while ((await this.options.health()) !== 'running') {
      if (Date.now() > deadline || this.stopping.signal.aborted)
        throw new Error('glusterd does not start; see its log');
      await pause(LOOK_MS);
    }
  }

  private async keepRunning(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; failures += 1) {
      const startedAt = Date.now();
      try {
        await quarantineBroken(this.options);
        await this.runOnce();
      } catch (error) {
        this.options.log.error({ err: error }, `glusterd cannot be started: ${describeError(error)}`);
      }
      if (Date.now() - startedAt > SETTLED_MS) failures = 0;
      const longest = Math.min(RESTART_PAUSE_MS_MAX, RESTART_PAUSE_MS * 2 ** failures);
      await pause(longest, undefined, { signal }).catch(() => undefined); // Aborted: the loop ends.
    }
  }

  private async runOnce(): Promise<void> {
    const [program = '', ...args] = this.options.argv;
    const child = spawn(program, args, { stdio: 'ignore', detached: true, cwd: '/' });
    this.child = child;
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    this.child = undefined;
    if (!this.stopping.signal.aborted)
      this.options.log.warn({ code, signal }, 'glusterd has ended; it is started again');
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    const { child } = this;
    if (child === undefined) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_PATIENCE_MS);
    await ended.finally(() => {
      clearTimeout(timer);
    });
  }
}

/**
 * A crash in the middle of `volume create` can leave a volume whose `info` is empty, and glusterd then refuses to start.
 * Such a volume is moved away, never deleted: its peers give it back if it exists.
 */
export async function quarantineBroken(
  options: Pick<GlusterdOptions, 'stateDirectory' | 'quarantine' | 'log'>,
): Promise<readonly string[]> {
  const volumes = join(options.stateDirectory, 'vols');
  const moved: string[] = [];
  for (const name of (await readdir(volumes).catch(unless('ENOENT'))) ?? []) {
    const info = await stat(join(volumes, name, 'info')).catch(unless('ENOENT', 'ENOTDIR'));
    if (info !== undefined && info.size > 0) continue;
    await mkdir(options.quarantine, { recursive: true, mode: 0o700 });
    const place = join(options.quarantine, `${name}.${String(Date.now())}`);
    await rename(join(volumes, name), place);
    options.log.warn({ volume: name, place }, 'a half-written volume kept glusterd from starting and was moved away');
    moved.push(name);
  }
  return moved;
}
