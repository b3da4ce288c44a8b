/** A whole Brickyard in this machine: storage hosts in namespaces, each with a disk that only its LVM sees. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostLab, StorageHost } from '@brickyard/hosts';
import type { ApiClient } from '@brickyard/service-host';
import { eventually, type RunningStack, startStack } from '@brickyard/stack';
import { z } from 'zod';
import { say } from '../cases';

/** Empty disks of the machine, one for each host. */
export const DISKS = (process.env['BRICKYARD_TEST_DISKS'] ?? '').split(',');
const DIRECTORY = '/var/lib/brickyard-tests';
const COMMAND_TIMEOUT_MS = 120_000;
const PATIENCE_MS = 180_000;
/** Of each volume, where there are so many hosts; on a single one it has one copy. */
const COPIES = 3;
const LOG_LINES = 8;
const LOG_CHARS = 400;

export const VolumeInfo = z.object({
  id: z.string(),
  name: z.string(),
  size: z.int(),
  bricks: z.array(z.object({ id: z.string(), path: z.string(), device: z.string(), node: z.string() })),
});
export type VolumeInfo = z.infer<typeof VolumeInfo>;
const ClusterList = z.object({ clusters: z.array(z.string()) });
const ClusterInfo = z.object({ nodes: z.array(z.string()) });
const NodeInfo = z.object({
  devices: z.array(z.object({ storage: z.object({ total: z.int(), free: z.int(), used: z.int() }) })),
});

/** The running system and what is looked at. */
export interface Site {
  readonly stack: RunningStack;
  readonly lab: HostLab;
  readonly api: ApiClient;
  create(name: string, more?: Record<string, unknown>): Promise<VolumeInfo>;
  clone(origin: VolumeInfo, name: string): Promise<VolumeInfo>;
  remove(volume: VolumeInfo): Promise<void>;
  /** The names of volumes that the API lists. */
  volumeNames(): Promise<string[]>;
  /** KiB promised to bricks, for each device. */
  usedKib(): Promise<number[]>;
  /** Whatever bricks, snapshots and volumes have left on any host; empty when there are none. */
  traces(): Promise<string[]>;
  mount(volume: VolumeInfo): Promise<string>;
  /** Where it is mounted, when it is. */
  placeOf(volume: VolumeInfo): string;
  unmount(volume: VolumeInfo): Promise<void>;
  until(what: string, isSo: () => Promise<boolean>): Promise<void>;
  end(): Promise<void>;
}

