/** The bus on NATS. The only file that imports the client: what is particular about it ends here. */
import {
  type ConnectionOptions,
  connect,
  createInbox,
  Events,
  headers,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
} from 'nats';
import type { Bus, ConsumeOptions, DurableMessage, RespondOptions, StreamSpec, Subscription } from './bus.port';
import { type BusSettings, connectionSettings } from './bus-settings';
import { describeError, Unavailable } from './errors';
import { deliveriesOf, ensureConsumer, ensureStream, pullRequest, readPubAck } from './jetstream';
import { decodeJson, encodeJson } from './json';
import type { Logger } from './logger';
import { PULL_HEARTBEAT_MS, PullConsumer, type PulledMessage, type PullWire } from './pull-consumer';
import { ReplyBox } from './reply-box';
import { createSlots } from './slots';
import { continueTrace, currentTraceparent } from './tracing';

/** What every inbox begins with. Who asks must not have us write, with our rights, wherever he likes. */
const INBOXES = '_INBOX';
const IN_FLIGHT_MAX = 256;
const RESPONSES_RUNNING_MAX = 1_024;
const PUB_ACK_TIMEOUT_MS = 5_000;
const PULL_EXPIRES_MS = 30_000;
const CLOSE_TIMEOUT_MS = 5_000;
const BUSY_RETRY_MS = 1_000;
/** Marks the answer of a handler that failed. */
const FAILURE_HEADER = 'Brickyard-Failure';

/** Where NATS is and who connects. */
export interface BusOptions extends BusSettings {
  /** Name of the connection, shown by nats-server. */
  readonly name: string;
  readonly log: Logger;
  /** Prefix of reply subjects; the user's own when absent. */
  readonly inboxPrefix?: string | undefined;
  /** Keep trying while the server is not there yet, which is the default; otherwise reject `Unavailable`. */
  readonly waitOnFirstConnect?: boolean | undefined;
}

/** Connects to NATS; from then on the connection heals by itself, for ever. */
export async function connectBus(options: BusOptions): Promise<Bus> {
  try {
    const wire = connectionOptions(options);
    return new NatsBus(await connect(wire), { log: options.log, inboxPrefix: wire.inboxPrefix });
  } catch (error) {
    throw new Unavailable('connect to NATS', { cause: error });
  }
}

function connectionOptions(options: BusOptions): ConnectionOptions {
  return {
    ...connectionSettings(options),
    name: options.name,
    waitOnFirstConnect: options.waitOnFirstConnect ?? true,
    ...(options.inboxPrefix === undefined ? {} : { inboxPrefix: options.inboxPrefix }),
  };
}

type Answered = Pick<Msg, 'data' | 'headers'>;
type Responding = Parameters<Bus['respond']>[1];

class NatsBus implements Bus {
  readonly #connection: NatsConnection;
  readonly #log: Logger;
  readonly #inboxPrefix: string | undefined;
  readonly #replyInbox: string;
  readonly #replies = new ReplyBox<Answered>();
  readonly #publishing = createSlots(IN_FLIGHT_MAX);
  readonly #connectedListeners = new Set<() => void>();
  readonly #disconnectedListeners = new Set<() => void>();
  readonly #subscriptions = new Set<Subscription>();
  readonly #consumers = new Map<string, PullConsumer>();
  #connected = true;
  #closing = false;

  constructor(connection: NatsConnection, { log, inboxPrefix }: Pick<BusOptions, 'log' | 'inboxPrefix'>) {
    this.#connection = connection;
    this.#log = log.child({ part: 'bus' });
    this.#inboxPrefix = inboxPrefix;
    this.#replyInbox = createInbox(inboxPrefix);
    connection.subscribe(`${this.#replyInbox}.*`, {
      callback: (error, message) => {
        this.#receiveReply(error, message);
      },
    });
    void this.#watchConnection();
  }

  get connected(): boolean {
    return this.#connected;
  }

