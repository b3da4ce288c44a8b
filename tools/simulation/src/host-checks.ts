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

/** What simulated hosts have. */
export interface FoundOnHosts {
  /** Of each host the paths below its directory of bricks: `vg_<device>/<what is in it>`. */
  readonly hosts: ReadonlyMap<HostName, readonly string[]>;
  /** What the recorded Glusters have written down. */
  readonly journal: string;
  /** What the recorded block servers have written down. */
  readonly blocks: string;
}

/** What there is in a world, as lines that can be compared: one for each thing. */
export const inventoryOf = (matter: Matter): string[] => linesFound(foundIn(matter));

const foundIn = ({ hosts, pool }: Matter): FoundOnHosts => ({
  hosts: new Map([...hosts].map(([host, platter]) => [host, pathsOn(platter)])),
  journal: pool.files.get(GLUSTER_FILE)?.text ?? '',
  blocks: pool.files.get(BLOCKS_FILE)?.text ?? '',
});

const pathsOn = ({ files, directories }: Platter): string[] =>
  [...directories, ...files.keys()]
    .filter((path) => path.startsWith(`${BRICKS_DIRECTORY}/`))
    .map((path) => path.slice(BRICKS_DIRECTORY.length + 1));

/** What simulated hosts have, as lines that can be compared: one for each thing. */
export function linesFound(found: FoundOnHosts): string[] {
  const hosts = [...found.hosts].flatMap(([host, paths]) => brickLines(host, paths));
  return [...hosts, ...glusterLines(found), ...blockLines(found)].sort();
}

function brickLines(host: HostName, paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    const [group = '', rest] = path.split('/');
    if (rest === undefined || !group.startsWith('vg_')) return [];
    const deviceId = group.slice(3);
    if (rest === NAME_FILE) return [`device ${deviceId} on ${host}`];
    // The note of a brick's size belongs to the brick, and is told only where that is gone.
    if (paths.includes(`${group}/${rest.replace(/^size_/, 'brick_')}`) && rest.startsWith('size_')) return [];
    return [`brick ${rest.replace('brick_', '')} of device ${deviceId} on ${host}`];
  });
}

function glusterLines({ journal, hosts: found }: FoundOnHosts): string[] {
  const state = new RecordedState();
  replay(journal, state);
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
    return found.get(host as HostName)?.includes(`${device}/${name}`) === true;
  };
  const stale = [...state.claims]
    .filter(([brick, uuid]) => !known.has(uuid) && isThere(brick))
    .map(([brick]) => `mark of nobody's volume on ${brick}`);
  const snapshots = [...state.snapshots.keys()].map((name) => `snapshot ${name}`);
  return [...peers, ...volumes, ...snapshots, ...stale];
}

/** Files and targets of block volumes; a file went with the volume it lay on. */
function blockLines(found: FoundOnHosts): string[] {
  const [blocks, glusters] = [new RecordedBlockState(), new RecordedState()];
  replay(found.blocks, blocks);
  replay(found.journal, glusters);
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

function replay(text: string, state: { replay(line: unknown): void }): void {
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
    // The bricks of clones are Gluster's own: no directory is made for them here.
    volume.bricks
      .filter(({ path }) => path.includes('/vg_'))
      .map(({ brickId, deviceId, nodeId }) => `brick ${brickId} of device ${deviceId} on ${hostOf(nodeId)}`),
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

/** A world's hosts must have what the log says, and nothing else. */
export const checkHosts = (matter: Matter, state: ControlState): void => {
  compareHosts(inventoryOf(matter), inventoryFrom(state));
};

/** Hosts must have what the log says, and nothing else; both as lines. */
export function compareHosts(there: readonly string[], wanted: readonly string[]): void {
  const missing = wanted.filter((line) => !there.includes(line));
  const tooMuch = there.filter((line) => !wanted.includes(line));
  demand(missing.length === 0 && tooMuch.length === 0, 'hosts hold exactly what the log says', () =>
    [...missing.map((line) => `missing: ${line}`), ...tooMuch.map((line) => `left over: ${line}`)].join('\n    '),
  );
}
