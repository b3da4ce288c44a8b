/** What would make room for a volume that found none: said with numbers, the nodes to touch named. */
import { bricksPerSet, KIB_PER_GIB, type ClusterId } from '@brickyard/contracts';
import type { Cluster, ControlState, Node, RingDevice } from '../../control/control.state';
import { averageFileKib, hasArbiter, matchesTag, placementOptions, type PlacementOptions } from '../filters';
import { arbiterKib, brickFootprint, brickKibOf, USUAL_EXTENT_KIB } from '../sizing';
import type { BrickRequest } from '../placement.types';
import { readingsOf } from '../sets/readings';
import { grouped, groupNumbers, groupsOf, ringOf, type Ring } from '../ring';
import { stockOf, type Stock } from '../sets/stock';
import { brickLimitNeeded, largestGib, smallestShortfall, wouldFit, type Shortfall } from './what-if';

/** Space a device loses to the volume group's own labels and to rounding: below 8 MiB. */
const DEVICE_OVERHEAD_KIB = 8192;
/** Nodes out of service that are looked at one by one. */
const NODES_TRIED_MAX = 8;

/** A remedy and how much space it asks for, to compare those of several clusters. */
export interface SpaceRemedy {
  readonly text: string;
  readonly lackingKib: number;
}

/** Everything a remedy is made from. */
interface Situation {
  readonly request: BrickRequest;
  readonly options: PlacementOptions;
  readonly cluster: Cluster;
  readonly state: ControlState;
  readonly ring: Ring;
  readonly stock: Stock;
}

const plural = (count: number, one: string): string => `${String(count)} ${one}${count === 1 ? '' : 's'}`;

function stockWith(devices: readonly RingDevice[], strictZones: boolean, state: ControlState): Stock {
  return stockOf(readingsOf(devices, state.devices), groupNumbers(devices, strictZones));
}

const ringStock = (ring: Ring, strictZones: boolean, state: ControlState): Stock =>
  stockOf(readingsOf(ring.devices, state.devices), groupsOf(ring, strictZones));

/** The size of a device that takes so many bricks, in GiB. */
const deviceGib = (bricks: number, neededKib: number): number =>
  Math.ceil((bricks * neededKib + 1 + DEVICE_OVERHEAD_KIB) / KIB_PER_GIB);

/** The need and what there is of it. */
function lackText({ request, options }: Situation, { sets, neededKib, room, missing }: Shortfall): string {
  const setSize = bricksPerSet(request.durability);
  const free = `more than ${String(neededKib)} KiB free`;
  if (sets === 1) {
    const having = room.reduce((sum, each) => sum + each, 0);
    const where = `${plural(setSize, options.strictZones ? 'zone' : 'node')} with ${free} on one device`;
    return `Needs ${where}; ${String(having)} ${having === 1 ? 'has' : 'have'} it`;
  }
  const wanted = sets * setSize;
  const group = options.strictZones ? 'zone' : 'node';
  const bricks = `${plural(wanted, 'brick')}, each on a device with ${free} and at most ${String(sets)} in one ${group}`;
  return `Needs places for ${bricks}; there are ${String(wanted - missing)}`;
}

/** How many bricks a node, or its zone, still lacks to have one for each set. */
function deficits({ cluster, state, options, ring, stock }: Situation, { sets, room }: Shortfall): [Node, number][] {
  const keyOf = (of: { nodeId: string; zone: number }): string => (options.strictZones ? String(of.zone) : of.nodeId);
  const roomOf = new Map(ring.devices.map((device, index) => [keyOf(device), room[stock.groups[index] ?? 0] ?? 0]));
  return cluster.nodeIds
    .flatMap((nodeId) => state.nodes.get(nodeId) ?? [])
    .filter((node) => node.state === 'online' && node.lostSince === undefined && node.lifecycle === 'ready')
    .map((node): [Node, number] => [node, sets - (roomOf.get(keyOf(node)) ?? 0)]);
}

/** The smallest purchase that is enough: one device, or new nodes. */
function addText(situation: Situation, shortfall: Shortfall): string {
  const { missing, sets, neededKib } = shortfall;
  const tagged = situation.options.tagRule === undefined ? '' : ` whose tags match ${situation.options.tagRule.text}`;
  const found = deficits(situation, shortfall).find(([, deficit]) => deficit >= missing);
  if (found !== undefined) {
    const [{ nodeId, zone }] = found;
    return `add a device of at least ${String(deviceGib(missing, neededKib))} GiB${tagged} to node ${nodeId} (zone ${String(zone)})`;
  }
  const nodes = Math.ceil(missing / sets);
  const size = `a device of at least ${String(deviceGib(Math.min(missing, sets), neededKib))} GiB${tagged}`;
  const zones = nodes === 1 ? ' in another zone' : ' in other zones, one in each';
  const where = situation.options.strictZones ? zones : '';
  return `add ${plural(nodes, 'node')}${where}, ${nodes === 1 ? 'with' : 'each with'} ${size}`;
}

