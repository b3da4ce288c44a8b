/** A Docker engine of our own: its socket, data and networks are in one folder and end with it. */
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { dyingWithParent } from '@brickyard/servers';
import { eventually } from '@brickyard/stack';
import { detach, imagesBelow } from './loops';
import { run, startDaemon } from './program';

const READY_MS = 60_000;
const STOP_MS = 60_000;
const CONTROL_GROUPS = '/sys/fs/cgroup';

/** A running engine. */
export interface DockerEngine {
  /** Where its socket and data are. */
  readonly folder: string;
  /** Variables by which clients find it. */
  readonly env: NodeJS.ProcessEnv;
  docker(args: readonly string[], input?: string): Promise<string>;
  /** Remembers the images of bricks that are there now, so that loop devices that outlive them are known. */
  noteBricks(): void;
  /** Ends it with all its containers; its images are there again for the next one that is started in its folder. */
  stop(): Promise<void>;
  /** Ends it with all its containers and deletes its data; names what is left. */
  end(): Promise<readonly string[]>;
}

/** Starts one in a folder of its own. It leaves the machine's packet filter alone. */
export async function startEngine(folder: string): Promise<DockerEngine> {
  const at = (name: string): string => join(folder, name);
  await removeBridges(abandonedBridges());
  const bricks = new Set<string>();
  const noteBricks = (): void => {
    for (const id of imagesBelow(join(folder, 'data/volumes'))) bricks.add(id);
  };
  mkdirSync(folder, { recursive: true, mode: 0o711 });
  writeFileSync(at('daemon.json'), '{}'); // Nothing of what this machine's own engine is told.
  const socket = `unix://${at('docker.sock')}`;
  // Debian's client comes first: it builds with the engine's own BuildKit.
  const env = {
    ...process.env,
    PATH: `/usr/bin:/usr/sbin:/bin:/sbin:${process.env['PATH'] ?? ''}`,
    DOCKER_HOST: socket,
    DOCKER_CONFIG: at('client'),
    DOCKER_BUILDKIT: '1',
    COMPOSE_DOCKER_CLI_BUILD: '1',
    DOCKER_SCAN_SUGGEST: 'false',
  };
  const daemon = startDaemon(
    dyingWithParent('TERM', [
      'dockerd',
      ...['--host', socket, '--data-root', at('data'), '--exec-root', at('exec'), '--pidfile', at('docker.pid')],
      ...['--bridge', 'none', '--iptables=false', '--ip6tables=false', '--ip-masq=false'],
      ...['--default-address-pool', 'base=10.213.0.0/16,size=24', '--config-file', at('daemon.json')],
    ]),
    at('dockerd.log'),
    env,
  );
  const docker = (args: readonly string[], input = ''): Promise<string> => run(['docker', ...args], { env, input });
  await eventually('dockerd does not answer', READY_MS, async () => {
    if (daemon.exitCode !== null) throw new Error(readFileSync(at('dockerd.log'), 'utf8').slice(-4_000));
    await docker(['version']);
  });
  const stop = async (): Promise<void> => {
    const ended = daemon.exitCode === null ? once(daemon, 'exit') : undefined;
    daemon.kill('SIGTERM');
    const force = setTimeout(() => daemon.kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(force);
  };
  return {
    folder,
    env,
    docker,
    noteBricks,
    stop,
    async end() {
      await stop();
      noteBricks();
      return removeEngine(folder, bricks, bridgesOf(process.pid));
    },
  };
}

/** Removes what is left of an engine that has ended, or was killed; names what should not have been there. */
async function removeEngine(
  folder: string,
  bricks: ReadonlySet<string>,
  bridges: readonly string[],
): Promise<readonly string[]> {
  const orphans = await killContainersOf(folder);
  const attached = await detach(bricks);
  await unmountAll(folder);
  const left = [...leftOf(folder), ...bridges.map((name) => `bridge ${name}`)];
  await removeBridges(bridges);
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  return [...orphans, ...attached, ...left];
}

/**
 * Ends the engines that a run which was killed has left below its folder, with their containers. Its own processes must have
 * been told to end.
 */
export async function removeDeadEngines(runDir: string): Promise<readonly string[]> {
  const found = readdirSync(runDir).filter((name) => name.startsWith(ENGINE_PREFIX));
  for (const name of found) {
    const folder = join(runDir, name, 'engine');
    for (const pid of pidsWith(folder)) kill(pid);
    await removeEngine(folder, imagesBelow(join(folder, 'data/volumes')), abandonedBridges());
  }
  return found.map((name) => `the Docker engine ${name}`);
}

/** With what the name of the folder begins that an engine lies in. */
export const ENGINE_PREFIX = 'brickyard-docker-';

/** Kills what runs in containers of an engine that is not there any more; gives what it was. */
async function killContainersOf(folder: string): Promise<readonly string[]> {
  const containers = join(folder, 'data/containers');
  const ids = new Set(existsSync(containers) ? readdirSync(containers) : []);
  const inside = (): string[] => pids().filter((pid) => cgroupsOf(pid).some((path) => ids.has(basename(path))));
  const found = inside().map((pid) => `process ${pid} of a container: ${commandLine(pid)}`);
  if (found.length === 0) return [];
  await eventually('processes of containers do not end', STOP_MS, () => {
    const alive = inside();
    for (const pid of alive) kill(pid);
    return alive.length === 0 ? Promise.resolve() : Promise.reject(new Error(alive.join(' ')));
  });
  // A group is busy until whoever was in it has been buried.
  await eventually('control groups of containers do not go', STOP_MS, () => {
    for (const id of ids) removeGroupsOf(id);
    return Promise.resolve();
  });
  return found;
}

/** Control groups of a container, in each hierarchy; who ended in order has removed them. */
function removeGroupsOf(id: string): void {
  const hierarchies = ['.', ...readdirSync(CONTROL_GROUPS)].map((name) => join(CONTROL_GROUPS, name, 'docker', id));
  for (const group of hierarchies.filter(existsSync)) rmdirSync(group);
}

function kill(pid: string): void {
  try {
    process.kill(Number(pid), 'SIGKILL');
  } catch {
    // Ended meanwhile.
  }
}

const pids = (): string[] => readdirSync('/proc').filter((name) => /^\d+$/.test(name));
const pidsWith = (folder: string): string[] => pids().filter((pid) => commandLine(pid).includes(folder));

function cgroupsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => line.split(':').pop() ?? '');
  } catch {
    return []; // Ended meanwhile.
  }
}

