/** A model of nats-server: core messages at most once, JetStream work queues at least once, a store that may lose its end. */
import type { ConsumeOptions, StreamSpec } from '@brickyard/service-host';
import { PULL_HEARTBEAT_MS, type PulledMessage } from '@brickyard/service-host/testing';
import { type Due, EPOCH_MS, type Kernel } from './kernel';
import type { Network } from './network';

export const NATS = 'nats';
const PULL_EXPIRES_MS = 30_000;
const DUPLICATE_WINDOW_MS = 120_000;

/** One connected client. */
export interface Connection {
  readonly name: string;
  isOpen: boolean;
  readonly subscriptions: Set<CoreSubscription>;
  deliver(run: () => void): void;
}

export interface CoreSubscription {
  readonly subject: string;
  /** Gets payload, subject, and where to answer; runs in the client. */
  readonly receive: (text: string, subject: string, reply: Reply | undefined) => void;
  readonly isResponder: boolean;
}

/** Carries an answer back; runs in the server. */
export type Reply = (answer: { readonly text: string } | { readonly failure: string }) => void;

interface Message {
  readonly seq: number;
  readonly subject: string;
  readonly text: string;
  readonly id: string;
  readonly at: number;
}

interface Pull {
  readonly connection: Connection;
  readonly receive: (message: PulledMessage) => void;
  left: number;
  readonly timers: Due[];
}

interface Consumer {
  options: ConsumeOptions;
  /** Delivered and neither acknowledged nor given back. */
  readonly pending: Map<number, Due>;
  readonly deliveries: Map<number, number>;
  /** Sequence numbers that may not be delivered yet. */
  readonly delayed: Set<number>;
  pulls: Pull[];
}

interface Stream {
  readonly spec: StreamSpec;
  readonly created: string;
  lastSeq: number;
  messages: Message[];
  readonly seen: Map<string, number>;
  readonly consumers: Map<string, Consumer>;
}

/** What has been compared before, by filter and subject: there are few of both. */
const compared = new Map<string, Map<string, boolean>>();

function matches(filter: string, subject: string): boolean {
  if (filter === subject) return true;
  const known = compared.get(filter) ?? new Map<string, boolean>();
  compared.set(filter, known);
  const before = known.get(subject);
  if (before !== undefined) return before;
  const now = isMatch(filter.split('.'), subject.split('.'));
  known.set(subject, now);
  return now;
}

function isMatch(wanted: readonly string[], given: readonly string[]): boolean {
  for (const [index, token] of wanted.entries()) {
    if (token === '>') return given.length > index;
    if (given[index] === undefined || (token !== '*' && token !== given[index])) return false;
  }
  return wanted.length === given.length;
}

/** Faults put into the model on purpose. */
export interface NatsSabotage {
  /** A message on such a subject is acknowledged to its publisher and kept nowhere. */
  readonly swallows?: (subject: string) => boolean;
}

export class SimulatedNats {
  isUp = true;
  readonly connections = new Set<Connection>();
  private readonly streams = new Map<string, Stream>();
  private created = 0;
  /** Every durable message ever taken, for those who want to send it once more. */
  readonly history: { readonly subject: string; readonly text: string }[] = [];

  constructor(
    private readonly kernel: Kernel,
    private readonly network: Network,
    private readonly sabotage: NatsSabotage,
    private readonly trace: (line: () => string) => void,
  ) {}

  /** The process dies; what was written last may not have reached the disk, or the disk is gone with everything. */
  crash(losesStore: boolean): void {
    this.isUp = false;
    for (const connection of this.connections) connection.isOpen = false;
    this.connections.clear();
    for (const stream of this.streams.values()) {
      for (const consumer of stream.consumers.values()) this.stopConsumer(consumer);
      this.loseEnd(stream);
    }
    if (losesStore) this.streams.clear();
    this.network.serverDied(NATS);
  }

  restart(): void {
    this.isUp = true;
  }

  /** JetStream acknowledges before it syncs: the youngest messages may be lost, and acknowledgements too. */
  private loseEnd(stream: Stream): void {
    const { random } = this.kernel;
    if (!random.chance(0.5)) return;
    const cut = this.kernel.now - random.between(0, 200);
    const lost = stream.messages.filter(({ at }) => at > cut);
    stream.messages = stream.messages.filter(({ at }) => at <= cut);
    for (const { id } of lost) stream.seen.delete(id);
  }

