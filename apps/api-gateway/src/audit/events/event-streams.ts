/**
 * Live events for any number of followers, in order and none left out. Each follower goes at its own pace: who falls
 * behind what is kept here reads on in Postgres, so nobody waits for another and nothing is queued for anybody.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { EventFilter, LedgerReader } from '@brickyard/event-sourcing/postgres';
import { describeError, type Logger, Unavailable } from '@brickyard/service-host';
import type { LoggedEvent } from '../../state/folding';
import { isOpen, passes } from './event-query';
import { Pages, Recent, Stretch } from './stretch';

/** What is sent to one follower. */
export interface Following {
  /** The first position wanted. */
  readonly from: number;
  readonly filter: EventFilter;
}

/** What the streams are made of. */
export interface StreamSources {
  readonly ledger: LedgerReader;
  readonly log: Logger;
  /** Position of the state: nothing after it has happened as far as this gateway knows. */
  readonly position: () => number;
  /** Why there may be nothing new; absent when all is well. */
  readonly problem: () => string | undefined;
}

/** How streams behave; the values are for tests to shorten. */
export interface StreamLimits {
  readonly followersMax: number;
  /** Bytes kept for those who are nearly up to date. */
  readonly recentSize: number;
  /** A line is sent at least so often, so that both ends know that the other is there. */
  readonly aliveMs: number;
  /** Who takes nothing for so long is cut off; it goes on where it was when it comes back. */
  readonly stalledMs: number;
}

const LIMITS: StreamLimits = {
  followersMax: 200,
  recentSize: 16 * 1024 * 1024,
  aliveMs: 15_000,
  stalledMs: 30_000,
};
const TROUBLE_PAUSE_MS = 1_000;
const RETRY_MS = 1_000;

/** All who follow. */
export class EventStreams {
  private readonly recent: Recent;
  private readonly pages: Pages;
  private readonly followers = new Map<Follower, Promise<void>>();
  private isClosed = false;

  constructor(
    readonly sources: StreamSources,
    readonly limits: StreamLimits = LIMITS,
  ) {
    this.recent = new Recent(limits.recentSize);
    this.pages = new Pages(sources.ledger);
  }

  /** How many follow. */
  get size(): number {
    return this.followers.size;
  }

  /** Takes new events, in order. */
  offer(events: readonly LoggedEvent[]): void {
    if (this.followers.size === 0) {
      this.recent.clear(); // Whoever comes begins with Postgres.
      return;
    }
    const stretch = Stretch.of(events);
    if (stretch === undefined) return;
    this.recent.add(stretch);
    for (const follower of this.followers.keys()) follower.wake();
  }

  /** Sends events to an open response until one side ends it. Throws `Unavailable` when there are too many followers. */
  async follow(response: ServerResponse, following: Following): Promise<void> {
    if (this.isClosed || this.followers.size >= this.limits.followersMax) {
      throw new Unavailable('too many event streams are open', { retryAfterMs: TROUBLE_PAUSE_MS });
    }
    const follower = new Follower(response, following, this, { recent: this.recent, pages: this.pages });
    const run = this.run(follower, response);
    this.followers.set(follower, run);
    await run;
  }

  /** Ends all streams: clients come back, to another gateway perhaps. */
  async close(): Promise<void> {
    this.isClosed = true;
    for (const follower of this.followers.keys()) follower.end();
    await Promise.all(this.followers.values());
  }

  private async run(follower: Follower, response: ServerResponse): Promise<void> {
    try {
      await follower.run();
    } catch (error) {
      this.sources.log.warn({ reason: describeError(error) }, 'an event stream broke');
    } finally {
      this.followers.delete(follower);
      if (this.followers.size === 0) this.pages.clear();
      response.end();
    }
  }
}

class Follower {
  private next: number;
  private readonly over = new AbortController();
  private wakeUp: () => void = () => undefined;

  constructor(
    private readonly response: ServerResponse,
    private readonly following: Following,
    private readonly streams: EventStreams,
    private readonly held: { readonly recent: Recent; readonly pages: Pages },
  ) {
    this.next = following.from;
    response.once('close', () => {
      this.end();
    });
  }

  wake(): void {
    this.wakeUp();
  }

  end(): void {
    this.over.abort();
    this.wakeUp();
  }

  private get isOver(): boolean {
    return this.over.signal.aborted;
  }

  async run(): Promise<void> {
    await this.write(`retry: ${String(RETRY_MS)}\n: from position ${String(this.next)}\n\n`);
    while (!this.isOver) {
      const stretch = this.held.recent.holding(this.next);
      if (stretch !== undefined) await this.send(stretch);
      else if (this.next <= this.streams.sources.position()) await this.catchUp();
      else await this.waitForNews();
    }
  }

  /** What Postgres has, a page at a time. */
  private async catchUp(): Promise<void> {
    const { log, position } = this.streams.sources;
    try {
      const stretch = await this.held.pages.holding(this.next, position());
      if (stretch !== undefined) {
        await this.send(stretch);
        return;
      }
    } catch (error) {
      log.warn({ reason: describeError(error) }, 'an event stream waits for Postgres');
    }
    await this.write(': waiting for Postgres\n\n');
    await pause(TROUBLE_PAUSE_MS, undefined, { signal: this.over.signal }).catch(() => undefined);
  }

  private async send(stretch: Stretch): Promise<void> {
    const { filter } = this.following;
    const isWanted = isOpen(filter) ? undefined : (event: LoggedEvent) => passes(filter, event);
    const frames = stretch.framesFrom(this.next, isWanted);
    this.next = stretch.last + 1;
    if (frames.length > 0) await this.write(frames);
  }

  /** Until somebody wakes it; now and then a line that keeps the connection and tells how far the log has been looked at. */
  private async waitForNews(): Promise<void> {
    const { aliveMs } = this.streams.limits;
    let timer: NodeJS.Timeout | undefined;
    const isQuiet = await new Promise<boolean>((resolve) => {
      this.wakeUp = () => {
        resolve(false);
      };
      timer = setTimeout(resolve, aliveMs, true);
    });
    clearTimeout(timer);
    if (!isQuiet || this.isOver) return;
    const problem = this.streams.sources.problem();
    const told = problem === undefined ? '' : `event: problem\ndata: ${JSON.stringify({ problem })}\n`;
    await this.write(`: alive\nid: ${String(this.next - 1)}\n${told}\n`);
  }

  /** Waits while the client is slow, and gives up on one that takes nothing at all. */
  private async write(frames: string | Uint8Array): Promise<void> {
    if (this.isOver || this.response.write(frames)) return;
    const { over } = this;
    const stalled = setTimeout(() => {
      over.abort();
    }, this.streams.limits.stalledMs);
    try {
      await once(this.response, 'drain', { signal: over.signal });
    } catch {
      this.response.destroy(); // It took nothing for too long, or is gone; what it misses is in the log.
    } finally {
      clearTimeout(stalled);
    }
  }
}
