/** Carries commands to the allocator: those of one event-loop turn in one request, each with its own answer and deadline. */
import { COMMANDS, type CommandBatchReply, type CommandEnvelope, type CommandReply } from '@brickyard/contracts';
import { describeError, Unavailable } from '@brickyard/service-host';
import type { ClientProxy } from '@nestjs/microservices';
import { firstValueFrom, merge, Subject, type Subscription, throwError, timeout } from 'rxjs';
import { mergeMap } from 'rxjs/operators';

/** An answer that settles a command: nothing is left to try. */
export type Decided = Exclude<CommandReply, { kind: 'unavailable' }>;

/** How a command bus behaves; the values are for tests to shorten. */
export interface CommandBusTiming {
  /** Longest wait for one request before it is repeated, milliseconds. */
  readonly attemptMs: number;
  /** First pause before a repeat; doubles up to `pauseMaxMs`. */
  readonly pauseMs: number;
  readonly pauseMaxMs: number;
}

const TIMING: CommandBusTiming = { attemptMs: 3_000, pauseMs: 25, pauseMaxMs: 1_000 };
const BATCH_MAX = 256;
/** Stays below the largest message NATS takes, 1 MiB, with room for what surrounds the commands. */
const BATCH_BYTES_MAX = 512 * 1024;
/** What one envelope takes besides its command, about. */
const ENVELOPE_BYTES = 512;
/** More waiting than this cannot be answered within any deadline. */
const WAITING_MAX = 8_192;
const RETRY_AFTER_MS = 1_000;
/** Somebody has to install something first. */
const OBSTACLE_RETRY_AFTER_MS = 60_000;
/** About two seconds: an allocator of a later release that takes the lead is not missed. */
const ATTEMPTS_BEFORE_OBSTACLE = 7;
const NO_LEADER = 'no allocator is leading';

interface Waiting {
  readonly envelope: CommandEnvelope;
  readonly bytes: number;
  attempt: number;
  /** Why the attempt before did not settle it. */
  trouble?: Unavailable;
  readonly resolve: (reply: Decided) => void;
  readonly reject: (error: Unavailable) => void;
}

/** Sends commands and repeats them, unchanged, until one answer settles each or its deadline has come. */
export class CommandBus {
  private queue: Waiting[] = [];
  private unsettled = 0;
  private flushing = false;
  private linked = false;
  /** Tells why requests under way will not be answered any more. */
  private readonly inVain = new Subject<string>();
  private readonly pausing = new Map<Waiting, NodeJS.Timeout>();
  private readonly statusWatch: Subscription;

  constructor(
    private readonly client: ClientProxy,
    private readonly timing: CommandBusTiming = TIMING,
    /** Why no allocator of this release can lead, when that is so: waiting for one is in vain then. */
    private readonly obstacle: () => string | undefined = () => undefined,
  ) {
    this.statusWatch = client.status.subscribe((status) => {
      this.linked = status === 'connected';
      if (status === 'disconnected') this.inVain.next('the connection was lost');
    });
  }

  /** Commands that have no answer yet. */
  get waiting(): number {
    return this.unsettled;
  }

  /**
   * Resolves with the allocator's answer. Rejects `Unavailable` when none came until the envelope's deadline: whether the
   * command took effect is then unknown, and the same command id may be sent again. `bytes` is the size of what it came from.
   */
  send(envelope: CommandEnvelope, bytes: number): Promise<Decided> {
    if (this.unsettled >= WAITING_MAX) {
      return Promise.reject(new Unavailable('too many commands are waiting', { retryAfterMs: RETRY_AFTER_MS }));
    }
    this.unsettled += 1;
    return new Promise<Decided>((resolve, reject) => {
      this.enqueue({ envelope, bytes: bytes + ENVELOPE_BYTES, attempt: 0, resolve, reject });
    }).finally(() => {
      this.unsettled -= 1;
    });
  }

  /** Ends the connection; commands without an answer are rejected at their deadline. */
  async close(): Promise<void> {
    this.statusWatch.unsubscribe();
    this.inVain.next('the gateway is stopping');
    await (this.client.close() as Promise<void> | undefined);
  }

  /** Another allocator leads: what was asked of the one before, and what waits to be repeated, is asked now. */
  askAgain(): void {
    this.inVain.next('another allocator leads');
    for (const [waiting, timer] of this.pausing) {
      clearTimeout(timer);
      this.enqueue(waiting);
    }
    this.pausing.clear();
  }

