/** A client of the HTTP API as heketi's clients are: signed requests, and a queue to look at until the work is done. */
import { createHash, createHmac } from 'node:crypto';
import { Agent as HttpAgent, type IncomingMessage, request as httpRequest, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';
import { rootCertificates } from 'node:tls';
import { Unavailable } from './errors';

/** What heketi's own clients wait between two looks at the queue. */
const POLL_MS = 400;
const TIMEOUT_MS = 30_000;
const OPERATION_TIMEOUT_MS = 600_000;
/** How long the server is asked to keep a question about a running operation. */
const HOLD_MS = 10_000;
const TOKEN_SECONDS = 300;
const ANSWER_BYTES_MAX = 256 * 1024 * 1024;
/** The API may be away for a moment while it is watched; these answers mean "look again". */
const PASSING = new Set([429, 502, 503, 504]);
/** Answers of the queue that Go's library writes as a page with a link. */
const LINKS = new Set([202, 303]);

/** Where the API is and as whom to talk to it. */
export interface ApiClientOptions {
  readonly url: string;
  /** Issuer of the tokens. */
  readonly user: 'admin' | 'user';
  /** Shared key of that user; absent where authentication is off. */
  readonly key?: string | undefined;
  /** For one request, milliseconds. */
  readonly timeoutMs?: number;
  /** Between two looks at the queue of a server that answers at once, milliseconds; 400 when absent, as heketi's clients do. */
  readonly pollMs?: number;
  /** For `https`: what to trust beside the system's own authorities, or nothing at all to check. */
  readonly tls?: ApiTls | undefined;
}

/** Whom to believe that it is the server. */
export interface ApiTls {
  /** PEM texts of authorities. */
  readonly ca?: readonly string[];
  /** Anybody: encrypted, but perhaps with the wrong side. */
  readonly insecure?: boolean;
}

/** How one call is made. */
export interface CallOptions {
  /**
   * The same key again gets the first answer, never a second effect. So the server is asked again when the connection
   * breaks meanwhile, and, where the change is followed, to answer when it is done and not when it has begun.
   */
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
  /** For the whole operation with its queue, milliseconds; ten minutes when absent. */
  readonly operationTimeoutMs?: number;
  /** Do not follow a 202; the answer then carries the queue's `location`. */
  readonly follow?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  /** With DELETE, where a few routes take one. */
  readonly body?: unknown;
}

/** An answer of the API that is not an error. */
export interface ApiAnswer {
  readonly status: number;
  /** Parsed when it is JSON, else text; `undefined` when there is none. */
  readonly body: unknown;
  readonly location?: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Talks to the API; every method follows `202` to the queue and from there to the result. */
export interface ApiClient {
  get(path: string, options?: CallOptions): Promise<ApiAnswer>;
  post(path: string, body: unknown, options?: CallOptions): Promise<ApiAnswer>;
  delete(path: string, options?: CallOptions): Promise<ApiAnswer>;
  /** Waits for an operation begun earlier, such as `/queue/0123…`. */
  follow(queuePath: string, options?: CallOptions): Promise<ApiAnswer>;
  /** Ends idle connections. */
  close(): void;
}

/** What Brickyard tells of a refusal beside its text. */
export interface Advice {
  /** The smallest change that would have helped. */
  readonly remedy?: string;
  /** What `explain refusal` takes. */
  readonly refusal?: string;
}

/** The API refused a request or an operation failed; the message is the API's own text. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    text: string,
    readonly retryAfterMs?: number,
    readonly advice: Advice = {},
  ) {
    super(text === '' ? `status ${String(status)} without a message` : text);
    this.name = 'ApiError';
  }
}

/** heketi's `qsh` claim: SHA-256, in hex, of `METHOD&/path`, the path decoded and without its query. */
export function queryStringHash(method: string, path: string): string {
  const [plain = ''] = path.split('?');
  return createHash('sha256')
    .update(`${method.toUpperCase()}&${decodeURIComponent(plain)}`)
    .digest('hex');
}

/** A token for exactly one method and path; `now` in seconds since 1970. */
export function signRequest(user: string, key: string, method: string, path: string, now: number): string {
  const claims = { iss: user, iat: now, exp: now + TOKEN_SECONDS, qsh: queryStringHash(method, path) };
  const signed = `${TOKEN_HEAD}.${encoded(claims)}`;
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** RFC 7519: the one algorithm that heketi's servers take. */
const TOKEN_HEAD = encoded({ alg: 'HS256', typ: 'JWT' });

/** Makes a client; connections are kept and used again. */
export function createApiClient(options: ApiClientOptions): ApiClient {
  const base = new URL(options.url);
  const agent = base.protocol === 'https:' ? httpsAgent(options.tls) : new HttpAgent({ keepAlive: true });
  const send = (method: string, path: string, body: unknown, call: CallOptions): Promise<ApiAnswer> =>
    sendOnce({ ...options, base, agent }, method, path, body, call);
  const way = (call: CallOptions): Way => ({
    ...options,
    send: (path, headers) => send('GET', path, undefined, { ...withoutKey(call), headers }),
  });
  const begin = async (method: string, path: string, body: unknown, how: CallOptions): Promise<ApiAnswer> => {
    if (how.idempotencyKey === undefined) return send(method, path, body, how);
    const { pollMs = POLL_MS, timeoutMs = TIMEOUT_MS } = options;
    const hold = how.follow === false ? {} : waitHeader(Math.min(HOLD_MS, timeoutMs / 2));
    const headers = { ...how.headers, ...hold };
    try {
      return await send(method, path, body, { ...how, headers });
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      await pause(pollMs, undefined, how.signal === undefined ? {} : { signal: how.signal });
      return send(method, path, body, how);
    }
  };
  const call = async (method: string, path: string, body: unknown, how: CallOptions): Promise<ApiAnswer> => {
    const answer = await begin(method, path, body, how);
    if (answer.location === undefined || how.follow === false) return answer;
    if (answer.status === 202) return followQueue(way(how), { queuePath: answer.location }, how);
    return answer.status === 303 ? followQueue(way(how), { result: answer.location }, how) : answer;
  };
  return {
    get: (path, how = {}) => call('GET', path, undefined, how),
    post: (path, body, how = {}) => call('POST', path, body, how),
    delete: (path, how = {}) => call('DELETE', path, how.body, how),
    follow: (queuePath, how = {}) => followQueue(way(how), { queuePath }, how),
    close: () => {
      agent.destroy();
    },
  };
}

function httpsAgent({ ca = [], insecure = false }: ApiTls = {}): HttpsAgent {
  const trusted = ca.length === 0 ? {} : { ca: [...rootCertificates, ...ca] };
  return new HttpsAgent({ keepAlive: true, rejectUnauthorized: !insecure, ...trusted });
}

interface Way extends Pick<ApiClientOptions, 'pollMs' | 'timeoutMs'> {
  readonly send: (path: string, headers: Readonly<Record<string, string>>) => Promise<ApiAnswer>;
}

/** Where the end of a change is told, or the result it led to. */
type Lead = { readonly queuePath: string } | { readonly result: string };

/** Asks the server to answer when there is news; one that does not know how is asked at intervals. */
async function followQueue(
  { send, pollMs = POLL_MS, timeoutMs = TIMEOUT_MS }: Way,
  lead: Lead,
  { signal, operationTimeoutMs = OPERATION_TIMEOUT_MS }: CallOptions,
): Promise<ApiAnswer> {
  const deadline = performance.now() + operationTimeoutMs;
  let trouble: unknown;
  const queuePath = 'queuePath' in lead ? lead.queuePath : lead.result;
  let result = 'result' in lead ? lead.result : undefined; // Known once the queue has told; it may do so only once.
  while (performance.now() < deadline) {
    try {
      const waitMs = Math.min(HOLD_MS, timeoutMs / 2, deadline - performance.now());
      const answer = await send(result ?? queuePath, result === undefined ? waitHeader(waitMs) : {});
      const isPending = answer.status === 200 && answer.headers['x-pending'] === 'true';
      if (result !== undefined || (answer.status !== 303 && !isPending)) return answer;
      trouble = undefined;
      if (answer.status === 303) {
        result = answer.location;
        continue;
      }
      if (wasHeld(answer)) continue;
    } catch (error) {
      if (!isPassing(error)) throw error;
      trouble = error;
    }
    await pause(pollMs, undefined, signal === undefined ? {} : { signal });
  }
  throw new Unavailable(`${queuePath} is not done within ${String(operationTimeoutMs)} ms`, { cause: trouble });
}

/** RFC 7240, section 4.3: whole seconds. */
function waitHeader(waitMs: number): Readonly<Record<string, string>> {
  const seconds = Math.floor(waitMs / 1_000);
  return seconds < 1 ? {} : { prefer: `wait=${String(seconds)}` };
}

const wasHeld = ({ headers }: ApiAnswer): boolean => (headers['preference-applied'] ?? '').startsWith('wait');

/** Whether the same request may succeed later: nobody answered, or the API says that it is busy. */
export function isPassing(error: unknown): boolean {
  return error instanceof Unavailable || (error instanceof ApiError && PASSING.has(error.status));
}

interface Target extends ApiClientOptions {
  readonly base: URL;
  readonly agent: HttpAgent | HttpsAgent;
}

async function sendOnce(
  target: Target,
  method: string,
  path: string,
  body: unknown,
  call: CallOptions,
): Promise<ApiAnswer> {
  const url = new URL(target.base.pathname.replace(/\/$/, '') + path, target.base);
  const text = body === undefined ? undefined : JSON.stringify(body);
  const options: RequestOptions = {
    method,
    agent: target.agent,
    headers: headersOf(target, method, url.pathname, text, call),
    signal: signalOf(target, call),
  };
  try {
    return readAnswer(await exchange(url, options, text));
  } catch (error) {
    call.signal?.throwIfAborted();
    if (error instanceof ApiError) throw error;
    throw new Unavailable(`no answer from ${target.base.origin} to ${method} ${path}`, { cause: error });
  }
}

function signalOf({ timeoutMs = TIMEOUT_MS }: Target, { signal }: CallOptions): AbortSignal {
  const late = AbortSignal.timeout(timeoutMs);
  return signal === undefined ? late : AbortSignal.any([late, signal]);
}

function headersOf(
  { user, key }: Target,
  method: string,
  path: string,
  text: string | undefined,
  { idempotencyKey, headers = {} }: CallOptions,
): Record<string, string> {
  const now = Math.floor(Date.now() / 1_000);
  return {
    ...headers,
    ...(key === undefined ? {} : { authorization: `bearer ${signRequest(user, key, method, path, now)}` }),
    ...(text === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) }),
    ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
  };
}

interface Exchanged {
  readonly message: IncomingMessage;
  readonly text: string;
}

function exchange(url: URL, options: RequestOptions, text: string | undefined): Promise<Exchanged> {
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const outgoing = send(url, options, (message) => {
      readAll(message).then((received) => {
        resolve({ message, text: received });
      }, reject);
    });
    outgoing.once('error', reject);
    outgoing.end(text);
  });
}

