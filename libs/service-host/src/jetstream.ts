/** JetStream's administration, which is JSON over request and reply: streams and durable pull consumers. */
import { z } from 'zod';
import type { ConsumeOptions, StreamSpec } from './bus.port';
import { Unavailable } from './errors';
import { decodeJson } from './json';

const API = '$JS.API';
const API_TIMEOUT_MS = 5_000;
/** After a restart the server takes connections before JetStream answers. */
const COMING_UP_MS = 5_000;
const COMING_UP_PAUSE_MS = 100;
/** Error codes of nats-server's errors.json. */
const STREAM_NOT_FOUND = 10059;
const STREAM_EXISTS = 10058;
/** Messages waiting for a later delivery count as unacknowledged; they must not keep new ones out. */
const ACK_PENDING_MIN = 1_000;

/** Sends a request with JSON text and resolves with the bytes of the answer; rejects `Unavailable`. */
export type Ask = (subject: string, text: string, timeoutMs: number) => Promise<Uint8Array>;

const Failure = z.object({ code: z.number(), err_code: z.number().optional(), description: z.string() });
const Answer = z.object({ error: Failure.optional() });
const StreamInfo = z.object({ created: z.string(), config: z.record(z.string(), z.unknown()) });
const PubAck = z.object({ stream: z.string(), duplicate: z.boolean().default(false) });

/** JetStream understood the request and refused it. */
export class JetStreamRefusal extends Error {
  constructor(
    what: string,
    readonly errorCode: number | undefined,
  ) {
    super(what);
    this.name = 'JetStreamRefusal';
  }
}

/** Creates the stream, or updates the settings that differ; what others set beside ours, such as replicas, stays. */
export async function ensureStream(ask: Ask, spec: StreamSpec): Promise<void> {
  const wanted = streamConfig(spec);
  try {
    const current = StreamInfo.parse(await callApi(ask, `STREAM.INFO.${spec.name}`, {})).config;
    wanted['storage'] = current['storage']; // JetStream cannot change it.
    const differs = Object.entries(wanted).some(([name, value]) => !isSame(current[name], value));
    if (differs) await callApi(ask, `STREAM.UPDATE.${spec.name}`, { ...current, ...wanted });
  } catch (error) {
    if (!(error instanceof JetStreamRefusal) || error.errorCode !== STREAM_NOT_FOUND) throw error;
    await createStream(ask, spec, wanted);
  }
}

async function createStream(ask: Ask, spec: StreamSpec, wanted: Record<string, unknown>): Promise<void> {
  try {
    await callApi(ask, `STREAM.CREATE.${spec.name}`, wanted);
  } catch (error) {
    const isThere = error instanceof JetStreamRefusal && error.errorCode === STREAM_EXISTS;
    if (!isThere) throw error; // Somebody else was faster; the next caller updates what differs.
  }
}

function streamConfig(spec: StreamSpec): Record<string, unknown> {
  return {
    name: spec.name,
    subjects: [...spec.subjects],
    retention: spec.retention,
    storage: spec.storage ?? 'file',
    discard: spec.discard ?? (spec.retention === 'workqueue' ? 'new' : 'old'),
    max_age: nanosOf(spec.maxAgeMs ?? 0),
    max_bytes: spec.maxBytes ?? -1,
    ...(spec.replicas === undefined ? {} : { num_replicas: spec.replicas }),
    ...(spec.duplicateWindowMs === undefined ? {} : { duplicate_window: nanosOf(spec.duplicateWindowMs) }),
  };
}

/**
 * Creates or updates the durable pull consumer; says when its stream was created, which tells a stream from one of the
 * same name in an emptied store. (A consumer's own time of creation changes with every restart of nats-server.)
 */
export async function ensureConsumer(ask: Ask, options: ConsumeOptions): Promise<string> {
  const { stream, consumer, filter, concurrency, ackWaitMs } = options;
  const config = {
    name: consumer,
    durable_name: consumer,
    filter_subject: filter,
    deliver_policy: 'all',
    ack_policy: 'explicit',
    replay_policy: 'instant',
    ack_wait: nanosOf(ackWaitMs),
    max_deliver: -1,
    max_ack_pending: Math.max(ACK_PENDING_MIN, concurrency * 4),
  };
  await callApi(ask, `CONSUMER.CREATE.${stream}.${consumer}.${filter}`, { stream_name: stream, config });
  return StreamInfo.parse(await callApi(ask, `STREAM.INFO.${stream}`, {})).created;
}

/** Subject and text of a pull: `batch` messages now or later, signs of life in between. */
export function pullRequest(
  options: ConsumeOptions,
  batch: number,
  expiresMs: number,
  heartbeatMs: number,
): [string, string] {
  const subject = `${API}.CONSUMER.MSG.NEXT.${options.stream}.${options.consumer}`;
  return [subject, JSON.stringify({ batch, expires: nanosOf(expiresMs), idle_heartbeat: nanosOf(heartbeatMs) })];
}

/** What JetStream answered to a publish. */
export function readPubAck(subject: string, data: Uint8Array): { readonly duplicate: boolean } {
  const answer: unknown = decodeJson(data);
  const failure = Answer.safeParse(answer).data?.error;
  if (failure !== undefined) throw new Unavailable(`publish to ${subject}: ${failure.description}`);
  return { duplicate: PubAck.parse(answer).duplicate };
}

/** How often the server says it delivered a message, from the subject it wants the acknowledgement on. */
export function deliveriesOf(ackSubject: string): number {
  // $JS.ACK.<stream>.<consumer>.<deliveries>.… or, with domain and account, $JS.ACK.<domain>.<account>.<stream>.…
  const tokens = ackSubject.split('.');
  return Number(tokens[tokens.length === 9 ? 4 : 6] ?? 1);
}

async function callApi(ask: Ask, subject: string, body: object): Promise<unknown> {
  const answer = decodeJson(await askPatiently(ask, `${API}.${subject}`, JSON.stringify(body)));
  const failure = Answer.parse(answer).error;
  if (failure === undefined) return answer;
  const what = `JetStream refused ${subject}: ${failure.description}`;
  if (failure.code === 503) throw new Unavailable(what);
  throw new JetStreamRefusal(what, failure.err_code);
}

async function askPatiently(ask: Ask, subject: string, text: string): Promise<Uint8Array> {
  const deadline = performance.now() + COMING_UP_MS;
  for (;;) {
    try {
      return await ask(subject, text, API_TIMEOUT_MS);
    } catch (error) {
      if (!(error instanceof Unavailable) || performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, COMING_UP_PAUSE_MS));
    }
  }
}

const nanosOf = (ms: number): number => ms * 1_000_000;

const isSame = (left: unknown, right: unknown): boolean => JSON.stringify(left) === JSON.stringify(right);
