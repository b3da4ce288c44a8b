/** The smallest change after which an evacuation could be planned, in plain words. */
import { KIB_PER_GIB, type BlockedBrick } from '@brickyard/contracts';
import type { Cluster, ControlState, Node, RingDevice } from '../control/control.state';
import { grouped } from '../placement/ring';
import type { Unplaced } from './arrange';
import type { EvacuationSubject } from './evacuation.types';
import type { Mover } from './leaving';

/** Space a device loses to the volume group's own labels and to rounding: below 8 MiB. */
const DEVICE_OVERHEAD_KIB = 8192;
/** Nodes out of service that are looked at one by one. */
const NODES_TRIED_MAX = 8;

/** What went wrong, and a way to ask whether it would go well elsewhere. */
export interface Setback {
  readonly subject: EvacuationSubject;
  readonly blocked: readonly BlockedBrick[];
  readonly unplaced: readonly Unplaced[];
  readonly state: ControlState;
  readonly wouldFit: (state: ControlState) => boolean;
}

const plural = (count: number, one: string): string => `${String(count)} ${one}${count === 1 ? '' : 's'}`;

function onlyCopyText({ blocked, state }: Setback): string | undefined {
  const volumeIds = new Set(blocked.flatMap(({ reason, volumeId }) => (reason === 'only-copy' ? [volumeId] : [])));
  const [first] = volumeIds;
  if (first === undefined) return undefined;
  const name = state.volumes.get(first)?.spec.name ?? '';
  const others = volumeIds.size === 1 ? '' : ` and ${plural(volumeIds.size - 1, 'more volume')}`;
  return (
    `Volume ${name} (${first})${others} keeps only one copy of its data, so a brick of it cannot be replaced: ` +
    'copy the data to another volume and delete this one, then ask again.'
  );
}

function tagRuleText({ blocked, state }: Setback): string | undefined {
  const found = blocked.find(({ reason }) => reason === 'bad-tag-rule');
  if (found === undefined) return undefined;
  const name = state.volumes.get(found.volumeId)?.spec.name ?? '';
  return `The tag rule of volume ${name} (${found.volumeId}) cannot be read.`;
}

const isOn = (subject: EvacuationSubject, { nodeId, deviceId }: RingDevice): boolean =>
  subject.kind === 'node' ? subject.nodeId === nodeId : subject.kind === 'device' && subject.deviceId === deviceId;

/** The state as it would be with these devices in service. */
function withDevicesOnline(state: ControlState, cluster: Cluster, devices: readonly RingDevice[]): ControlState {
  let ring = cluster.ring;
  for (const { nodeLostSince: _, ...device } of devices) {
    ring = ring.set(device.deviceId, { ...device, deviceState: 'online', nodeState: 'online' });
  }
  return { ...state, clusters: state.clusters.set(cluster.clusterId, { ...cluster, ring }) };
}

/** A node out of service whose return would be enough. */
function returnText({ subject, unplaced, state, wouldFit }: Setback, cluster: Cluster): string | undefined {
  const away = [...(unplaced[0]?.mover.ring.unusable ?? [])]
    .filter(({ refusal }) => refusal.rule !== 'tag-mismatch')
    .map(({ device }) => device)
    .filter((device) => !isOn(subject, device) && device.deviceState !== 'failed' && device.nodeState !== 'failed');
  for (const [nodeId, devices] of [...grouped(away, (device) => device.nodeId)].slice(0, NODES_TRIED_MAX)) {
    if (!wouldFit(withDevicesOnline(state, cluster, devices))) continue;
    const nodeItself = devices.some((device) => device.nodeState !== 'online' || device.nodeLostSince !== undefined);
    if (nodeItself) return `Bring node ${nodeId} back online.`;
    return `Set ${devices.length === 1 ? 'device' : 'the devices'} ${devices.map(({ deviceId }) => deviceId).join(', ')} of node ${nodeId} online.`;
  }
  return undefined;
}

const isFree = ({ nodesInSet, zonesInSet, strictZones }: Mover, { nodeId, zone }: Node): boolean =>
  !nodesInSet.has(nodeId) && !(strictZones && zonesInSet.has(zone));

function isInService({ state, subject }: Setback, node: Node): boolean {
  const isUp = node.state === 'online' && node.lostSince === undefined && node.lifecycle === 'ready';
  if (!isUp || (subject.kind === 'node' && subject.nodeId === node.nodeId)) return false;
  return state.nodes.has(node.nodeId);
}

/** Tags that the new device needs to be taken by every brick that has no place. */
function tagsText(movers: readonly Mover[]): string {
  const rules = new Set(
    movers.flatMap(({ volume }) =>
      volume.spec.options.filter((option) => option.startsWith('user.heketi.device-tag-match ')),
    ),
  );
  return rules.size === 0 ? '' : ` whose tags match ${[...rules].map((rule) => rule.split(' ')[1]).join(' and ')}`;
}

/** One device that is enough, on a node that may take all of the bricks, or on a new one. */
function addText(setback: Setback, cluster: Cluster): string {
  const movers = setback.unplaced.map(({ mover }) => mover);
  const needed = movers.reduce((sum, { neededKib }) => sum + neededKib, 0);
  const gib = String(Math.ceil((needed + 1 + DEVICE_OVERHEAD_KIB) / KIB_PER_GIB));
  const device = `a device of at least ${gib} GiB${tagsText(movers)}`;
  const nodes = cluster.nodeIds.flatMap((nodeId) => setback.state.nodes.get(nodeId) ?? []);
  const host = nodes.find((node) => isInService(setback, node) && movers.every((mover) => isFree(mover, node)));
  const lack = `${plural(movers.length, 'brick')} ${movers.length === 1 ? 'finds' : 'find'} no place`;
  if (host !== undefined) return `${lack}: add ${device} to node ${host.nodeId} (zone ${String(host.zone)}).`;
  const zone = movers.some(({ strictZones }) => strictZones) ? ' in another zone' : '';
  return `${lack}: add a node${zone} with ${device}.`;
}

/** What to do first: what cannot be helped by space, then what costs nothing, then the smallest purchase. */
export function evacuationRemedy(setback: Setback): string {
  const hopeless = onlyCopyText(setback) ?? tagRuleText(setback);
  if (hopeless !== undefined) return hopeless;
  const clusterId = setback.unplaced[0]?.mover.volume.clusterId;
  const cluster = clusterId === undefined ? undefined : setback.state.clusters.get(clusterId);
  if (cluster === undefined) return '';
  return returnText(setback, cluster) ?? addText(setback, cluster);
}
