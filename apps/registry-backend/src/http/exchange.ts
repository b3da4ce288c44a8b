/** One request and its answer. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Actor } from '@brickyard/contracts';
import type { Origin } from '../facts/registry-facts';

const API_VERSION = 'registry/2.0';

/** What every handler gets. */
export class Exchange {
  readonly path: string;
  readonly #queryText: string;
  #query: URLSearchParams | undefined;
  /** Set by the guard. */
  actor: Actor = { name: 'anonymous' };
  /** For the access log. */
  digest: string | undefined;

  constructor(
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    readonly requestId: string,
    readonly isContinueExpected: boolean,
  ) {
    const url = request.url ?? '/';
    const mark = url.indexOf('?');
    this.path = mark === -1 ? url : url.slice(0, mark);
    this.#queryText = mark === -1 ? '' : url.slice(mark + 1);
  }

  get method(): string {
    return this.request.method ?? 'GET';
  }

  get hasQuery(): boolean {
    return this.#queryText !== '';
  }

  get query(): URLSearchParams {
    return (this.#query ??= new URLSearchParams(this.#queryText));
  }

  get origin(): Origin {
    return { actor: this.actor, correlationId: this.requestId };
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  /** Bytes the body is said to have; undefined when it is sent in chunks. */
  get declaredLength(): number | undefined {
    const text = this.request.headers['content-length'];
    return text === undefined || !/^\d{1,15}$/.test(text) ? undefined : Number(text);
  }

  get hasBody(): boolean {
    return this.request.headers['transfer-encoding'] !== undefined || (this.declaredLength ?? 0) > 0;
  }

  /** Lets a client that asked first begin to send. */
  accept(): void {
    if (this.isContinueExpected && !this.response.headersSent) this.response.writeContinue();
  }

  send(status: number, headers: OutgoingHttpHeaders, body?: string | Buffer): void {
    const { response } = this;
    if (response.headersSent) {
      response.destroy();
      return;
    }
    this.begin(status, {
      'content-length': body === undefined ? 0 : Buffer.byteLength(body),
      ...headers,
    });
    if (body === undefined || this.method === 'HEAD') response.end();
    else response.end(body);
  }

  /** Sends what comes before the body. */
  begin(status: number, headers: OutgoingHttpHeaders): void {
    const isUnread = this.hasBody && !this.request.readableEnded && status >= 400;
    this.response.writeHead(status, {
      'docker-distribution-api-version': API_VERSION,
      ...headers,
      // A client in the middle of a large body must not have all of it read for nothing.
      ...(isUnread ? { connection: 'close' } : {}),
    });
  }

  json(status: number, value: unknown, headers: OutgoingHttpHeaders = {}): void {
    this.send(status, { 'content-type': 'application/json', ...headers }, JSON.stringify(value));
  }
}
