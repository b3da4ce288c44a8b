/** A Docker engine of our own: its socket, data and networks are in one folder and end with it. */
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { dyingWithParent } from '@brickyard/servers';
import { eventually } from '@brickyard/stack';
import { run, startDaemon } from './program';

const READY_MS = 60_000;
const STOP_MS = 60_000;

/** A running engine. */
export interface DockerEngine {
  /** Variables by which clients find it. */
  readonly env: NodeJS.ProcessEnv;
  docker(args: readonly string[], input?: string): Promise<string>;
  /** Ends it with all its containers and deletes its data; names what is left. */
  end(): Promise<readonly string[]>;
}

/** Starts one in a folder of its own. It leaves the machine's packet filter alone. */
export async function startEngine(folder: string): Promise<DockerEngine> {
  const at = (name: string): string => join(folder, name);
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
    async end() {
      const ended = daemon.exitCode === null ? once(daemon, 'exit') : undefined;
      daemon.kill('SIGTERM');
      const force = setTimeout(() => daemon.kill('SIGKILL'), STOP_MS);
      await ended;
      clearTimeout(force);
      await detachLoops(folder);
      await unmountAll(folder);
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
      return leftOf(folder);
    },
  };
}

/** A host that was killed and never came back has left its loop devices attached. */
async function detachLoops(folder: string): Promise<void> {
  for (const { device, file } of loopsBelow(folder)) if (file !== '') await run(['losetup', '--detach', device]);
}

function loopsBelow(folder: string): { device: string; file: string }[] {
  return readdirSync('/sys/block')
    .filter((name) => name.startsWith('loop'))
    .map((name) => ({ device: `/dev/${name}`, path: `/sys/block/${name}/loop/backing_file` }))
    .filter(({ path }) => existsSync(path))
    .map(({ device, path }) => ({ device, file: readFileSync(path, 'utf8').trim() }))
    .filter(({ file }) => file.includes(folder));
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
  const loops = loopsBelow(folder).map(({ device, file }) => `${device}: ${file}`);
  return [...processes, ...loops, ...mountsBelow(folder).map((target) => `mount ${target}`)];
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return ''; // Ended meanwhile.
  }
}
