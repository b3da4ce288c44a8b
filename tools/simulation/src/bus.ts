/** The bus of one simulated process: as the real one on NATS, on the model of it. The consumer is the real one. */
import {
  type Bus,
  type ConsumeOptions,
  describeError,
  type DurableMessage,
  type Logger,
  type StreamSpec,
  type Subscription,
  Unavailable,
} from '@brickyard/service-host';
import { PullConsumer, type PulledMessage, type PullWire } from '@brickyard/service-host/testing';
import type { Kernel, Proc } from './kernel';
import { type Connection, type CoreSubscription, NATS, type Reply, type SimulatedNats } from './nats';
import type { Link, Network } from './network';

const ASK_TIMEOUT_MS = 5_000;
const RECONNECT_MS = { least: 100, most: 500 };

interface Expected {
  readonly what: string;
  readonly reject: (error: Error) => void;
}

export class SimulatedBus implements Bus {
  private isConnected = false;
  private isClosing = false;
  private link: Link | undefined;
  private connection: Connection | undefined;
  private readonly subscriptions = new Set<CoreSubscription>();
  private readonly expected = new Set<Expected>();
  private readonly consumers = new Map<string, PullConsumer>();
  private readonly connectedListeners = new Set<() => void>();
  private readonly disconnectedListeners = new Set<() => void>();
  private readonly inboxes = new Map<string, (message: PulledMessage) => void>();
  private inboxesMade = 0;

  constructor(
    private readonly kernel: Kernel,
    private readonly network: Network,
    private readonly server: SimulatedNats,
    private readonly proc: Proc,
    private readonly log: Logger,
  ) {}

  get connected(): boolean {
    return this.isConnected;
  }

  /** Resolves when connected for the first time. */
  connect(): Promise<void> {
    return new Promise((resolve) => {
      this.tryToConnect(resolve);
    });
  }

  private tryToConnect(onDone: () => void): void {
    if (this.isClosing) return;
    if (this.server.isUp && this.network.canReach(this.proc, NATS)) {
      this.attach();
      onDone();
      return;
    }
    const { least, most } = RECONNECT_MS;
    this.kernel.later(
      this.kernel.random.between(least, most),
      () => {
        this.tryToConnect(onDone);
      },
      this.proc,
    );
  }

  private attach(): void {
    const connection: Connection = {
      name: this.proc.name,
      isOpen: true,
      subscriptions: new Set(),
      deliver: (run) => {
        link.toClient(run);
      },
    };
    const link = this.network.open({
      proc: this.proc,
      server: NATS,
      onServerSeesEnd: () => {
        this.server.connectionEnded(connection);
      },
      onClientSeesEnd: () => {
        if (this.link === link) this.lose();
      },
    });
    this.link = link;
    this.connection = connection;
    this.isConnected = true;
    link.toServer(() => {
      if (this.server.isUp && connection.isOpen) this.server.connections.add(connection);
    });
    for (const subscription of this.subscriptions) this.announce(subscription);
  }

  private lose(): void {
    this.isConnected = false;
    this.link = undefined;
    for (const { what, reject } of [...this.expected]) {
      reject(new Unavailable(`${what}: the connection was lost before the answer`));
    }
    for (const consumer of this.consumers.values()) consumer.unlink();
    this.notify(this.disconnectedListeners);
    this.tryToConnect(() => {
      for (const consumer of this.consumers.values()) void consumer.relink();
      this.notify(this.connectedListeners);
    });
  }

  private notify(listeners: ReadonlySet<() => void>): void {
    for (const listener of listeners) listener();
  }

  onConnected(listener: () => void): () => void {
    return addTo(this.connectedListeners, listener);
  }

  onDisconnected(listener: () => void): () => void {
    return addTo(this.disconnectedListeners, listener);
  }

  private send(run: (connection: Connection) => void): void {
    const { connection, link } = this;
    if (!this.isConnected || connection === undefined) return;
    link?.toServer(() => {
      if (this.server.isUp) run(connection);
    });
  }

  /** A question to the server itself; its answer, `Unavailable` when there is none. */
  private ask<T>(what: string, work: (connection: Connection, answer: (value: T) => void) => void, timeoutMs: number) {
    if (!this.isConnected) return Promise.reject(new Unavailable(`${what}: not connected to NATS`));
    return new Promise<T>((resolve, reject) => {
      const expected: Expected = {
        what,
        reject: (error) => {
          end();
          reject(error);
        },
      };
      const timer = setTimeout(() => {
        expected.reject(new Unavailable(`${what}: no answer within ${String(timeoutMs)} ms`));
      }, timeoutMs);
      const end = (): void => {
        clearTimeout(timer);
        this.expected.delete(expected);
      };
      this.expected.add(expected);
      this.send((connection) => {
        work(connection, (value) => {
          connection.deliver(() => {
            if (!this.expected.has(expected)) return;
            end();
            resolve(value);
          });
        });
      });
    });
  }

  publish(subject: string, payload: unknown): void {
    const text = JSON.stringify(payload);
    this.send(() => {
      this.server.publish(subject, text);
    });
  }

