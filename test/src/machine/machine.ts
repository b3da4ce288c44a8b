/**
 * A Debian with systemd as its first process, in namespaces of its own: what an operator's machine is, but for its kernel.
 * It has a network without a way out, its own control groups, and no devices but those that bricks and mounts need.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dyingWithParent } from '@brickyard/servers';
import { eventually } from '@brickyard/stack';
import { bareSystem } from '../docker/base-images';
import { detach, imagesBelow } from '../docker/loops';
import { run } from '../docker/program';

const BOOT_MS = 120_000;
const STOP_MS = 60_000;
/** systemd.c: signals from SIGRTMIN on; the fourth asks for a shutdown. */
const POWER_OFF = 34 + 4;
/** Where Linux shows the one hierarchy of control groups: beside the older ones, or in their place. */
const CONTROL_GROUPS = ['/sys/fs/cgroup/unified', '/sys/fs/cgroup'];

/** The folder that a machine lies in. */
export const MACHINE_PREFIX = 'brickyard-machine-';

/** The hierarchy that systemd in a namespace can have a part of; undefined when there is none. */
export const controlGroups = (): string | undefined =>
  CONTROL_GROUPS.find((path) => existsSync(join(path, 'cgroup.procs')) && existsSync(join(path, 'cgroup.controllers')));

/** From outside into a part of the hierarchy, and from there into everything else. */
const OUTER = `set -e
echo $$ > "$2/cgroup.procs"
exec unshare --mount --uts --ipc --net --pid --cgroup --fork --kill-child -- bash "$3" "$1"
`;
const INNER = `set -e
mount --make-rprivate /
mount --bind "$1" "$1"; cd "$1"
mount -t proc proc proc; mount -t sysfs sysfs sys; mount -t cgroup2 none sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run; mount -t tmpfs tmpfs tmp; mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm; mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts; ln -s pts/ptmx dev/ptmx
for name in null zero full random urandom tty fuse loop-control; do touch "dev/$name"; mount --bind "/dev/$name" "dev/$name"; done
for ((n = 0; n < 256; n++)); do mknod --mode 660 "dev/loop$n" b 7 "$n"; done
ln -s /proc/self/fd dev/fd
hostname "$(cat etc/hostname)"; ip link set lo up
mkdir -p outside; pivot_root . outside; cd /; umount --lazy /outside
# As on any machine that systemd has started: it gives services their credentials by mounts that spread.
mount --make-rshared /
exec env --ignore-environment container=namespaces PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd
`;

/** A machine that runs. */
export interface Machine {
  /** Its file system, from outside. */
  readonly root: string;
  /** What an operator would type, as bash reads it from a terminal; gives what it prints. */
  run(script: string, timeoutMs?: number): Promise<string>;
  /** Switches it off and deletes it; names what is left of it here. */
  end(): Promise<readonly string[]>;
}

/** Where the file system of one lies. */
export const machineIn = (folder: string): string => join(folder, 'root');

/** Makes the file system of one, with these packages and this Node, without starting anything. */
export async function installMachine(folder: string, packages: readonly string[]): Promise<string> {
  const root = machineIn(folder);
  mkdirSync(root);
  await run(['tar', '--extract', '--file', await bareSystem(), '--directory', root]);
  chmodSync(root, 0o755); // Users of services must get through it.
  writeFileSync(join(root, 'usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  writeFileSync(join(root, 'etc/hostname'), 'host1\n');
  await run(['cp', process.execPath, join(root, 'usr/bin/node')]);
  await run(['cp', '/etc/resolv.conf', join(root, 'etc/resolv.conf')]);
  await run(['chroot', root, 'apt-get', 'install', '-q', '--yes', '--no-install-recommends', ...packages], {
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', DEBIAN_FRONTEND: 'noninteractive' },
    timeoutMs: 600_000,
  });
  rmSync(join(root, 'usr/sbin/policy-rc.d'));
  return root;
}

/** Boots it, until everything that is enabled has been started. */
export async function bootMachine(root: string): Promise<Machine> {
  const groups = controlGroups();
  if (groups === undefined)
    throw new Error('there is no hierarchy of control groups that systemd could have a part of');
  const group = join(groups, `${MACHINE_PREFIX}${String(process.pid)}`);
  mkdirSync(group);
  const [outside, inside] = [`${root}.outside`, `${root}.inside`];
  writeFileSync(outside, OUTER);
  writeFileSync(inside, INNER);
  const [program, ...args] = dyingWithParent('KILL', ['bash', outside, root, group, inside]);
  const outer = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'], detached: true });
  const first = (): string => firstOf(outer) ?? '';
  const enter = (script: string, timeoutMs?: number): Promise<string> =>
    run(['nsenter', '--all', '--target', first(), 'bash', '-euo', 'pipefail'], {
      input: script,
      env: { PATH: '/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', LANG: 'C.UTF-8' },
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
  await eventually('the machine does not come up', BOOT_MS, async () => {
    if (outer.exitCode !== null) throw new Error(`it ended with ${String(outer.exitCode)}`);
    // Where one of Debian's own units failed, the machine is up nevertheless.
    const state = (await enter('systemctl is-system-running || true')).trim();
    if (state !== 'running' && state !== 'degraded') throw new Error(state);
  });
  return {
    root,
    run: enter,
    async end() {
      const ended = outer.exitCode === null && outer.signalCode === null ? once(outer, 'exit') : undefined;
      process.kill(Number(first()), POWER_OFF);
      const force = setTimeout(() => outer.kill('SIGKILL'), STOP_MS);
      await ended;
      clearTimeout(force);
      const left = await detach(imagesBelow(join(root, 'var/lib')));
      removeGroup(group);
      rmSync(root, { recursive: true, force: true, maxRetries: 5 });
      return left;
    },
  };
}

/** Removes what runs that were killed have left, those below this folder: their processes have ended with them. */
export async function removeDeadMachines(below: string): Promise<void> {
  for (const name of readdirSync(below).filter((one) => one.startsWith(MACHINE_PREFIX))) {
    await detach(imagesBelow(join(below, name, 'root/var/lib')));
  }
  const groups = controlGroups();
  if (groups === undefined) return;
  const dead = readdirSync(groups).filter((name) => {
    const pid = name.startsWith(MACHINE_PREFIX) ? name.slice(MACHINE_PREFIX.length) : undefined;
    return pid !== undefined && !existsSync(`/proc/${pid}`);
  });
  for (const name of dead) removeGroup(join(groups, name));
}

/** systemd: the child of unshare, which takes the place of the shell. */
function firstOf({ pid }: ChildProcess): string | undefined {
  const children = `/proc/${String(pid)}/task/${String(pid)}/children`;
  return existsSync(children) ? readFileSync(children, 'utf8').trim().split(' ')[0] : undefined;
}

function removeGroup(group: string): void {
  const below = readdirSync(group, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const { name } of below) removeGroup(join(group, name));
  rmdirSync(group);
}
