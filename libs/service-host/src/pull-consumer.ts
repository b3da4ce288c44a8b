/**
 * A durable pull consumer that never holds more messages than it has handlers free for, so that no message waits here
 * while its acknowledgement time runs out. It links itself again after a reconnect or when its consumer has vanished.
 */
import type { ConsumeOptions, DurableMessage, Subscription } from './bus.port';
import { describeError, Unavailable } from './errors';
import { decodeJson } from './json';
import type { Logger } from './logger';
import { continueTrace } from './tracing';

/** Silence of the server while a pull waits, after which a sign of life comes. */
export const PULL_HEARTBEAT_MS = 5_000;
const LINK_RETRY_MS = { first: 50, max: 2_000 };
const NAK_MS = { first: 250, max: 30_000 };
const CONSUMER_GONE = new Set([409, 503]);

/** A message or a status of the server, as it comes from the wire. */
export interface PulledMessage {
  readonly subject: string;
  /** Where to acknowledge; absent for a status. */
  readonly ackSubject?: string;
  readonly data: Uint8Array;
  /** How often it was delivered, this time included. */
  readonly deliveries: number;
  readonly traceparent?: string;
  /** HTTP-like code of a status message. */
  readonly status?: { readonly code: number; readonly text: string; readonly undelivered: number };
}

/** What the consumer needs of a connection. */
export interface PullWire {
  /** Creates the consumer if need be; says when its stream was created. */
  establish(options: ConsumeOptions): Promise<string>;
  /** Subscribes to a new inbox. `close` first delivers what is on its way. */
  openInbox(receive: (message: PulledMessage) => void): { readonly subject: string; close(): Promise<void> };
  pull(options: ConsumeOptions, inbox: string, batch: number): void;
  /** The message is done with; a lost word brings it again. */
  acknowledge(ackSubject: string): void;
  /** Any other word about a message: `+WPI`, `-NAK {…}`, `+TERM`. */
  tell(ackSubject: string, word: string): void;
}

type Handler = (message: DurableMessage) => Promise<void>;
interface Started extends Subscription {
  /** False once somebody else has started the same consumer. */
  isCurrent(): boolean;
}
interface Link {
  /** When the stream was created: acknowledgements of another incarnation of it would hit strangers. */
  readonly created: string;
  readonly inbox: { readonly subject: string; close(): Promise<void> };
}
interface Running {
  readonly ackSubject: string;
  readonly created: string;
}

/** One durable consumer of one process, over all its links. */
export class PullConsumer {
  readonly #wire: PullWire;
  readonly #log: Logger;
  readonly #running = new Set<Running>();
  readonly #idleWaiters = new Set<() => void>();
  readonly #linkWaiters = new Set<() => void>();
  #options: ConsumeOptions;
  #handler: Handler = () => Promise.reject(new Unavailable('not started'));
  #owner = 0;
  #isStarted = false;
  #link: Link | undefined;
  #linkAttempt = 0;
  #requested = 0;
  #heardAt = 0;
  #refillPlanned = false;
  #closing = false;
  #timers: readonly NodeJS.Timeout[] = [];

  constructor(wire: PullWire, log: Logger, options: ConsumeOptions) {
    this.#wire = wire;
    this.#log = log.child({ stream: options.stream, consumer: options.consumer });
    this.#options = options;
  }

  /** Starts, or goes on with other options and another handler; running handlers keep their places. */
  async start(options: ConsumeOptions, handler: Handler): Promise<Started> {
    this.#options = options;
    this.#handler = handler;
    this.#owner += 1;
    const owner = this.#owner;
    this.#startTimers();
    this.unlink();
    this.#isStarted = false; // A start that fails must not come alive with the next reconnect.
    await this.#linkOnce(this.#linkAttempt);
    this.#isStarted = true;
    const isCurrent = (): boolean => owner === this.#owner;
    return { isCurrent, close: () => (isCurrent() ? this.close() : Promise.resolve()) };
  }

  /** The connection is gone: nothing asked for will come, and whether an acknowledgement still fits must be looked at again. */
  unlink(): void {
    this.#linkAttempt += 1;
    const link = this.#link;
    this.#link = undefined;
    this.#requested = 0;
    if (link !== undefined) void link.inbox.close();
  }

