/** The compiled registry as a process of its own, over servers of its own: whatever it needs can be taken away. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ensureDatabase, type NatsServer, type PostgresServer, startNats, startPostgres } from '@brickyard/servers';

const APP = join(__dirname, '../..');

/** A process that listens. */
export interface RegistryProcess {
  readonly url: string;
  readonly child: ChildProcess;
  readonly pid: number;
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>;
}

/** Servers and folder of one registry. */
export class RegistryPlace {
  readonly #children = new Set<ChildProcess>();

  private constructor(
    readonly folder: string,
    public postgres: PostgresServer,
    public nats: NatsServer,
    private readonly pgUrl: string,
  ) {}

  static async make(): Promise<RegistryPlace> {
    const folder = mkdtempSync(join(tmpdir(), 'brickyard-registry-'));
    await chmod(folder, 0o711); // Postgres runs as a user of its own.
    const postgres = await startPostgres({ dataDir: join(folder, 'postgres') });
    const nats = await startNats({ storeDir: join(folder, 'nats') });
    return new RegistryPlace(folder, postgres, nats, await ensureDatabase(postgres, 'registry'));
  }

  async revivePostgres(): Promise<void> {
    const { port } = this.postgres;
    this.postgres = await startPostgres({ dataDir: join(this.folder, 'postgres'), port });
  }

  async reviveNats(): Promise<void> {
    const { port } = this.nats;
    this.nats = await startNats({ storeDir: join(this.folder, 'nats'), port });
  }

  /** Starts the process; resolves when it is ready to push to. */
  async start(env: Record<string, string> = {}): Promise<RegistryProcess> {
    const child = spawn(process.execPath, [join(APP, 'dist/main.js')], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        PATH: process.env['PATH'],
        BRICKYARD_PG_URL: this.pgUrl,
        BRICKYARD_NATS_URL: this.nats.url,
        BRICKYARD_REGISTRY_HOST: '127.0.0.1',
        BRICKYARD_REGISTRY_PORT: '0',
        BRICKYARD_REGISTRY_DELETE: '1',
        BRICKYARD_REGISTRY_STATE: join(this.folder, 'state.json'),
        BRICKYARD_REGISTRY_FOLDER: join(this.folder, 'bytes'),
        ...env,
      },
    });
    this.#children.add(child);
    const ended = once(child, 'exit').then(([code]) => code as number | null);
    const url = await listening(child);
    if (url.startsWith('http:')) {
      while (!(await fetch(`${url}/health/ready`)).ok) await new Promise((done) => setTimeout(done, 20));
    }
    return { url, child, pid: child.pid ?? 0, ended };
  }

  async end(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    await this.nats.stop();
    await this.postgres.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The address that the process tells; what it writes afterwards is thrown away. */
function listening({ stdout }: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    if (stdout === null) throw new Error('no output');
    const lines = createInterface(stdout);
    lines.on('line', (line) => {
      const { msg, url } = JSON.parse(line) as { msg: string; url?: string };
      if (msg === 'listening' && url !== undefined) resolve(url);
    });
    lines.once('close', () => {
      reject(new Error('it ended without listening'));
    });
  });
}
