/** Asks one other registry: anonymously, with a password or with the tokens it hands out, as its answers demand. */
import type { IncomingMessage } from 'node:http';
import { readFileSync } from 'node:fs';
import type { Logger } from '@brickyard/service-host';
import { z } from 'zod';
import type { UpstreamConfig } from '../config-file';
import { challengesIn } from './challenge';
import { type Credentials, openCredentials } from './credentials';
import { bytesOf, Hops, letGo } from './hop';
import type { UpstreamMetrics } from './upstream-metrics';
import { UpstreamTrouble } from './upstream-trouble';

const TOKEN_BYTES_MAX = 1024 * 1024;
/** What the token protocol lets a client assume. */
const TOKEN_SECONDS = 60;
const TOKEN_MARGIN_MS = 10_000;
/** Clients may ask for any number of names. */
const AUTHORIZATIONS_MAX = 1_000;
const ERROR_BYTES_MAX = 64 * 1024;
const REST_MS = { first: 2_000, most: 30_000 };
const LIMITED_SECONDS = { usual: 60, most: 3_600 };
/** Codes by which a registry says that something is not there, and not that something went wrong. */
const ABSENT = new Set(['MANIFEST_UNKNOWN', 'NAME_UNKNOWN', 'BLOB_UNKNOWN', 'TAG_UNKNOWN', 'NOT_FOUND']);

const Token = z
  .object({ token: z.string().optional(), access_token: z.string().optional(), expires_in: z.number().optional() })
  .transform(({ token, access_token: other, expires_in: seconds }) => ({
    token: token ?? other,
    seconds: Math.max(TOKEN_SECONDS, seconds ?? TOKEN_SECONDS),
  }));
const Errors = z.object({ errors: z.array(z.object({ code: z.string() })).min(1) });

/** What is asked of the upstream. */
export interface Question {
  readonly method: 'GET' | 'HEAD';
  /** As the upstream calls it. */
  readonly repository: string;
  /** After the name: `/manifests/latest`. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** The registries that this question has passed already, as `Via` has them. */
  readonly via: string;
  /** A registry may lack the whole route: then any 404 says that there is no such thing. */
  readonly isOptional?: boolean;
}

interface Authorization {
  readonly header: string;
  readonly until: number;
}

/** Connections and tokens for one upstream, and how it is. */
export class UpstreamClient {
  readonly #hops: Hops;
  readonly #credentials: (() => Credentials) | undefined;
  readonly #authorizations = new Map<string, Authorization>();
  readonly #granting = new Map<string, Promise<Authorization | undefined>>();
  #restUntil = 0;
  #restMs = REST_MS.first;
  #trouble: UpstreamTrouble | undefined;

  constructor(
    private readonly config: UpstreamConfig,
    private readonly metrics: UpstreamMetrics,
    private readonly log: Logger,
  ) {
    const { name, url, caFile, credentialsFile } = config;
    this.#hops = new Hops(name, caFile === undefined ? undefined : readFileSync(caFile, 'utf8'));
    this.#credentials = credentialsFile === undefined ? undefined : openCredentials(credentialsFile, new URL(url).host);
    if (credentialsFile !== undefined && url.startsWith('http:')) {
      log.warn({ upstream: name, url }, 'the password for this upstream travels unencrypted');
    }
    metrics.well(name);
  }

  /** Since its last trouble it is left alone for a while, where that is possible. */
  get isResting(): boolean {
    return performance.now() < this.#restUntil;
  }

  /** What is wrong with it, as far as is known. */
  get trouble(): UpstreamTrouble | undefined {
    return this.#trouble;
  }

  /** An answer of 200, 206 or 304; undefined when the upstream says that there is no such thing. */
  async ask(question: Question): Promise<IncomingMessage | undefined> {
    try {
      const answer = await this.#judged(question, await this.#authorized(question));
      this.#well();
      return answer;
    } catch (error) {
      if (question.signal?.aborted !== true) this.noteTrouble(error);
      throw error;
    }
  }

  /** Remembers that the upstream is in trouble; asking it is put off where that is possible. */
  noteTrouble(error: unknown): void {
    if (!(error instanceof UpstreamTrouble) || error.kind === 'unusable' || error.kind === 'denied') return;
    const { kind, message, retryAfterMs } = error;
    const isNew = this.#trouble === undefined;
    this.#trouble = error;
    const restMs = retryAfterMs ?? this.#restMs;
    if (!this.isResting) this.#restMs = Math.min(this.#restMs * 2, REST_MS.most);
    this.#restUntil = performance.now() + restMs;
    this.metrics.ill(this.config.name, kind);
    if (isNew)
      this.log.warn({ upstream: this.config.name, kind, restMs, reason: message }, 'an upstream is in trouble');
  }

  close(): void {
    this.#hops.close();
  }

  #well(): void {
    if (this.#trouble === undefined) return;
    this.#trouble = undefined;
    this.#restUntil = 0;
    this.#restMs = REST_MS.first;
    this.metrics.well(this.config.name);
    this.log.info({ upstream: this.config.name }, 'an upstream answers again');
  }