  onConnected(listener: () => void): () => void {
    return addTo(this.#connectedListeners, listener);
  }

  onDisconnected(listener: () => void): () => void {
    return addTo(this.#disconnectedListeners, listener);
  }

  publish(subject: string, payload: unknown): void {
    this.#send(subject, encodeJson(payload), { headers: traceHeaders(currentTraceparent()) });
  }

  async published(): Promise<void> {
    if (!this.#connected) throw new Unavailable('not connected to NATS');
    try {
      await this.#connection.flush();
    } catch (cause) {
      throw new Unavailable('the connection to NATS was lost', { cause });
    }
  }

  subscribe(subject: string, handler: (payload: unknown, subject: string) => void): Subscription {
    return this.#listen(subject, undefined, (message) => {
      try {
        continueTrace(traceparentOf(message), () => {
          handler(decodeJson(message.data), message.subject);
        });
      } catch (error) {
        this.#log.error({ subject: message.subject, reason: describeError(error) }, 'a message was not handled');
      }
    });
  }

  async request(subject: string, payload: unknown, { timeoutMs }: { readonly timeoutMs: number }): Promise<unknown> {
    const extra = { headers: traceHeaders(currentTraceparent()) };
    return readAnswer(subject, await this.#ask(subject, encodeJson(payload), timeoutMs, extra));
  }

  respond(subject: string, handler: Responding, options: RespondOptions = {}): Subscription {
    const runningMax = options.concurrency ?? RESPONSES_RUNNING_MAX;
    const running = new Set<Promise<void>>();
    const listening = this.#listen(subject, options.queue, (message) => {
      if (message.reply?.startsWith(INBOXES) === false) {
        this.#log.warn({ subject, reply: message.reply }, 'a request wants its answer where answers do not belong');
        return;
      }
      if (running.size >= runningMax) {
        const busy = new Unavailable(`${subject}: too many requests at once`, { retryAfterMs: BUSY_RETRY_MS });
        this.#answerFailure(message, busy);
        return;
      }
      const answering = this.#answer(message, handler).finally(() => running.delete(answering));
      running.add(answering);
    });
    return this.#keep({
      close: async () => {
        await listening.close();
        await Promise.all(running);
      },
    });
  }

  async ensureStream(spec: StreamSpec): Promise<void> {
    await ensureStream(this.#askData, spec);
  }

  async publishDurable(
    subject: string,
    payload: unknown,
    options: { readonly messageId: string; readonly traceparent?: string },
  ): Promise<{ readonly duplicate: boolean }> {
    const text = encodeJson(payload);
    const set = traceHeaders(options.traceparent ?? currentTraceparent()) ?? headers();
    set.set('Nats-Msg-Id', options.messageId);
    await this.#publishing.acquire();
    try {
      const { data } = await this.#ask(subject, text, PUB_ACK_TIMEOUT_MS, { headers: set });
      return readPubAck(subject, data);
    } finally {
      this.#publishing.release();
    }
  }

  async consume(options: ConsumeOptions, handler: (message: DurableMessage) => Promise<void>): Promise<Subscription> {
    const name = `${options.stream} ${options.consumer}`;
    const consumer = this.#consumers.get(name) ?? new PullConsumer(this.#wire, this.#log, options);
    this.#consumers.set(name, consumer);
    const started = await consumer.start(options, handler);
    return {
      close: async () => {
        if (started.isCurrent() && this.#consumers.get(name) === consumer) this.#consumers.delete(name);
        await started.close();
      },
    };
  }

  async drain(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    const open = [...this.#consumers.values(), ...this.#subscriptions];
    await Promise.all(open.map((one) => one.close()));
    if (this.#connected) await withinTime(this.#connection.flush(), CLOSE_TIMEOUT_MS).catch(() => undefined); // Closing anyway.
    this.#connected = false;
    this.#replies.rejectAll(() => new Unavailable('the bus is closed'));
    await this.#connection.close();
  }

  readonly #askData = async (subject: string, text: string, timeoutMs: number): Promise<Uint8Array> =>
    (await this.#ask(subject, text, timeoutMs)).data;

  readonly #wire: PullWire = {
    establish: (options) => ensureConsumer(this.#askData, options),
    openInbox: (receive) => {
      const subject = createInbox(this.#inboxPrefix);
      const listening = this.#listen(subject, undefined, (message) => {
        receive(pulledFrom(message));
      });
      return { subject, close: () => listening.close() };
    },
    pull: (options, inbox, batch) => {
      const [subject, text] = pullRequest(options, batch, PULL_EXPIRES_MS, PULL_HEARTBEAT_MS);
      this.#send(subject, text, { reply: inbox });
    },
    acknowledge: (ackSubject) => {
      // Unconfirmed: a lost one brings the message again, which every handler must bear anyway.
      this.#send(ackSubject, '+ACK');
    },
    tell: (ackSubject, word) => {
      this.#send(ackSubject, word);
    },
  };

  /** The client would keep messages in memory while there is no connection; here they are dropped, as promised. */
  #send(subject: string, text: string, extra: { reply?: string; headers?: MsgHdrs | undefined } = {}): void {
    if (!this.#connected) return;
    const { reply, headers: set } = extra;
    this.#connection.publish(subject, text, {
      ...(reply === undefined ? {} : { reply }),
      ...(set === undefined ? {} : { headers: set }),
    });
  }

  #ask(
    subject: string,
    text: string,
    timeoutMs: number,
    extra: { headers?: MsgHdrs | undefined } = {},
  ): Promise<Answered> {
    if (!this.#connected) return Promise.reject(new Unavailable(`${subject}: not connected to NATS`));
    const { token, answer } = this.#replies.expect(subject, timeoutMs);
    try {
      this.#send(subject, text, { ...extra, reply: `${this.#replyInbox}.${token}` });
    } catch (error) {
      this.#replies.reject(token, (what) => new Error(`${what}: cannot be sent`, { cause: error }));
    }
    return answer;
  }

  #receiveReply(error: Error | null, message: Msg): void {
    if (error !== null) {
      this.#log.error({ reason: describeError(error) }, 'the reply inbox was refused');
      return;
    }
    const token = message.subject.slice(this.#replyInbox.length + 1);
    if (message.headers?.code === 503 && message.data.length === 0) {
      this.#replies.reject(token, (what) => new Unavailable(`${what}: nobody is there to answer`));
    } else this.#replies.resolve(token, message);
  }

  #listen(subject: string, queue: string | undefined, receive: (message: Msg) => void): Subscription {
    const subscription = this.#connection.subscribe(subject, {
      ...(queue === undefined ? {} : { queue }),
      callback: (error, message) => {
        if (error === null) receive(message);
        else this.#log.error({ subject, reason: describeError(error) }, 'a subscription was refused');
      },
    });
    return this.#keep({
      close: async () => {
        if (!subscription.isClosed() && this.#connected && !this.#connection.isClosed()) {
          await withinTime(subscription.drain(), CLOSE_TIMEOUT_MS).catch(() => undefined); // Lost meanwhile: nothing comes.
        }
        subscription.unsubscribe();
      },
    });
  }

  /** Remembers what `drain` has to close. */
  #keep(subscription: Subscription): Subscription {
    const kept = {
      close: async (): Promise<void> => {
        this.#subscriptions.delete(kept);
        await subscription.close();
      },
    };
    this.#subscriptions.add(kept);
    return kept;
  }

  async #answer(message: Msg, handler: Responding): Promise<void> {
    try {
      const payload = decodeJson(message.data);
      const answer = await continueTrace(traceparentOf(message), () => handler(payload, message.subject));
      if (message.reply !== undefined) this.#send(message.reply, encodeJson(answer));
    } catch (error) {
      if (!(error instanceof Unavailable)) {
        this.#log.error({ subject: message.subject, err: error }, 'a request could not be answered');
      }
      this.#answerFailure(message, error);
    }
  }

  #answerFailure(message: Msg, error: unknown): void {
    if (message.reply === undefined) return;
    const set = headers();
    set.set(FAILURE_HEADER, error instanceof Unavailable ? 'unavailable' : 'failed');
    const retryAfterMs = error instanceof Unavailable ? error.retryAfterMs : undefined;
    this.#send(message.reply, encodeJson({ message: describeError(error), retryAfterMs }), { headers: set });
  }

  async #watchConnection(): Promise<void> {
    for await (const { type, data, permissionContext } of this.#connection.status()) {
      if (type === Events.Disconnect) this.#lose();
      else if (type === Events.Reconnect) this.#regain();
      else if (type === Events.Error) this.#log.error({ reason: data, ...permissionContext }, 'NATS refused something');
    }
    if (this.#closing) return;
    this.#lose();
    this.#log.fatal(
      { reason: describeError(await this.#connection.closed()) },
      'the connection to NATS ended for good',
    );
  }

  #lose(): void {
    if (!this.#connected) return;
    this.#connected = false;
    if (!this.#closing) this.#log.warn('lost the connection to NATS');
    this.#replies.rejectAll((what) => new Unavailable(`${what}: the connection was lost before the answer`));
    for (const consumer of this.#consumers.values()) consumer.unlink();
    this.#notify(this.#disconnectedListeners);
  }

  #regain(): void {
    this.#connected = true;
    this.#log.info('connected to NATS again');
    for (const consumer of this.#consumers.values()) void consumer.relink();
    this.#notify(this.#connectedListeners);
  }

  #notify(listeners: ReadonlySet<() => void>): void {
    for (const listener of listeners) {
      try {
        listener();
      } catch (error) {
        this.#log.error({ err: error }, 'a connection listener failed');
      }
    }
  }
}

function readAnswer(subject: string, { data, headers: set }: Answered): unknown {
  const failure = set?.get(FAILURE_HEADER) ?? '';
  if (failure === '') return decodeJson(data);
  const { message, retryAfterMs } = decodeJson(data) as { readonly message: string; readonly retryAfterMs?: number };
  if (failure !== 'unavailable') throw new Error(`${subject}: the responder failed: ${message}`);
  throw new Unavailable(message, retryAfterMs === undefined ? {} : { retryAfterMs });
}

function pulledFrom(message: Msg): PulledMessage {
  const { subject, reply = '', data, headers: set } = message;
  if (reply.startsWith('$JS.ACK.')) {
    const traceparent = traceparentOf(message);
    const deliveries = deliveriesOf(reply);
    return { subject, ackSubject: reply, data, deliveries, ...(traceparent === undefined ? {} : { traceparent }) };
  }
  const undelivered = Number(set?.get('Nats-Pending-Messages') ?? 0);
  return { subject, data, deliveries: 0, status: { code: set?.code ?? 0, text: set?.description ?? '', undelivered } };
}

function traceHeaders(traceparent: string | undefined): MsgHdrs | undefined {
  if (traceparent === undefined) return undefined;
  const set = headers();
  set.set('traceparent', traceparent);
  return set;
}

function traceparentOf({ headers: set }: Msg): string | undefined {
  const value = set?.get('traceparent') ?? '';
  return value === '' ? undefined : value;
}

function addTo(listeners: Set<() => void>, listener: () => void): () => void {
  const own = (): void => {
    listener();
  };
  listeners.add(own);
  return () => listeners.delete(own);
}

async function withinTime<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Unavailable('not done in time'));
    }, timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
