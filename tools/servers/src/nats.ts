import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { findProgram, notInstalled } from './binaries';
import { endLeftovers, killQuietly } from './leftovers';
import { type ServerProcess, startServerProcess, untilReady } from './server-process';

const LOOPBACK = '127.0.0.1';
const READY_TIMEOUT_MS = 30_000;
const STOP_PATIENCE_MS = 10_000;
const GREETING_TIMEOUT_MS = 2_000;

/** Where a private nats-server keeps its streams and how it listens. */
export interface NatsOptions {
  /** Folder of this server alone: JetStream data, configuration and log; made on first use. */
  readonly storeDir: string;
  /** Address to listen on; 127.0.0.1 when absent. Anything else needs accounts in `config`. */
  readonly host?: string;
  /** TCP port of that address; 0 or absent means a free one. */
  readonly port?: number;
  /** Text of a nats-server configuration (accounts, limits); address, port and store folder are set by the arguments, the latter unless it is here. */
  readonly config?: string;
  /** File for the server's output; absent means `server.log` in the store folder. */
  readonly log?: string;
}

/** A private nats-server with JetStream that ends with this process. */
export interface NatsServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Resolves when the process has ended, however that came. */
  readonly ended: Promise<void>;
  /** Orderly shutdown. */
  stop(): Promise<void>;
  /** SIGKILL, as a crash would be. */
  kill(): void;
}

/** Starts a private nats-server with JetStream, ending a leftover of an earlier run on the same folder first. */
export async function startNats(options: NatsOptions): Promise<NatsServer> {
  const program = findProgram('nats-server');
  if (program === undefined) throw notInstalled('nats-server', 'nats-server');
  const storeDir = resolve(options.storeDir);
  mkdirSync(storeDir, { recursive: true, mode: 0o700 });
  await endLeftovers((facts) => facts.program === 'nats-server' && facts.argv.includes(storeDir));
  portsFiles(storeDir).forEach((file) => {
    rmSync(file);
  });
  const server = await startServerProcess({
    program,
    args: argumentsOf(options, storeDir),
    logFile: options.log ?? join(storeDir, 'server.log'),
    deathSignal: 'TERM',
  });
  const host = options.host ?? LOOPBACK;
  const port = await readyPort(server, host, storeDir);
  return {
    url: `nats://${host}:${String(port)}`,
    port,
    pid: server.pid,
    ended: server.ended,
    stop: () => server.end(['SIGTERM', 'SIGKILL'], STOP_PATIENCE_MS),
    kill: () => {
      killQuietly(server.pid);
    },
  };
}

function argumentsOf(options: NatsOptions, storeDir: string): readonly string[] {
  const port = options.port === undefined || options.port === 0 ? -1 : options.port;
  const listen = ['-a', options.host ?? LOOPBACK, '-p', String(port), '--ports_file_dir', storeDir];
  // nats-server wants to hear of its store once.
  const store = options.config?.includes('store_dir') === true ? [] : ['-js', '-sd', storeDir];
  if (options.config === undefined) return [...listen, ...store];
  const configFile = join(storeDir, 'server.conf');
  writeFileSync(configFile, options.config, { mode: 0o600 });
  return ['-c', configFile, ...listen, ...store];
}

async function readyPort(server: ServerProcess, host: string, storeDir: string): Promise<number> {
  try {
    return await untilReady(server, 'nats-server', READY_TIMEOUT_MS, async () => {
      const port = portFrom(storeDir);
      await greetedBy(host, port);
      return port;
    });
  } catch (error) {
    await server.end(['SIGKILL'], STOP_PATIENCE_MS);
    throw error;
  }
}

/** The server writes where it really listens once all listeners are open. */
function portFrom(storeDir: string): number {
  const [file] = portsFiles(storeDir);
  if (file === undefined) throw new Error('the ports file is not there yet');
  const ports = JSON.parse(readFileSync(file, 'utf8')) as { nats?: readonly string[] };
  const [url] = ports.nats ?? [];
  if (url === undefined) throw new Error('the ports file names no client port yet');
  return Number(new URL(url).port);
}

/** The server speaks first, before any login, so this needs no account. */
function greetedBy(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: GREETING_TIMEOUT_MS });
    socket.once('error', reject);
    socket.once('timeout', () => socket.destroy(new Error('no greeting')));
    socket.once('data', (chunk) => {
      socket.destroy();
      if (chunk.toString('latin1').startsWith('INFO ')) resolve();
      else reject(new Error(`${host}:${String(port)} is not a nats-server`));
    });
  });
}

function portsFiles(storeDir: string): readonly string[] {
  return readdirSync(storeDir)
    .filter((name) => name.endsWith('.ports'))
    .map((name) => join(storeDir, name));
}