/** Runs a program of a host that has to succeed, and gives its lines without blanks around them. */
export async function linesOf(host: StorageHost, ...argv: readonly string[]): Promise<string[]> {
  const { exitCode, stdout, stderr } = await host.run(argv, { timeoutMs: COMMAND_TIMEOUT_MS });
  assert.equal(exitCode, 0, `${host.name}: ${argv.join(' ')}: ${stderr}${stdout}`);
  return stdout
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** Logical volumes of a host, as `name pool`. */
export const logicalVolumes = (host: StorageHost): Promise<string[]> =>
  linesOf(host, 'lvs', '--noheadings', '--options=lv_name,pool_lv').then((lines) =>
    lines.map((line) => line.replace(/\s+/, ' ')).sort(),
  );

/** Starts it; the machine's own LVM leaves the hosts' disks alone from then on. */
export async function startSite(): Promise<Site> {
  writeFileSync(
    '/etc/lvm/lvmlocal.conf',
    `devices { global_filter = [ ${DISKS.map((disk) => `"r|^${disk}$|"`).join(', ')} ] }\n`,
  );
  mkdirSync(DIRECTORY, { recursive: true });
  const stack = await startStack({
    dataDir: DIRECTORY,
    hosts: 'real',
    disks: DISKS.map((disk) => [disk]),
    nodes: DISKS.length,
    allocators: 1,
    registry: false,
    // Where the machine is user-mode Linux or emulated, everything takes longer, also a sign of life.
    env: { BRICKYARD_NODE_LOST_SECONDS: '60' },
    onProgress: (text) => {
      say(`  ${text}`);
    },
  }).catch((error: unknown) => {
    tellLogs();
    throw error;
  });
  const { lab } = stack;
  assert.ok(lab !== undefined, 'the hosts are not real');
  return siteOf(stack, lab, stack.client());
}

/** What the services said last: nobody can look at this machine later. */
export function tellLogs(): void {
  const logs = join(DIRECTORY, 'logs');
  for (const name of readdirSync(logs)) {
    const lines = readFileSync(join(logs, name), 'utf8').trimEnd().split('\n').slice(-LOG_LINES);
    for (const line of lines) say(`  ${name}: ${line.slice(0, LOG_CHARS)}`);
  }
}

function siteOf(stack: RunningStack, lab: HostLab, api: ApiClient): Site {
  const target = ({ name }: VolumeInfo): string => `/mnt/${name}`;
  return {
    stack,
    lab,
    api,
    create: async (name, more = {}) => {
      const durability =
        lab.hosts.length < COPIES ? { type: 'none' } : { type: 'replicate', replicate: { replica: COPIES } };
      return VolumeInfo.parse((await api.post('/volumes', { size: 1, name, durability, ...more })).body);
    },
    clone: async ({ id }, name) => VolumeInfo.parse((await api.post(`/volumes/${id}/clone`, { name })).body),
    remove: async ({ id }) => {
      await api.delete(`/volumes/${id}`);
    },
    volumeNames: async () => {
      const { volumes } = z.object({ volumes: z.array(z.string()) }).parse((await api.get('/volumes')).body);
      const infos = await Promise.all(volumes.map((id) => api.get(`/volumes/${id}`)));
      return infos.map(({ body }) => VolumeInfo.parse(body).name).sort();
    },
    usedKib: () => usedOn(api),
    traces: async () => (await Promise.all(lab.hosts.map((host) => tracesOn(host)))).flat(),
    mount: async (volume) => {
      mkdirSync(target(volume), { recursive: true });
      await lab.mount(volume.name, target(volume));
      return target(volume);
    },
    placeOf: target,
    unmount: (volume) => lab.unmount(target(volume)),
    until: (what, isSo) =>
      eventually(what, PATIENCE_MS, async () => {
        if (!(await isSo())) throw new Error('not yet');
      }),
    end: async () => {
      api.close();
      await stack.stop();
    },
  };
}

async function usedOn(api: ApiClient): Promise<number[]> {
  const { clusters } = ClusterList.parse((await api.get('/clusters')).body);
  const infos = await Promise.all(clusters.map((id) => api.get(`/clusters/${id}`)));
  const nodes = infos.flatMap(({ body }) => ClusterInfo.parse(body).nodes);
  const bodies = await Promise.all(nodes.map((id) => api.get(`/nodes/${id}`)));
  return bodies.flatMap(({ body }) => NodeInfo.parse(body).devices.map(({ storage }) => storage.used));
}

async function tracesOn(host: StorageHost): Promise<string[]> {
  const find = ['find', '/var/lib/heketi/mounts', '/run/gluster/snaps', '-mindepth', '2', '-maxdepth', '2'];
  const directories = (await host.run(find, { timeoutMs: COMMAND_TIMEOUT_MS })).stdout.split('\n');
  const fstab = await host.run(['cat', `${host.stateDirectory}/fstab`], { timeoutMs: COMMAND_TIMEOUT_MS });
  const named: readonly [string, readonly string[]][] = [
    [
      'volume',
      (await linesOf(host, 'gluster', '--mode=script', 'volume', 'list')).filter(
        (line) => !line.startsWith('No volumes'),
      ),
    ],
    [
      'snapshot',
      (await linesOf(host, 'gluster', '--mode=script', 'snapshot', 'list')).filter(
        (line) => !line.startsWith('No snapshots'),
      ),
    ],
    ['logical volume', await logicalVolumes(host)],
    ['mount', (await linesOf(host, 'cat', '/proc/self/mounts')).filter((line) => line.startsWith('/dev/mapper/'))],
    ['fstab', fstab.stdout.split('\n').filter((line) => line !== '')],
    ['directory', directories.filter((line) => line !== '')],
  ];
  return named.flatMap(([kind, found]) => found.map((one) => `${host.name}: ${kind} ${one}`));
}
