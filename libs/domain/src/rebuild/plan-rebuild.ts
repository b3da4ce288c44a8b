/** A log made anew from what hosts say: which things are adopted, what was assumed, and what could not be decided. Pure. */
import {
  bricksPerSet,
  dataBricks,
  gibOf,
  kib,
  KIB_PER_GIB,
  type Brick,
  type BrickFact,
  type BrickId,
  type ClusterId,
  type CommandOf,
  type DeviceId,
  type HostName,
  type NodeId,
  type VolumeFact,
  type VolumeId,
} from '@brickyard/contracts';
import { hostingReserveGib } from '../control/control.state';
import type { HostReport } from '../drift/drift.state';
import { glusterDurability } from '../operation/orders';
import { deriveId } from '../placement/derive-id';
import { brickFootprint, USUAL_EXTENT_KIB } from '../placement/sizing';
import { readStamp, STAMP_OPTION, type StampedNode, type VolumeStamp } from './volume-stamp';

/** A command that takes something over. */
export type AdoptCommand = CommandOf<'AdoptCluster' | 'AdoptNode' | 'AdoptDevice' | 'AdoptVolume'>;

/** Something that people should look at. */
export interface Remark {
  readonly about: string;
  readonly text: string;
}

/** What a rebuild would do. */
export interface RebuildPlan {
  /** In the order they have to be given. */
  readonly commands: readonly AdoptCommand[];
  /** Taken over all the same. */
  readonly assumed: readonly Remark[];
  /** Not taken over. */
  readonly undecided: readonly Remark[];
}

const PARTS = /^.*\/vg_([0-9a-f]{32})\/brick_([0-9a-f]{32})\/brick$/;
const OWNER = 'user.brickyard.id';

/** A volume that some host told of, with its stamp. */
interface Found {
  readonly fact: VolumeFact;
  readonly stamp: VolumeStamp;
  readonly volumeId: VolumeId;
}

interface Pool {
  readonly clusterId: ClusterId;
  readonly reports: readonly HostReport[];
  readonly volumes: readonly Found[];
}

/** Plans it from what every host has told. */
export function planRebuild(reports: readonly HostReport[]): RebuildPlan {
  const assumed: Remark[] = [];
  const undecided: Remark[] = [];
  const commands: AdoptCommand[] = [];
  const able = reports.filter(({ host, glusterd }) => {
    if (glusterd === 'running') return true;
    undecided.push({ about: `host ${host}`, text: 'its glusterd does not run, so nobody can tell its pool' });
    return false;
  });
  for (const members of poolsOf(able)) {
    const volumes = stampedVolumes(members, undecided);
    const pool = poolOf(members, volumes, assumed, undecided);
    if (pool !== undefined) commands.push(...adoptPool(pool, assumed, undecided));
  }
  const order = ['AdoptCluster', 'AdoptNode', 'AdoptDevice', 'AdoptVolume'];
  commands.sort((one, other) => order.indexOf(one.type) - order.indexOf(other.type));
  return { commands, assumed, undecided };
}

const uuidOf = ({ peers }: HostReport): string | undefined =>
  peers.find(({ hostname }) => hostname === 'localhost')?.uuid;

/** Hosts that know each other. */
function poolsOf(reports: readonly HostReport[]): readonly (readonly HostReport[])[] {
  const pools: HostReport[][] = [];
  for (const report of [...reports].sort((one, other) => (one.host < other.host ? -1 : 1))) {
    const uuid = uuidOf(report);
    const isKnownTo = ({ peers }: HostReport): boolean => peers.some((peer) => peer.uuid === uuid);
    const pool = pools.find((members) => members.some(isKnownTo));
    if (pool === undefined) pools.push([report]);
    else pool.push(report);
  }
  return pools;
}

function stampedVolumes(members: readonly HostReport[], undecided: Remark[]): Found[] {
  const facts = new Map(members.flatMap(({ volumes }) => volumes).map((fact) => [fact.uuid, fact] as const));
  return [...facts.values()]
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap((fact) => {
      const about = `volume ${fact.name}`;
      const owner = fact.options[OWNER];
      const stamp = readStamp(fact.options[STAMP_OPTION] ?? '');
      if (owner === undefined) {
        undecided.push({ about, text: 'it has no stamp: nobody here made it, or its making was never finished' });
      } else if (stamp === undefined) {
        const text = `it is stamped with id ${owner} alone: an earlier release made it, and what was asked for is not known`;
        undecided.push({ about, text });
      } else return [{ fact, stamp, volumeId: owner as VolumeId }];
      return [];
    });
}

