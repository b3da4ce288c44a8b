/** From a Gluster pool that nobody managed to what is taken over: its hosts, its volumes, and the file systems its bricks lie on. Pure. */
import {
  bricksPerSet,
  dataBricks,
  DISPERSE_SHAPES,
  kib,
  type Brick,
  type BrickGround,
  type BrickId,
  type ClusterId,
  type CommandOf,
  type DeviceId,
  type DumpFinding,
  type Durability,
  type HostName,
  type HostsAnswer,
  type NodeId,
  type VolumeFact,
  type VolumeId,
  type VolumeShape,
} from '@brickyard/contracts';
import { deriveId } from '../placement/derive-id';
import { USUAL_EXTENT_KIB } from '../placement/sizing';
import type { AdoptCommand } from './from-heketi';

type Look = HostsAnswer['hosts'][number];

/** What the log knows already: found again it keeps its id, and is not taken over twice. */
export interface KnownNode {
  readonly nodeId: NodeId;
  readonly clusterId: ClusterId;
  readonly manage: string;
  /** Names of its devices, each with its id. */
  readonly devices: ReadonlyMap<string, DeviceId>;
}

/** What would be taken over, what was found beside it, and what cannot be, with the reason. */
export interface PoolPlan {
  readonly commands: readonly AdoptCommand[];
  readonly findings: readonly DumpFinding[];
}

const LEFT_OUT = 'left out';
const TAKEN = 'taken over';

/** Gluster's own ids are ours: 32 digits without their dashes, so that both can be looked for by the same text. */
const idOf = (uuid: string): string => uuid.toLowerCase().replaceAll('-', '');

const uuidOf = ({ peers }: Look): string | undefined => peers.find(({ hostname }) => hostname === 'localhost')?.uuid;

/** One member whose agent told all that is needed. */
interface Member {
  readonly look: Look;
  readonly uuid: string;
  readonly nodeId: NodeId;
  readonly clusterId: ClusterId;
  readonly known: KnownNode | undefined;
}

/** A file system that carries bricks, and how many of those that are taken over. */
interface Ground {
  readonly member: Member;
  readonly ground: BrickGround;
  readonly deviceId: DeviceId;
  readonly isKnown: boolean;
  bricks: number;
}

/** What is known beside what hosts tell. */
export interface AdoptionFacts {
  readonly nodes?: readonly KnownNode[];
  /** Of the volumes that the log has, as `cluster/name`. */
  readonly volumeNames?: ReadonlySet<string>;
  /** Failure domains, by host: Gluster knows none. */
  readonly zones?: ReadonlyMap<string, number>;
}

/** Plans it from what every host tells now. */
export function planAdoption(
  looks: readonly Look[],
  { nodes = [], volumeNames = new Set(), zones = new Map() }: AdoptionFacts = {},
): PoolPlan {
  const draft: Draft = { findings: [], members: new Map(), grounds: new Map(), volumeNames, zones };
  const able = looks.filter((look) => isAble(draft, look));
  const pools = poolsOf(able);
  const clusters = pools.flatMap((pool) => clusterOf(draft, pool, nodes) ?? []);
  const volumes = volumesOf(able).flatMap((fact) => volumeOf(draft, fact) ?? []);
  for (const volume of volumes) tellGrounds(draft, volume);
  const charged = volumes.map((volume) => ({ ...volume, bricks: volume.bricks.map((brick) => charge(draft, brick)) }));
  const commands = [...clusters, ...nodesOf(draft), ...devicesOf(draft), ...charged];
  return { commands, findings: draft.findings };
}

/** A plan in the making. */
interface Draft {
  readonly findings: DumpFinding[];
  /** By Gluster's id of the host. */
  readonly members: Map<string, Member>;
  readonly grounds: Map<DeviceId, Ground>;
  readonly volumeNames: ReadonlySet<string>;
  readonly zones: ReadonlyMap<string, number>;
}

function note(draft: Draft, subject: string, problem: string, done: string): void {
  draft.findings.push({ subject, problem, done });
}

function isAble(draft: Draft, look: Look): boolean {
  if (look.glusterd === 'running' && uuidOf(look) !== undefined) return true;
  note(draft, `host ${look.host}`, 'its glusterd does not run, so nobody can tell its pool', LEFT_OUT);
  return false;
}

