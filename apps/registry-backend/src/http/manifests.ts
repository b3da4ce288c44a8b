/** Manifests and tags: pushed whole, answered from memory, byte for byte as they came. */
import { type Digest, type RepositoryName, Tag } from '@brickyard/contracts';
import { VolumeTrouble } from '@brickyard/volume-storage';
import { type Manifest, type Repository, tagsOf } from '@brickyard/domain/registry';
import type { ReadableState } from '../facts/folded-facts';
import { momentIn } from '../history/past-facts';
import { accepted, type Registry, repositoryOf } from '../registry';
import { matches } from './blobs';
import type { Exchange } from './exchange';
import { algorithmOf, digestOfBytes, readManifest } from './manifest-shape';
import { OciError } from './oci-error';
import { recordManifest } from './record-manifest';
import { digestIn } from './route';
import { STALE_WARNING } from './stale';

const TAGS_MAX = 100;

const unknown = (reference: string): OciError =>
  new OciError('MANIFEST_UNKNOWN', 'no such manifest', { detail: { reference } });

interface Found {
  readonly digest: Digest;
  readonly manifest: Manifest;
}

/** What a tag or digest names in a repository. */
export function manifestIn(repository: Repository, reference: string): Found | undefined {
  const digest = reference.includes(':') ? (reference as Digest) : repository.tags.get(reference as Tag)?.digest;
  const manifest = digest === undefined ? undefined : repository.manifests.get(digest);
  return digest === undefined || manifest === undefined ? undefined : { digest, manifest };
}

/** `GET` and `HEAD /v2/<name>/manifests/<reference>`; nothing is awaited when the bytes are in memory. */
export function getManifest(
  registry: Registry,
  exchange: Exchange,
  name: RepositoryName,
  reference: string,
): void | Promise<void> {
  const moment = exchange.hasQuery ? exchange.query.get('at') : null;
  if (moment !== null) return asOf(registry, exchange, name, { tag: reference, moment });
  const at = registry.facts.readable();
  if (at instanceof Promise) return at.then((state) => answerManifest(registry, exchange, state, name, reference));
  return answerManifest(registry, exchange, at, name, reference);
}

/** The manifest that a tag named then; its bytes must still be here. */
async function asOf(
  registry: Registry,
  exchange: Exchange,
  name: RepositoryName,
  { tag, moment }: { readonly tag: string; readonly moment: string },
): Promise<void> {
  const then = await registry.past.at(moment);
  await answerManifest(registry, exchange, { ...then, isMaybeStale: false }, name, tag);
}

/** The manifest as of any state. */
export function answerManifest(
  registry: Registry,
  exchange: Exchange,
  at: ReadableState,
  name: RepositoryName,
  reference: string,
): void | Promise<void> {
  if (reference.includes(':') && digestIn(reference) === undefined) {
    throw new OciError('DIGEST_INVALID', 'not a digest: sha256:<64 hex> or sha512:<128 hex>');
  }
  const found = manifestIn(repositoryOf(at, name), reference);
  const then = found === undefined ? momentIn(reference) : undefined;
  if (then !== undefined) return asOf(registry, exchange, name, then);
  const blob = found === undefined ? undefined : at.state.blobs.get(found.digest);
  if (found === undefined || blob === undefined) throw unknown(reference);
  exchange.digest = found.digest;
  const bytes = registry.manifests.get(found.digest);
  if (bytes !== undefined) {
    sendManifest(exchange, found, bytes, reference, at.isMaybeStale);
    return undefined;
  }
  return manifestBytes(registry, at, found.digest).then((read) => {
    sendManifest(exchange, found, read, reference, at.isMaybeStale);
  });
}

/** Sends it, or says that the client has it. */
export function sendManifest(
  exchange: Exchange,
  { digest, manifest }: { readonly digest: Digest; readonly manifest: Pick<Manifest, 'mediaType'> },
  bytes: Buffer,
  reference: string,
  isMaybeStale: boolean,
): void {
  const etag = `"${digest}"`;
  const headers = {
    'content-type': manifest.mediaType,
    'docker-content-digest': digest,
    etag,
    'cache-control': reference === digest ? 'max-age=31536000' : 'no-cache',
    ...(isMaybeStale ? STALE_WARNING : {}),
  };
  if (matches(exchange.header('if-none-match'), etag)) {
    exchange.begin(304, headers);
    exchange.response.end();
    return;
  }
  exchange.send(200, headers, bytes);
}