function poolOf(
  reports: readonly HostReport[],
  volumes: readonly Found[],
  assumed: Remark[],
  undecided: Remark[],
): Pool | undefined {
  const hosts = reports.map(({ host }) => host).join(', ');
  const known = [...new Set(volumes.map(({ stamp }) => stamp.clusterId))].sort();
  if (known.length > 1) {
    undecided.push({ about: `pool of ${hosts}`, text: `its volumes name several clusters: ${known.join(', ')}` });
    return undefined;
  }
  const asked = new Set(reports.map(uuidOf));
  const peers = new Map(reports.flatMap((report) => report.peers).map((peer) => [peer.uuid, peer] as const));
  for (const { uuid, hostname } of peers.values()) {
    if (!asked.has(uuid))
      undecided.push({
        about: `host ${hostname}`,
        text: `a member of the pool of ${hosts}; it was not asked, or did not answer`,
      });
  }
  const clusterId = known[0] ?? (deriveId('rebuild', [...peers.keys()].sort().join()) as ClusterId);
  const flags = 'that it takes file and block volumes';
  const text = known.length === 0 ? `a new id, since no volume names it; ${flags}` : flags;
  assumed.push({ about: `cluster ${clusterId}`, text });
  return { clusterId, reports, volumes };
}

function* adoptPool(pool: Pool, assumed: Remark[], undecided: Remark[]): Generator<AdoptCommand> {
  const { clusterId, reports, volumes } = pool;
  yield { type: 'AdoptCluster', origin: 'hosts', clusterId, flags: { file: true, block: true } };
  const stamped = volumes.flatMap(({ stamp }) => stamp.nodes);
  const nodes = new Map<HostName, NodeId>();
  for (const report of reports) {
    const node = nodeOf(report, pool, stamped, assumed);
    nodes.set(report.host, node.nodeId);
    yield node;
    yield* devicesOf(report, node.nodeId, assumed, undecided);
  }
  const bricks = new Map(
    reports.flatMap((report) =>
      report.bricks.map(
        (fact) => [PARTS.exec(fact.path)?.[2] ?? fact.path, { fact, nodeId: nodes.get(report.host) }] as const,
      ),
    ),
  );
  const taken = new Set<string>();
  for (const found of volumes) {
    const volume = volumeOf(found, clusterId, bricks, assumed, undecided);
    for (const path of found.fact.bricks) taken.add(PARTS.exec(path)?.[2] ?? path);
    if (volume !== undefined) yield volume;
  }
  for (const report of reports) {
    for (const { path } of report.bricks) {
      if (taken.has(PARTS.exec(path)?.[2] ?? path)) continue;
      undecided.push({ about: `brick ${path} on ${report.host}`, text: 'no volume that was taken over has it' });
    }
  }
}

function nodeOf(
  report: HostReport,
  { clusterId, reports }: Pool,
  stamped: readonly StampedNode[],
  assumed: Remark[],
): CommandOf<'AdoptNode'> {
  const { host, seenGeneration } = report;
  const known = stamped.find(({ manage }) => manage === host);
  const uuid = uuidOf(report);
  const alias = reports
    .flatMap(({ peers }) => peers)
    .find((peer) => peer.uuid === uuid && peer.hostname !== 'localhost')?.hostname;
  const storage = known?.storage ?? ((alias ?? host) as HostName);
  if (known === undefined) {
    const text = `a new id, zone 1 and storage name ${storage}, since no volume has a brick on it`;
    assumed.push({ about: `node ${host}`, text });
  }
  return {
    type: 'AdoptNode',
    origin: 'hosts',
    nodeId: known?.nodeId ?? (deriveId('rebuild', `${clusterId}/${host}`) as NodeId),
    clusterId,
    zone: known?.zone ?? 1,
    hostnames: { manage: [host], storage: [storage] },
    tags: {},
    state: 'online',
    ...(seenGeneration === undefined ? {} : { seenGeneration }),
  };
}

