/** One request and its answer. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Signed } from '../auth/signed';
import { S3Error } from '../s3-error';
import { KEY_BYTES_MAX } from '../store/key-path';
import { XML_HEAD } from './xml';

const BUCKET = /^(?!.*\.\.)(?!\d{1,3}(?:\.\d{1,3}){3}$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

/** What every handler gets. */
export class Exchange {
  /** As it was signed: decoded, with its slashes. */
  readonly signedPath: string;
  /** Parameters in the order they came, decoded. */
  readonly parameters: readonly (readonly [string, string])[];
  /** Empty for the service itself. */
  readonly bucket: string;
  /** Empty for a bucket. */
  readonly key: string;
  #signed: Signed | undefined;
  /** The answer has begun, before it was known how it ends. */
  #isBegun = false;

  constructor(
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    readonly requestId: string,
    readonly isContinueExpected: boolean,
    domain?: string,
  ) {
    const url = request.url ?? '/';
    const mark = url.indexOf('?');
    this.signedPath = decoded(mark === -1 ? url : url.slice(0, mark));
    this.parameters = parametersIn(mark === -1 ? '' : url.slice(mark + 1));
    const host = (request.headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
    const inHost = domain !== undefined && host.endsWith(`.${domain}`) ? host.slice(0, -domain.length - 1) : undefined;
    const path = inHost === undefined ? this.signedPath : `/${inHost}${this.signedPath}`;
    const slash = path.indexOf('/', 1);
    this.bucket = slash === -1 ? path.slice(1) : path.slice(1, slash);
    this.key = slash === -1 ? '' : path.slice(slash + 1);
  }

  get method(): string {
    return this.request.method ?? 'GET';
  }

  query(name: string): string | undefined {
    return this.parameters.find(([given]) => given === name)?.[1];
  }

  has(name: string): boolean {
    return this.query(name) !== undefined;
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name];
    const text = Array.isArray(value) ? value.join(',') : value;
    // Node reads headers as Latin-1; clients that send more mean UTF-8.
    return text !== undefined && /[\u0080-\u00ff]/.test(text) ? Buffer.from(text, 'latin1').toString('utf8') : text;
  }

  /** Set when the signature was checked. */
  get signed(): Signed {
    if (this.#signed === undefined) throw new Error('the signature has not been checked');
    return this.#signed;
  }

  set signed(signed: Signed) {
    this.#signed = signed;
  }

  /** For the access log. */
  get actor(): string {
    return this.#signed?.credential.accessKey ?? '-';
  }

  get declaredLength(): number | undefined {
    const text = this.request.headers['content-length'];
    return text === undefined || !/^\d{1,15}$/.test(text) ? undefined : Number(text);
  }

  /** Refuses names that no bucket and no object may have. */
  checkNames(): void {
    if (this.bucket !== '' && !BUCKET.test(this.bucket)) {
      throw new S3Error('InvalidBucketName', 'A bucket has 3 to 63 small letters, digits, dots and dashes.', {
        fields: { BucketName: this.bucket },
      });
    }
    checkKey(this.key);
  }

  /** Lets a client that asked first begin to send. */
  accept(): void {
    if (this.isContinueExpected && !this.response.headersSent) this.response.writeContinue();
  }

  /**
   * For an answer in XML that may take long: after a while 200 is sent, and then blanks, so that nobody on the way gives
   * up. What fails from then on is told in the body, as Amazon does it. Returns how to end it, before the answer is sent.
   */
  keepAlive(everyMs: number): () => void {
    const timer = setInterval(() => {
      if (this.#isBegun) this.response.write(' ');
      else {
        this.#isBegun = true;
        this.begin(200, { 'content-type': 'application/xml' });
        this.response.write(XML_HEAD);
      }
    }, everyMs);
    return () => {
      clearInterval(timer);
    };
  }

  /** Sends what comes before the body. */
  begin(status: number, headers: OutgoingHttpHeaders): void {
    const hasBody = this.request.headers['transfer-encoding'] !== undefined || (this.declaredLength ?? 0) > 0;
    const isUnread = hasBody && !this.request.readableEnded && status >= 400;
    this.response.writeHead(status, {
      server: 'Brickyard',
      'x-amz-request-id': this.requestId,
      ...headers,
      // A client in the middle of a large body must not have all of it read for nothing.
      ...(isUnread ? { connection: 'close' } : {}),
    });
  }

  send(status: number, headers: OutgoingHttpHeaders = {}, body: string | Buffer = ''): void {
    if (this.#isBegun) {
      this.response.end(body.toString().slice(XML_HEAD.length)); // Its status can only be read in the body.
      return;
    }
    if (this.response.headersSent) {
      this.response.destroy();
      return;
    }
    const hasNone = status === 204 || status === 304;
    this.begin(status, { ...(hasNone ? {} : { 'content-length': Buffer.byteLength(body) }), ...headers });
    if (hasNone || this.method === 'HEAD') this.response.end();
    else this.response.end(body);
  }

  sendXml(status: number, body: string, headers: OutgoingHttpHeaders = {}): void {
    this.send(status, { 'content-type': 'application/xml', ...headers }, body);
  }
}

/** Refuses keys that are longer than any may be. */
export function checkKey(key: string): void {
  if (Buffer.byteLength(key) <= KEY_BYTES_MAX) return;
  throw new S3Error('KeyTooLongError', `A key has at most ${String(KEY_BYTES_MAX)} bytes.`, {
    fields: { MaxSizeAllowed: String(KEY_BYTES_MAX), Size: String(Buffer.byteLength(key)) },
  });
}

/** Bytes that are not UTF-8 are no key. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new S3Error('InvalidURI', 'The address is not encoded as UTF-8.');
  }
}

function parametersIn(text: string): readonly (readonly [string, string])[] {
  return text
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const plain = part.replaceAll('+', ' ');
      const at = plain.indexOf('=');
      return at === -1
        ? ([decoded(plain), ''] as const)
        : ([decoded(plain.slice(0, at)), decoded(plain.slice(at + 1))] as const);
    });
}
