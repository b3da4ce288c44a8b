/** How a host joins and leaves the trusted pool, from the side of a member. */
import type { PeerRef } from '../volume.driver';
import { passing } from '../step-failure';
import { converge, type Patience, until } from './converge';
import type { Gluster, Member, Reply } from './gluster.port';

const JOIN_TIMEOUT_MS = 30_000;
const LOOK_MS = 200;

const find = (members: readonly Member[], host: string): Member | undefined =>
  members.find(({ hostname, names }) => hostname === host || names.includes(host));

const isMember = (member: Member | undefined): boolean => member?.joined === true && member.connected;

/** The host is a connected member; that it was told to join says little. */
export async function addPeer(gluster: Gluster, { nodeId, host }: PeerRef, patience: Patience): Promise<void> {
  const state = { isSelf: false };
  const failure = `${host} cannot be made a peer`;
  const act = async (): Promise<Reply> => {
    const reply = await gluster.probe(host, nodeId);
    state.isSelf = !reply.ok && reply.message.includes('Probe on localhost not needed');
    return state.isSelf ? { ok: true } : reply;
  };
  const isDone = async (): Promise<boolean> => find(await gluster.members(), host)?.joined === true;
  await converge({ failure, isDone, act }, patience);
  if (state.isSelf) return;
  const joined = await until(async () => isMember(find(await gluster.members(), host)), JOIN_TIMEOUT_MS, LOOK_MS);
  if (!joined)
    throw passing(`${failure}: it is known to the pool but not connected; does its glusterd run and reach us?`);
}

const NOT_THERE = 'is not part of cluster';

/** The host is no member any more. */
export async function removePeer(gluster: Gluster, { host }: PeerRef, patience: Patience): Promise<void> {
  const failure = `${host} cannot be detached`;
  const act = async (): Promise<Reply> => {
    const reply = await gluster.detach(host);
    return !reply.ok && reply.message.includes(NOT_THERE) ? { ok: true } : reply;
  };
  const isGone = async (): Promise<boolean> => find(await gluster.members(), host) === undefined;
  await converge({ failure, isDone: isGone, act }, patience);
  if (!(await until(isGone, JOIN_TIMEOUT_MS, LOOK_MS))) throw passing(`${failure}: it is still listed`);
}