/** Hosts that know each other. */
function poolsOf(looks: readonly Look[]): readonly (readonly Look[])[] {
  const pools: Look[][] = [];
  for (const look of [...looks].sort((one, other) => (one.host < other.host ? -1 : 1))) {
    const uuid = uuidOf(look);
    const pool = pools.find((members) => members.some(({ peers }) => peers.some((peer) => peer.uuid === uuid)));
    if (pool === undefined) pools.push([look]);
    else pool.push(look);
  }
  return pools;
}

/** The cluster that a pool becomes; none is made where the log has it. */
function clusterOf(
  draft: Draft,
  pool: readonly Look[],
  nodes: readonly KnownNode[],
): CommandOf<'AdoptCluster'> | undefined {
  const hosts = pool.map(({ host }) => host).join(', ');
  const known = new Map(pool.map(({ host }) => [host, nodes.find(({ manage }) => manage === host)] as const));
  const clusterIds = [...new Set([...known.values()].flatMap((node) => node?.clusterId ?? []))];
  if (clusterIds.length > 1) {
    const problem = `the log has its hosts in several clusters: ${clusterIds.join(', ')}`;
    note(draft, `pool of ${hosts}`, problem, LEFT_OUT);
    return undefined;
  }
  const uuids = pool.flatMap(({ peers }) => peers.map(({ uuid }) => uuid)).sort();
  const clusterId = clusterIds[0] ?? (deriveId('adopt', [...new Set(uuids)].join()) as ClusterId);
  const asked = new Set(pool.map(uuidOf));
  for (const { uuid, hostname } of new Map(
    pool.flatMap(({ peers }) => peers).map((peer) => [peer.uuid, peer]),
  ).values()) {
    if (asked.has(uuid)) continue;
    note(
      draft,
      `host ${hostname}`,
      `is in the pool of ${hosts}; it was not named, or has no agent that answers`,
      LEFT_OUT,
    );
  }
  for (const look of pool) {
    const uuid = uuidOf(look) ?? '';
    const node = known.get(look.host);
    draft.members.set(uuid, { look, uuid, nodeId: node?.nodeId ?? (idOf(uuid) as NodeId), clusterId, known: node });
  }
  if (clusterIds.length > 0) return undefined;
  return { type: 'AdoptCluster', origin: 'gluster', clusterId, flags: { file: true, block: true } };
}

function nodesOf(draft: Draft): CommandOf<'AdoptNode'>[] {
  const members = [...draft.members.values()];
  const peers = members.flatMap(({ look }) => look.peers);
  return members.flatMap(({ look, uuid, nodeId, clusterId, known }) => {
    if (known !== undefined) return [];
    const alias = peers.find((peer) => peer.uuid === uuid && peer.hostname !== 'localhost')?.hostname;
    const storage = (alias ?? look.host) as HostName;
    const zone = draft.zones.get(look.host);
    if (zone === undefined) note(draft, `node ${look.host}`, 'nobody says in which zone it is', `${TAKEN} in zone 1`);
    const hostnames = { manage: [look.host], storage: [storage] };
    const rest = { zone: zone ?? 1, hostnames, tags: {}, state: 'online' as const };
    const seen = look.seenGeneration === undefined ? {} : { seenGeneration: look.seenGeneration };
    return [{ type: 'AdoptNode' as const, origin: 'gluster' as const, nodeId, clusterId, ...rest, ...seen }];
  });
}

