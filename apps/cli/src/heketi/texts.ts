/** What heketi-cli prints, to the letter: scripts cut ids and paths out of it. Pure. */
import {
  durabilityIn,
  type BlockVolume,
  type Cluster,
  type Device,
  type Node,
  type PendingOperation,
  type Volume,
} from '../answers';
import { KIB_PER_GIB } from '../sizes';

const gib = (kib: number): string => String(Math.trunc(kib / KIB_PER_GIB));
const lines = (...texts: readonly (string | readonly string[])[]): string =>
  texts
    .flat()
    .map((text) => `${text}\n`)
    .join('');
const pad = (text: string, width: number): string => text.padEnd(width);
const tagLines = (tags: Readonly<Record<string, string>>, indent = '  '): string[] =>
  Object.entries(tags).map(([name, value]) => `${indent}${name}: ${value}`);

/** heketi-cli has another word for what the server calls failed. */
const stateWord = (state: string): string => (state === 'failed' ? 'removed' : state);

export const clusterText = ({ id, nodes, volumes, block, file }: Cluster): string =>
  lines(`Cluster id: ${id}`, 'Nodes:', nodes.join('\n'), 'Volumes:', volumes.join('\n')) +
  lines(`Block: ${String(block)}`, '', `File: ${String(file)}`);

export const clusterListText = (clusters: readonly Cluster[]): string =>
  lines(
    'Clusters:',
    clusters.map(({ id, file, block }) => {
      const flags = `${file ? '[file]' : ''}${block ? '[block]' : ''}`;
      return `Id:${id} ${flags === '' ? '[]' : flags}`;
    }),
  );

const first = (names: readonly string[]): string => names[0] ?? '';

const tagged = (tags: Readonly<Record<string, string>>): string[] =>
  Object.keys(tags).length === 0 ? [] : ['Tags:', ...tagLines(tags)];

const nodeHead = ({ id, state, cluster, zone, hostnames, tags }: Node): string[] => [
  `Node Id: ${id}`,
  `State: ${stateWord(state)}`,
  `Cluster Id: ${cluster}`,
  `Zone: ${String(zone)}`,
  `Management Hostname: ${first(hostnames.manage)}`,
  `Storage Hostname: ${first(hostnames.storage)}`,
  ...tagged(tags),
];

export const nodeAddedText = (node: Node): string => lines('Node information:', nodeHead(node));

export const nodeText = (node: Node): string =>
  lines(
    nodeHead(node),
    'Devices:',
    node.devices.map((device) => `${deviceColumns(device)}Bricks:${pad(String(device.bricks.length), 8)}`),
  );

const deviceColumns = ({ id, name, state, storage }: Device): string =>
  `Id:${pad(id, 35)}Name:${pad(name, 20)}State:${pad(stateWord(state), 10)}Size (GiB):${pad(gib(storage.total), 8)}` +
  `Used (GiB):${pad(gib(storage.used), 8)}Free (GiB):${pad(gib(storage.free), 8)}`;

export const nodeListText = (nodes: readonly Node[]): string =>
  lines(nodes.map(({ id, cluster }) => `Id:${id}\tCluster:${cluster}`));

/** A device without recorded paths is known by its name. */
const pathsOf = ({ paths, name }: Device): string => (paths.length === 0 ? [name] : paths).join(' ');

export const deviceText = (device: Device): string =>
  lines(
    `Device Id: ${device.id}`,
    `State: ${stateWord(device.state)}`,
    `Size (GiB): ${gib(device.storage.total)}`,
    `Used (GiB): ${gib(device.storage.used)}`,
    `Free (GiB): ${gib(device.storage.free)}`,
    `Create Path: ${device.name}`,
    `Physical Volume UUID: ${device.pv_uuid}`,
    `Known Paths: ${pathsOf(device)}`,
    tagged(device.tags),
    'Bricks:',
    device.bricks.map(({ id, size, path }) => `Id:${pad(id, 35)}Size (GiB):${pad(gib(size), 8)}Path: ${path}`),
  );

