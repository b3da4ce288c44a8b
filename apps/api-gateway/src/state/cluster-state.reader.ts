/** The folded state of the control ledger: snapshot and tail from Postgres, then every committed event from the bus. */
import { eventsOf } from '@brickyard/contracts';
import { type ControlState, emptyControlState, FOLD_VERSION } from '@brickyard/domain';
import type { LedgerReader, StateAt } from '@brickyard/event-sourcing/postgres';
import {
  type Bus,
  describeError,
  type Logger,
  markSpan,
  type Subscription,
  Unavailable,
} from '@brickyard/service-host';
import { CannotFold, CONTROL_LEDGER, foldOne, type LoggedEvent, restore } from './folding';
import { PastStates } from './past-states';
import { Waiters } from './waiters';

type At = StateAt<ControlState>;

const PAUSE_MS = 100;
const PAUSE_MAX_MS = 5_000;
/** A message that was lost is noticed with the next one; this finds a loss that no message follows. */
const QUIET_MS = 15_000;
/** How long a reader waits to see what this gateway itself has acknowledged. */
const OWN_WRITES_MS = 2_000;
/** How long a reader waits for the state when the gateway has just started. */
const LOADING_MS = 2_000;
/** An event that has not come by itself after this time is fetched. */
const FETCH_AFTER_MS = 200;

/** What the reader reads from. */
export interface StateSources {
  readonly ledger: LedgerReader;
  readonly log: Logger;
}

/** Loads the ledger from `start` on, follows it from `follow` on, until `close`. States never change, so every reader may keep the one it got. */
export class ClusterStateReader {
  private now: At | undefined;
  /** True once everything that was there at the start is folded: before, every answer would be an old one. */
  private isLoaded = false;
  private told = 0;
  /** The last position heard of; more than the state's while something is missing. */
  private announced = 0;
  private refilling: Promise<void> | undefined;
  /** Somebody asked for a fetch since the last one began. */
  private wanted = false;
  private stuck: CannotFold | undefined;
  private closed = false;
  private lastNews = Date.now();
  private quietTimer: NodeJS.Timeout | undefined;
  private wakeUp: (() => void) | undefined;
  private bus: Bus | undefined;
  private subscription: Subscription | undefined;
  private forgetReconnects: (() => void) | undefined;
  private readonly waiters = new Waiters<At>();
  private readonly held = new Waiters<At>();
  private readonly loading = new Waiters<void>();
  private readonly past: PastStates;
  private listener: (events: readonly LoggedEvent[]) => void = () => undefined;

  constructor(private readonly sources: StateSources) {
    this.past = new PastStates(sources.ledger);
  }

  /** Position of the state; 0 while it is being loaded. */
  get position(): number {
    return this.now?.position ?? 0;
  }

  /** Whether there is a state to answer from. */
  get isReadable(): boolean {
    return this.now !== undefined && this.isLoaded;
  }

  /** The highest position this gateway has told a client of. */
  get acknowledged(): number {
    return this.told;
  }

  /** Why the state cannot be used or followed; absent when all is well. */
  get problem(): string | undefined {
    if (this.stuck !== undefined) return this.stuck.message;
    if (!this.isLoaded) return 'the state is being loaded from Postgres';
    return this.bus?.connected === true ? undefined : 'NATS is not reachable';
  }

  /** Which event the state cannot go past; absent when it can. */
  get obstacle(): string | undefined {
    return this.stuck?.message;
  }

  /** Loads the state from Postgres, as soon as that is there. Does not wait: see `problem`. */
  start(): void {
    this.quietTimer = setInterval(() => {
      if (Date.now() - this.lastNews >= QUIET_MS) this.refill();
    }, QUIET_MS);
    this.quietTimer.unref();
    this.refill();
  }

  /** Takes committed events from the bus; what happened before the subscription is fetched after it, so nothing is missed. */
  follow(bus: Bus): void {
    this.bus = bus;
    this.subscription = bus.subscribe(eventsOf(CONTROL_LEDGER), (payload) => {
      this.take(payload);
    });
    this.forgetReconnects = bus.onConnected(() => {
      this.refill();
      this.wakeUp?.();
    });
    this.refill();
  }

  /** Tells one listener of every event from now on, in order, each once, as soon as the state includes it. */
  listen(listener: (events: readonly LoggedEvent[]) => void): void {
    this.listener = listener;
  }

  /** A client is being told of this position: from now on this gateway answers with it included. */
  acknowledge(position: number): void {
    if (position > this.told) this.told = position;
  }

  /** The state, with everything this gateway acknowledged when that can be had soon. */
  async latest(): Promise<At> {
    if (!this.isLoaded) await this.loading.wait(() => true, LOADING_MS);
    if (this.position < this.told) await this.waitFor(this.told, OWN_WRITES_MS);
    return this.current();
  }

  /** The state at hand. Throws `Unavailable` while there is none. */
  current(): At {
    if (this.now !== undefined && this.isLoaded) return this.now;
    throw new Unavailable(this.problem ?? 'the state is not there', { retryAfterMs: 1_000 });
  }

