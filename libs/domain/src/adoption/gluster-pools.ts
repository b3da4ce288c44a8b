/** From what hosts tell of their peers to clusters and nodes: who is in a pool with whom, and what the log has of it. */
import type { ClusterId, CommandOf, DeviceId, HostName, HostsAnswer, NodeId } from '@brickyard/contracts';
import { deriveId } from '../placement/derive-id';

export type Look = HostsAnswer['hosts'][number];

/** What the log knows already: found again it keeps its id, and is not taken over twice. */
export interface KnownNode {
  readonly nodeId: NodeId;
  readonly clusterId: ClusterId;
  readonly manage: string;
  /** Names of its devices, each with its id. */
  readonly devices: ReadonlyMap<string, DeviceId>;
}

/** Tells people what was found, and what is done about it. */
export type Note = (subject: string, problem: string, done: string) => void;

export const LEFT_OUT = 'left out';
export const TAKEN = 'taken over';

/** Gluster's own ids are ours: 32 digits without their dashes, so that both can be looked for by the same text. */
export const idOf = (uuid: string): string => uuid.toLowerCase().replaceAll('-', '');

const uuidOf = ({ peers }: Look): string | undefined => peers.find(({ hostname }) => hostname === 'localhost')?.uuid;

/** One member whose agent told all that is needed. */
export interface Member {
  readonly look: Look;
  readonly uuid: string;
  readonly nodeId: NodeId;
  readonly clusterId: ClusterId;
  readonly known: KnownNode | undefined;
}

/** Whether a host tells its pool. */
export function isAble(look: Look, note: Note): boolean {
  if (look.glusterd === 'running' && uuidOf(look) !== undefined) return true;
  note(`host ${look.host}`, 'its glusterd does not run, so nobody can tell its pool', LEFT_OUT);
  return false;
}

/** Hosts that know each other. */
export function poolsOf(looks: readonly Look[]): readonly (readonly Look[])[] {
  const pools: Look[][] = [];
  for (const look of [...looks].sort((one, other) => (one.host < other.host ? -1 : 1))) {
    const uuid = uuidOf(look);
    const pool = pools.find((members) => members.some(({ peers }) => peers.some((peer) => peer.uuid === uuid)));
    if (pool === undefined) pools.push([look]);
    else pool.push(look);
  }
  return pools;
}

/** The cluster that a pool becomes, and its members; none is made where the log has it. */
export function clusterOf(
  pool: readonly Look[],
  nodes: readonly KnownNode[],
  members: Map<string, Member>,
  note: Note,
): CommandOf<'AdoptCluster'> | undefined {
  const hosts = pool.map(({ host }) => host).join(', ');
  const known = new Map(pool.map(({ host }) => [host, nodes.find(({ manage }) => manage === host)] as const));
  const clusterIds = [...new Set([...known.values()].flatMap((node) => node?.clusterId ?? []))];
  if (clusterIds.length > 1) {
    const problem = `the log has its hosts in several clusters: ${clusterIds.join(', ')}`;
    note(`pool of ${hosts}`, problem, LEFT_OUT);
    return undefined;
  }
  const uuids = pool.flatMap(({ peers }) => peers.map(({ uuid }) => uuid)).sort();
  const clusterId = clusterIds[0] ?? (deriveId('adopt', [...new Set(uuids)].join()) as ClusterId);
  const asked = new Set(pool.map(uuidOf));
  for (const { uuid, hostname } of new Map(
    pool.flatMap(({ peers }) => peers).map((peer) => [peer.uuid, peer]),
  ).values()) {
    if (asked.has(uuid)) continue;
    note(`host ${hostname}`, `is in the pool of ${hosts}; it was not named, or has no agent that answers`, LEFT_OUT);
  }
  for (const look of pool) {
    const uuid = uuidOf(look) ?? '';
    const node = known.get(look.host);
    members.set(uuid, { look, uuid, nodeId: node?.nodeId ?? (idOf(uuid) as NodeId), clusterId, known: node });
  }
  if (clusterIds.length > 0) return undefined;
  return { type: 'AdoptCluster', origin: 'gluster', clusterId, flags: { file: true, block: true } };
}

/** The nodes that members become; `zones` by host. */
export function nodesOf(
  members: readonly Member[],
  zones: ReadonlyMap<string, number>,
  note: Note,
): CommandOf<'AdoptNode'>[] {
  const peers = members.flatMap(({ look }) => look.peers);
  return members.flatMap(({ look, uuid, nodeId, clusterId, known }) => {
    if (known !== undefined) return [];
    const alias = peers.find((peer) => peer.uuid === uuid && peer.hostname !== 'localhost')?.hostname;
    const storage = (alias ?? look.host) as HostName;
    const zone = zones.get(look.host);
    if (zone === undefined) note(`node ${look.host}`, 'nobody says in which zone it is', `${TAKEN} in zone 1`);
    const hostnames = { manage: [look.host], storage: [storage] };
    const rest = { zone: zone ?? 1, hostnames, tags: {}, state: 'online' as const };
    const seen = look.seenGeneration === undefined ? {} : { seenGeneration: look.seenGeneration };
    return [{ type: 'AdoptNode' as const, origin: 'gluster' as const, nodeId, clusterId, ...rest, ...seen }];
  });
}