function* devicesOf(
  { host, devices }: HostReport,
  nodeId: NodeId,
  assumed: Remark[],
  undecided: Remark[],
): Generator<CommandOf<'AdoptDevice'>> {
  for (const { deviceId, name, totalKib, problem } of devices) {
    const about = `device ${name} on ${host}`;
    if (totalKib === undefined) {
      undecided.push({ about, text: problem ?? 'it is gone, or another one has taken its place' });
      continue;
    }
    assumed.push({ about, text: 'that it is online, has no tags, and extents of 4 MiB; `device resync` looks again' });
    const size = { totalKib: kib(totalKib), extentKib: USUAL_EXTENT_KIB, pvUuid: '', paths: [name] };
    yield { type: 'AdoptDevice', origin: 'hosts', deviceId, nodeId, name, tags: {}, state: 'online', ...size };
  }
}

type Bricks = ReadonlyMap<string, { readonly fact: BrickFact; readonly nodeId: NodeId | undefined }>;

function volumeOf(
  { fact, stamp, volumeId }: Found,
  clusterId: ClusterId,
  known: Bricks,
  assumed: Remark[],
  undecided: Remark[],
): CommandOf<'AdoptVolume'> | undefined {
  const about = `volume ${fact.name} (${volumeId})`;
  const spec = { ...stamp.spec, name: fact.name };
  if (stamp.volumeId !== volumeId)
    assumed.push({ about, text: `what was asked for ${stamp.volumeId}, of which it is a clone` });
  if (fact.status !== 'started') assumed.push({ about, text: `that it shall be served; it is ${fact.status}` });
  const perSet = bricksPerSet(glusterDurability(spec));
  const bricks: Brick[] = [];
  for (const [index, listed] of fact.bricks.entries()) {
    const [, deviceId, brickId = ''] = PARTS.exec(listed) ?? [];
    const found = known.get(brickId);
    if (deviceId === undefined || found?.nodeId === undefined || found.fact.sizeKib === undefined) {
      const why = deviceId === undefined ? 'is no place of ours' : 'is on no host that was asked, or cannot be read';
      undecided.push({ about, text: `its brick ${listed} ${why}` });
      return undefined;
    }
    const { poolKib, metadataKib } = brickFootprint(found.fact.sizeKib, spec.snapshotFactor, USUAL_EXTENT_KIB);
    bricks.push({
      brickId: brickId as BrickId,
      nodeId: found.nodeId,
      deviceId: deviceId as DeviceId,
      path: found.fact.path,
      sizeKib: kib(found.fact.sizeKib),
      poolKib: kib(poolKib),
      metadataKib: kib(metadataKib),
      set: Math.floor(index / perSet),
      place: index % perSet,
    });
  }
  const sizeKib = sizeOf(bricks, spec);
  if (sizeKib !== spec.sizeKib)
    assumed.push({ about, text: `from its bricks, that it was expanded to ${String(gibOf(sizeKib))} GiB` });
  for (const set of uneven(bricks, perSet, spec)) {
    assumed.push({ about, text: `that the bricks of set ${String(set)} may differ in size, as they do` });
  }
  const hosting = spec.block ? { reservedGib: hostingReserveGib(gibOf(sizeKib)), restriction: '' as const } : undefined;
  return {
    type: 'AdoptVolume',
    origin: 'hosts',
    volumeId,
    clusterId,
    spec,
    sizeKib,
    bricks,
    options: { ...fact.options },
    ...(hosting === undefined ? {} : { hosting }),
  };
}

/** Bricks are rounded down when a volume is cut: what they hold together is the size asked for, or less by a few KiB. */
function sizeOf(bricks: readonly Brick[], spec: VolumeStamp['spec']): VolumeStamp['spec']['sizeKib'] {
  const largest = new Map<number, number>();
  for (const { set, sizeKib } of bricks) largest.set(set, Math.max(largest.get(set) ?? 0, sizeKib));
  const heldKib = [...largest.values()].reduce((sum, size) => sum + size * dataBricks(spec.durability), 0);
  const wholeKib = Math.round(heldKib / KIB_PER_GIB) * KIB_PER_GIB;
  return Math.abs(heldKib - spec.sizeKib) < KIB_PER_GIB / 2 ? spec.sizeKib : kib(Math.max(wholeKib, 0));
}

/** Sets whose bricks should be alike and are not. */
function uneven(bricks: readonly Brick[], perSet: number, spec: VolumeStamp['spec']): number[] {
  const data = glusterDurability(spec).kind === 'arbiter' ? perSet - 1 : perSet;
  const sets = new Map<number, Set<number>>();
  for (const { set, place, sizeKib } of bricks) {
    if (place < data) sets.set(set, (sets.get(set) ?? new Set()).add(sizeKib));
  }
  return [...sets].flatMap(([set, sizes]) => (sizes.size > 1 ? [set] : []));
}