  /** Resolves true once the state includes a position, false when that took too long. */
  async waitFor(position: number, timeoutMs: number): Promise<boolean> {
    if (this.position >= position) return true;
    const isReached = (at: At): boolean => at.position >= position;
    const soon = Math.min(FETCH_AFTER_MS, timeoutMs);
    if (await this.waiters.wait(isReached, soon)) return true;
    this.announced = Math.max(this.announced, this.told);
    this.refill();
    return this.waiters.wait(isReached, timeoutMs - soon);
  }

  /** Resolves when the state is as wanted, when the time is over, or when no more answers are held. Nothing is fetched for it. */
  async until(isSo: (state: ControlState) => boolean, timeoutMs: number): Promise<void> {
    if (!isSo(this.current().state)) await this.held.wait(({ state }) => isSo(state), timeoutMs);
  }

  /** Answers that wait for news are given now: the gateway wants to end. */
  holdNoMore(): Promise<void> {
    this.held.giveUp();
    return Promise.resolve();
  }

  /** The state as of a position not past the current one. */
  at(position: number): Promise<At> {
    return this.past.at(position, this.current());
  }

  /** The position of the last event recorded at or before a time. */
  positionAt(time: string): Promise<number> {
    return this.sources.ledger.positionAt(time);
  }

  /** Stops following; those who wait are told. */
  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.quietTimer);
    this.forgetReconnects?.();
    this.waiters.giveUp();
    await this.holdNoMore();
    this.loading.giveUp();
    this.wakeUp?.();
    await this.subscription?.close();
    await this.refilling;
  }

  private take(payload: unknown): void {
    const events = eventsIn(payload);
    const last = events.at(-1)?.position ?? 0;
    const first = events[0]?.position ?? 0;
    this.lastNews = Date.now();
    if (last > this.announced) this.announced = last;
    if (this.now === undefined || this.stuck !== undefined || last <= this.now.position) return;
    if (first > this.now.position + 1) this.refill();
    else this.fold(events);
  }

  /** Takes what is new of consecutive events. */
  private fold(events: readonly LoggedEvent[]): void {
    let at = this.now;
    if (at === undefined) return;
    const before = at.position;
    try {
      for (const event of events) {
        if (event.position <= at.position) continue;
        at = foldOne(at, event);
        this.past.pass(at);
        markSpan(`fold ${event.type}`, event.metadata.traceparent, { 'brickyard.position': event.position });
      }
    } catch (error) {
      this.stop(error);
    }
    this.now = at;
    const { position } = at;
    if (position > before) {
      this.listener(events.filter((event) => event.position > before && event.position <= position));
    }
    this.waiters.reached(at);
    this.held.reached(at);
  }

  /** Going on without an event would answer wrongly; what is there stays readable. */
  private stop(error: unknown): void {
    this.stuck = error instanceof CannotFold ? error : new CannotFold('an event cannot be folded', { cause: error });
    this.sources.log.error({ err: error, position: this.position }, 'cannot follow the log any further');
  }

  /** Fetches what is missing from Postgres, one fetch at a time. */
  private refill(): void {
    this.wanted = true;
    if (this.refilling !== undefined || this.closed) return;
    this.refilling = this.fetchAll().finally(() => {
      this.refilling = undefined;
    });
  }

  /** Goes on until nobody wants more and nothing announced is missing; pauses grow while that does not help. */
  private async fetchAll(): Promise<void> {
    let pauses = 0;
    while (this.isFollowing() && (this.wanted || this.position < this.announced)) {
      this.wanted = false;
      const before = this.position;
      const trouble = await this.fetch().then(
        () => undefined,
        (error: unknown) => describeError(error),
      );
      if (trouble !== undefined) {
        this.wanted = true;
        this.sources.log.warn({ reason: trouble, position: this.position }, 'cannot read the log yet');
      }
      if (this.position > before) pauses = 0;
      else if (this.wanted || this.position < this.announced) await this.pause(pauses++);
    }
  }

  private isFollowing(): boolean {
    return !this.closed && this.stuck === undefined;
  }

  private async fetch(): Promise<void> {
    this.now ??= await this.load();
    this.waiters.reached(this.now);
    for await (const events of this.sources.ledger.read({ after: this.now.position })) {
      this.fold(events);
      if (this.closed) return;
      if (this.stuck !== undefined) break; // What is before that event can be read.
    }
    this.isLoaded = true;
    this.loading.reached();
    this.lastNews = Date.now();
  }

  private async load(): Promise<At> {
    const snapshot = await this.sources.ledger.latestSnapshot({ foldVersion: FOLD_VERSION });
    if (snapshot === undefined) return { state: emptyControlState, position: 0 };
    try {
      return restore(snapshot);
    } catch (error) {
      this.sources.log.warn(
        { err: error, position: snapshot.position },
        'a snapshot cannot be read: folding from zero',
      );
      return { state: emptyControlState, position: 0 };
    }
  }

  private async pause(pauses: number): Promise<void> {
    const pauseMs = Math.min(PAUSE_MAX_MS, PAUSE_MS * 2 ** Math.min(pauses, 10)) * (0.5 + Math.random() / 2);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pauseMs);
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wakeUp = undefined;
  }
}

/** The writer checked every event before it was stored; here only the envelope is looked at. */
function eventsIn(payload: unknown): readonly LoggedEvent[] {
  const events = (payload as { events?: unknown } | null)?.events;
  return Array.isArray(events) ? (events as LoggedEvent[]) : [];
}
