import { type StoredEvent, Unavailable } from '../event-log';
import type { Relay, RelayOptions } from './types';

const PAGE_SIZE = 500;
/** Committed events kept in memory for a relay that lags; beyond that it reads them from the log. */
const OFFERED_MAX = 10_000;
/** A cursor may lag: what it sets back is published again, which followers bear. A transaction for each message would cost more than the message. */
const CURSOR_EVERY_MS = 200;
const BACKOFF_MS_MIN = 100;
const BACKOFF_MS_MAX = 10_000;

/** Starts publishing after the cursor, with what was committed and not published before. */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  const relay = new LogRelay(options, (await options.reader.cursor(options.cursorName)) ?? 0);
  relay.retryNow();
  return relay;
}

interface Waiter {
  readonly position: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

class LogRelay implements Relay {
  /** Events handed over or read, and not yet published. */
  private offered: readonly StoredEvent[] = [];
  /** True while the log may hold events after the last published one that were not handed over. */
  private mustRead = true;
  private cursor: number;
  private waiters: readonly Waiter[] = [];
  private failures = 0;
  private backoff: NodeJS.Timeout | undefined;
  private cursorTimer: NodeJS.Timeout | undefined;
  private storing: Promise<void> | undefined;
  private running: Promise<void> | undefined;
  private isClosed = false;

  constructor(
    private readonly options: RelayOptions,
    private publishedTo: number,
  ) {
    this.cursor = publishedTo;
  }

  get position(): number {
    return this.publishedTo;
  }

  offer(events: readonly StoredEvent[]): void {
    const isTooMuch = this.offered.length + events.length > OFFERED_MAX;
    this.offered = isTooMuch ? [] : [...this.offered, ...events];
    this.mustRead ||= isTooMuch;
    if (this.backoff === undefined) this.run();
  }

  retryNow(): void {
    clearTimeout(this.backoff);
    this.backoff = undefined;
    this.run();
  }

  published(position: number): Promise<void> {
    if (position <= this.publishedTo) return Promise.resolve();
    if (this.isClosed) return Promise.reject(new Unavailable('the relay is closed'));
    return new Promise((resolve, reject) => {
      this.waiters = [...this.waiters, { position, resolve, reject }];
    });
  }

  async close(): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.backoff);
    await this.running;
    clearTimeout(this.cursorTimer);
    await this.storing;
    await this.storeCursor();
    this.waiters.forEach(({ reject }) => {
      reject(new Unavailable('the relay is closed'));
    });
    this.waiters = [];
  }

  private run(): void {
    if (this.isClosed || this.running !== undefined) return;
    this.running = this.publishAll()
      .then(() => (this.failures = 0))
      .catch((error: unknown) => {
        this.backOff(error);
      })
      .then(() => {
        this.running = undefined;
        // Handed over after the last look.
        if (this.backoff === undefined && this.offered.length > 0) this.run();
      });
  }

  private async publishAll(): Promise<void> {
    for (let events = await this.next(); events.length > 0; events = await this.next()) {
      await this.options.publish(events);
      this.publishedTo = events.at(-1)?.position ?? this.publishedTo;
      this.failures = 0;
      this.settle();
      this.storeCursorSoon();
      if (this.isClosed) return;
    }
  }

  /** The events after the last published one, none left out; fetched when they were not handed over. */
  private async next(): Promise<readonly StoredEvent[]> {
    const after = this.publishedTo;
    this.offered = this.offered.filter(({ position }) => position > after);
    const [first] = this.offered;
    if (first === undefined ? this.mustRead : first.position !== after + 1) await this.fetch();
    const gap = this.offered.findIndex(({ position }, index) => position !== after + index + 1);
    return this.offered.slice(0, Math.min(PAGE_SIZE, gap === -1 ? PAGE_SIZE : gap));
  }

  private async fetch(): Promise<void> {
    this.mustRead = false; // Before reading, as what is handed over meanwhile may be too much again.
    const page = await this.readPage();
    this.mustRead ||= page.length === PAGE_SIZE;
    const end = page.at(-1)?.position ?? this.publishedTo;
    this.offered = [...page, ...this.offered.filter(({ position }) => position > end)];
    if (page.length === 0 && this.offered.length > 0) {
      throw new Unavailable(`the log does not show position ${String(end + 1)} yet`);
    }
  }

  private async readPage(): Promise<readonly StoredEvent[]> {
    const after = this.publishedTo;
    for await (const page of this.options.reader.read({ after, upTo: after + PAGE_SIZE, pageSize: PAGE_SIZE }))
      return page;
    return [];
  }

  private storeCursorSoon(): void {
    this.cursorTimer ??= setTimeout(() => {
      this.storing = this.storeCursor().finally(() => {
        this.cursorTimer = undefined;
        if (this.cursor !== this.publishedTo && !this.isClosed) this.storeCursorSoon();
      });
    }, CURSOR_EVERY_MS);
  }

  /** Never rejects: a cursor that cannot be stored now is stored with the next events, or set back by a restart. */
  private async storeCursor(): Promise<void> {
    const position = this.publishedTo;
    if (this.cursor === position) return;
    try {
      await this.options.reader.moveCursor(this.options.cursorName, position);
      this.cursor = position;
    } catch (error) {
      this.options.onTrouble?.(error);
    }
  }

  private settle(): void {
    const reached = this.waiters.filter(({ position }) => position <= this.publishedTo);
    this.waiters = this.waiters.filter(({ position }) => position > this.publishedTo);
    reached.forEach(({ resolve }) => {
      resolve();
    });
  }

  private backOff(error: unknown): void {
    this.failures += 1;
    this.options.onTrouble?.(error);
    if (this.isClosed) return;
    const ceiling = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** Math.min(this.failures, 10));
    // Jitter, so that those who lost the same bus do not come back in step.
    this.backoff = setTimeout(
      () => {
        this.retryNow();
      },
      ceiling * (0.5 + Math.random() / 2),
    );
  }
}
