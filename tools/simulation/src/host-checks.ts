/** At rest, hosts hold exactly what the log says: bricks, devices, volumes, peers, marks. */
import type { HostName } from '@brickyard/contracts';
import type { ControlState } from '@brickyard/domain';
import { BRICKS_DIRECTORY } from './agent.process';
import type { Platter } from './disk';
import { BLOCKS_FILE, GLUSTER_FILE } from './gluster';
import { demand } from './ledger-checks';
import type { Matter } from './world';
import { RecordedBlockState, RecordedState } from './product';

const NAME_FILE = 'device-name';

/** What there is, as lines that can be compared: one for each thing. */
export function inventoryOf(matter: Matter): string[] {
  const hosts = [...matter.hosts].flatMap(([host, platter]) => brickLines(host, platter));
  return [...hosts, ...glusterLines(matter), ...blockLines(matter)].sort();
}

function brickLines(host: HostName, { files, directories }: Platter): string[] {
  const below = `${BRICKS_DIRECTORY}/vg_`;
  const paths = [...directories, ...files.keys()].filter((path) => path.startsWith(below));
  return paths.flatMap((path) => {
    const [deviceId = '', rest] = path.slice(below.length).split('/');
    if (rest === undefined) return [];
    if (rest === NAME_FILE) return [`device ${deviceId} on ${host}`];
    return [`brick ${rest.replace('brick_', '')} of device ${deviceId} on ${host}`];
  });
}

function glusterLines({ pool, hosts: platters }: Matter): string[] {
  const state = new RecordedState();
  replay(pool, GLUSTER_FILE, state);
  const pools = new Map<string, string[]>();
  for (const [host, { pool: name }] of state.members) pools.set(name, [...(pools.get(name) ?? []), host]);
  const peers = [...pools.values()]
    .filter((hosts) => hosts.length > 1)
    .map((hosts) => `pool of ${hosts.sort().join(', ')}`);
  const volumes = [...state.pools.values()].flatMap((named) =>
    [...named.values()].map(
      ({ name, status, bricks, options }) =>
        `volume ${name} ${status} owner ${options['user.brickyard.id'] ?? 'none'} on ${bricks.join(' ')}`,
    ),
  );
  const known = new Set([...state.pools.values()].flatMap((named) => [...named.values()].map(({ uuid }) => uuid)));
  // A mark on a directory that is gone went with it.
  const isThere = (brick: string): boolean => {
    const [, host = '', device = '', name = ''] = /^(.*?):.*\/(vg_[^/]+)\/([^/]+)\/brick$/.exec(brick) ?? [];
    return platters.get(host as HostName)?.directories.has(`${BRICKS_DIRECTORY}/${device}/${name}`) === true;
  };
  const stale = [...state.claims]
    .filter(([brick, uuid]) => !known.has(uuid) && isThere(brick))
    .map(([brick]) => `mark of nobody's volume on ${brick}`);
  return [...peers, ...volumes, ...stale];
}

/** Files and targets of block volumes; a file went with the volume it lay on. */
function blockLines({ pool }: Matter): string[] {
  const [blocks, glusters] = [new RecordedBlockState(), new RecordedState()];
  replay(pool, BLOCKS_FILE, blocks);
  replay(pool, GLUSTER_FILE, glusters);
  const owners = [...glusters.pools.values()].flatMap((named) =>
    [...named.values()].map(({ options }) => options['user.brickyard.id']),
  );
  const files = [...blocks.files.keys()].filter((key) => owners.includes(key.split('/')[0]));
  const targets = [...blocks.targets.keys()].map((key) => key.split('/'));
  return [
    ...files.map((key) => `file ${key.split('/')[1] ?? ''} on volume ${key.split('/')[0] ?? ''}`),
    ...targets.map(([host = '', id = '']) => `target ${id} on ${host}`),
  ];
}

function replay({ files }: Platter, name: string, state: { replay(line: unknown): void }): void {
  const text = files.get(name)?.text ?? '';
  for (const line of text.split('\n')) if (line !== '') state.replay(JSON.parse(line));
}

/** What should be there, in the same lines. */
export function inventoryFrom(state: ControlState): string[] {
  const hostOf = (nodeId: string): string =>
    [...state.nodes.values()].find((node) => node.nodeId === nodeId)?.hostnames.manage[0] ?? 'nowhere';
  const storageOf = (nodeId: string): string =>
    [...state.nodes.values()].find((node) => node.nodeId === nodeId)?.hostnames.storage[0] ?? 'nowhere';
  const devices = [...state.devices.values()].map(({ deviceId, nodeId }) => `device ${deviceId} on ${hostOf(nodeId)}`);
  const bricks = [...state.volumes.values()].flatMap((volume) =>
    volume.bricks.map(({ brickId, deviceId, nodeId }) => `brick ${brickId} of device ${deviceId} on ${hostOf(nodeId)}`),
  );
  const volumes = [...state.volumes.values()].map(({ volumeId, spec, bricks: all }) => {
    const ordered = [...all].sort((one, other) => one.set - other.set || one.place - other.place);
    const named = ordered.map(({ nodeId, path }) => `${storageOf(nodeId)}:${path}`);
    return `volume ${spec.name} started owner ${volumeId} on ${named.join(' ')}`;
  });
  const pools = [...state.clusters.values()]
    .map(({ nodeIds }) => nodeIds.map(hostOf).sort())
    .filter((hosts) => hosts.length > 1)
    .map((hosts) => `pool of ${hosts.join(', ')}`);
  const blocks = [...state.blockVolumes.values()].flatMap(({ blockVolumeId, hostingVolumeId, nodeIds }) => [
    `file ${blockVolumeId} on volume ${hostingVolumeId}`,
    ...nodeIds.map((nodeId) => `target ${blockVolumeId} on ${hostOf(nodeId)}`),
  ]);
  return [...devices, ...bricks, ...volumes, ...pools, ...blocks].sort();
}

/** Both must be the same. */
export function checkHosts(matter: Matter, state: ControlState): void {
  const there = inventoryOf(matter);
  const wanted = inventoryFrom(state);
  const missing = wanted.filter((line) => !there.includes(line));
  const tooMuch = there.filter((line) => !wanted.includes(line));
  demand(missing.length === 0 && tooMuch.length === 0, 'hosts hold exactly what the log says', () =>
    [...missing.map((line) => `missing: ${line}`), ...tooMuch.map((line) => `left over: ${line}`)].join('\n    '),
  );
}
