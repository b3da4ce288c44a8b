/** What hosts have, read past the system: from the files of simulated ones, by the tools of real ones. One line for each thing. */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { HostName } from '@brickyard/contracts';
import type { HostLab, StorageHost } from '@brickyard/hosts';
import { linesFound } from '@brickyard/simulation';
import { z } from 'zod';

const COMMAND_MS = 60_000;
/** The mark of a device lies in its first 4 KiB. */
const MARK_BYTES = 4096;
const Mark = z.object({ deviceId: z.string() });

/** What the simulated hosts of a data directory have. */
export function simulatedInventory(dataDir: string): readonly string[] {
  const root = join(dataDir, 'simulated');
  const hosts = readdirSync(join(root, 'hosts')).map((host) => {
    const below = join(root, 'hosts', host);
    const devices = readdirSync(below).filter((name) => name.startsWith('vg_'));
    const paths = devices.flatMap((device) => readdirSync(join(below, device)).map((name) => `${device}/${name}`));
    return [HostName.parse(host), paths] as const;
  });
  const text = (name: string): string => (existsSync(join(root, name)) ? readFileSync(join(root, name), 'utf8') : '');
  return linesFound({ hosts: new Map(hosts), journal: text('gluster.journal'), blocks: text('blocks.journal') });
}

/** Of real hosts, files and targets of block volumes are not looked at. */
export const isComparable = (line: string): boolean => /^(brick|device|pool|volume) /.test(line);

/** What real hosts have: marked device files, images and mounts of bricks, and what every glusterd says of volumes and peers. */
export async function realInventory({ hosts }: HostLab): Promise<readonly string[]> {
  const own = await Promise.all(hosts.map(brickLines));
  const said = await Promise.all(hosts.map(glusterLines));
  const all = [...new Set(said.flat())].map((line) => {
    const knowing = hosts.filter((_, index) => said[index]?.includes(line) === true);
    return knowing.length === hosts.length ? line : `${line} (as ${knowing.map(({ name }) => name).join(', ')} says)`;
  });
  return [...own.flat(), ...all].sort();
}

async function run(host: StorageHost, ...argv: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await host.run(argv, { timeoutMs: COMMAND_MS });
  if (exitCode !== 0) throw new Error(`${argv.join(' ')} on ${host.name}: ${stderr}${stdout}`);
  return stdout;
}

async function brickLines(host: StorageHost): Promise<readonly string[]> {
  // The agent's state directory, seen from outside the host.
  const devices = join(host.directory, 'lib-brickyard', 'devices');
  const mounted = new Set((await run(host, 'cat', '/proc/self/mounts')).match(/(?<=\/brick_)[0-9a-f]{32}(?= xfs )/g));
  const lines = readdirSync(devices, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .flatMap(({ name }) => {
      const deviceId = ownerOf(join(devices, name));
      const images = imagesOf(join(devices, `${name}.bricks`));
      const bricks = images.map((id) => {
        const isServed = mounted.delete(id);
        return `brick ${id} of device ${deviceId ?? 'nobody'} on ${host.address}${isServed ? '' : ' (not mounted)'}`;
      });
      return deviceId === undefined ? bricks : [`device ${deviceId} on ${host.address}`, ...bricks];
    });
  return [...lines, ...[...mounted].map((id) => `mount of brick ${id} on ${host.address}, which has no image`)];
}

function ownerOf(file: string): string | undefined {
  const bytes = Buffer.alloc(MARK_BYTES);
  const opened = openSync(file, 'r');
  try {
    readSync(opened, bytes, 0, MARK_BYTES, 0);
  } finally {
    closeSync(opened);
  }
  const beginning = bytes.toString('utf8').replace(/\0+$/, '');
  return beginning === '' ? undefined : Mark.parse(JSON.parse(beginning)).deviceId;
}

const imagesOf = (directory: string): readonly string[] =>
  existsSync(directory)
    ? readdirSync(directory).flatMap((name) => /^brick_([0-9a-f]{32})\.img$/.exec(name)?.[1] ?? [])
    : [];

async function glusterLines(host: StorageHost): Promise<readonly string[]> {
  const [volumes, peers] = await Promise.all([
    run(host, 'gluster', '--mode=script', 'volume', 'info', 'all'),
    run(host, 'gluster', '--mode=script', 'pool', 'list'),
  ]);
  const members = peers
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, name = '', state = ''] = /^\S+\s+(\S+)\s+(\S+)/.exec(line) ?? [];
      return name === '' ? [] : [{ host: name === 'localhost' ? host.address : name, state }];
    });
  const apart = members.filter(({ state }) => state !== 'Connected');
  return [
    ...(members.length > 1
      ? [
          `pool of ${members
            .map((member) => member.host)
            .sort()
            .join(', ')}`,
        ]
      : []),
    ...apart.map((member) => `${host.address} does not reach ${member.host} (${member.state})`),
    ...volumes.split(/^(?=Volume Name: )/m).flatMap(volumeLine),
  ];
}

function volumeLine(text: string): readonly string[] {
  const field = (name: string): string => new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1]?.trim() ?? 'none';
  if (!text.startsWith('Volume Name: ')) return [];
  const bricks = [...text.matchAll(/^Brick\d+: (\S+)/gm)].map(([, brick = '']) => brick);
  const owner = field('user\\.brickyard\\.id');
  return [`volume ${field('Volume Name')} ${field('Status').toLowerCase()} owner ${owner} on ${bricks.join(' ')}`];
}
