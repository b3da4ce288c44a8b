/** Reading and unlinking blobs. */
import type { FileHandle } from 'node:fs/promises';
import { type Digest, type RepositoryName } from '@brickyard/contracts';
import type { Blob, Repository } from '@brickyard/domain/registry';
import { accepted, type Registry, repositoryOf } from '../registry';
import { type ByteRange, rangeOf, sendRange, VolumeTrouble } from '@brickyard/volume-storage';
import type { Exchange } from './exchange';
import { OciError } from './oci-error';
import { digestIn } from './route';
import { STALE_WARNING } from './stale';

const YEAR = 'max-age=31536000';

const digestInvalid = (text: string): OciError =>
  new OciError('DIGEST_INVALID', 'not a digest: sha256:<64 hex> or sha512:<128 hex>', { detail: { digest: text } });

/** What is said of a blob whoever has it and wherever it is. */
export const blobHeadersOf = (digest: Digest): Record<string, string> => ({
  'docker-content-digest': digest,
  etag: `"${digest}"`,
  'accept-ranges': 'bytes',
  'cache-control': YEAR,
  'content-type': 'application/octet-stream',
});

interface Found {
  readonly digest: Digest;
  readonly blob: Blob;
  readonly repository: Repository;
  readonly isMaybeStale: boolean;
}

/** A blob that this repository has; bytes that only others have are unknown here. */
async function find(registry: Registry, name: RepositoryName, text: string): Promise<Found> {
  const digest = digestIn(text);
  if (digest === undefined) throw digestInvalid(text);
  const at = await registry.facts.readable();
  const repository = repositoryOf(at, name);
  const blob = at.state.blobs.get(digest);
  const isLinked = repository.blobs.has(digest) || repository.manifests.has(digest);
  if (!isLinked || blob === undefined || blob.finding !== undefined) {
    throw new OciError('BLOB_UNKNOWN', 'no such blob in this repository', { detail: { digest } });
  }
  return { digest, blob, repository, isMaybeStale: at.isMaybeStale };
}

/** `GET` and `HEAD /v2/<name>/blobs/<digest>`. */
export async function getBlob(
  registry: Registry,
  exchange: Exchange,
  name: RepositoryName,
  text: string,
): Promise<void> {
  const { digest, blob, repository, isMaybeStale } = await find(registry, name, text);
  exchange.digest = digest;
  const { size } = blob;
  const etag = `"${digest}"`;
  const headers = { ...blobHeadersOf(digest), ...(isMaybeStale ? STALE_WARNING : {}) };
  if (matches(exchange.header('if-none-match'), etag)) {
    exchange.begin(304, { 'docker-content-digest': digest, etag, 'cache-control': YEAR });
    exchange.response.end();
    return;
  }
  const ifRange = exchange.header('if-range');
  const range = rangeOf(ifRange === undefined || ifRange === etag ? exchange.header('range') : undefined, size);
  if (range === 'none') {
    throw new OciError('RANGE_INVALID', 'the range is not within the blob', {
      headers: { 'content-range': `bytes */${String(size)}` },
    });
  }
  const { first, last } = range === 'all' ? { first: 0, last: size - 1 } : range;
  const status = range === 'all' ? 200 : 206;
  const part = range === 'all' ? {} : { 'content-range': `bytes ${String(first)}-${String(last)}/${String(size)}` };
  const all = { ...headers, ...part, 'content-length': last - first + 1 };
  if (exchange.method === 'HEAD') {
    await keepYoung(registry, exchange, name, { digest, repository });
    exchange.begin(status, all);
    exchange.response.end();
    return;
  }
  await sendBytes(registry, exchange, { digest, blob }, { status, headers: all, range: { first, last } });
}

/**
 * Whoever asks for a blob that no manifest names is likely to push one that does and will not send the bytes again, so
 * the collector of garbage must not take it for old.
 */
async function keepYoung(
  { facts, log, keepYoungMs }: Registry,
  exchange: Exchange,
  name: RepositoryName,
  { digest, repository }: Pick<Found, 'digest' | 'repository'>,
): Promise<void> {
  const link = repository.blobs.get(digest);
  if (link === undefined || repository.needed.has(digest)) return;
  if (Date.now() - Date.parse(link.since) < keepYoungMs) return;
  try {
    accepted(await facts.submit({ type: 'KeepBlob', repository: name, digest }, exchange.origin));
  } catch (error) {
    log.debug({ digest, err: error }, 'a blob that was asked for could not be kept young');
    throw new OciError('BLOB_UNKNOWN', 'no such blob in this repository', { detail: { digest }, cause: error });
  }
}

/** Whether a header of entity tags names this one, with or without quotes. */
export function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  const bare = etag.slice(1, -1);
  return header.split(',').some((one) => {
    const tag = one.trim().replace(/^W\//, '');
    return tag === '*' || tag === etag || tag === bare;
  });
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly range: ByteRange;
}

/** Sends bytes of a file; a short or failing read breaks the connection, never the body. */
async function sendBytes(
  registry: Registry,
  exchange: Exchange,
  { digest, blob }: Pick<Found, 'digest' | 'blob'>,
  { status, headers, range }: Answer,
): Promise<void> {
  if (blob.size === 0) {
    exchange.begin(status, headers);
    exchange.response.end();
    return;
  }
  const handle = await openBlob(registry, digest, blob);
  try {
    await sendRange(handle, exchange.response, range, () => {
      exchange.begin(status, headers);
    });
    if (!exchange.response.destroyed) exchange.response.end();
  } catch (error) {
    if (!exchange.response.headersSent) throw error;
    registry.suspect(digest, 'it could not be read to its end');
    exchange.response.destroy();
  } finally {
    await handle.close().catch(() => undefined);
  }
}

async function openBlob(registry: Registry, digest: Digest, { file }: Blob): Promise<FileHandle> {
  try {
    return await registry.store().openForReading(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    registry.suspect(digest, 'its file is not there');
    // The log says that the bytes are here: what is wrong is the storage, and nobody should believe them gone.
    throw new VolumeTrouble(`${file} is not on the volume`, { cause: error });
  }
}

/** `DELETE /v2/<name>/blobs/<digest>`: the link goes; the bytes follow when nobody has them any more. */
export async function deleteBlob(
  registry: Registry,
  exchange: Exchange,
  name: RepositoryName,
  text: string,
): Promise<void> {
  const digest = digestIn(text);
  if (digest === undefined) throw digestInvalid(text);
  exchange.digest = digest;
  repositoryOf(await registry.facts.readable(), name);
  const command = { type: 'DeleteBlob', repository: name, digest, cause: 'request' } as const;
  accepted(await registry.facts.submit(command, exchange.origin));
  exchange.send(202, {});
}
