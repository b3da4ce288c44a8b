/** Gluster daemons that take their time, die, hold their cluster's lock, and answer late, wrongly or not at all. */
import { diskOn, type Platter } from './disk';
import type { Kernel, Proc } from './kernel';
import {
  type BlockTargetDriver,
  type Gluster,
  type Member,
  type Reply,
  openRecordedBlocks,
  openRecordedGlusters,
  type RecordedBlocks,
  type RecordedGlusters,
} from './product';

export const GLUSTER_FILE = '/pool/gluster.journal';
export const BLOCKS_FILE = '/pool/blocks.journal';

/** How badly Gluster behaves at the moment: chances, from 0 to 1. */
export interface GlusterMood {
  /** A command takes seconds instead of a moment. */
  slow: number;
  /** A command says that it failed; half of them have done it all the same. */
  failing: number;
  /** A command is not answered; it is done a moment before that, or some time after. */
  silent: number;
}

export const CALM: GlusterMood = { slow: 0, failing: 0, silent: 0 };

const LOCKED: Reply = {
  ok: false,
  trouble: 'locked',
  message: 'Another transaction is in progress. Please try again after some time.',
  cause: 'locked',
};
const NO_DAEMON: Reply = { ok: false, trouble: 'no-daemon', message: 'Connection failed.', cause: 'no daemon' };
const NOT_JOINED: Reply = {
  ok: false,
  trouble: 'peer-away',
  message: "Peer is not in 'Peer in Cluster' state",
  cause: 'handshake',
};
const NO_ANSWER: Reply = { ok: false, trouble: 'no-answer', message: 'Error : Request timed out', cause: 'timeout' };
const COMMIT_FAILED: Reply = {
  ok: false,
  trouble: 'refused',
  message: 'Commit failed on a peer. Please check log file for details.',
  cause: 'planned fault',
};

/** All Gluster daemons of a run. */
export class SimulatedGlusters {
  readonly mood: GlusterMood = { ...CALM };
  private readonly down = new Map<string, number>();
  /** Until when the pool's lock is held; one pool is all there is. */
  private lockedUntil = 0;

  private constructor(
    private readonly kernel: Kernel,
    readonly recorded: RecordedGlusters,
    private readonly blocks: RecordedBlocks,
    private readonly downs: Set<string>,
  ) {}

  static async open(kernel: Kernel, platter: Platter): Promise<SimulatedGlusters> {
    const downs = new Set<string>();
    const recorded = await openRecordedGlusters({
      file: GLUSTER_FILE,
      disk: diskOn(platter, { kernel }),
      isDown: (host) => downs.has(host),
    });
    const blocks = await openRecordedBlocks({
      file: BLOCKS_FILE,
      disk: diskOn(platter, { kernel }),
      isServed: async (host, { name }) => (await recorded.on(host).volume(name))?.status === 'started',
    });
    return new SimulatedGlusters(kernel, recorded, blocks, downs);
  }

  kill(host: string): void {
    this.downs.add(host);
    this.down.set(host, (this.down.get(host) ?? 0) + 1);
  }

  start(host: string): void {
    if (!this.downs.delete(host)) return;
    this.hanging.delete(host);
  }

  /** Hosts whose daemon hangs in its handshake with a peer, which only another start of it ends. */
  private readonly hanging = new Map<string, string>();

  hang(host: string, peer: string): void {
    if (host !== peer && !this.isDown(host)) this.hanging.set(host, peer);
  }

  /** A daemon hangs, and the peer with which it does is in its pool still. */
  private async somebodyHangs(): Promise<boolean> {
    for (const [host, peer] of this.hanging) {
      if (this.isDown(host)) continue;
      const members = await this.recorded.on(host).members();
      if (members.some(({ names }) => names.includes(peer))) return true;
    }
    return false;
  }

  /** What a daemon sees of its pool: one with which it hangs is connected, and has not joined. */
  private async membersSeenBy(host: string, look: () => Promise<readonly Member[]>): Promise<readonly Member[]> {
    const peer = this.hanging.get(host);
    const members = await look();
    return members.map((member) =>
      peer !== undefined && member.names.includes(peer) ? { ...member, joined: false } : member,
    );
  }

  isDown(host: string): boolean {
    return this.downs.has(host);
  }

  private ambush: ((host: string) => void) | undefined;

  /** Something is to happen to the host of the next command, in the middle of it. */
  onNextCommand(happen: (host: string) => void): void {
    this.ambush = happen;
  }

  private spring(host: string): void {
    const { ambush } = this;
    this.ambush = undefined;
    if (ambush === undefined) return;
    this.kernel.outside(this.kernel.random.between(0, 200), () => {
      ambush(host);
    });
  }