/** Nodes and devices out of service that would be enough. */
function returnText({ request, options, ring, state }: Situation): string | undefined {
  const { tagRule } = options;
  const away = ring.unusable
    .filter(({ refusal }) => refusal.rule !== 'tag-mismatch')
    .map(({ device }) => device)
    .filter((device) => tagRule === undefined || matchesTag(device, tagRule));
  const enough = (devices: readonly RingDevice[]): boolean =>
    wouldFit(stockWith([...ring.devices, ...devices], options.strictZones, state), request);
  if (away.length === 0 || !enough(away)) return undefined;
  const byNode = [...grouped(away, (device) => device.nodeId)];
  const alone = byNode.slice(0, NODES_TRIED_MAX).find(([, devices]) => enough(devices));
  if (alone === undefined) return `bring back ${plural(byNode.length, 'node')} out of service or with devices that are`;
  const [nodeId, devices] = alone;
  const nodeItself = devices.some((device) => device.nodeState !== 'online' || device.nodeLostSince !== undefined);
  return nodeItself ? `bring node ${nodeId} back online` : `bring the devices of node ${nodeId} back online`;
}

/** Rules of the request itself that stand in the way. */
function relaxTexts({ request, options, cluster, ring, state }: Situation): string[] {
  const { strictZones, tagRule } = options;
  const looserZones = strictZones && wouldFit(ringStock(ring, false, state), request);
  const untagged = tagRule !== undefined && wouldFit(ringStock(ringOf(cluster.ring), strictZones, state), request);
  return [
    ...(looserZones ? ['do without strict zone checking'] : []),
    ...(untagged ? ['do without the tag rule'] : []),
  ];
}

/** What stands in the way when no cut may even be tried. */
function noCutText({ policy }: BrickRequest): string {
  const largest = `bricks of at most ${String(policy.brickMaxKib)} KiB`;
  return `Needs ${largest} and at least ${String(policy.brickMinKib)} KiB, ${plural(policy.bricksPerVolumeMax, 'brick')} a volume; no cut keeps to that`;
}

function remedyIn(situation: Situation): SpaceRemedy {
  const { request, stock } = situation;
  const shortfall = smallestShortfall(stock, request);
  const gib = largestGib(stock, request);
  const limit = brickLimitNeeded(stock, request);
  const ways = [
    ...[returnText(situation) ?? []].flat(),
    ...relaxTexts(situation),
    ...(limit === undefined ? [] : [`allow ${String(limit)} bricks a volume`]),
    ...(shortfall === undefined ? [] : [addText(situation, shortfall)]),
    ...(gib > 0 ? [`ask for at most ${String(gib)} GiB`] : []),
  ];
  const lack = shortfall === undefined ? noCutText(request) : lackText(situation, shortfall);
  const lackingKib = shortfall === undefined ? Number.MAX_SAFE_INTEGER : shortfall.missing * shortfall.neededKib;
  return { text: ways.length === 0 ? `${lack}.` : `${lack}: ${ways.join(', or ')}.`, lackingKib };
}

/** With an arbiter not all bricks of a set are alike: what one set needs is told, counting is left to whoever reads it. */
function arbiterRemedy(request: BrickRequest): SpaceRemedy {
  const brickKib = brickKibOf(request.sizeKib, 1, request.durability);
  const averageKib = averageFileKib(request.options, request.policy);
  const need = (kib: number): number => brickFootprint(kib, request.snapshotFactor, USUAL_EXTENT_KIB).totalKib;
  const dataKib = need(brickKib);
  const small = String(need(arbiterKib(brickKib, averageKib)));
  const text =
    `Needs 2 nodes with more than ${String(dataKib)} KiB free on a device that takes data, and a third one with more ` +
    `than ${small} KiB on a device that takes arbiters (tag arbiter: required, disabled or neither).`;
  return { text, lackingKib: dataKib };
}

/** The smallest changes that would have made a refused request succeed in its cluster. */
export function spaceRemedy(request: BrickRequest, clusterId: ClusterId, state: ControlState): SpaceRemedy | undefined {
  const cluster = state.clusters.get(clusterId);
  const read = placementOptions(request.options, request.policy);
  if (cluster === undefined || read.kind !== 'valid') return undefined;
  const { options } = read;
  if (hasArbiter(request.durability, request.options)) return arbiterRemedy(request);
  const ring = ringOf(cluster.ring, options.tagRule);
  const stock = ringStock(ring, options.strictZones, state);
  return remedyIn({ request, options, cluster, state, ring, stock });
}
