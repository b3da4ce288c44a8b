import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { findPostgres, notInstalled, type PostgresBinaries } from './binaries';
import { freePort } from './free-port';
import { childrenOf, endLeftovers, killQuietly } from './leftovers';
import { type ServerProcess, startServerProcess, untilReady } from './server-process';

const SUPERUSER = 'brickyard';
/** Crash recovery of a big log may take long; an ordinary start takes a quarter of a second. */
const READY_TIMEOUT_MS = 120_000;
const STOP_PATIENCE_MS = 15_000;
const INITDB_TIMEOUT_MS = 120_000;
const PORT_ATTEMPTS_MAX = 5;

const run = promisify(execFile);

/** Where a private Postgres keeps its things and how it listens. */
export interface PostgresOptions {
  /** Folder of this server alone: data, password (mode 0600) and log; made on first use, found again on the next start. */
  readonly dataDir: string;
  /** TCP port on 127.0.0.1; 0 or absent means a free one. */
  readonly port?: number;
  /** Folder for a unix socket as well; absent means TCP only. */
  readonly socketDir?: string;
  /** File for the server's output; absent means `server.log` in the data folder. */
  readonly log?: string;
  /** More server settings, name to value, such as `max_connections`. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A private Postgres that ends with this process. */
export interface PostgresServer {
  readonly port: number;
  readonly pid: number;
  /** Resolves when the postmaster has ended, however that came. */
  readonly ended: Promise<void>;
  /** Connection URL with password; default database `postgres`, default user the superuser. */
  url(database?: string, user?: string): string;
  /** Fast shutdown: sessions are ended, everything is on disk. */
  stop(): Promise<void>;
  /** SIGKILL to the postmaster and all its children, as a crash would be. */
  kill(): void;
}

interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** Starts a private Postgres (fsync on, scram, 127.0.0.1 only) on its data folder, ending a leftover of an earlier run first. */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const identity = await unprivilegedIdentity();
  const dataDir = prepareFolder(options.dataDir, identity);
  const pgdata = join(dataDir, 'pgdata');
  await endLeftovers(({ program, cwd }) => program === 'postgres' && cwd === pgdata);
  const binaries = chooseBinaries(pgdata);
  const password = await initialize(binaries, dataDir, identity);
  rmSync(join(pgdata, 'postmaster.pid'), { force: true }); // Its process has ended; another may have its number now.
  const { server, port } = await startOnPort(options, { dataDir, pgdata, password, identity, binaries });
  return {
    port,
    pid: server.pid,
    ended: server.ended,
    url: (database = 'postgres', user = SUPERUSER) => urlOf({ user, password, port, database }),
    stop: () => server.end(['SIGINT', 'SIGQUIT', 'SIGKILL'], STOP_PATIENCE_MS),
    kill: () => {
      // Each child leads a session of its own, so the postmaster's process group is the postmaster alone.
      [server.pid, ...childrenOf(server.pid)].forEach(killQuietly);
    },
  };
}

interface Prepared {
  readonly dataDir: string;
  readonly pgdata: string;
  readonly password: string;
  readonly identity: Identity | undefined;
  readonly binaries: PostgresBinaries;
}

/** A port found free may be taken before Postgres listens on it; then another one is tried. */
async function startOnPort(
  options: PostgresOptions,
  prepared: Prepared,
): Promise<{ server: ServerProcess; port: number }> {
  const wanted = options.port ?? 0;
  for (let attempt = 1; ; attempt += 1) {
    const port = wanted === 0 ? await freePort() : wanted;
    try {
      return { server: await startOnce(options, prepared, port), port };
    } catch (error) {
      const isTaken = String(error).includes('Address already in use');
      if (wanted !== 0 || !isTaken || attempt === PORT_ATTEMPTS_MAX) throw error;
    }
  }
}

async function startOnce(options: PostgresOptions, prepared: Prepared, port: number): Promise<ServerProcess> {
  const { dataDir, pgdata, password, identity, binaries } = prepared;
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: options.socketDir ?? '',
    fsync: 'on',
    password_encryption: 'scram-sha-256',
    ...options.settings,
  };
  const server = await startServerProcess({
    program: binaries.postgres,
    args: [
      '-D',
      pgdata,
      '-p',
      String(port),
      ...Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]),
    ],
    logFile: options.log ?? join(dataDir, 'server.log'),
    deathSignal: 'INT',
    user: identity,
  });
  try {
    await untilReady(server, 'Postgres', READY_TIMEOUT_MS, () =>
      canConnect(urlOf({ user: SUPERUSER, password, port, database: 'postgres' })),
    );
  } catch (error) {
    await server.end(['SIGKILL'], STOP_PATIENCE_MS);
    throw error;
  }
  return server;
}