  /** The daemon of one host, as a process on it sees it; what comes before every command may refuse it. */
  on(
    host: string,
    proc: Proc,
    beforeCommand: () => void,
    onMembers: (members: readonly Member[]) => void = () => undefined,
  ): Gluster {
    const real = this.recorded.on(host);
    const read = async <T>(look: () => Promise<T>): Promise<T> => {
      beforeCommand();
      return this.read(proc, look);
    };
    const change = async (work: () => Promise<Reply>): Promise<Reply> => {
      beforeCommand();
      this.spring(host);
      return this.change(host, proc, work);
    };
    return {
      health: () => read(() => real.health()),
      members: async () => {
        const members = await read(() => this.membersSeenBy(host, () => real.members()));
        onMembers(members);
        return members;
      },
      volume: (name) => read(() => real.volume(name)),
      volumes: () => read(() => real.volumes()),
      healPending: (name) => read(() => real.healPending(name)),
      rebalance: (name) => read(() => real.rebalance(name)),
      removal: (name, bricks) => read(() => real.removal(name, bricks)),
      hasStaleClaim: (path) => read(() => real.hasStaleClaim(path)),
      clearClaim: (path) => read(() => real.clearClaim(path)),
      idleBricks: () => read(() => real.idleBricks()),
      probe: (peer, nodeId) => change(() => real.probe(peer, nodeId)),
      detach: (peer) => change(() => real.detach(peer)),
      create: (...asked) => change(() => real.create(...asked)),
      addBricks: (name, bricks) => change(() => real.addBricks(name, bricks)),
      startRemoval: (name, bricks) => change(() => real.startRemoval(name, bricks)),
      commitRemoval: (name, bricks) => change(() => real.commitRemoval(name, bricks)),
      set: (name, pairs) => change(() => real.set(name, pairs)),
      setGroup: (name, group) => change(() => real.setGroup(name, group)),
      unset: (name, key) => change(() => real.unset(name, key)),
      start: (name, force) => change(() => real.start(name, force)),
      stop: (name) => change(() => real.stop(name)),
      delete: (name) => change(() => real.delete(name)),
      startRebalance: (name) => change(() => real.startRebalance(name)),
      snapshot: (name) => read(() => real.snapshot(name)),
      createSnapshot: (...asked) => change(() => real.createSnapshot(...asked)),
      activateSnapshot: (name) => change(() => real.activateSnapshot(name)),
      cloneSnapshot: (...asked) => change(() => real.cloneSnapshot(...asked)),
      deleteSnapshot: (name) => change(() => real.deleteSnapshot(name)),
      heal: (name) => read(() => real.heal(name)),
      replaceBrick: (...asked) => change(() => real.replaceBrick(...asked)),
    };
  }

  /** What one host does with block volumes, as a process on it sees it. */
  blocksOn(host: string, proc: Proc): BlockTargetDriver {
    const real = this.blocks.on(host);
    return {
      ensureFile: (file) => this.read(proc, () => real.ensureFile(file)),
      ensureGrown: (file) => this.read(proc, () => real.ensureGrown(file)),
      ensureNoFile: (file) => this.read(proc, () => real.ensureNoFile(file)),
      readFile: (file) => this.read(proc, () => real.readFile(file)),
      ensureExported: (target, secret) => this.read(proc, () => real.ensureExported(target, secret)),
      ensureNotExported: (target) => this.read(proc, () => real.ensureNotExported(target)),
      readTarget: (target) => this.read(proc, () => real.readTarget(target)),
      ensureServing: () => real.ensureServing(),
    };
  }

  private read<T>(proc: Proc, look: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.kernel.outside(this.kernel.random.between(1, 20), () => {
        const answer = (settle: () => void): void => {
          this.kernel.hand(proc, settle);
        };
        look().then(
          (value) => {
            answer(() => {
              resolve(value);
            });
          },
          (error: unknown) => {
            answer(() => {
              reject(error instanceof Error ? error : new Error(String(error)));
            });
          },
        );
      });
    });
  }

  /** A command of the command line: it goes on in the daemon when whoever gave it has died. */
  private change(host: string, proc: Proc, work: () => Promise<Reply>): Promise<Reply> {
    const { kernel } = this;
    const { random } = kernel;
    return new Promise((resolve) => {
      const answer = (reply: Reply, afterMs = 0): void => {
        kernel.later(
          afterMs,
          () => {
            resolve(reply);
          },
          proc,
        );
      };
      kernel.outside(random.between(5, 30), () => {
        if (!proc.isAlive && random.chance(0.5)) return;
        if (this.isDown(host)) {
          answer(NO_DAEMON);
          return;
        }
        if (kernel.now < this.lockedUntil) {
          answer(LOCKED);
          return;
        }
        void this.somebodyHangs().then((hangs) => {
          // It keeps the lock, or is told of as not there by the others.
          if (hangs) answer(this.hanging.has(host) || random.chance(0.5) ? NOT_JOINED : LOCKED);
          else this.carryOut(host, work, answer);
        });
      });
    });
  }

  private carryOut(host: string, work: () => Promise<Reply>, answer: (reply: Reply, afterMs?: number) => void): void {
    const { kernel, mood } = this;
    const { random } = kernel;
    const durationMs = random.chance(mood.slow) ? random.between(1_000, 15_000) : random.between(20, 150);
    const isSilent = random.chance(mood.silent);
    const isFailing = random.chance(mood.failing);
    const deaths = this.down.get(host) ?? 0;
    this.lockedUntil = kernel.now + durationMs;
    if (isSilent) answer(NO_ANSWER, random.between(0, 1.5 * durationMs));
    kernel.outside(durationMs, () => {
      const hasDied = (this.down.get(host) ?? 0) !== deaths;
      // A daemon that died in the middle has done nothing (a dead one refuses); one that failed may have done it.
      const isDone = !isFailing || random.chance(0.5);
      const lie = hasDied ? NO_DAEMON : isFailing ? COMMIT_FAILED : undefined;
      void (isDone ? work() : Promise.resolve(COMMIT_FAILED)).then((reply) => {
        if (!isSilent) answer(lie ?? reply);
      });
    });
  }
}
