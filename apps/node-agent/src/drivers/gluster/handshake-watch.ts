/**
 * Finds a glusterd that hangs in its handshake. One that died in the middle of it shows, once it is back, a peer as connected
 * but not `Peer in Cluster`, and may do so for good: it then keeps locks and refuses changes. Another start does the
 * handshake anew; bricks go on meanwhile.
 */
import type { Member } from './gluster.port';

/** A handshake takes a second or two. */
const HANGS_AFTER_MS = 15_000;
/** Each start that did not help makes the next one wait twice as long: glusterd needs time, and may not be able to join at all. */
const HANGS_AFTER_MS_MAX = 30 * 60_000;
/** A timer that is early by a moment looks once more for nothing. */
const SLACK_MS = 100;

/** What to look at, and what to do. */
export interface HandshakeWatchOptions {
  /** Looks at the pool; what it sees comes back through `see`. */
  readonly look: () => Promise<unknown>;
  /** Has glusterd started once more. */
  readonly restart: (hanging: readonly string[]) => Promise<void>;
}

/** Watches one glusterd's handshakes, by what is seen of its pool anyway; looks by itself only while one is under way. */
export interface HandshakeWatch {
  /** What somebody saw of the pool. */
  see(members: readonly Member[]): void;
}

/** Makes a watch. */
export const watchHandshakes = (options: HandshakeWatchOptions): HandshakeWatch => new Watch(options);

class Watch implements HandshakeWatch {
  private since: number | undefined;
  private patienceMs = HANGS_AFTER_MS;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: HandshakeWatchOptions) {}

  see(members: readonly Member[]): void {
    // A peer that was rejected has ended its handshake: another start would end it in the same way.
    const hanging = members
      .filter(({ connected, joined, rejected }) => connected && !joined && !rejected)
      .map(({ hostname }) => hostname);
    if (hanging.length === 0) {
      // A peer that is away says nothing about the handshake with it.
      if (members.every(({ joined }) => joined)) this.patienceMs = HANGS_AFTER_MS;
      this.forget();
      return;
    }
    this.since ??= performance.now();
    const leftMs = this.since + this.patienceMs - performance.now();
    if (leftMs > 0) {
      this.lookIn(leftMs + SLACK_MS);
      return;
    }
    this.forget();
    this.patienceMs = Math.min(2 * this.patienceMs, HANGS_AFTER_MS_MAX);
    void this.options.restart(hanging).finally(() => {
      this.lookIn(HANGS_AFTER_MS);
    });
  }

  private forget(): void {
    this.since = undefined;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private lookIn(ms: number): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      // While glusterd starts it cannot be asked; it is asked again then.
      void this.options.look().catch(() => {
        this.lookIn(HANGS_AFTER_MS);
      });
    }, ms).unref();
  }
}