async function readAll(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`the answer has more than ${String(ANSWER_BYTES_MAX)} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function adviceIn(headers: Readonly<Record<string, string>>): Advice {
  const { 'x-brickyard-remedy': remedy, 'x-brickyard-refusal': refusal } = headers;
  return { ...(remedy === undefined ? {} : { remedy }), ...(refusal === undefined ? {} : { refusal }) };
}

/** Refuses what a proxy or another server says: a page for people, or the way to one, is not the end of a change. */
function checkIsApi(status: number, headers: Readonly<Record<string, string>>, text: string): void {
  const { location, 'content-type': type = '' } = headers;
  if (status === 202 && location === undefined) throw new Error('it accepts, and does not tell where to watch');
  if (LINKS.has(status)) return;
  if (status >= 300 && status < 400) throw new Error(`it sends us on to ${location ?? 'nowhere'} (${String(status)})`);
  if (!type.startsWith('text/html')) return;
  const title = /<title>([^<]*)/i.exec(text)?.[1]?.trim() ?? '';
  throw new Error(`a page for people, status ${String(status)}, titled "${title}"`);
}

function readAnswer({ message, text }: Exchanged): ApiAnswer {
  const status = message.statusCode ?? 0;
  const headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, String(value)]));
  checkIsApi(status, headers, text);
  if (status >= 400) throw new ApiError(status, errorText(headers, text), retryAfterOf(headers), adviceIn(headers));
  const isJson = (headers['content-type'] ?? '').includes('json');
  const body: unknown = text.trim() === '' ? undefined : isJson ? JSON.parse(text) : text;
  const { location } = message.headers;
  return { status, body, headers, ...(location === undefined ? {} : { location }) };
}

/** What an error says: heketi's routes in plain words, ours as the `detail` of a problem (RFC 9457). */
function errorText(headers: Readonly<Record<string, string>>, text: string): string {
  if (!(headers['content-type'] ?? '').startsWith('application/problem+json')) return text.trim();
  const { detail } = JSON.parse(text) as { readonly detail?: unknown };
  return typeof detail === 'string' ? detail : text.trim();
}

function retryAfterOf(headers: Readonly<Record<string, string>>): number | undefined {
  const seconds = Number(headers['retry-after'] ?? Number.NaN);
  return Number.isFinite(seconds) ? seconds * 1_000 : undefined;
}

const withoutKey = ({ signal }: CallOptions): CallOptions => (signal === undefined ? {} : { signal });