/** How many bricks hold one copy of a file, with its redundancy. */
function perSetOf(volume: Volume): number {
  const durability = durabilityIn(volume.durability);
  if (durability.type === 'replicate') return Math.max(1, durability.replicate.replica);
  if (durability.type !== 'disperse') return 1;
  return Math.max(1, durability.disperse.data + durability.disperse.redundancy);
}

const durabilityLines = (volume: Volume): string[] => {
  const { type, replicate, disperse } = durabilityIn(volume.durability);
  return [
    `Durability Type: ${type}`,
    `Distribute Count: ${String(Math.trunc(volume.bricks.length / perSetOf(volume)))}`,
    ...(type === 'replicate' ? [`Replica Count: ${String(replicate.replica)}`] : []),
    ...(type === 'disperse'
      ? [`Disperse Data Count: ${String(disperse.data)}`, `Disperse Redundancy Count: ${String(disperse.redundancy)}`]
      : []),
  ];
};

export const volumeText = (volume: Volume): string =>
  lines(
    `Name: ${volume.name}`,
    `Size: ${String(volume.size)}`,
    `Volume Id: ${volume.id}`,
    `Cluster Id: ${volume.cluster}`,
    `Mount: ${volume.mount.glusterfs.device}`,
    `Mount Options: backup-volfile-servers=${volume.mount.glusterfs.options['backup-volfile-servers'] ?? ''}`,
    `Block: ${String(volume.block)}`,
    `Free Size: ${String(volume.blockinfo.freesize)}`,
    `Reserved Size: ${String(volume.blockinfo.reservedsize)}`,
    `Block Hosting Restriction: ${volume.blockinfo.restriction === '' ? '(none)' : volume.blockinfo.restriction}`,
    `Block Volumes: [${volume.blockinfo.blockvolume.join(' ')}]`,
    durabilityLines(volume),
    volume.snapshot.enable ? [`Snapshot Factor: ${volume.snapshot.factor.toFixed(2)}`, ''] : [],
  );

export const volumeListText = (volumes: readonly Pick<Volume, 'id' | 'cluster' | 'name' | 'block'>[]): string =>
  lines(
    volumes.map(
      ({ id, cluster, name, block }) =>
        `Id:${pad(id, 35)} Cluster:${pad(cluster, 35)} Name:${name}${block ? ' [block]' : ''}`,
    ),
  );

export const blockVolumeText = (volume: BlockVolume): string =>
  lines(
    `Name: ${volume.name}`,
    `Size: ${String(volume.size)}`,
    `UsableSize: ${String(volume.usablesize)}`,
    `Volume Id: ${volume.id}`,
    `Cluster Id: ${volume.cluster}`,
    `Hosts: [${volume.blockvolume.hosts.join(' ')}]`,
    `IQN: ${volume.blockvolume.iqn}`,
    `LUN: ${String(volume.blockvolume.lun)}`,
    `Hacount: ${String(volume.hacount)}`,
    `Username: ${volume.blockvolume.username}`,
    `Password: ${volume.blockvolume.password}`,
    `Block Hosting Volume: ${volume.blockhostingvolume}`,
  );

export const blockVolumeListText = (volumes: readonly BlockVolume[]): string =>
  lines(volumes.map(({ id, cluster, name }) => `Id:${pad(id, 35)} Cluster:${pad(cluster, 35)} Name:${name}`));

const statusOf = ({ status, sub_status: sub }: PendingOperation): string => `${status === '' ? 'New' : status} ${sub}`;

export const pendingListText = (operations: readonly PendingOperation[]): string =>
  lines(
    operations.map((operation) => `Id:${operation.id}  Type:${operation.type_name}  Status:${statusOf(operation)}`),
  );

