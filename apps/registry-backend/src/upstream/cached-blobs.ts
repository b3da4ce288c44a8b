/** Blobs of other registries: from what is held, else fetched once for all who ask meanwhile. */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Digest } from '@brickyard/contracts';
import { describeError } from '@brickyard/service-host';
import { type ByteRange, rangeOf, VolumeFull, VolumeTrouble } from '@brickyard/volume-storage';
import type { ReadableState } from '../facts/folded-facts';
import type { Origin } from '../facts/registry-facts';
import { blobHeadersOf, getBlob, matches } from '../http/blobs';
import type { Exchange } from '../http/exchange';
import { algorithmOf } from '../http/manifest-shape';
import { OciError } from '../http/oci-error';
import { digestOf } from '../http/route';
import { linkBlob } from '../http/uploads/link-blob';
import type { Registry } from '../registry';
import { BlobFetch } from './blob-fetch';
import { letGo } from './hop';
import { sourceOf } from './source-of';
import { errorOf, tellOutcome } from './told';
import type { Source } from './upstreams';
import { UpstreamTrouble } from './upstream-trouble';

interface Wanted {
  readonly source: Source;
  readonly digest: Digest;
  readonly origin: Origin;
  readonly via: string;
}

const blobUnknown = ({ digest, source }: Wanted): OciError =>
  new OciError('BLOB_UNKNOWN', `upstream ${source.upstream.config.name} has no such blob`, { detail: { digest } });

/** `GET` and `HEAD /v2/<name>/blobs/<digest>` of a repository that comes from elsewhere. */
export async function getCachedBlob(
  registry: Registry,
  exchange: Exchange,
  source: Source,
  text: string,
): Promise<void> {
  const digest = digestOf(text);
  const at = await registry.facts.readable();
  const { metrics } = registry.upstreams;
  if (isHeld(at, source, digest)) {
    metrics?.wanted('blob', 'hit');
    tellOutcome(exchange, 'hit');
    return getBlob(registry, exchange, source.name, text);
  }
  exchange.digest = digest;
  const wanted = { source, digest, origin: exchange.origin, via: registry.upstreams.viaOf(exchange) };
  tellOutcome(exchange, 'miss');
  metrics?.wanted('blob', 'miss');
  try {
    if (exchange.method === 'HEAD') await head(exchange, wanted);
    else if (await linkShared(registry, wanted, at)) await getBlob(registry, exchange, source.name, text);
    else await follow(registry, exchange, wanted);
  } catch (error) {
    throw error instanceof UpstreamTrouble ? errorOf(error) : error;
  }
  return undefined;
}

function isHeld({ state }: ReadableState, { name }: Source, digest: Digest): boolean {
  const repository = state.repositories.get(name);
  const isLinked = repository?.blobs.has(digest) === true || repository?.manifests.has(digest) === true;
  const blob = state.blobs.get(digest);
  return isLinked && blob !== undefined && blob.finding === undefined;
}

const asking = ({ source, digest, via }: Wanted, method: 'GET' | 'HEAD', headers = {}, signal?: AbortSignal) =>
  source.upstream.client.ask({
    method,
    repository: source.remote,
    path: `/blobs/${digest}`,
    headers,
    via,
    ...(signal === undefined ? {} : { signal }),
  });

/** Only the upstream is asked: who wants to know whether there is such a blob may not want it. */
async function head(exchange: Exchange, wanted: Wanted): Promise<void> {
  const { name } = wanted.source.upstream.config;
  const response = await asking(wanted, 'HEAD');
  if (response === undefined) throw blobUnknown(wanted);
  letGo(response);
  const size = Number(response.headers['content-length'] ?? Number.NaN);
  if (Number.isNaN(size)) throw new UpstreamTrouble('unusable', `${name} does not tell how large the blob is`);
  exchange.begin(200, { ...blobHeadersOf(wanted.digest), 'content-length': size });
  exchange.response.end();
}

/**
 * Another repository of the same upstream has the bytes here: once the upstream says that this one has them too, nothing
 * is fetched. Bytes of other upstreams and of our own repositories do not count: an upstream must not be able to hand out
 * what it never had.
 */
