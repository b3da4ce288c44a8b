import type {
  GlusterClone,
  GlusterExpansion,
  GlusterReplacement,
  GlusterVolumeRef,
  GlusterVolumeSpec,
  HostName,
  NodeId,
  Outcome,
  TaskOf,
  VolumeShape,
} from '@brickyard/contracts';

/** A member of the trusted pool as another member sees it. */
export interface Peer {
  readonly uuid: string;
  readonly hostname: string;
  /** Every name it is known by. */
  readonly names: readonly string[];
  readonly connected: boolean;
}

/** A volume as one member of the pool sees it. */
export interface Volume {
  readonly name: string;
  /** Gluster's own id of it. */
  readonly uuid: string;
  readonly status: 'created' | 'started' | 'stopped';
  /** `host:path`, in set order. */
  readonly bricks: readonly string[];
  /** Gluster's ids of the hosts of the bricks, in the same order. */
  readonly hostUuids: readonly string[];
  readonly options: Readonly<Record<string, string>>;
  /** Gluster's own words for it; absent where there is no Gluster. */
  readonly shape?: VolumeShape;
}

/** The node to make a peer, by the name Gluster shall know it by. */
export interface PeerRef {
  readonly nodeId: NodeId;
  readonly host: HostName;
}

/** Serves bricks as volumes. Every `ensure` converges: calling it again changes nothing. */
export interface VolumeDriver {
  /** Whether this host's Gluster management daemon answers; cheap enough for every heartbeat. */
  readHealth(): Promise<'running' | 'stopped'>;
  ensurePeer(peer: PeerRef): Promise<Outcome>;
  /** Refused while the peer hosts bricks. */
  ensureNoPeer(peer: PeerRef): Promise<Outcome>;
  /** The volume exists with exactly these bricks and options; refused when another has the name. */
  ensureVolume(volume: GlusterVolumeSpec): Promise<Outcome>;
  /** Stops and deletes it; refused when the volume of that name is not ours. */
  ensureNoVolume(volume: GlusterVolumeRef): Promise<Outcome>;
  /** The volume exists around bricks that hold its data already; refused when another has the name. */
  ensureAdopted(volume: GlusterVolumeSpec): Promise<Outcome>;
  /** Some options are set, some are not set; the others stay as they are. */
  ensureOptions(change: Omit<TaskOf<'SetVolumeOptions'>, 'type'>): Promise<Outcome>;
  /** Tells the volume's options beside, as they are when all was done to it. */
  ensureStarted(volume: GlusterVolumeRef): Promise<Outcome>;
  /** The clone exists with an owner of its own, and the snapshot it was made through does not; tells where its bricks are. */
  ensureCloned(cloning: GlusterClone): Promise<Outcome>;
  /** Neither the clone nor the snapshot exist; another volume of the clone's name is left alone. */
  ensureNoClone(cloning: GlusterClone): Promise<Outcome>;
  /** Where the bricks of the clone are; none when it does not exist. */
  readClone(cloning: GlusterClone): Promise<Outcome>;
  ensureStopped(volume: GlusterVolumeRef): Promise<Outcome>;
  ensureBricksAdded(expansion: GlusterExpansion): Promise<Outcome>;
  /** Takes bricks out of the volume after moving their data to the others. */
  ensureBricksRemoved(expansion: GlusterExpansion): Promise<Outcome>;
  /** The set keeps its data while a brick of it is replaced; refused, with the reason, when it would not. Changes nothing. */
  ensureReplaceable(change: GlusterReplacement): Promise<Outcome>;
  /** The replacement serves in the brick's place; looks first whether the set keeps its data. */
  ensureReplaced(change: GlusterReplacement): Promise<Outcome>;
  /** Whether the replacement serves in the brick's place. */
  readReplacement(change: GlusterReplacement): Promise<Outcome>;
  /** Every brick of the replacement's set answers and has what the others have; waits for that. */
  ensureHealed(change: GlusterReplacement): Promise<Outcome>;
  /** Data is being, or has been, spread over all bricks. */
  ensureRebalance(volume: GlusterVolumeRef): Promise<Outcome>;
  /** A directory of this host carries no mark of a volume that does not exist: what an unfinished create leaves. */
  ensureUnclaimed(path: string): Promise<Outcome>;
  /** After a reboot: revives bricks of started volumes whose directories `isServable` vouches for; tells what it could not. */
  ensureServing(isServable: (path: string) => boolean): Promise<readonly string[]>;
  /** Whether the volume exists. */
  readVolume(volume: GlusterVolumeRef): Promise<Outcome>;
  readPeers(): Promise<readonly Peer[]>;
  readVolumes(): Promise<readonly Volume[]>;
  /** This host's bricks of started volumes whose processes do not run, by volume. */
  readIdle(): Promise<ReadonlyMap<string, readonly string[]>>;
  /** Entries waiting to be healed; absent when that cannot be told. */
  readHeal(volumeName: string): Promise<number | undefined>;
}