export const pendingText = (operation: PendingOperation): string =>
  lines(
    '',
    `Id: ${operation.id}`,
    `Type: ${operation.type_name}`,
    `Status: ${statusOf(operation)}`,
    'Changes:',
    operation.changes.map(({ description, id }) => `    ${description}: ${id}`),
  );

/** Told on stderr after a clean-up. */
export const CLEANUP_NOTE = lines(
  'Note: Operation clean up is a batch operation.',
  '* The results of individual operation clean ups are not reported here.',
  "* Use 'heketi-cli server operations [list|info]' to view operations.",
);

/** The whole tree; heketi mixes spaces and tabs here, and so must this. */
export function topologyText(clusters: readonly Cluster[], nodes: readonly Node[], volumes: readonly Volume[]): string {
  return clusters
    .map(({ id, file, block }) =>
      lines(
        '',
        `Cluster Id: ${id}`,
        '',
        `    File:  ${String(file)}`,
        `    Block: ${String(block)}`,
        '',
        '    Volumes:',
        '',
        volumes.filter(({ cluster }) => cluster === id).flatMap(treeOfVolume),
        '',
        '    Nodes:',
        '',
        nodes.filter(({ cluster }) => cluster === id).flatMap(treeOfNode),
      ),
    )
    .join('');
}

const treeOfVolume = (volume: Volume): string[] => {
  const { type, replicate, disperse } = durabilityIn(volume.durability);
  const options = Object.entries(volume.mount.glusterfs.options).map(([name, value]) => `${name}=${value}`);
  return [
    `\tName: ${volume.name}`,
    `\tSize: ${String(volume.size)}`,
    `\tId: ${volume.id}`,
    `\tCluster Id: ${volume.cluster}`,
    `\tMount: ${volume.mount.glusterfs.device}`,
    `\tMount Options: ${options.join('')}`,
    `\tDurability Type: ${type}`,
    ...(type === 'replicate' ? [`\tReplica: ${String(replicate.replica)}`] : []),
    ...(type === 'disperse'
      ? [`\tDisperse Data: ${String(disperse.data)}`, `\tDisperse Redundancy: ${String(disperse.redundancy)}`]
      : []),
    ...(volume.snapshot.enable
      ? ['\tSnapshot: Enabled', `\tSnapshot Factor: ${volume.snapshot.factor.toFixed(2)}`]
      : ['\tSnapshot: Disabled']),
    '',
    '\t\tBricks:',
    ...volume.bricks.flatMap(({ id, path, size, node, device }) => [
      `\t\t\tId: ${id}`,
      `\t\t\tPath: ${path}`,
      `\t\t\tSize (GiB): ${gib(size)}`,
      `\t\t\tNode: ${node}`,
      `\t\t\tDevice: ${device}`,
      '',
    ]),
    '',
  ];
};

const treeOfNode = (node: Node): string[] => [
  `\tNode Id: ${node.id}`,
  `\tState: ${stateWord(node.state)}`,
  `\tCluster Id: ${node.cluster}`,
  `\tZone: ${String(node.zone)}`,
  `\tManagement Hostnames: ${node.hostnames.manage.join(', ')}`,
  `\tStorage Hostnames: ${node.hostnames.storage.join(', ')}`,
  ...(Object.keys(node.tags).length === 0 ? [] : ['\tTags:', ...tagLines(node.tags, '\t\t')]),
  '\tDevices:',
  ...node.devices.flatMap((device) => [
    `\t\t${deviceColumns(device)}`,
    ...(Object.keys(device.tags).length === 0 ? [] : ['\t\t\tTags:', ...tagLines(device.tags, '\t\t\t\t')]),
    `\t\t\tKnown Paths: ${pathsOf(device)}`,
    '\t\t\tBricks:',
    ...device.bricks.map(
      ({ id, size, path }) => `\t\t\t\tId:${pad(id, 35)}Size (GiB):${pad(gib(size), 8)}Path: ${path}`,
    ),
  ]),
  '',
];