async function linkShared(registry: Registry, wanted: Wanted, { state }: ReadableState): Promise<boolean> {
  const { source, digest, origin } = wanted;
  const blob = state.blobs.get(digest);
  if (blob === undefined || blob.finding !== undefined || source.upstream.blobs.has(keyOf(wanted))) return false;
  const isShared = [...state.repositories.entries()].some(
    ([name, { blobs }]) => blobs.has(digest) && sourceOf(registry, name)?.upstream === source.upstream,
  );
  if (!isShared) return false;
  const response = await asking(wanted, 'HEAD');
  if (response === undefined) throw blobUnknown(wanted);
  letGo(response);
  const { name: repository, fetchedFrom } = source;
  const { file, size } = blob;
  const rules = registry.rulesOf(repository);
  const command = { type: 'LinkBlob', repository, digest, size, file, isPresent: true, fetchedFrom, rules } as const;
  const outcome = await registry.facts.submit(command, origin).catch(() => undefined);
  return outcome?.kind === 'accepted';
}

const keyOf = ({ source, digest }: Wanted): string => `${source.name}@${digest}`;

/** Follows the fetch that is under way, or begins one. */
async function follow(registry: Registry, exchange: Exchange, wanted: Wanted): Promise<void> {
  const { blobs } = wanted.source.upstream;
  if (!canStore(registry)) return relay(registry, exchange, wanted);
  const fetch = blobs.get(keyOf(wanted)) ?? begin(registry, wanted);
  fetch.join();
  let isServed = false;
  try {
    const size = await fetch.begun;
    if (size === undefined) throw blobUnknown(wanted);
    await send(registry, exchange, fetch, size, wanted.digest);
    isServed = !exchange.response.destroyed;
  } catch (error) {
    const isVolume = error instanceof VolumeFull || error instanceof VolumeTrouble;
    if (!isVolume || exchange.response.headersSent) throw error;
    await relay(registry, exchange, wanted); // There is no room, or no volume: it can be served without.
  } finally {
    fetch.leave(isServed ? 'served' : 'vanished');
  }
}

/** While nothing may be written nothing is fetched to be kept. */
function canStore(registry: Registry): boolean {
  if (registry.facts.current.state.readOnly !== undefined) return false;
  try {
    registry.store();
    return true;
  } catch {
    return false;
  }
}

function begin(registry: Registry, wanted: Wanted): BlobFetch {
  const { source, digest, origin } = wanted;
  const { upstream, name, fetchedFrom } = source;
  const { fetching, metrics } = registry.upstreams;
  const key = keyOf(wanted);
  let isSlotTaken = false;
  const fetch: BlobFetch = new BlobFetch({
    digest,
    ask: async (offset, signal) => {
      if (!isSlotTaken) await fetching.acquire();
      isSlotTaken = true;
      return asking(wanted, 'GET', offset === 0 ? {} : { range: `bytes=${String(offset)}-` }, signal);
    },
    store: registry.store,
    keep: (part) => linkBlob(registry, origin, name, { digest, part, store: registry.store(), fetchedFrom }),
    onUnkept: (error) => {
      registry.log.warn(
        { repository: name, digest, reason: describeError(error) },
        'a blob that was fetched is not kept',
      );
      metrics?.unstored(upstream.config.name, 'blob');
    },
    onFailed: (error) => {
      registry.log.warn({ repository: name, digest, reason: describeError(error) }, 'a blob could not be fetched');
    },
    onReceived: (bytes) => metrics?.pulled('blob', bytes),
    onEnded: () => {
      upstream.blobs.delete(key);
      if (isSlotTaken) fetching.release();
    },
  });
  upstream.blobs.set(key, fetch);
  return fetch;
}

