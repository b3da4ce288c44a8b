/** Glusters of simulated hosts: one model of pools, volumes and bricks, kept in a file, with Gluster's own refusals. */
import type { Disk } from '../../disk';
import { openJournal } from '../../journal';
import type { Gluster, Reply } from '../gluster/gluster.port';
import { RecordedPools } from './recorded.pools';
import { RecordedSnapshots } from './recorded.snapshots';
import { RecordedState } from './recorded.state';
import { RecordedVolumes } from './recorded.volumes';

/** How the simulated hosts are kept. */
export interface RecordedOptions {
  readonly file: string;
  /** This machine's file system when absent. */
  readonly disk?: Disk;
  /** Whether a host is switched off: its peers see it disconnected, and it answers nothing itself. */
  readonly isDown?: (host: string) => boolean;
}

/** All simulated Glusters of one process. */
export interface RecordedGlusters {
  /** The Gluster of one host; a host never heard of begins alone, without volumes. */
  on(host: string): Gluster;
  /** Says that a node's agent answers to this name, so that a peer may be probed by another one. */
  introduce(nodeId: string, host: string): void;
  /** Entries that wait to be healed from now on, for tests of what watches them. */
  setHealPending(host: string, volume: string, entries: number): Promise<void>;
  close(): Promise<void>;
}

/** Opens the simulated Glusters, as they were left. */
export async function openRecordedGlusters(options: RecordedOptions): Promise<RecordedGlusters> {
  const state = new RecordedState();
  const journal = await openJournal(
    options.file,
    { sync: false, ...(options.disk === undefined ? {} : { disk: options.disk }) },
    (line) => {
      state.replay(line);
    },
  );
  const pools = new RecordedPools(state, journal, options.isDown ?? (() => false));
  const volumes = new RecordedVolumes(pools);
  const snapshots = new RecordedSnapshots(pools);
  return {
    on: (host) => glusterOf(host, pools, volumes, snapshots),
    introduce: (nodeId, host) => {
      pools.introduce(nodeId, host);
    },
    setHealPending: (host, volume, entries) => volumes.setHealPending(host, volume, entries),
    close: () => journal.close(),
  };
}

function glusterOf(
  host: string,
  pools: RecordedPools,
  volumes: RecordedVolumes,
  snapshots: RecordedSnapshots,
): Gluster {
  const change = (work: () => Reply): Promise<Reply> => pools.change(host, work);
  const read = <T>(look: () => T): Promise<T> => pools.read(host, look);
  return {
    health: () => Promise.resolve(pools.isDown(host) ? 'stopped' : 'running'),
    members: () => read(() => pools.membersSeenBy(host)),
    volume: (name) => read(() => volumes.info(host, name)),
    volumes: () => read(() => volumes.all(host)),
    healPending: (name) => read(() => volumes.healPending(host, name)),
    heal: (name) => read(() => volumes.heal(host, name)),
    rebalance: () => read(() => ({ kind: 'none' })),
    removal: (name, bricks) => read(() => ({ kind: volumes.areLeaving(host, name, bricks) ? 'completed' : 'none' })),
    probe: (peer, nodeId) => change(() => pools.probe(host, peer, nodeId)),
    detach: (peer) => change(() => pools.detach(host, peer)),
    create: (name, durability, bricks, force = false) =>
      change(() => volumes.create(host, name, durability, bricks, force)),
    addBricks: (name, bricks) => change(() => volumes.addBricks(host, name, bricks)),
    startRemoval: (name, bricks) => change(() => volumes.startRemoval(host, name, bricks)),
    commitRemoval: (name, bricks) => change(() => volumes.commitRemoval(host, name, bricks)),
    replaceBrick: (name, leaving, replacement) => change(() => volumes.replaceBrick(host, name, leaving, replacement)),
    set: (name, pairs) => change(() => volumes.set(host, name, pairs)),
    unset: (name, key) => change(() => volumes.unset(host, name, key)),
    setGroup: (name) => change(() => volumes.set(host, name, [])),
    start: (name, force) => change(() => volumes.start(host, name, force)),
    stop: (name) => change(() => volumes.stop(host, name)),
    delete: (name) => change(() => volumes.delete(host, name)),
    startRebalance: (name) => change(() => volumes.startRebalance(host, name)),
    snapshot: (name) => read(() => snapshots.seen(host, name)),
    createSnapshot: (name, volume) => change(() => snapshots.create(host, name, volume)),
    activateSnapshot: (name) => change(() => snapshots.activate(host, name)),
    cloneSnapshot: (clone, name) => change(() => snapshots.clone(host, clone, name)),
    deleteSnapshot: (name) => change(() => snapshots.delete(host, name)),
    hasStaleClaim: (path) => Promise.resolve(pools.staleClaim(host, path) !== undefined),
    clearClaim: (path) => pools.clearClaim(host, path),
    idleBricks: () => Promise.resolve(new Map()),
  };
}
