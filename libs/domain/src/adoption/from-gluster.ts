/** From a Gluster pool that nobody managed to what is taken over: its hosts, its volumes, and the file systems its bricks lie on. Pure. */
import {
  bricksPerSet,
  dataBricks,
  DISPERSE_SHAPES,
  isDisperseOffered,
  kib,
  type Brick,
  type BrickId,
  type ClusterId,
  type CommandOf,
  type DumpFinding,
  type Durability,
  type VolumeFact,
  type VolumeId,
  type VolumeShape,
} from '@brickyard/contracts';
import { deriveId } from '../placement/derive-id';
import type { AdoptCommand } from './from-heketi';
import { charge, devicesOf, groundOf, type Grounds, tellGrounds } from './gluster-grounds';
import {
  clusterOf,
  idOf,
  isAble,
  type KnownNode,
  LEFT_OUT,
  type Look,
  type Member,
  nodesOf,
  type Note,
  poolsOf,
  TAKEN,
} from './gluster-pools';

/** What would be taken over, what was found beside it, and what cannot be, with the reason. */
export interface PoolPlan {
  readonly commands: readonly AdoptCommand[];
  readonly findings: readonly DumpFinding[];
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
  const findings: DumpFinding[] = [];
  const note: Note = (subject, problem, done) => {
    findings.push({ subject, problem, done });
  };
  const members = new Map<string, Member>();
  const grounds: Grounds = new Map();
  const draft: Draft = { note, members, grounds, volumeNames };
  const able = looks.filter((look) => isAble(look, note));
  const clusters = poolsOf(able).flatMap((pool) => clusterOf(pool, nodes, members, note) ?? []);
  const volumes = volumesOf(able).flatMap((fact) => volumeOf(draft, fact) ?? []);
  for (const volume of volumes) tellGrounds(grounds, volume, note);
  const charged = volumes.map((volume) => ({
    ...volume,
    bricks: volume.bricks.map((brick) => charge(grounds, brick)),
  }));
  const adopted = nodesOf([...members.values()], zones, note);
  return { commands: [...clusters, ...adopted, ...devicesOf(grounds), ...charged], findings };
}

/** A plan in the making. */
interface Draft {
  readonly note: Note;
  /** By Gluster's id of the host. */
  readonly members: ReadonlyMap<string, Member>;
  readonly grounds: Grounds;
  readonly volumeNames: ReadonlySet<string>;
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
    draft.note(about, plan, LEFT_OUT);
    return undefined;
  }
  const { durability, isArbiter, bricks, clusterId } = plan;
  if (fact.status === 'stopped') draft.note(about, 'is stopped', `${TAKEN}; it shows as drift until it is started`);
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
    const deviceId = groundOf(draft.grounds, member, ground);
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
    if (isDisperseOffered(data, redundancy)) return { kind: 'disperse', data, redundancy };
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

/** What clients see: of each set the smallest brick, an arbiter's aside, as often as it holds different data. */
function sizeOf(bricks: readonly Brick[], durability: Durability, isArbiter: boolean): number {
  const smallest = new Map<number, number>();
  for (const { set, place, sizeKib } of bricks) {
    if (isArbiter && place === 2) continue;
    smallest.set(set, Math.min(smallest.get(set) ?? Number.MAX_SAFE_INTEGER, sizeKib));
  }
  return [...smallest.values()].reduce((sum, size) => sum + size * dataBricks(durability), 0);
}
