/** Bytes of a manifest become one of a repository: on the volume, then in the log. */
import type { ContentFile, Digest, RegistryCommand, RepositoryName, Tag } from '@brickyard/contracts';
import type { Origin, Outcome } from '../facts/registry-facts';
import { isRejected, type Registry } from '../registry';
import type { ManifestShape } from './manifest-shape';

/** A manifest that is whole and has the digest it should have. */
export interface WholeManifest {
  readonly name: RepositoryName;
  readonly digest: Digest;
  readonly bytes: Buffer;
  readonly tags: readonly Tag[];
  readonly shape: ManifestShape;
  /** It was fetched from there: what it names need not be here. */
  readonly fetchedFrom?: string;
}

/** Stores it and says so to the log; nothing is left of one that is refused. */
export async function recordManifest(registry: Registry, origin: Origin, whole: WholeManifest): Promise<Outcome> {
  const { digest, bytes } = whole;
  const store = registry.store();
  const command = commandFor(registry, whole);
  const known = registry.facts.current.state.blobs.get(digest);
  const isGood =
    known !== undefined && known.finding === undefined && (await store.sizeOf(known.file)) === bytes.length;
  if (isGood) {
    const outcome = await registry.facts.submit({ ...command, file: known.file, isPresent: true }, origin);
    if (!isRejected(outcome, 'BlobUnknown')) return outcome;
  }
  const file = await store.store(bytes, digest);
  const bad = known !== undefined && !isGood ? { bad: known.file } : {};
  const outcome = await registry.facts.submit({ ...command, file, ...bad }, origin);
  if (outcome.kind === 'rejected' || outcome.file !== file) await store.remove(file).catch(() => undefined);
  return outcome;
}

function commandFor(
  registry: Registry,
  { name, digest, bytes, tags, shape, fetchedFrom }: WholeManifest,
): Extract<RegistryCommand, { readonly type: 'PushManifest' }> {
  const isFetched = fetchedFrom !== undefined;
  return {
    type: 'PushManifest',
    repository: name,
    digest,
    size: bytes.length,
    mediaType: shape.mediaType,
    ...(shape.artifactType === undefined ? {} : { artifactType: shape.artifactType }),
    ...(shape.subject === undefined ? {} : { subject: shape.subject }),
    references: [...shape.references],
    blobs: isFetched ? [] : [...shape.blobs],
    manifests: isFetched ? [] : [...shape.manifests],
    tags: [...tags],
    file: '' as ContentFile,
    rules: registry.rulesOf(name, tags),
    ...(isFetched ? { fetchedFrom } : {}),
  };
}