  /** Asks with what was granted before; when that is refused, with what is granted now. */
  async #authorized(question: Question): Promise<IncomingMessage> {
    const known = this.#authorizations.get(question.repository);
    const first = await this.#send(
      question,
      known !== undefined && known.until > Date.now() ? known.header : undefined,
    );
    if (first.statusCode !== 401) return first;
    const challenge = first.headers['www-authenticate'];
    letGo(first);
    this.#authorizations.delete(question.repository);
    const granted = await this.#grantedOnce(question.repository, challenge);
    return granted === undefined ? first : this.#send(question, granted.header);
  }

  #grantedOnce(repository: string, challenge: string | undefined): Promise<Authorization | undefined> {
    const running = this.#granting.get(repository);
    if (running !== undefined) return running;
    const granting = this.#granted(repository, challenge).finally(() => this.#granting.delete(repository));
    this.#granting.set(repository, granting);
    return granting;
  }

  async #granted(repository: string, header: string | undefined): Promise<Authorization | undefined> {
    const challenges = challengesIn(header);
    const bearer = challenges.find((one) => one.kind === 'bearer');
    const credentials = this.#credentials?.();
    const basic = credentials === undefined ? undefined : basicOf(credentials);
    let granted: Authorization | undefined;
    if (bearer !== undefined) granted = await this.#token(bearer, repository, basic);
    else if (basic !== undefined && challenges.length > 0) granted = { header: basic, until: Number.MAX_SAFE_INTEGER };
    if (granted !== undefined) {
      this.#authorizations.set(repository, granted);
      const [oldest] = this.#authorizations.keys();
      if (this.#authorizations.size > AUTHORIZATIONS_MAX && oldest !== undefined) this.#authorizations.delete(oldest);
    }
    return granted;
  }

  async #token(
    { realm, service }: { readonly realm: string; readonly service: string | undefined },
    repository: string,
    authorization: string | undefined,
  ): Promise<Authorization> {
    const { name, url: base, timeoutMs } = this.config;
    const unusable = (what: string): UpstreamTrouble => new UpstreamTrouble('unusable', `${name}: ${what}`);
    if (!URL.canParse(realm)) throw unusable('it names no place to get tokens from');
    const url = new URL(realm);
    // Passwords go there: never over something worse than what the operator has written down.
    if (url.protocol !== 'https:' && url.protocol !== new URL(base).protocol) {
      throw unusable(`tokens would come over ${url.protocol}`);
    }
    if (service !== undefined) url.searchParams.set('service', service);
    url.searchParams.set('scope', `repository:${repository}:pull`);
    const signal = AbortSignal.timeout(timeoutMs * 2);
    const headers = { accept: 'application/json' };
    const answer = await this.#hops.ask({ method: 'GET', url, headers, authorization, signal, patienceMs: timeoutMs });
    this.metrics.asked(name, 'token', answer.statusCode ?? 0);
    if (answer.statusCode !== 200) throw refusalOf(name, answer, 'the place that hands out tokens answers');
    const bytes = await bytesOf(answer, TOKEN_BYTES_MAX).catch(() => undefined);
    const { token, seconds } = Token.catch({ token: undefined, seconds: 0 }).parse(jsonIn(bytes));
    if (token === undefined || /[^\x21-\x7e]/.test(token)) throw unusable('what should be a token is none');
    return { header: `Bearer ${token}`, until: Date.now() + seconds * 1_000 - TOKEN_MARGIN_MS };
  }

  async #send(question: Question, authorization: string | undefined): Promise<IncomingMessage> {
    const { method, repository, path, headers, via, signal } = question;
    const { name, url, timeoutMs } = this.config;
    const startedAt = performance.now();
    const answer = await this.#hops.ask({
      method,
      url: new URL(`/v2/${repository}${path}`, url),
      headers: { 'user-agent': 'brickyard-registry', 'accept-encoding': 'identity', ...headers, via },
      authorization,
      signal: signal ?? AbortSignal.timeout(timeoutMs * 3),
      patienceMs: timeoutMs,
    });
    this.metrics.asked(name, kindOf(path), answer.statusCode ?? 0, performance.now() - startedAt);
    return answer;
  }

  async #judged(question: Question, answer: IncomingMessage): Promise<IncomingMessage | undefined> {
    const { statusCode = 0 } = answer;
    if (statusCode === 200 || statusCode === 206 || statusCode === 304) return answer;
    const { name } = this.config;
    if (statusCode !== 404) throw refusalOf(name, answer, 'it answers');
    if (question.method === 'HEAD' || question.isOptional === true) {
      letGo(answer);
      return undefined;
    }
    const errors = Errors.safeParse(jsonIn(await bytesOf(answer, ERROR_BYTES_MAX).catch(() => undefined)));
    if (errors.success && errors.data.errors.some(({ code }) => ABSENT.has(code))) return undefined;
    // A proxy without anything behind it says 404 too: nobody should believe an image gone for that.
    throw new UpstreamTrouble('away', `${name} answers 404, but not as a registry does`);
  }
}

const basicOf = ({ user, password }: Credentials): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

function jsonIn(bytes: Buffer | undefined): unknown {
  try {
    return JSON.parse(bytes?.toString('utf8') ?? '');
  } catch {
    return undefined;
  }
}

const kindOf = (path: string): 'manifest' | 'blob' | 'list' =>
  path.startsWith('/manifests/') ? 'manifest' : path.startsWith('/blobs/') ? 'blob' : 'list';

function refusalOf(upstream: string, answer: IncomingMessage, what: string): UpstreamTrouble {
  const { statusCode = 0, headers } = answer;
  letGo(answer);
  const message = `${upstream}: ${what} ${String(statusCode)}`;
  const retryAfterMs = retryAfterIn(headers['retry-after']);
  if (statusCode === 429) {
    return new UpstreamTrouble('limited', message, { retryAfterMs: retryAfterMs ?? LIMITED_SECONDS.usual * 1_000 });
  }
  if (statusCode === 401 || statusCode === 403) return new UpstreamTrouble('denied', message);
  if (statusCode >= 500) return new UpstreamTrouble('away', message, { retryAfterMs });
  return new UpstreamTrouble('unusable', message);
}

/** Seconds or a date: RFC 9110, section 10.2.3. */
function retryAfterIn(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(LIMITED_SECONDS.most * 1_000, Math.max(1_000, ms));
}