  private stopConsumer(consumer: Consumer): void {
    for (const due of consumer.pending.values()) this.kernel.cancel(due);
    consumer.pending.clear();
    consumer.delayed.clear();
    for (const pull of consumer.pulls) for (const due of pull.timers) this.kernel.cancel(due);
    consumer.pulls = [];
  }

  connectionEnded(connection: Connection): void {
    connection.isOpen = false;
    this.connections.delete(connection);
    for (const stream of this.streams.values()) {
      for (const consumer of stream.consumers.values()) {
        consumer.pulls = consumer.pulls.filter((pull) => pull.connection !== connection);
      }
    }
  }

  /** Hands a core message to every subscriber; tells whether a responder was among them. */
  publish(subject: string, text: string, reply?: Reply): boolean {
    let isHeard = false;
    for (const connection of this.connections) {
      for (const subscription of connection.subscriptions) {
        if (!matches(subscription.subject, subject)) continue;
        if (subscription.isResponder) isHeard = true;
        else if (reply !== undefined) continue;
        connection.deliver(() => {
          if (connection.subscriptions.has(subscription)) subscription.receive(text, subject, reply);
        });
      }
    }
    return isHeard;
  }

  ensureStream(spec: StreamSpec): void {
    if (this.streams.has(spec.name)) return;
    this.created += 1;
    this.streams.set(spec.name, {
      spec,
      created: `${new Date(EPOCH_MS + Math.floor(this.kernel.now)).toISOString()}/${String(this.created)}`,
      lastSeq: 0,
      messages: [],
      seen: new Map(),
      consumers: new Map(),
    });
  }

  /** Takes a durable message; undefined when no stream wants it. */
  publishDurable(subject: string, text: string, id: string): { readonly duplicate: boolean } | undefined {
    const stream = [...this.streams.values()].find(({ spec }) => spec.subjects.some((one) => matches(one, subject)));
    if (stream === undefined) return undefined;
    if (this.sabotage.swallows?.(subject) === true) return { duplicate: false };
    const { now } = this.kernel;
    const seenAt = stream.seen.get(id);
    this.trace(() => `nats takes ${id} on ${subject}${seenAt === undefined ? '' : ', seen before'}`);
    if (seenAt !== undefined && now - seenAt < (stream.spec.duplicateWindowMs ?? DUPLICATE_WINDOW_MS)) {
      return { duplicate: true };
    }
    stream.seen.set(id, now);
    stream.lastSeq += 1;
    if (stream.spec.retention === 'workqueue') {
      stream.messages.push({ seq: stream.lastSeq, subject, text, id, at: now });
      this.history.push({ subject, text });
    }
    this.publish(subject, text);
    for (const consumer of stream.consumers.values()) this.serve(stream, consumer);
    return { duplicate: false };
  }

  /** Messages of a work queue that nobody has acknowledged yet. */
  queued(streamName: string): number {
    return this.streams.get(streamName)?.messages.length ?? 0;
  }

  /** What lies in a work queue, and why nobody gets it. */
  describeQueue(streamName: string): string[] {
    const stream = this.streams.get(streamName);
    return (stream?.messages ?? []).map(({ id, subject, seq }) => {
      const takers = [...(stream?.consumers.values() ?? [])].filter(({ options }) => matches(options.filter, subject));
      const why = takers.map(({ options, pending, delayed, deliveries, pulls }) => {
        const state = pending.has(seq) ? 'given out' : delayed.has(seq) ? 'held back' : 'waits';
        return `${options.consumer}: ${state}, given ${String(deliveries.get(seq) ?? 0)} times, ${String(pulls.length)} pulls wait`;
      });
      return `${id} on ${subject} (${why.join('; ')})`;
    });
  }

  /** Creates the consumer; says when its stream was created, or nothing when there is no stream. */
  establish(options: ConsumeOptions): string | undefined {
    const stream = this.streams.get(options.stream);
    if (stream === undefined) return undefined;
    const known = stream.consumers.get(options.consumer);
    if (known !== undefined) known.options = options;
    else {
      const made = { options, pending: new Map(), deliveries: new Map(), delayed: new Set<number>(), pulls: [] };
      stream.consumers.set(options.consumer, made);
    }
    return stream.created;
  }

