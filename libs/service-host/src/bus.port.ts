/** What a service can do on the message bus; `bus.ts` binds it to NATS. Payloads are JSON, encoded once. */

/** Ends a subscription: no new message is taken, running handlers are awaited. */
export interface Subscription {
  close(): Promise<void>;
}

/** One message of a JetStream stream, as a durable consumer sees it. */
export interface DurableMessage {
  readonly subject: string;
  readonly payload: unknown;
  /** This is not the first delivery: somebody may have begun the work already. */
  readonly redelivered: boolean;
  /** W3C trace context of the publisher. */
  readonly traceparent?: string;
}

/** A JetStream stream as its owner wants it. */
export interface StreamSpec {
  readonly name: string;
  readonly subjects: readonly string[];
  /** `workqueue`: an acknowledged message is gone; `limits`: messages stay until age or size removes them. */
  readonly retention: 'workqueue' | 'limits';
  /** `memory` for what its owner sends again after a restart of nats-server; `file` when absent. A stream that is there keeps what it has. */
  readonly storage?: 'memory' | 'file';
  readonly maxAgeMs?: number;
  readonly maxBytes?: number;
  /** How long a message id is remembered for deduplication; two minutes when absent. */
  readonly duplicateWindowMs?: number;
  /** Servers of a cluster that keep a copy; absent: as it is, and one for a new stream. */
  readonly replicas?: number;
  /** What gives way when the stream is full; `new` for work queues and `old` for the rest when absent. */
  readonly discard?: 'old' | 'new';
}

/** A durable pull consumer as its owner wants it. */
export interface ConsumeOptions {
  readonly stream: string;
  readonly consumer: string;
  /** Subject filter, wildcards allowed. */
  readonly filter: string;
  /** Handlers running at once; no more messages than this are ever held. */
  readonly concurrency: number;
  /** Silence after which the server delivers a message again. */
  readonly ackWaitMs: number;
}

/** How requests are answered. */
export interface RespondOptions {
  /** Members of one queue share the requests. */
  readonly queue?: string;
  /** Handlers running at once, 1,024 when absent; a request beyond is refused as `Unavailable` with a time to retry. */
  readonly concurrency?: number;
}

/** One connection to NATS, shared by everything in a process; it reconnects for ever. */
export interface Bus {
  readonly connected: boolean;
  /** Called after every reconnect, not after the first connect; the result removes the listener. */
  onConnected(listener: () => void): () => void;
  /** Called whenever the connection is lost; the result removes the listener. */
  onDisconnected(listener: () => void): () => void;
  /** At most once: dropped while not connected. */
  publish(subject: string, payload: unknown): void;
  /** Resolves when the server has everything that was published so far; rejects `Unavailable` when the connection is lost before. */
  published(): Promise<void>;
  /** At most once, to every subscriber. */
  subscribe(subject: string, handler: (payload: unknown, subject: string) => void): Subscription;
  /** Rejects `Unavailable` at once without responder or connection and after the time-out; the work may have been done. */
  request(subject: string, payload: unknown, options: { readonly timeoutMs: number }): Promise<unknown>;
  /** Answers requests; members of a queue share them. A rejection reaches the requester, `Unavailable` as such. */
  respond(
    subject: string,
    handler: (payload: unknown, subject: string) => Promise<unknown>,
    options?: RespondOptions,
  ): Subscription;
  /** Creates the stream, or changes it to the given form; repeating it changes nothing. */
  ensureStream(spec: StreamSpec): Promise<void>;
  /** Resolves once JetStream has the message; at most 256 are in flight, the rest wait. Rejects `Unavailable`. */
  publishDurable(
    subject: string,
    payload: unknown,
    options: { readonly messageId: string; readonly traceparent?: string },
  ): Promise<{ readonly duplicate: boolean }>;
  /**
   * Handles messages of a durable pull consumer: a handler that resolves acknowledges, one that rejects gets the message
   * again later. A second call for the same consumer replaces the first and waits for nothing.
   */
  consume(options: ConsumeOptions, handler: (message: DurableMessage) => Promise<void>): Promise<Subscription>;
  /** Takes no more messages, waits for running handlers, then closes the connection. */
  drain(): Promise<void>;
}
