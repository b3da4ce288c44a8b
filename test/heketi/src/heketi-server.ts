/** A server that speaks heketi's protocol, as a client with nothing but HTTP sees it. */
import { createHash, createHmac } from 'node:crypto';
import { Agent, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';
import { type Hosts, madeUpHosts } from './hosts';

/** Where the server is, and the secrets of its two users. */
export interface ServerAddress {
  readonly url: string;
  readonly adminKey: string;
  /** Absent: rows about the role `user` cannot run. */
  readonly userKey?: string | undefined;
}

/** One answer, as it came. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** How a request is made, where it is not the usual way. */
export interface Ask {
  /** An object is sent as JSON, a text as it is. */
  readonly body?: unknown;
  /** The whole header; null: none at all. */
  readonly authorization?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a token says; absent claims are left out. */
export interface Claims {
  readonly iss?: string;
  readonly iat?: number;
  readonly exp?: number;
  readonly qsh?: string;
}

const POLL_MS = 20;
/** Real hosts take their time. */
const QUEUE_PATIENCE_MS = 120_000;

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** What binds a token to one method and path. */
export const hashOf = (method: string, path: string): string =>
  createHash('sha256')
    .update(`${method}&${path.split('?')[0] ?? ''}`)
    .digest('hex');

/** Signs a token. */
export function tokenOf(claims: Claims, key: string, bits: 256 | 384 | 512 = 256): string {
  const head = `${encoded({ alg: `HS${String(bits)}`, typ: 'JWT' })}.${encoded(claims)}`;
  const mark = createHmac(`sha${String(bits)}`, key)
    .update(head)
    .digest('base64url');
  return `${head}.${mark}`;
}

export const nowSeconds = (): number => Math.floor(Date.now() / 1_000);

/** Asks one server. */
export class HeketiServer {
  private readonly agent = new Agent({ keepAlive: true });

  constructor(
    readonly address: ServerAddress,
    readonly hosts: Hosts = madeUpHosts,
  ) {}

  /** One request, signed as the administrator unless told otherwise; redirects are not followed. */
  ask(method: string, path: string, { body, authorization, headers = {} }: Ask = {}): Promise<Answer> {
    const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const header = authorization === undefined ? this.bearer(method, path) : authorization;
    const all = {
      ...headers,
      ...(header === null ? {} : { authorization: header }),
      ...(text === undefined ? {} : { 'content-length': String(Buffer.byteLength(text)) }),
    };
    const url = new URL(path, this.address.url);
    return new Promise((resolve, reject) => {
      const isTls = url.protocol === 'https:';
      const send = isTls ? httpsRequest : httpRequest;
      const outgoing = send(url, { method, headers: all, ...(isTls ? {} : { agent: this.agent }) }, (message) => {
        const chunks: Buffer[] = [];
        message.on('data', (chunk: Buffer) => chunks.push(chunk));
        message.once('error', reject);
        message.once('end', () => {
          const told = Object.entries(message.headers).map(([name, value]) => [name, String(value)] as const);
          const received = Buffer.concat(chunks).toString('utf8');
          resolve({ status: message.statusCode ?? 0, headers: Object.fromEntries<string>(told), text: received });
        });
      });
      outgoing.once('error', reject);
      outgoing.end(text);
    });
  }

  /** A header that is good for one method and path. */
  bearer(
    method: string,
    path: string,
    claims: Claims = {},
    key = this.address.adminKey,
    bits?: 256 | 384 | 512,
  ): string {
    const now = nowSeconds();
    const all = { iss: 'admin', iat: now, exp: now + 300, qsh: hashOf(method, path), ...claims };
    return `bearer ${tokenOf(all, key, bits)}`;
  }

  get(path: string): Promise<Answer> {
    return this.ask('GET', path);
  }

  post(path: string, body: unknown): Promise<Answer> {
    return this.ask('POST', path, { body });
  }

  /** The JSON of a GET that must succeed. */
  async read(path: string): Promise<Json> {
    const answer = await this.get(path);
    if (answer.status !== 200) throw new Error(`GET ${path}: ${String(answer.status)} ${answer.text.trim()}`);
    return new Json(JSON.parse(answer.text));
  }

  /** Polls a queue to its end: the first answer that is not "pending". */
  async end(location: string): Promise<Answer> {
    const deadline = Date.now() + QUEUE_PATIENCE_MS;
    while (Date.now() < deadline) {
      const answer = await this.get(location);
      if (answer.headers['x-pending'] !== 'true') return answer;
      await pause(POLL_MS);
    }
    throw new Error(`${location} has no end`);
  }

  /** A request that begins work, followed to the end of the work. */
  async work(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await this.ask(method, path, body === undefined ? {} : { body });
    return answer.status === 202 ? this.end(answer.headers['location'] ?? '') : answer;
  }

  /** As `work`, where the result must be a thing: that thing. */
  async make(path: string, body: unknown): Promise<Json> {
    const answer = await this.work('POST', path, body);
    if (answer.status !== 303) throw new Error(`POST ${path}: ${String(answer.status)} ${answer.text.trim()}`);
    return this.read(answer.headers['location'] ?? '');
  }

  close(): void {
    this.agent.destroy();
  }
}

/** Parsed JSON, looked into by name; what is not there fails. */
export class Json {
  constructor(readonly value: unknown) {}

  private field(name: string): unknown {
    const fields = this.value as Readonly<Record<string, unknown>>;
    if (typeof fields !== 'object' || !(name in fields))
      throw new Error(`no field ${name} in ${JSON.stringify(this.value)}`);
    return fields[name];
  }

  at(name: string): Json {
    return new Json(this.field(name));
  }

  text(name: string): string {
    return String(this.field(name));
  }

  number(name: string): number {
    return Number(this.field(name));
  }

  list(name: string): readonly Json[] {
    return (this.field(name) as readonly unknown[]).map((one) => new Json(one));
  }

  texts(name: string): readonly string[] {
    return this.list(name).map(({ value }) => String(value));
  }

  get names(): readonly string[] {
    return Object.keys(this.value as object);
  }
}