  pull(
    { stream: streamName, consumer: consumerName }: ConsumeOptions,
    connection: Connection,
    receive: (message: PulledMessage) => void,
    batch: number,
  ): void {
    const stream = this.streams.get(streamName);
    const consumer = stream?.consumers.get(consumerName);
    if (stream === undefined || consumer === undefined) {
      connection.deliver(() => {
        receive(status(503, 'no responders', 0));
      });
      return;
    }
    const pull: Pull = { connection, receive, left: batch, timers: [] };
    consumer.pulls.push(pull);
    pull.timers.push(
      this.kernel.outside(PULL_EXPIRES_MS, () => {
        this.endPull(consumer, pull);
      }),
    );
    this.beat(consumer, pull);
    this.serve(stream, consumer);
  }

  private beat(consumer: Consumer, pull: Pull): void {
    pull.timers[1] = this.kernel.outside(PULL_HEARTBEAT_MS, () => {
      if (!consumer.pulls.includes(pull)) return;
      pull.connection.deliver(() => {
        pull.receive(status(100, 'idle', 0));
      });
      this.beat(consumer, pull);
    });
  }

  private endPull(consumer: Consumer, pull: Pull): void {
    if (!consumer.pulls.includes(pull)) return;
    consumer.pulls = consumer.pulls.filter((one) => one !== pull);
    for (const due of pull.timers) this.kernel.cancel(due);
    const { left } = pull;
    if (left === 0) return;
    pull.connection.deliver(() => {
      pull.receive(status(408, 'expired', left));
    });
  }

  /** Delivers what is there to those who asked for it. */
  private serve(stream: Stream, consumer: Consumer): void {
    for (const message of stream.messages) {
      const [pull] = consumer.pulls;
      if (pull === undefined) return;
      const { seq, subject, text } = message;
      if (consumer.pending.has(seq) || consumer.delayed.has(seq) || !matches(consumer.options.filter, subject))
        continue;
      const deliveries = (consumer.deliveries.get(seq) ?? 0) + 1;
      consumer.deliveries.set(seq, deliveries);
      this.awaitAck(stream, consumer, seq);
      pull.left -= 1;
      if (pull.left === 0) this.endPull(consumer, pull);
      this.trace(
        () =>
          `nats gives ${message.id} to ${pull.connection.name}${deliveries > 1 ? ` (${String(deliveries)}. time)` : ''}`,
      );
      const ackSubject = `$JS.ACK.${consumer.options.stream}.${consumer.options.consumer}.${String(seq)}`;
      pull.connection.deliver(() => {
        pull.receive({ subject, ackSubject, data: Buffer.from(text), deliveries });
      });
    }
  }

  private awaitAck(stream: Stream, consumer: Consumer, seq: number): void {
    this.kernel.cancel(consumer.pending.get(seq));
    const due = this.kernel.outside(consumer.options.ackWaitMs, () => {
      consumer.pending.delete(seq);
      this.serve(stream, consumer);
    });
    consumer.pending.set(seq, due);
  }

  /** Any word of a client about a message: `+ACK`, `+WPI`, `-NAK {…}`, `+TERM`. */
  tell(ackSubject: string, word: string): void {
    const [, , streamName = '', consumerName = '', number = ''] = ackSubject.split('.');
    const stream = this.streams.get(streamName);
    const consumer = stream?.consumers.get(consumerName);
    const seq = Number(number);
    if (!word.startsWith('+WPI'))
      this.trace(
        () => `nats is told ${word} for ${stream?.messages.find((one) => one.seq === seq)?.id ?? 'nothing it has'}`,
      );
    if (stream === undefined || consumer === undefined) return;
    if (word.startsWith('+WPI')) {
      if (consumer.pending.has(seq)) this.awaitAck(stream, consumer, seq);
      return;
    }
    this.kernel.cancel(consumer.pending.get(seq));
    consumer.pending.delete(seq);
    if (!word.startsWith('-NAK')) {
      stream.messages = stream.messages.filter((message) => message.seq !== seq);
      return;
    }
    const json = word.slice('-NAK'.length).trim();
    const delayMs = json === '' ? 0 : (JSON.parse(json) as { delay: number }).delay / 1_000_000;
    consumer.delayed.add(seq);
    this.kernel.outside(delayMs, () => {
      consumer.delayed.delete(seq);
      this.serve(stream, consumer);
    });
  }
}

const status = (code: number, text: string, undelivered: number): PulledMessage => ({
  subject: '',
  data: Buffer.alloc(0),
  deliveries: 0,
  status: { code, text, undelivered },
});
