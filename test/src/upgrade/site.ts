/** A machine below a folder: releases are installed there, and what systemd would start from its units is started from them. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { REPOSITORY } from '../repository';

const run = promisify(execFile);
/** For one step, on a machine that does much else. */
const PATIENCE_MS = 60_000;
const PACKING_MS = 200_000;
const TOLD_LINES = 12;

/** What one unit runs, and where its health is asked for. */
export interface Unit {
  readonly app: string;
  readonly healthPort: number;
  /** The release that the process runs from. */
  readonly release: string;
  /** As systemd does: asked to end, waited for, and started from the release that is the current one. */
  restart(): Promise<void>;
  kill(): void;
}

/** The machine. */
export interface Site {
  /** Packs this tree as a release of that name, and unpacks it; gives its folder. */
  pack(version: string): Promise<string>;
  /** Runs the release's own `install`. */
  install(release: string): Promise<void>;
  /** Runs the current release's migration. */
  migrate(ownerUrl: string): Promise<void>;
  /** The installed units. */
  units(): readonly string[];
  start(app: string, env: Readonly<Record<string, string>>): Promise<Unit>;
}

/** A machine below this folder. */
export function siteBelow(folder: string): Site {
  const root = join(folder, 'root');
  return {
    async pack(version) {
      const argv = [join(REPOSITORY, 'tools/package.mjs'), '--out', folder, '--version', version];
      await run(process.execPath, argv, { timeout: PACKING_MS });
      await run('tar', ['-x', '-f', join(folder, `brickyard-${version}.tar.gz`), '-C', folder], {
        timeout: PATIENCE_MS,
      });
      return join(folder, `brickyard-${version}`);
    },
    async install(release) {
      await run(join(release, 'install'), ['--root', root], { timeout: PATIENCE_MS });
    },
    async migrate(ownerUrl) {
      const program = join(root, 'opt/brickyard/current/apps/allocator/dist/migrate.main.js');
      const env = { PATH: process.env['PATH'], BRICKYARD_PG_OWNER_URL: ownerUrl };
      await run(process.execPath, [program], { timeout: PATIENCE_MS, env });
    },
    units() {
      const units = join(root, 'etc/systemd/system');
      return readdirSync(units).map((name) => join(units, name));
    },
    async start(app, env) {
      const unit = new StartedUnit(root, app, env);
      await unit.start();
      return unit;
    },
  };
}

class StartedUnit implements Unit {
  healthPort = 0;
  release = '';
  private child: ChildProcess | undefined;
  /** The last of what it wrote. */
  private told: string[] = [];

  constructor(
    private readonly root: string,
    readonly app: string,
    private readonly env: Readonly<Record<string, string>>,
  ) {}

  /** The program that the unit's file names. */
  private program(): string {
    const file = join(this.root, `etc/systemd/system/brickyard-${this.app}.service`);
    const [, path] =
      /^ExecStart=\/usr\/bin\/node (\/opt\/brickyard\/current\/\S+)$/m.exec(readFileSync(file, 'utf8')) ?? [];
    if (path === undefined) throw new Error(`${file} does not start a program of the current release`);
    return join(this.root, path);
  }

  /** Resolves when the process has said where its health is asked for. */
  async start(): Promise<void> {
    const program = this.program();
    // Node follows the link once, and finds its parts beside the file itself wherever the link leads later.
    [this.release = ''] = relative(realpathSync(join(this.root, 'opt/brickyard')), realpathSync(program)).split('/');
    const child = spawn(process.execPath, [program], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: process.env['PATH'], ...this.env },
    });
    this.child = child;
    this.healthPort = await new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        this.told = [...this.told, line].slice(-TOLD_LINES);
        const { healthPort } = JSON.parse(line) as { readonly healthPort?: number };
        if (healthPort !== undefined) resolve(healthPort);
      });
      child.once('exit', (code) => {
        reject(this.endedWith(code));
      });
    });
  }

  async restart(): Promise<void> {
    const { child, app } = this;
    if (child?.exitCode !== null) throw new Error(`${app} does not run`);
    const ended = once(child, 'exit', { signal: AbortSignal.timeout(PATIENCE_MS) });
    child.kill('SIGTERM');
    const [code] = (await ended) as [number | null];
    if (code !== 0) throw this.endedWith(code);
    await this.start();
  }

  private endedWith(code: number | null): Error {
    return new Error(`${this.app} ended with ${String(code)}:\n${this.told.join('\n')}`);
  }

  kill(): void {
    this.child?.kill('SIGKILL');
  }
}