/** Every volume that hosts tell of, each once, by name. */
function volumesOf(looks: readonly Look[]): readonly VolumeFact[] {
  const facts = new Map<string, VolumeFact>();
  for (const { volumes } of looks) {
    for (const fact of volumes) {
      // Each host tells what its own bricks stand on.
      const before = facts.get(fact.uuid);
      facts.set(fact.uuid, before?.found === undefined ? fact : { ...before, found: withGrounds(before.found, fact) });
    }
  }
  return [...facts.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
}

type Found = NonNullable<VolumeFact['found']>;

const withGrounds = (found: Found, { found: more }: VolumeFact): Found => ({
  ...found,
  grounds: [...found.grounds, ...(more?.grounds ?? [])],
});

const STAMPS = [
  ['user.brickyard.id', 'carries a stamp of Brickyard: `brickyard rebuild` takes it over'],
  ['user.heketi.id', 'was made by heketi: `brickyard import heketi` takes it over'],
] as const;

const SNAPSHOT_MOUNTS = /^\/(var\/)?run\/gluster\/snaps\//;
const OUR_BRICK = /\/vg_[0-9a-f]{32}\/brick_[0-9a-f]{32}(\/|$)/;

function volumeOf(draft: Draft, fact: VolumeFact): CommandOf<'AdoptVolume'> | undefined {
  const about = `volume ${fact.name}`;
  const clusterIds = [...draft.members.values()].map(({ clusterId: id }) => id);
  if (clusterIds.some((id) => draft.volumeNames.has(`${id}/${fact.name}`))) return undefined;
  const plan = planOf(draft, fact);
  if (typeof plan === 'string') {
    note(draft, about, plan, LEFT_OUT);
    return undefined;
  }
  const { durability, isArbiter, bricks, clusterId } = plan;
  if (fact.status === 'stopped') note(draft, about, 'is stopped', `${TAKEN}; it shows as drift until it is started`);
  for (const { deviceId } of bricks) {
    const ground = draft.grounds.get(deviceId);
    if (ground !== undefined) ground.bricks += 1;
  }
  const sizeKib = kib(sizeOf(bricks, durability, isArbiter));
  const spec = {
    name: fact.name,
    sizeKib,
    durability,
    gid: 0,
    options: isArbiter ? ['user.heketi.arbiter true'] : [],
    block: false,
    snapshots: false,
    snapshotFactor: '1',
    requestedDurability: requestedAs(durability),
  };
  const volumeId = idOf(fact.uuid) as VolumeId;
  const options = { ...fact.options, 'user.brickyard.id': volumeId }; // Ours is missing, and shows as drift.
  return { type: 'AdoptVolume', origin: 'gluster', volumeId, clusterId, spec, sizeKib, bricks, options };
}

interface Planned {
  readonly clusterId: ClusterId;
  readonly durability: Durability;
  readonly isArbiter: boolean;
  readonly bricks: Brick[];
}

/** What a volume is, or why it cannot be taken over. */
function planOf(draft: Draft, { name, uuid, status, bricks: listed, options, found }: VolumeFact): Planned | string {
  const stamp = STAMPS.find(([key]) => options[key] !== undefined);
  if (stamp !== undefined) return stamp[1];
  if (status === 'created') return 'was made and never started: start it, or delete it';
  if (found === undefined) return 'no host tells its shape: agents of an earlier release, or simulated hosts';
  const durability = durabilityOf(found.shape);
  if (typeof durability === 'string') return durability;
  const isArbiter = durability.kind === 'arbiter';
  const perSet = bricksPerSet(durability);
  if (listed.length === 0 || listed.length % perSet !== 0) {
    return `its ${String(listed.length)} bricks do not make whole sets of ${String(perSet)}`;
  }
  const bricks: Brick[] = [];
  const places = new Set<string>();
  for (const [index, text] of listed.entries()) {
    const path = text.slice(text.indexOf(':/') + 1);
    const hostUuid = found.hostUuids[index] ?? '';
    const member = draft.members.get(hostUuid);
    if (member === undefined) return `its brick ${text} is on a host that has no agent here`;
    if (SNAPSHOT_MOUNTS.test(path))
      return `its brick ${text} is a snapshot: it is a clone that Gluster mounts by itself`;
    if (OUR_BRICK.test(path)) return `its brick ${text} lies in one that Brickyard or heketi made`;
    const ground = found.grounds.find((one) => one.path === path && one.hostUuid === hostUuid);
    if (ground === undefined) return `what its brick ${text} stands on cannot be read`;
    const set = Math.floor(index / perSet);
    const place = `${String(set)}/${member.nodeId}`;
    if (places.has(place)) return `two bricks of set ${String(set)} lie on ${member.look.host}: no copy of each other`;
    places.add(place);
    const deviceId = groundOf(draft, member, ground);
    const brickId = deriveId('adopt', `${uuid}/${text}`) as BrickId;
    const size = { sizeKib: kib(ground.sizeKib), poolKib: kib(0), metadataKib: kib(0) };
    const at = { set, place: index % perSet, foreign: true as const };
    bricks.push({ brickId, nodeId: member.nodeId, deviceId, path, ...size, ...at });
  }
  const clusterId = draft.members.get(found.hostUuids[0] ?? '')?.clusterId;
  if (clusterId === undefined) return `no pool of ${name} is known`;
  return { clusterId, durability: isArbiter ? { kind: 'replicate', replica: 3 } : durability, isArbiter, bricks };
}

/** Gluster's shape as ours, or why there is no such one. */
function durabilityOf({ type, replica, arbiter, disperse, redundancy }: VolumeShape): Durability | string {
  if (!/^(Distribute|Replicate|Disperse|Distributed-Replicate|Distributed-Disperse)$/.test(type)) {
    return `its shape is ${type}, which is not managed here`;
  }
  if (disperse > 0) {
    const data = disperse - redundancy;
    const isOffered = DISPERSE_SHAPES.some((shape) => shape[0] === data && shape[1] === redundancy);
    if (isOffered) return { kind: 'disperse', data, redundancy };
    const offered = DISPERSE_SHAPES.map(([one, other]) => `${String(one)}+${String(other)}`).join(', ');
    return `is dispersed ${String(data)}+${String(redundancy)}; managed are ${offered}`;
  }
  if (arbiter > 0) {
    if (replica === 3 && arbiter === 1) return { kind: 'arbiter' };
    return `has ${String(arbiter)} arbiters among ${String(replica)} bricks of a set`;
  }
  if (replica <= 1) return { kind: 'none' };
  return replica <= 3 ? { kind: 'replicate', replica } : `keeps ${String(replica)} copies; managed are up to 3`;
}

function requestedAs(durability: Durability): CommandOf<'AdoptVolume'>['spec']['requestedDurability'] {
  if (durability.kind === 'replicate') return { type: 'replicate', replicate: { replica: durability.replica } };
  if (durability.kind !== 'disperse') return { type: 'none' };
  const { data, redundancy } = durability;
  return { type: 'disperse', disperse: { data, redundancy } };
}

/** The device that a file system is, by the directory it is mounted at. */
function groundOf({ grounds }: Draft, member: Member, ground: BrickGround): DeviceId {
  const known = member.known?.devices.get(ground.mount);
  const deviceId = known ?? (deriveId('adopt', `${member.uuid}/${ground.mount}`) as DeviceId);
  if (!grounds.has(deviceId))
    grounds.set(deviceId, { member, ground, deviceId, isKnown: known !== undefined, bricks: 0 });
  return deviceId;
}

const devicesOf = (draft: Draft): CommandOf<'AdoptDevice'>[] =>
  [...draft.grounds.values()]
    .filter(({ isKnown, bricks }) => !isKnown && bricks > 0)
    .map(({ member, ground, deviceId }) => ({
      type: 'AdoptDevice',
      origin: 'gluster',
      deviceId,
      nodeId: member.nodeId,
      name: ground.mount,
      tags: {},
      state: 'online',
      totalKib: kib(ground.sizeKib),
      extentKib: USUAL_EXTENT_KIB,
      pvUuid: '',
      paths: [ground.source],
      foreign: true,
    }));

/** What each brick is charged for: an equal part of its file system; nothing of one whose parts are given away already. */
function charge({ grounds }: Draft, brick: Brick): Brick {
  const ground = grounds.get(brick.deviceId);
  if (ground === undefined || ground.isKnown) return brick;
  return { ...brick, poolKib: kib(Math.floor(ground.ground.sizeKib / Math.max(1, ground.bricks))) };
}

/** What people should know of where bricks lie; nothing of it keeps a volume from being taken over. */
function tellGrounds(draft: Draft, { spec, bricks }: CommandOf<'AdoptVolume'>): void {
  for (const { deviceId, path } of bricks) {
    const found = draft.grounds.get(deviceId);
    if (found === undefined) continue;
    const { mount } = found.ground;
    const where = `its brick ${path} on ${found.member.look.host}`;
    const about = `volume ${spec.name}`;
    if (mount === '/') note(draft, about, `${where} lies on the root file system: full, it stops the host`, TAKEN);
    else if (found.bricks > 1 || found.isKnown) {
      note(draft, about, `${where} shares ${mount} with other bricks: what they hold does not add up`, TAKEN);
    }
  }
}

/** What clients see: of each set the smallest brick, an arbiter's aside, as often as it holds different data. */
function sizeOf(bricks: readonly Brick[], durability: Durability, isArbiter: boolean): number {
  const smallest = new Map<number, number>();
  for (const { set, place, sizeKib } of bricks) {
    if (isArbiter && place === 2) continue;
    smallest.set(set, Math.min(smallest.get(set) ?? Number.MAX_SAFE_INTEGER, sizeKib));
  }
  return [...smallest.values()].reduce((sum, size) => sum + size * dataBricks(durability), 0);
}