const mountsBelow = (folder: string): string[] =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((target) => target.startsWith(folder));

async function unmountAll(folder: string): Promise<void> {
  for (const target of mountsBelow(folder).reverse()) await run(['umount', '--lazy', target]);
}

function leftOf(folder: string): string[] {
  const processes = pidsWith(folder).map((pid) => `process ${pid}: ${commandLine(pid)}`);
  return [...processes, ...mountsBelow(folder).map((target) => `mount ${target}`)];
}

const BRIDGE = /^byc(\d+)-[a-z]$/;

/** The name of one of our bridges; whose it is can be told from it, also when we have been killed. */
export const bridgeName = (letter: string): string => `byc${String(process.pid)}-${letter}`;

function bridgesOf(pid: number): string[] {
  return readdirSync('/sys/class/net').filter((name) => Number(BRIDGE.exec(name)?.[1]) === pid);
}

/** What runs that were killed have left: networks outlive their engine. */
function abandonedBridges(): string[] {
  return readdirSync('/sys/class/net').filter((name) => {
    const pid = BRIDGE.exec(name)?.[1];
    return pid !== undefined && !existsSync(`/proc/${pid}`);
  });
}

async function removeBridges(names: readonly string[]): Promise<void> {
  for (const name of names) await run(['ip', 'link', 'delete', name]);
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return ''; // Ended meanwhile.
  }
}
