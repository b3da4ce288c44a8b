/** What Gluster's management daemon can be asked and told, as its command line has it; the driver above makes it converge. */
import type { Durability, VolumeShape } from '@brickyard/contracts';
import type { Peer } from '../volume.driver';

/** Why a command had no effect, as far as anybody can tell. */
export type Trouble =
  /** Another command holds the cluster's lock; it may be held for 180 s after its owner died. */
  | 'locked'
  /** The daemon is not there or not ready. */
  | 'no-daemon'
  /** A member that is needed is away. */
  | 'peer-away'
  /** No answer in time: the command may still be at work, or done. */
  | 'no-answer'
  /** Gluster will not, however often it is asked. */
  | 'refused';

/** What became of a command that changes something. */
export type Reply =
  | { readonly ok: true }
  | { readonly ok: false; readonly trouble: Trouble; readonly message: string; readonly cause: string };

/** A brick as Gluster lists it. */
export interface ListedBrick {
  /** `host:path`. */
  readonly name: string;
  readonly hostUuid: string;
}

/** A volume as Gluster describes it. */
export interface VolumeInfo {
  readonly name: string;
  /** Gluster's own id of the volume: a UUID. */
  readonly uuid: string;
  readonly status: 'created' | 'started' | 'stopped';
  /** Bricks in one set: replicas, or data and redundancy; 1 when the volume only distributes. */
  readonly perSet: number;
  readonly bricks: readonly ListedBrick[];
  readonly options: Readonly<Record<string, string>>;
  /** Gluster's own words for it; absent where there is no Gluster. */
  readonly shape?: VolumeShape;
}

/** A member as `peer status` and `pool list` show it; this host itself is called `localhost`. */
export interface Member extends Peer {
  readonly joined: boolean;
  /** Its volumes differ from ours in a way that Gluster does not settle by itself. */
  readonly rejected: boolean;
}

/** How far a migration of data is. */
export type Migration =
  | { readonly kind: 'none' }
  | { readonly kind: 'running' }
  | { readonly kind: 'completed' }
  | { readonly kind: 'failed'; readonly message: string };

/** How well one brick's copy is, in the order of `volume info`. */
export interface BrickHeal {
  /** Whether its process answered. */
  readonly connected: boolean;
  /** Entries other bricks must get from it, split ones included; undefined unless it answered. */
  readonly pending?: number;
}

/** One member's management daemon. Reads throw a `StepFailed` when there is no answer. */
export interface Gluster {
  health(): Promise<'running' | 'stopped'>;
  members(): Promise<readonly Member[]>;
  volume(name: string): Promise<VolumeInfo | undefined>;
  volumes(): Promise<readonly VolumeInfo[]>;
  healPending(name: string): Promise<number | undefined>;
  /** Each brick by itself; undefined when the volume is of a kind that does not heal, or does not run. */
  heal(name: string): Promise<readonly BrickHeal[] | undefined>;
  rebalance(name: string): Promise<Migration>;
  removal(name: string, bricks: readonly string[]): Promise<Migration>;
  /** The node is told beside the name since simulated hosts are found by it. */
  probe(host: string, nodeId?: string): Promise<Reply>;
  detach(host: string): Promise<Reply>;
  /** `force` takes bricks that carry the mark of an earlier volume. */
  create(name: string, durability: Durability, bricks: readonly string[], force?: boolean): Promise<Reply>;
  addBricks(name: string, bricks: readonly string[]): Promise<Reply>;
  startRemoval(name: string, bricks: readonly string[]): Promise<Reply>;
  commitRemoval(name: string, bricks: readonly string[]): Promise<Reply>;
  /** Puts an empty brick in the place of another, whose data is given up. */
  replaceBrick(name: string, leaving: string, replacement: string): Promise<Reply>;
  set(name: string, pairs: readonly (readonly [key: string, value: string])[]): Promise<Reply>;
  setGroup(name: string, group: string): Promise<Reply>;
  /** Takes one option away: Gluster's own value goes for it then. */
  unset(name: string, key: string): Promise<Reply>;
  start(name: string, force: boolean): Promise<Reply>;
  stop(name: string): Promise<Reply>;
  delete(name: string): Promise<Reply>;
  startRebalance(name: string): Promise<Reply>;
  /** A snapshot's bricks are served only when it is active, and only then can it be cloned. */
  snapshot(name: string): Promise<'absent' | 'inactive' | 'active'>;
  /** Refused unless every brick is a thin volume, and up. */
  createSnapshot(name: string, volume: string): Promise<Reply>;
  activateSnapshot(name: string): Promise<Reply>;
  /** A volume with the snapshot's content, and with the options of the volume that was snapped, its owner's included. */
  cloneSnapshot(clone: string, name: string): Promise<Reply>;
  deleteSnapshot(name: string): Promise<Reply>;
  /** Whether a directory of this host is marked as a brick of a volume that nobody knows. */
  hasStaleClaim(path: string): Promise<boolean>;
  /** Takes the mark away; refuses a directory that holds files. */
  clearClaim(path: string): Promise<void>;
  /** This host's bricks of started volumes whose processes do not run, by volume. */
  idleBricks(): Promise<ReadonlyMap<string, readonly string[]>>;
}
