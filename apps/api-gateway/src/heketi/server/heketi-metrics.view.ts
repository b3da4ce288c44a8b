/** heketi's gauges, name by name, in Prometheus' text form. Pure. */
import { type ControlState, type Device, freeKib, type Node } from '@brickyard/domain';
import { operationCounts } from '../operations/pending-operation.view';
import { blockVolumeIdsIn, clusterIdsOf, visibleDevice, visibleNodesOf, volumeIdsIn } from '../visible';

type Labels = Readonly<Record<string, string>>;
interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/** All of them; without a state only that there is none. */
export function heketiMetrics(state: ControlState | undefined): string {
  const up = gauge('heketi_up', 'Is heketi running?', [{ labels: {}, value: state === undefined ? 0 : 1 }]);
  return state === undefined
    ? up
    : [up, ...clusterGauges(state), ...deviceGauges(state), ...operationGauges(state)].join('');
}

function clusterGauges(state: ControlState): readonly string[] {
  const clusters = clusterIdsOf(state);
  const each = (valueOf: (cluster: (typeof clusters)[number]) => number): readonly Sample[] =>
    clusters.map((cluster) => ({ labels: { cluster }, value: valueOf(cluster) }));
  return [
    gauge('heketi_cluster_count', 'Number of clusters', [{ labels: {}, value: clusters.length }]),
    gauge(
      'heketi_volumes_count',
      'Number of volumes on cluster',
      each((id) => volumeIdsIn(state, id).length),
    ),
    gauge(
      'heketi_block_volumes_count',
      'Number of block volumes on cluster',
      each((id) => blockVolumeIdsIn(state, id).length),
    ),
    gauge(
      'heketi_nodes_count',
      'Number of nodes on cluster',
      each((id) => visibleNodesOf(state, id).length),
    ),
  ];
}

/** What is told of each device: the name's last part, what it means, the value. */
const DEVICE_GAUGES: readonly (readonly [name: string, help: string, valueOf: (device: Device) => number])[] = [
  ['size', 'Total size of the device', ({ totalKib }) => totalKib],
  ['free', 'Amount of Free space available on the device', freeKib],
  ['used', 'Amount of space used on the device', ({ usedKib }) => usedKib],
  ['size_bytes', 'Total size of the device in bytes', ({ totalKib }) => totalKib * 1_024],
  ['free_bytes', 'Amount of Free space available on the device in bytes', (device) => freeKib(device) * 1_024],
  ['used_bytes', 'Amount of space used on the device in bytes', ({ usedKib }) => usedKib * 1_024],
  ['brick_count', 'Number of bricks on device', ({ bricks }) => bricks.size],
];

function deviceGauges(state: ControlState): readonly string[] {
  const nodes = clusterIdsOf(state).flatMap((id) => visibleNodesOf(state, id));
  const devices = nodes.flatMap((node) => devicesOf(state, node).map((device) => ({ node, device })));
  return [
    gauge(
      'heketi_device_count',
      'Number of devices on host',
      nodes.map((node) => ({ labels: nodeLabels(node), value: devicesOf(state, node).length })),
    ),
    ...DEVICE_GAUGES.map(([name, help, valueOf]) =>
      gauge(
        `heketi_device_${name}`,
        help,
        devices.map(({ node, device }) => ({ labels: deviceLabels(node, device), value: valueOf(device) })),
      ),
    ),
  ];
}

const devicesOf = (state: ControlState, { deviceIds }: Node): readonly Device[] =>
  deviceIds.flatMap((id) => visibleDevice(state, id) ?? []);

const nodeLabels = ({ clusterId, hostnames }: Node): Labels => ({
  cluster: clusterId,
  hostname: hostnames.manage[0] ?? '',
  storage_hostname: hostnames.storage[0] ?? '',
});

const deviceLabels = (node: Node, { deviceId, name, pvUuid }: Device): Labels => ({
  ...nodeLabels(node),
  id: deviceId,
  device: name,
  pv_uuid: pvUuid,
});

function operationGauges(state: ControlState): readonly string[] {
  const counts = operationCounts(state);
  return [
    ['heketi_operations_stale_count', 'Number of Stale Operations', counts.stale],
    ['heketi_operations_failed_count', 'Number of Failed Operations', counts.failed],
    ['heketi_operations_new_count', 'Number of New Operations', counts.new],
    ['heketi_operations_total_count', 'Total Number of Operations', counts.total],
    ['heketi_operations_inFlight_count', 'Number of in flight Operations', counts.in_flight],
  ].map(([name, help, value]) => gauge(String(name), String(help), [{ labels: {}, value: Number(value) }]));
}

function gauge(name: string, help: string, samples: readonly Sample[]): string {
  const lines = samples.map(({ labels, value }) => `${name}${labelText(labels)} ${String(value)}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines.join('')}`;
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

const escaped = (value: string): string => value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