  /** Tries until linked, until `unlink` or `close` says that trying is pointless. */
  async relink(): Promise<void> {
    if (!this.#isStarted) return;
    this.unlink();
    const attempt = this.#linkAttempt;
    for (
      let pauseMs = LINK_RETRY_MS.first;
      this.#isWanted(attempt);
      pauseMs = Math.min(pauseMs * 2, LINK_RETRY_MS.max)
    ) {
      try {
        await this.#linkOnce(attempt);
        return;
      } catch (error) {
        this.#log.debug({ reason: describeError(error) }, 'consumer is not there yet');
        await new Promise((resolve) => setTimeout(resolve, pauseMs * (0.5 + Math.random() / 2)).unref());
      }
    }
  }

  /** Takes nothing more, returns what arrives too late, waits for running handlers. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#timers.slice(1).forEach(clearInterval); // The first keeps telling that running work goes on.
    this.#wakeLinkWaiters();
    const link = this.#link;
    if (link !== undefined) await link.inbox.close();
    if (this.#running.size > 0) await new Promise<void>((resolve) => this.#idleWaiters.add(resolve));
    this.#timers.forEach(clearInterval);
    this.#linkAttempt += 1;
    this.#link = undefined;
  }

  async #linkOnce(attempt: number): Promise<void> {
    const created = await this.#wire.establish(this.#options);
    if (!this.#isWanted(attempt)) return;
    const inbox = this.#wire.openInbox((message) => {
      this.#receive(message);
    });
    this.#link = { created, inbox };
    this.#requested = 0;
    this.#wakeLinkWaiters();
    this.#refill();
  }

  #isWanted(attempt: number): boolean {
    return !this.#closing && attempt === this.#linkAttempt;
  }

  #startTimers(): void {
    this.#timers.forEach(clearInterval);
    this.#timers = [
      setInterval(
        () => {
          this.#tellWorking();
        },
        Math.max(1, Math.floor(this.#options.ackWaitMs / 3)),
      ),
      setInterval(() => {
        this.#checkSilence();
      }, PULL_HEARTBEAT_MS),
    ];
    this.#timers.forEach((timer) => timer.unref());
  }

  #tellWorking(): void {
    const created = this.#link?.created;
    for (const running of this.#running) {
      if (running.created === created) this.#wire.tell(running.ackSubject, '+WPI');
    }
  }

  #checkSilence(): void {
    const isSilent = performance.now() - this.#heardAt > 2.5 * PULL_HEARTBEAT_MS;
    if (this.#link === undefined || this.#requested === 0 || !isSilent) return;
    this.#log.warn('the server has fallen silent on a pull; linking again');
    void this.relink();
  }

  #receive(message: PulledMessage): void {
    this.#heardAt = performance.now();
    if (message.status !== undefined) this.#receiveStatus(message.status);
    else if (message.ackSubject !== undefined) this.#receiveMessage(message, message.ackSubject);
  }

  #receiveStatus({ code, text, undelivered }: { code: number; text: string; undelivered: number }): void {
    if (code === 100) return; // A heartbeat.
    this.#requested = Math.max(0, this.#requested - undelivered);
    if (undelivered === 0 && CONSUMER_GONE.has(code)) {
      this.#log.warn({ code, text }, 'the consumer is not there; linking again');
      void this.relink();
      return;
    }
    if (undelivered === 0) this.#requested = 0; // Refused as a whole, without saying how much was left.
    this.#planRefill();
  }

  #receiveMessage(message: PulledMessage, ackSubject: string): void {
    this.#requested = Math.max(0, this.#requested - 1);
    const link = this.#link;
    if (this.#closing || link === undefined || this.#running.size >= this.#options.concurrency) {
      this.#wire.tell(ackSubject, '-NAK');
      return;
    }
    const running = { ackSubject, created: link.created };
    this.#running.add(running);
    void this.#handle(message, running).finally(() => {
      this.#running.delete(running);
      this.#planRefill();
      if (this.#running.size === 0) for (const wake of this.#idleWaiters) wake();
    });
  }

  async #handle(message: PulledMessage, running: Running): Promise<void> {
    const { subject, traceparent, deliveries } = message;
    let payload: unknown;
    try {
      payload = decodeJson(message.data);
    } catch (error) {
      this.#log.error({ subject, reason: describeError(error) }, 'a message that is not JSON is given up');
      this.#wire.tell(running.ackSubject, '+TERM');
      return;
    }
    const seen = {
      subject,
      payload,
      redelivered: deliveries > 1,
      ...(traceparent === undefined ? {} : { traceparent }),
    };
    try {
      await continueTrace(traceparent, () => this.#handler(seen));
    } catch (error) {
      const delayMs = nakDelayMs(error, deliveries);
      this.#log.warn(
        { subject, deliveries, delayMs, reason: describeError(error) },
        'handler failed; message comes again',
      );
      // In an emptied store the same numbers belong to a stranger.
      if (this.#link?.created === running.created) {
        this.#wire.tell(running.ackSubject, `-NAK ${JSON.stringify({ delay: delayMs * 1_000_000 })}`);
      }
      return;
    }
    await this.#acknowledge(subject, running);
  }

  async #acknowledge(subject: string, running: Running): Promise<void> {
    if (this.#link === undefined && !this.#closing)
      await new Promise<void>((resolve) => this.#linkWaiters.add(resolve));
    if (this.#link?.created !== running.created) {
      this.#log.warn({ subject }, 'done, but it cannot be acknowledged any more; it may come again');
      return;
    }
    this.#wire.acknowledge(running.ackSubject);
  }

  #wakeLinkWaiters(): void {
    for (const wake of this.#linkWaiters) wake();
    this.#linkWaiters.clear();
  }

  /** Gathers all places that become free in one turn of the event loop into one pull. */
  #planRefill(): void {
    if (this.#refillPlanned) return;
    this.#refillPlanned = true;
    setImmediate(() => {
      this.#refillPlanned = false;
      this.#refill();
    });
  }

  #refill(): void {
    const { concurrency } = this.#options;
    const free = concurrency - this.#running.size - this.#requested;
    const worthwhile = this.#requested === 0 ? 1 : Math.ceil(concurrency / 4);
    if (this.#closing || this.#link === undefined || free < worthwhile) return;
    this.#requested += free;
    this.#heardAt = performance.now();
    this.#wire.pull(this.#options, this.#link.inbox.subject, free);
  }
}

function nakDelayMs(error: unknown, deliveries: number): number {
  if (error instanceof Unavailable && error.retryAfterMs !== undefined) return error.retryAfterMs;
  const growing = NAK_MS.first * 2 ** Math.min(deliveries - 1, 16);
  return Math.round(Math.min(NAK_MS.max, growing) * (0.5 + Math.random() / 2));
}