  published(): Promise<void> {
    return this.ask(
      'ping',
      (_, answer) => {
        answer(undefined);
      },
      ASK_TIMEOUT_MS,
    );
  }

  private announce(subscription: CoreSubscription): void {
    this.send((connection) => {
      connection.subscriptions.add(subscription);
    });
  }

  private listen(subscription: CoreSubscription): Subscription {
    this.subscriptions.add(subscription);
    this.announce(subscription);
    return {
      close: () => {
        this.subscriptions.delete(subscription);
        this.connection?.subscriptions.delete(subscription);
        return Promise.resolve();
      },
    };
  }

  subscribe(subject: string, handler: (payload: unknown, subject: string) => void): Subscription {
    return this.listen({
      subject,
      isResponder: false,
      receive: (text, on) => {
        try {
          handler(JSON.parse(text), on);
        } catch (error) {
          this.log.error({ subject: on, reason: describeError(error) }, 'a message was not handled');
        }
      },
    });
  }

  respond(subject: string, handler: (payload: unknown, subject: string) => Promise<unknown>): Subscription {
    const answer = async (text: string, on: string, reply: Reply): Promise<void> => {
      try {
        const answered = JSON.stringify(await handler(JSON.parse(text), on));
        this.send(() => {
          reply({ text: answered });
        });
      } catch (error) {
        if (!(error instanceof Unavailable))
          this.log.error({ subject: on, err: error }, 'a request could not be answered');
        const failure = describeError(error);
        this.send(() => {
          reply({ failure });
        });
      }
    };
    return this.listen({
      subject,
      isResponder: true,
      receive: (text, on, reply) => {
        if (reply !== undefined) void answer(text, on, reply);
      },
    });
  }

  async request(subject: string, payload: unknown, { timeoutMs }: { readonly timeoutMs: number }): Promise<unknown> {
    const text = JSON.stringify(payload);
    const answer = await this.ask<Parameters<Reply>[0]>(
      subject,
      (_, reply) => {
        const isHeard = this.server.publish(subject, text, reply);
        if (!isHeard) reply({ failure: 'nobody is there to answer' });
      },
      timeoutMs,
    );
    if ('failure' in answer) throw new Unavailable(`${subject}: ${answer.failure}`);
    return JSON.parse(answer.text) as unknown;
  }

  ensureStream(spec: StreamSpec): Promise<void> {
    return this.ask(
      spec.name,
      (_, answer) => {
        this.server.ensureStream(spec);
        answer(undefined);
      },
      ASK_TIMEOUT_MS,
    );
  }

  async publishDurable(
    subject: string,
    payload: unknown,
    { messageId }: { readonly messageId: string },
  ): Promise<{ readonly duplicate: boolean }> {
    const text = JSON.stringify(payload);
    const ack = await this.ask<{ readonly duplicate: boolean } | undefined>(
      subject,
      (_, answer) => {
        answer(this.server.publishDurable(subject, text, messageId));
      },
      ASK_TIMEOUT_MS,
    );
    if (ack === undefined) throw new Unavailable(`${subject}: nobody is there to answer`);
    return ack;
  }

  async consume(options: ConsumeOptions, handler: (message: DurableMessage) => Promise<void>): Promise<Subscription> {
    const name = `${options.stream} ${options.consumer}`;
    const consumer = this.consumers.get(name) ?? new PullConsumer(this.wire, this.log, options);
    this.consumers.set(name, consumer);
    const started = await consumer.start(options, handler);
    return {
      close: async () => {
        if (started.isCurrent() && this.consumers.get(name) === consumer) this.consumers.delete(name);
        await started.close();
      },
    };
  }

  private readonly wire: PullWire = {
    establish: async (options) => {
      const created = await this.ask<string | undefined>(
        options.consumer,
        (_, answer) => {
          answer(this.server.establish(options));
        },
        ASK_TIMEOUT_MS,
      );
      if (created === undefined) throw new Error('JetStream refused: stream not found');
      return created;
    },
    openInbox: (receive) => {
      const subject = `inbox-${String((this.inboxesMade += 1))}`;
      this.inboxes.set(subject, receive);
      return {
        subject,
        close: () => {
          this.inboxes.delete(subject);
          return Promise.resolve();
        },
      };
    },
    pull: (options, inbox, batch) => {
      this.send((connection) => {
        this.server.pull(
          options,
          connection,
          (message) => {
            this.inboxes.get(inbox)?.(message);
          },
          batch,
        );
      });
    },
    acknowledge: (ackSubject) => {
      this.send(() => {
        this.server.tell(ackSubject, '+ACK');
      });
    },
    tell: (ackSubject, word) => {
      this.send(() => {
        this.server.tell(ackSubject, word);
      });
    },
  };

  async drain(): Promise<void> {
    this.isClosing = true;
    await Promise.all([...this.consumers.values()].map((consumer) => consumer.close()));
    this.isConnected = false;
    this.link?.close();
  }
}

function addTo(listeners: Set<() => void>, listener: () => void): () => void {
  const own = (): void => {
    listener();
  };
  listeners.add(own);
  return () => listeners.delete(own);
}