/** Sends what the client asked for, as it comes. */
async function send(
  registry: Registry,
  exchange: Exchange,
  fetch: BlobFetch,
  size: number,
  digest: Digest,
): Promise<void> {
  const etag = `"${digest}"`;
  const headers = blobHeadersOf(digest);
  if (matches(exchange.header('if-none-match'), etag)) {
    exchange.begin(304, headers);
    exchange.response.end();
    return;
  }
  const ifRange = exchange.header('if-range');
  const range = rangeOf(ifRange === undefined || ifRange === etag ? exchange.header('range') : undefined, size);
  if (range === 'none') {
    const outside = { 'content-range': `bytes */${String(size)}` };
    throw new OciError('RANGE_INVALID', 'the range is not within the blob', { headers: outside });
  }
  const { first, last } = range === 'all' ? { first: 0, last: size - 1 } : range;
  const part = range === 'all' ? {} : { 'content-range': `bytes ${String(first)}-${String(last)}/${String(size)}` };
  const begin = (): void => {
    exchange.begin(range === 'all' ? 200 : 206, { ...headers, ...part, 'content-length': last - first + 1 });
  };
  await pump(registry, exchange, fetch, { first, last }, begin);
}

/** What cannot be had ends the connection: the client must not take what it has for all. */
async function pump(
  registry: Registry,
  { response }: Exchange,
  fetch: BlobFetch,
  { first, last }: ByteRange,
  begin: () => void,
): Promise<void> {
  const isGone = (): boolean => response.destroyed;
  response.once('close', () => {
    fetch.nudge();
  });
  for (let at = first; at <= last;) {
    const bytes = await fetch.pieceAt(at, last - at + 1, isGone);
    if (bytes === undefined) return;
    if (!response.headersSent) begin();
    registry.upstreams.metrics?.pushed('blob', bytes.length);
    at += bytes.length;
    if (!response.write(bytes)) await drained(response);
  }
  if (!response.headersSent) begin(); // Nothing is all there is.
  await ended(response);
}

/** Straight from the upstream to one client: nothing can be kept now. The last bytes wait for the digest. */
async function relay(registry: Registry, exchange: Exchange, wanted: Wanted): Promise<void> {
  const { digest, source } = wanted;
  const { metrics } = registry.upstreams;
  const range = exchange.header('range');
  const aborting = new AbortController();
  exchange.response.once('close', () => {
    aborting.abort();
  });
  const response = await asking(wanted, 'GET', range === undefined ? {} : { range }, aborting.signal);
  if (response === undefined) throw blobUnknown(wanted);
  metrics?.unstored(source.upstream.config.name, 'blob');
  const { statusCode = 200, headers } = response;
  exchange.begin(statusCode, {
    ...blobHeadersOf(digest),
    ...(headers['content-length'] === undefined ? {} : { 'content-length': headers['content-length'] }),
    ...(headers['content-range'] === undefined ? {} : { 'content-range': headers['content-range'] }),
  });
  const isRight = await piped(registry, exchange, response, statusCode === 200 ? digest : undefined);
  if (isRight) await ended(exchange.response);
  else exchange.response.destroy();
}

/** False when the bytes have another digest; then the client has not got the last of them. */
async function piped(
  registry: Registry,
  { response: out }: Exchange,
  response: IncomingMessage,
  digest: Digest | undefined,
): Promise<boolean> {
  const hash = createHash(algorithmOf(digest ?? ('sha256:' as Digest)));
  let held: Buffer | undefined;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    registry.upstreams.metrics?.pulled('blob', chunk.length);
    registry.upstreams.metrics?.pushed('blob', chunk.length);
    hash.update(chunk);
    const isTaken = held === undefined || out.write(held);
    held = chunk;
    if (!isTaken) await drained(out);
    if (out.destroyed) return false;
  }
  if (digest !== undefined && `${algorithmOf(digest)}:${hash.digest('hex')}` !== digest) return false;
  if (held !== undefined) out.write(held);
  return true;
}

/** Resolves when the client has taken what was sent, or has gone. */
function drained(response: Exchange['response']): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed) {
      resolve();
      return;
    }
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

const ended = (response: Exchange['response']): Promise<void> =>
  new Promise((resolve) => {
    response.once('close', resolve);
    response.end(resolve);
  });
