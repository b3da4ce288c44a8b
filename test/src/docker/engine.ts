/** A Docker engine of our own: its socket, data and networks are in one folder and end with it. */
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { dyingWithParent } from '@brickyard/servers';
import { eventually } from '@brickyard/stack';
import { z } from 'zod';
import { run, startDaemon } from './program';

const READY_MS = 60_000;
const STOP_MS = 60_000;

/** A running engine. */
export interface DockerEngine {
  /** Variables by which clients find it. */
  readonly env: NodeJS.ProcessEnv;
  docker(args: readonly string[], input?: string): Promise<string>;
  /** Remembers the images of bricks that are there now, so that loop devices that outlive them are known. */
  noteBricks(): void;
  /** Ends it with all its containers and deletes its data; names what is left. */
  end(): Promise<readonly string[]>;
}

/** Starts one in a folder of its own. It leaves the machine's packet filter alone. */
export async function startEngine(folder: string): Promise<DockerEngine> {
  const at = (name: string): string => join(folder, name);
  await removeAbandonedBridges();
  const bricks = new Set<string>();
  const noteBricks = (): void => {
    for (const id of imagesBelow(folder)) bricks.add(id);
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
  return {
    env,
    docker,
    noteBricks,
    async end() {
      const ended = daemon.exitCode === null ? once(daemon, 'exit') : undefined;
      daemon.kill('SIGTERM');
      const force = setTimeout(() => daemon.kill('SIGKILL'), STOP_MS);
      await ended;
      clearTimeout(force);
      noteBricks();
      const attached = (await loops()).filter(({ id }) => bricks.has(id));
      for (const { device } of attached) await run(['losetup', '--detach', device]);
      await unmountAll(folder);
      const left = leftOf(folder);
      for (const name of bridgesOf(process.pid)) await run(['ip', 'link', 'delete', name]);
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
      return [...attached.map(({ device, file }) => `${device}: ${file}`), ...left];
    },
  };
}

/** A loop device, and the file it shows; the kernel names a file of another mount namespace by a path that is not ours. */
interface Loop {
  readonly device: string;
  readonly file: string;
  /** Device and inode, by which the file is known everywhere. */
  readonly id: string;
}

const LoopList = z.object({
  loopdevices: z.array(
    z.object({
      name: z.string(),
      'back-file': z.string().nullable(),
      'back-maj:min': z.string(),
      'back-ino': z.union([z.string(), z.number()]),
    }),
  ),
});

async function loops(): Promise<readonly Loop[]> {
  const columns = ['--output', 'NAME,BACK-MAJ:MIN,BACK-INO,BACK-FILE'];
  const told = await run(['losetup', '--list', '--json', ...columns]);
  // Without any device it says nothing at all.
  const { loopdevices } = LoopList.parse(told.trim() === '' ? { loopdevices: [] } : JSON.parse(told));
  return loopdevices.map((one) => ({
    device: one.name,
    file: one['back-file'] ?? '',
    id: `${one['back-maj:min'].trim()}:${String(one['back-ino'])}`,
  }));
}

/** The images of bricks that lie below the folder, as loop devices name them. */
function imagesBelow(folder: string): ReadonlySet<string> {
  const volumes = join(folder, 'data/volumes');
  if (!existsSync(volumes)) return new Set();
  const images = readdirSync(volumes, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.img'));
  return new Set(
    images.map((name) => {
      const { dev, ino } = statSync(join(volumes, name), { bigint: true });
      const [major, minor] = [(dev >> 8n) & 0xfffn, (dev & 0xffn) | ((dev >> 12n) & 0xfff00n)];
      return `${String(major)}:${String(minor)}:${String(ino)}`;
    }),
  );
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
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && commandLine(name).includes(folder))
    .map((pid) => `process ${pid}: ${commandLine(pid)}`);
  const bridges = bridgesOf(process.pid).map((name) => `bridge ${name}`);
  return [...processes, ...bridges, ...mountsBelow(folder).map((target) => `mount ${target}`)];
}

const BRIDGE = /^byc(\d+)-[a-z]$/;

/** The name of one of our bridges; whose it is can be told from it, also when we have been killed. */
export const bridgeName = (letter: string): string => `byc${String(process.pid)}-${letter}`;

function bridgesOf(pid: number): string[] {
  return readdirSync('/sys/class/net').filter((name) => Number(BRIDGE.exec(name)?.[1]) === pid);
}

/** What runs that were killed have left: networks outlive their engine. */
async function removeAbandonedBridges(): Promise<void> {
  for (const name of readdirSync('/sys/class/net')) {
    const pid = BRIDGE.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) await run(['ip', 'link', 'delete', name]);
  }
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return ''; // Ended meanwhile.
  }
}