/** Makes the data folder on first use; an interrupted first use leaves only a folder that the next one throws away. */
async function initialize(
  binaries: PostgresBinaries,
  dataDir: string,
  identity: Identity | undefined,
): Promise<string> {
  const pgdata = join(dataDir, 'pgdata');
  const passwordFile = join(dataDir, 'password');
  if (!existsSync(pgdata)) {
    const unfinished = join(dataDir, 'pgdata.unfinished');
    rmSync(unfinished, { recursive: true, force: true });
    writeFileSync(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600 });
    if (identity !== undefined) chownSync(passwordFile, identity.uid, identity.gid);
    const args = ['-D', unfinished, '-U', SUPERUSER, '--auth=scram-sha-256', `--pwfile=${passwordFile}`];
    const more = ['--encoding=UTF8', '--locale=C', '--no-instructions'];
    await run(binaries.initdb, [...args, ...more], { ...identity, cwd: '/', timeout: INITDB_TIMEOUT_MS });
    renameSync(unfinished, pgdata);
  }
  return readFileSync(passwordFile, 'utf8').trim();
}

/** The newest Postgres, or the one the data folder was made with. */
function chooseBinaries(pgdata: string): PostgresBinaries {
  const installed = findPostgres();
  const versionFile = join(pgdata, 'PG_VERSION');
  const wanted = existsSync(versionFile) ? readFileSync(versionFile, 'utf8').trim() : undefined;
  const [newest] = installed;
  if (newest === undefined) throw notInstalled('Postgres', 'postgresql');
  if (wanted === undefined) return newest;
  const same = installed.find(({ folder }) => folder.includes(`/${wanted}/`));
  // Outside Debian's layout the version is not in the path; Postgres itself refuses a wrong one and says so.
  const unversioned = installed.find(({ folder }) => !/\/postgresql\/\d+\//.test(folder));
  const chosen = same ?? unversioned;
  if (chosen === undefined) throw notInstalled(`Postgres ${wanted}, which made ${pgdata},`, `postgresql-${wanted}`);
  return chosen;
}

/** Postgres refuses to run as root, so root lends it the identity of Debian's user `postgres`. */
async function unprivilegedIdentity(): Promise<Identity | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  try {
    const [uid, gid] = await Promise.all(
      ['-u', '-g'].map(async (flag) => (await run('id', [flag, 'postgres'])).stdout),
    );
    return { uid: Number(uid), gid: Number(gid) };
  } catch (cause) {
    throw new Error('Postgres does not run as root and there is no user `postgres`. Type: useradd --system postgres', {
      cause,
    });
  }
}

/** Returns the real path: leftovers are known by the folder they work in, and the kernel shows that without links. */
function prepareFolder(folderName: string, identity: Identity | undefined): string {
  mkdirSync(folderName, { recursive: true });
  const dataDir = realpathSync(folderName);
  if (identity === undefined) return dataDir;
  for (let folder = dirname(dataDir); ; folder = dirname(folder)) {
    if (!canEnter(folder, identity)) {
      throw new Error(
        `user \`postgres\` may not enter ${folder}, so ${dataDir} cannot hold its data. Type: chmod o+x ${folder}`,
      );
    }
    if (folder === dirname(folder)) break;
  }
  chownSync(dataDir, identity.uid, identity.gid);
  return dataDir;
}

function canEnter(folder: string, { uid, gid }: Identity): boolean {
  const { mode, uid: owner, gid: group } = statSync(folder);
  if (owner === uid) return (mode & 0o100) !== 0;
  return group === gid ? (mode & 0o010) !== 0 : (mode & 0o001) !== 0;
}

function urlOf(parts: { user: string; password: string; port: number; database: string }): string {
  const credentials = `${encodeURIComponent(parts.user)}:${encodeURIComponent(parts.password)}`;
  return `postgresql://${credentials}@127.0.0.1:${String(parts.port)}/${encodeURIComponent(parts.database)}`;
}

async function canConnect(connectionString: string): Promise<void> {
  const client = new Client({ connectionString, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined); // The failure of this attempt is what connect or query rejects with.
  try {
    await client.connect();
    await client.query('SELECT 1');
  } finally {
    await client.end();
  }
}
