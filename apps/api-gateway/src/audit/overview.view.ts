/** The whole at a glance, small enough for a page that is drawn again at every step through time. Pure. */
import type { Durability } from '@brickyard/contracts';
import { type ControlState, type Device, type Node, type Volume, volumeHealth } from '@brickyard/domain';
import { operationListView } from './operation.view';

/** Who shows simulated hosts says so. */
export type HostKind = 'real' | 'simulated' | 'unknown';

/** What is known beside the state. */
export interface OverviewFacts {
  readonly position: number;
  /** When the event at the position was recorded; absent before the first one. */
  readonly time?: string;
  /** Position of the end of the log as this gateway knows it. */
  readonly head: number;
  readonly kindOf: (host: string) => HostKind;
  readonly problem?: string;
}

/** `GET /v1/overview`. */
export function overviewView(state: ControlState, { position, time, head, kindOf, problem }: OverviewFacts): object {
  const clusters = [...state.clusters.values()].sort((one, other) => (one.clusterId < other.clusterId ? -1 : 1));
  const nodes = [...state.nodes.values()].sort(byZone);
  return {
    position,
    head,
    ...(time === undefined ? {} : { time }),
    ...(problem === undefined ? {} : { problem }),
    counts: {
      clusters: state.clusters.size,
      nodes: state.nodes.size,
      devices: state.devices.size,
      volumes: state.volumes.size,
      running: state.operations.size,
    },
    clusters: clusters.map(({ clusterId, flags, volumeIds }) => ({ id: clusterId, flags, volumes: volumeIds.size })),
    nodes: nodes.map((node) => nodeLine(state, node, kindOf)),
    operations: operationListView(state).operations.slice(0, OPERATIONS_TOLD_MAX),
  };
}

const OPERATIONS_TOLD_MAX = 200;

const byZone = (one: Node, other: Node): number =>
  one.zone - other.zone || (nameOf(one) < nameOf(other) ? -1 : nameOf(one) > nameOf(other) ? 1 : 0);
const nameOf = (node: Node): string => node.hostnames.manage[0] ?? node.nodeId;

function nodeLine(state: ControlState, node: Node, kindOf: OverviewFacts['kindOf']): object {
  const { nodeId, clusterId, zone, state: wanted, lifecycle, lostSince, residue, deviceIds } = node;
  return {
    id: nodeId,
    cluster: clusterId,
    host: nameOf(node),
    zone,
    state: wanted,
    lifecycle,
    ...(lostSince === undefined ? {} : { lostSince }),
    residue: residue.length,
    kind: kindOf(nameOf(node)),
    devices: deviceIds.flatMap((id) => {
      const device = state.devices.get(id);
      return device === undefined ? [] : [deviceLine(device)];
    }),
  };
}

const deviceLine = ({ deviceId, name, state, lifecycle, totalKib, usedKib, bricks }: Device): object => ({
  id: deviceId,
  name,
  state,
  lifecycle,
  total: totalKib,
  used: usedKib,
  bricks: bricks.size,
});

/** Which volumes are wanted, and from where on. */
export interface VolumeQuery {
  /** Part of a name or the beginning of an id. */
  readonly search: string;
  readonly offset: number;
  readonly limit: number;
}

const sorted = new WeakMap<ControlState['volumes'], readonly Volume[]>();

/** Maps never change, so their order is worked out once. */
function inOrder(volumes: ControlState['volumes']): readonly Volume[] {
  const known = sorted.get(volumes);
  if (known !== undefined) return known;
  const list = [...volumes.values()].sort((one, other) => (one.spec.name < other.spec.name ? -1 : 1));
  sorted.set(volumes, list);
  return list;
}

/** `GET /v1/overview/volumes`: a page of them, by name. */
export function volumePageView(state: ControlState, { search, offset, limit }: VolumeQuery): object {
  const all = inOrder(state.volumes);
  const text = search.toLowerCase();
  const found =
    text === ''
      ? all
      : all.filter(({ spec, volumeId }) => spec.name.toLowerCase().includes(text) || volumeId.startsWith(text));
  return { total: found.length, offset, volumes: found.slice(offset, offset + limit).map((one) => line(one, state)) };
}

const line = (volume: Volume, state: ControlState): object => ({
  id: volume.volumeId,
  name: volume.spec.name,
  cluster: volume.clusterId,
  sizeKib: volume.sizeKib === 0 ? volume.spec.sizeKib : volume.sizeKib,
  durability: durabilityText(volume.spec.durability),
  status: volume.status,
  health: volumeHealth(volume, state),
  bricks: volume.bricks.length,
});

function durabilityText(durability: Durability): string {
  switch (durability.kind) {
    case 'none':
      return 'none';
    case 'replicate':
      return `replica ${String(durability.replica)}`;
    case 'arbiter':
      return 'replica 2 + arbiter';
    case 'disperse':
      return `disperse ${String(durability.data)}+${String(durability.redundancy)}`;
  }
}
