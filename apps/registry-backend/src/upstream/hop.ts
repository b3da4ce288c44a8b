/** One request to another registry, and the redirects it answers with: never to a worse scheme, never with credentials. */
import { lookup } from 'node:dns';
import { Agent as HttpAgent, type IncomingMessage, type OutgoingHttpHeaders, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { rootCertificates } from 'node:tls';
import { UpstreamTrouble } from './upstream-trouble';

const HOPS_MAX = 5;
const SOCKETS_MAX = 64;
/** A connection that says nothing for so long in the middle of a body is gone. */
const SILENCE_MS = 60_000;

/** Addresses that no other registry has a reason to send anybody to: those of the machine and of its cloud's metadata. */
const local = new BlockList();
local.addSubnet('127.0.0.0', 8, 'ipv4');
local.addAddress('::1', 'ipv6');
const never = new BlockList();
never.addSubnet('169.254.0.0', 16, 'ipv4');
never.addSubnet('0.0.0.0', 8, 'ipv4');
never.addSubnet('fe80::', 10, 'ipv6');
never.addAddress('::', 'ipv6');

const has = (list: BlockList, address: string): boolean => list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
const bare = (hostname: string): string => hostname.replace(/^\[(.*)\]$/, '$1');
const isLocalName = (hostname: string): boolean =>
  hostname === 'localhost' || (isIP(bare(hostname)) !== 0 && has(local, bare(hostname)));

/** What is asked. */
export interface Hop {
  readonly method: 'GET' | 'HEAD';
  readonly url: URL;
  readonly headers: OutgoingHttpHeaders;
  /** Sent to the origin of `url` alone. */
  readonly authorization: string | undefined;
  readonly signal: AbortSignal;
  /** Until the head of the answer is there. */
  readonly patienceMs: number;
}

/** Connections to one upstream and to wherever it redirects. */
export class Hops {
  readonly #http = new HttpAgent({ keepAlive: true, maxSockets: SOCKETS_MAX });
  readonly #https: HttpsAgent;

  constructor(
    private readonly upstream: string,
    ca: string | undefined,
  ) {
    // Besides the authorities everybody trusts: an upstream of one's own may redirect to a public store.
    const trusted = ca === undefined ? {} : { ca: [...rootCertificates, ca] };
    this.#https = new HttpsAgent({ keepAlive: true, maxSockets: SOCKETS_MAX, ...trusted });
  }

  /** The answer at the end of all redirects. Rejects with `UpstreamTrouble`. */
  async ask(hop: Hop): Promise<IncomingMessage> {
    let { url, authorization } = hop;
    for (let count = 0; count <= HOPS_MAX; count++) {
      const isRedirected = url.origin !== hop.url.origin;
      if (isRedirected) authorization = undefined; // For good, wherever it leads from there.
      const response = await this.#send({ ...hop, url, authorization }, isRedirected ? hop.url : undefined);
      const { statusCode = 0, headers } = response;
      if (statusCode < 300 || statusCode >= 400 || statusCode === 304) return response;
      letGo(response);
      url = this.#redirected(url, headers.location);
    }
    throw new UpstreamTrouble('unusable', `${this.upstream} redirects without end`);
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  #redirected(from: URL, location: string | undefined): URL {
    if (location === undefined || !URL.canParse(location, from.href)) {
      throw new UpstreamTrouble('unusable', `${this.upstream} redirects to nowhere`);
    }
    const to = new URL(location, from);
    const isWorse = to.protocol !== 'https:' && to.protocol !== from.protocol;
    if (isWorse || (to.protocol !== 'https:' && to.protocol !== 'http:')) {
      throw new UpstreamTrouble('unusable', `${this.upstream} redirects from ${from.protocol} to ${to.protocol}`);
    }
    to.username = '';
    to.password = '';
    return to;
  }

  #send(
    { method, url, headers, authorization, signal, patienceMs }: Hop,
    from: URL | undefined,
  ): Promise<IncomingMessage> {
    const isSecure = url.protocol === 'https:';
    const mayGo = (address: string): boolean =>
      from === undefined || (!has(never, address) && (isLocalName(from.hostname) || !has(local, address)));
    const literal = bare(url.hostname);
    return new Promise((resolve, reject) => {
      const fail = (kind: 'away' | 'slow' | 'unusable', what: string, cause?: unknown): void => {
        reject(new UpstreamTrouble(kind, `${this.upstream} (${url.host}) ${what}`, { cause }));
      };
      if (isIP(literal) !== 0 && !mayGo(literal)) {
        fail('unusable', 'is an address that no redirect may lead to');
        return;
      }
      const outgoing = (isSecure ? httpsRequest : httpRequest)(url, {
        method,
        agent: isSecure ? this.#https : this.#http,
        headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
        signal,
        timeout: SILENCE_MS,
        lookup: checkedLookup(mayGo),
      });
      const late = setTimeout(() => {
        fail('slow', `has not answered within ${String(patienceMs)} ms`);
        outgoing.destroy();
      }, patienceMs);
      outgoing.once('response', (response) => {
        clearTimeout(late);
        response.on('error', () => undefined); // Told to whoever reads, if anybody does.
        resolve(response);
      });
      outgoing.on('timeout', () => {
        outgoing.destroy(new Error('silence'));
      });
      outgoing.on('error', (error) => {
        clearTimeout(late);
        fail('away', reasonOf(error), error);
      });
      outgoing.end();
    });
  }
}

/** What OpenSSL says of a certificate nobody here vouches for. */
const UNTRUSTED = /SELF_SIGNED|UNABLE_TO_(GET_ISSUER|VERIFY_LEAF)|CERT_(UNTRUSTED|REJECTED)|INVALID_CA/;

function reasonOf(error: NodeJS.ErrnoException): string {
  const { code, message } = error;
  if (code === undefined) return `cannot be reached: ${message}`;
  if (UNTRUSTED.test(code)) return `has a certificate of an unknown authority (${code}): caFile names those to trust`;
  return code.includes('CERT') ? `has a certificate that does not fit: ${message}` : `cannot be reached: ${code}`;
}

/** Names are looked up as always, and refused when they turn out to be addresses that may not be asked. */
function checkedLookup(mayGo: (address: string) => boolean): LookupFunction {
  return (hostname, options, done) => {
    lookup(hostname, options, (error, found, family) => {
      const addresses = Array.isArray(found) ? found.map(({ address }) => address) : [found];
      const isRefused = error === null && addresses.some((address) => !mayGo(address));
      if (isRefused) done(new Error('an address that no redirect may lead to'), found, family);
      else done(error, found, family);
    });
  };
}

/** A short answer that nobody wants is read to its end, so that its connection can be used again; a long one is cut off. */
export function letGo(response: IncomingMessage): void {
  const length = Number(response.headers['content-length'] ?? Number.NaN);
  if (length <= 65_536 || response.statusCode === 304) response.resume();
  else response.destroy();
}

/** All bytes of an answer, at most so many; undefined when there are more. Rejects when it breaks off. */
export async function bytesOf(response: IncomingMessage, bytesMax: number): Promise<Buffer | undefined> {
  if (Number(response.headers['content-length'] ?? 0) > bytesMax) {
    response.destroy();
    return undefined;
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) return undefined; // Leaving the loop ends the connection.
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