  private enqueue(waiting: Waiting): void {
    this.queue.push(waiting);
    if (this.flushing) return;
    this.flushing = true;
    setImmediate(() => {
      this.flush();
    });
  }

  private flush(): void {
    this.flushing = false;
    const queue = this.queue;
    this.queue = [];
    let batch: Waiting[] = [];
    let bytes = 0;
    for (const waiting of queue) {
      if (batch.length === BATCH_MAX || (batch.length > 0 && bytes + waiting.bytes > BATCH_BYTES_MAX)) {
        void this.dispatch(batch);
        batch = [];
        bytes = 0;
      }
      batch.push(waiting);
      bytes += waiting.bytes;
    }
    if (batch.length > 0) void this.dispatch(batch);
  }

  /** Never rejects: what went wrong becomes a repeat or the end of each command. */
  private async dispatch(batch: readonly Waiting[]): Promise<void> {
    const last = Math.max(...batch.map(({ envelope }) => envelope.deadline));
    const attemptMs = Math.max(1, Math.min(this.timing.attemptMs, last - Date.now()));
    try {
      const answer = this.client.send<CommandBatchReply>(COMMANDS, { commands: batch.map(({ envelope }) => envelope) });
      const lost = this.inVain.pipe(mergeMap((why) => throwError(() => new Error(why))));
      const { replies } = await firstValueFrom(merge(answer, lost).pipe(timeout(attemptMs)));
      batch.forEach((waiting, index) => {
        this.settle(waiting, replies[index]);
      });
    } catch (error) {
      const trouble = this.linked ? nameTrouble(error) : new Unavailable('NATS is not reachable', { cause: error });
      // An attempt that the deadline cut short tells nothing: what kept the one before from succeeding does.
      const wasCut = isTimeout(error) && attemptMs < this.timing.attemptMs;
      for (const waiting of batch) this.repeat(waiting, wasCut ? (waiting.trouble ?? trouble) : trouble, 0);
    }
  }

  private settle(waiting: Waiting, reply: CommandReply | undefined): void {
    if (!isReply(reply)) this.repeat(waiting, new Unavailable('the allocator gave no answer that can be read'), 0);
    else if (reply.kind !== 'unavailable') waiting.resolve(reply);
    else this.repeat(waiting, new Unavailable(`the allocator is busy: ${reply.reason}`), reply.retryAfterMs);
  }

  private repeat(waiting: Waiting, trouble: Unavailable, notBeforeMs: number): void {
    const isLongGone = trouble.message === NO_LEADER && waiting.attempt >= ATTEMPTS_BEFORE_OBSTACLE;
    const obstacle = isLongGone ? this.obstacle() : undefined;
    if (obstacle !== undefined) {
      waiting.reject(new Unavailable(`${NO_LEADER}: ${obstacle}`, { retryAfterMs: OBSTACLE_RETRY_AFTER_MS }));
      return;
    }
    const longest = Math.min(this.timing.pauseMaxMs, this.timing.pauseMs * 2 ** waiting.attempt);
    const pauseMs = Math.max(notBeforeMs, longest * (0.5 + Math.random() / 2));
    if (Date.now() + pauseMs >= waiting.envelope.deadline) {
      waiting.reject(new Unavailable(trouble.message, { cause: trouble.cause, retryAfterMs: RETRY_AFTER_MS }));
      return;
    }
    waiting.attempt += 1;
    waiting.trouble = trouble;
    const again = (): void => {
      this.pausing.delete(waiting);
      this.enqueue(waiting);
    };
    this.pausing.set(waiting, setTimeout(again, pauseMs));
  }
}

/** A cheap look: the allocator checked every answer before it sent it. */
function isReply(reply: CommandReply | undefined): reply is CommandReply {
  return typeof reply === 'object' && typeof reply.kind === 'string';
}

const isTimeout = (error: unknown): boolean => error instanceof Error && error.name === 'TimeoutError';

/** What is away, in words for whoever waits. */
function nameTrouble(error: unknown): Unavailable {
  if (isTimeout(error)) return new Unavailable('the allocator did not answer in time', { cause: error });
  const text = describeError(error);
  // An empty message is how NATS says that nobody listens, and this is what Nest makes of it.
  if (text.startsWith('Empty response')) return new Unavailable(NO_LEADER, { cause: error });
  if (/connection|nats/i.test(text)) return new Unavailable('NATS is not reachable', { cause: error });
  return new Unavailable(`the allocator failed: ${text}`, { cause: error });
}