/** The bytes of a manifest, from memory or from the volume; what is read is checked before anybody gets it. */
export async function manifestBytes(registry: Registry, { state }: ReadableState, digest: Digest): Promise<Buffer> {
  const cached = registry.manifests.get(digest);
  if (cached !== undefined) return cached;
  // A file of then may have been replaced; one of now has the same bytes.
  const blob = registry.facts.current.state.blobs.get(digest) ?? state.blobs.get(digest);
  if (blob === undefined || registry.facts.current.state.doomed.has(blob.file)) throw unknown(digest);
  const bytes = await registry
    .store()
    .read(blob.file)
    .catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      registry.suspect(digest, 'its file is not there');
      throw new VolumeTrouble(`${blob.file} is not on the volume`, { cause: error });
    });
  if (digestOfBytes(bytes, algorithmOf(digest)) !== digest) {
    registry.suspect(digest, 'its bytes have another digest');
    throw new VolumeTrouble(`${blob.file} does not hold what it should`);
  }
  registry.manifests.put(digest, bytes);
  return bytes;
}

/** `PUT /v2/<name>/manifests/<reference>`. */
export async function putManifest(
  registry: Registry,
  exchange: Exchange,
  name: RepositoryName,
  reference: string,
): Promise<void> {
  const { tags, digest: wanted } = targetsOf(exchange, reference);
  exchange.accept();
  const bytes = await readBody(exchange, registry.settings.manifestBytesMax);
  const digest = digestOfBytes(bytes, wanted === undefined ? 'sha256' : algorithmOf(wanted));
  if (wanted !== undefined && wanted !== digest) {
    throw new OciError('DIGEST_INVALID', 'the manifest has another digest', {
      detail: { digest: wanted, found: digest },
    });
  }
  exchange.digest = digest;
  const shape = readManifest(bytes, exchange.header('content-type'));
  accepted(await recordManifest(registry, exchange.origin, { name, digest, bytes, tags, shape }));
  registry.manifests.put(digest, bytes);
  exchange.send(201, {
    location: `/v2/${name}/manifests/${digest}`,
    'docker-content-digest': digest,
    ...(shape.subject === undefined ? {} : { 'oci-subject': shape.subject }),
    ...(wanted === undefined || tags.length === 0 ? {} : { 'oci-tag': [...tags] }),
  });
}

/** What is pushed under which names: a tag, or a digest and any number of `tag` parameters. */
function targetsOf(
  { query }: Exchange,
  reference: string,
): { readonly tags: readonly Tag[]; readonly digest?: Digest } {
  const isDigest = reference.includes(':');
  const digest = isDigest ? digestIn(reference) : undefined;
  if (isDigest && digest === undefined) {
    throw new OciError('DIGEST_INVALID', 'not a digest: sha256:<64 hex> or sha512:<128 hex>');
  }
  const names = digest === undefined ? [reference] : query.getAll('tag');
  if (names.length > TAGS_MAX) throw new OciError('TAG_INVALID', `at most ${String(TAGS_MAX)} tags`, { status: 414 });
  const tags = names.map((text) => {
    const tag = Tag.safeParse(text);
    if (!tag.success) throw new OciError('TAG_INVALID', 'a tag is 1 to 128 letters, digits, `_`, `.` and `-`');
    return tag.data;
  });
  return digest === undefined ? { tags } : { tags, digest };
}

async function readBody(exchange: Exchange, bytesMax: number): Promise<Buffer> {
  const tooLarge = (): OciError =>
    new OciError('SIZE_INVALID', `a manifest may have ${String(bytesMax)} bytes at most`, { status: 413 });
  if ((exchange.declaredLength ?? 0) > bytesMax) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of exchange.request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > bytesMax) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof OciError) throw error;
    throw new OciError('MANIFEST_INVALID', 'the connection broke in the middle of the manifest', { cause: error });
  }
  return Buffer.concat(chunks);
}

/** `DELETE /v2/<name>/manifests/<reference>`: a tag alone, or a manifest with all its tags. */
export async function deleteManifest(
  registry: Registry,
  exchange: Exchange,
  name: RepositoryName,
  reference: string,
): Promise<void> {
  const repository = repositoryOf(await registry.facts.readable(), name);
  const digest = digestIn(reference);
  if (digest === undefined && reference.includes(':')) throw new OciError('DIGEST_INVALID', 'not a digest');
  if (digest !== undefined) {
    exchange.digest = digest;
    const { fixedTags = [] } = registry.rulesOf(name, tagsOf(repository, digest)); // Its tags go with it.
    const command = { type: 'DeleteManifest', repository: name, digest, cause: 'request' } as const;
    // Only what matters: a leader of an earlier release takes no rules here.
    const ruled = fixedTags.length === 0 ? command : { ...command, rules: { fixedTags } };
    accepted(await registry.facts.submit(ruled, exchange.origin));
  } else {
    const tag = Tag.safeParse(reference);
    if (!tag.success || !repository.tags.has(tag.data)) throw unknown(reference);
    const rules = registry.rulesOf(name, [tag.data]);
    const command = { type: 'DeleteTag', repository: name, tag: tag.data, cause: 'request', rules } as const;
    accepted(await registry.facts.submit(command, exchange.origin));
  }
  exchange.send(202, {});
}
