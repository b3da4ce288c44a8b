/** What each fact changes: the one fold behind every answer of the registry, every decision and every look into the past. */
import type {
  ContentFile,
  Digest,
  RegistryEvent,
  RegistryEventOf,
  RepositoryName,
  UploadId,
} from '@brickyard/contracts';
import { dispatch, type PersistentMap, type Recorded } from '@brickyard/event-sourcing';
import { type FoldableEvent, registryEventFrom } from './registry.codec';
import { type Blob, emptyRepository, type Manifest, type RegistryState, type Repository } from './registry.state';

type Fact<Type extends RegistryEvent['type']> = RegistryEventOf<Type>;

const withRepository = (
  state: RegistryState,
  name: RepositoryName,
  change: (repository: Repository) => Repository,
): RegistryState => ({
  ...state,
  names: state.names.set(name, true),
  repositories: state.repositories.set(name, change(state.repositories.get(name) ?? emptyRepository)),
});

/** Counts the repositories that have a blob. */
function linked(state: RegistryState, digest: Digest, by: 1 | -1, at: string): RegistryState {
  const blob = state.blobs.get(digest);
  if (blob === undefined) return state;
  const { freeSince: _, ...rest } = blob;
  const links = blob.links + by;
  const changed: Blob = links > 0 ? { ...rest, links } : { ...rest, links: 0, freeSince: at };
  return { ...state, blobs: state.blobs.set(digest, changed) };
}

function counted(
  needed: PersistentMap<Digest, number>,
  references: readonly Digest[],
  by: 1 | -1,
): PersistentMap<Digest, number> {
  let result = needed;
  for (const digest of new Set(references)) {
    const count = (result.get(digest) ?? 0) + by;
    result = count > 0 ? result.set(digest, count) : result.delete(digest);
  }
  return result;
}

function blobStored({ digest, size, file }: Fact<'BlobStored'>, state: RegistryState, at: string): RegistryState {
  const before = state.blobs.get(digest);
  const links = before?.links ?? 0;
  const blob: Blob = links > 0 ? { size, file, links } : { size, file, links, freeSince: at };
  const replaced = before !== undefined && before.file !== file ? before.file : undefined;
  return {
    ...state,
    blobs: state.blobs.set(digest, blob),
    doomed: replaced === undefined ? state.doomed : state.doomed.set(replaced, digest),
  };
}

function blobLinked({ repository, digest, size }: Fact<'BlobLinked'>, state: RegistryState, at: string): RegistryState {
  const known = state.repositories.get(repository)?.blobs.get(digest);
  const next = withRepository(state, repository, (before) => ({
    ...before,
    blobs: before.blobs.set(digest, { size, since: at }),
    bytes: before.bytes + size - (known?.size ?? 0),
  }));
  return known === undefined ? linked(next, digest, 1, at) : next;
}

function blobUnlinked({ repository, digest }: Fact<'BlobUnlinked'>, state: RegistryState, at: string): RegistryState {
  const link = state.repositories.get(repository)?.blobs.get(digest);
  if (link === undefined) return state;
  const next = withRepository(state, repository, (before) => ({
    ...before,
    blobs: before.blobs.delete(digest),
    bytes: before.bytes - link.size,
  }));
  return linked(next, digest, -1, at);
}

function manifestPushed(fact: Fact<'ManifestPushed'>, state: RegistryState, at: string): RegistryState {
  const { repository, digest, size, mediaType, artifactType, subject, references, fetchedFrom } = fact;
  const manifest: Manifest = {
    size,
    mediaType,
    references,
    pushedAt: at,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(subject === undefined ? {} : { subject }),
    ...(fetchedFrom === undefined ? {} : { isFetched: true }),
  };
  const known = state.repositories.get(repository)?.manifests.get(digest);
  // The same bytes under another media type may need other things than before.
  const next = withRepository(
    known === undefined ? state : withoutManifest(state, fact, known, at),
    repository,
    (before) => ({
      ...before,
      manifests: before.manifests.set(digest, manifest),
      needed: counted(before.needed, references, 1),
      referrers: withReferrer(before.referrers, subject, digest),
      bytes: before.bytes + size,
    }),
  );
  return known === undefined ? linked(next, digest, 1, at) : next;
}

function manifestPulled(
  { repository, digest }: Fact<'ManifestPulled'>,
  state: RegistryState,
  at: string,
): RegistryState {
  const manifest = state.repositories.get(repository)?.manifests.get(digest);
  if (manifest === undefined) return state;
  return withRepository(state, repository, (before) => ({
    ...before,
    manifests: before.manifests.set(digest, { ...manifest, pulledAt: at }),
  }));
}

function withReferrer(
  referrers: Repository['referrers'],
  subject: Digest | undefined,
  digest: Digest,
): Repository['referrers'] {
  if (subject === undefined) return referrers;
  return referrers.set(subject, [...(referrers.get(subject) ?? []), digest].sort());
}

function withoutReferrer(
  referrers: Repository['referrers'],
  subject: Digest | undefined,
  digest: Digest,
): Repository['referrers'] {
  if (subject === undefined) return referrers;
  const left = (referrers.get(subject) ?? []).filter((one) => one !== digest);
  return left.length === 0 ? referrers.delete(subject) : referrers.set(subject, left);
}

function manifestDeleted(fact: Fact<'ManifestDeleted'>, state: RegistryState, at: string): RegistryState {
  const manifest = state.repositories.get(fact.repository)?.manifests.get(fact.digest);
  return manifest === undefined ? state : linked(withoutManifest(state, fact, manifest, at), fact.digest, -1, at);
}

/** A repository without one of its manifests, and without what that one asked for. */
function withoutManifest(
  state: RegistryState,
  { repository, digest }: Pick<Fact<'ManifestDeleted'>, 'repository' | 'digest'>,
  { subject, references, size }: Manifest,
  at: string,
): RegistryState {
  return withRepository(state, repository, (before) => {
    const needed = counted(before.needed, references, -1);
    return {
      ...before,
      manifests: before.manifests.delete(digest),
      needed,
      blobs: aged(before.blobs, references, needed, at),
      referrers: withoutReferrer(before.referrers, subject, digest),
      bytes: before.bytes - size,
    };
  });
}

/** Blobs that no manifest names any more begin to age. */
function aged(
  blobs: Repository['blobs'],
  references: readonly Digest[],
  needed: Repository['needed'],
  at: string,
): Repository['blobs'] {
  let result = blobs;
  for (const digest of references) {
    const link = needed.has(digest) ? undefined : result.get(digest);
    if (link !== undefined) result = result.set(digest, { ...link, since: at });
  }
  return result;
}

const tagMoved = ({ repository, tag, digest }: Fact<'TagMoved'>, state: RegistryState, at: string): RegistryState =>
  withRepository(state, repository, (before) => ({
    ...before,
    tags: before.tags.set(tag, { digest, movedAt: at }),
  }));

const tagDeleted = ({ repository, tag }: Fact<'TagDeleted'>, state: RegistryState): RegistryState =>
  withRepository(state, repository, (before) => ({ ...before, tags: before.tags.delete(tag) }));

const uploadOpened = (
  { uploadId, repository, algorithm }: Fact<'UploadOpened'>,
  state: RegistryState,
  at: string,
): RegistryState => ({
  ...state,
  uploads: state.uploads.set(uploadId, { repository, algorithm, openedAt: at, offset: 0, parts: [] }),
});

function uploadAdvanced(fact: Fact<'UploadAdvanced'>, state: RegistryState): RegistryState {
  const upload = state.uploads.get(fact.uploadId);
  if (upload === undefined) return state;
  const { digest: _, ...rest } = upload;
  const { offset, parts, digest } = fact;
  const next = { ...rest, offset, parts, ...(digest === undefined ? {} : { digest }) };
  return { ...state, uploads: state.uploads.set(fact.uploadId, next) };
}

const withoutUpload = (state: RegistryState, uploadId: UploadId): RegistryState => ({
  ...state,
  uploads: state.uploads.delete(uploadId),
});

function blobCondemned({ digest, file }: Fact<'BlobCondemned'>, state: RegistryState): RegistryState {
  const isCurrent = state.blobs.get(digest)?.file === file;
  return {
    ...state,
    blobs: isCurrent ? state.blobs.delete(digest) : state.blobs,
    doomed: state.doomed.set(file, digest),
  };
}

const withoutDoomed = (state: RegistryState, file: ContentFile): RegistryState => ({
  ...state,
  doomed: state.doomed.delete(file),
});

function blobFoundBad({ digest, file, finding }: Fact<'BlobFoundBad'>, state: RegistryState): RegistryState {
  const blob = state.blobs.get(digest);
  if (blob?.file !== file) return state;
  return { ...state, blobs: state.blobs.set(digest, { ...blob, finding }) };
}

function writesSwitched({ isReadOnly, reason }: Fact<'WritesSwitched'>, state: RegistryState): RegistryState {
  const { readOnly: _, ...rest } = state;
  return isReadOnly ? { ...rest, readOnly: reason } : rest;
}

/** A new event without its fold does not compile. */
const apply = dispatch<RegistryEvent, [RegistryState, string], RegistryState>({
  BlobStored: blobStored,
  BlobLinked: blobLinked,
  BlobUnlinked: blobUnlinked,
  ManifestPushed: manifestPushed,
  ManifestPulled: manifestPulled,
  ManifestDeleted: manifestDeleted,
  TagMoved: tagMoved,
  TagDeleted: tagDeleted,
  UploadOpened: uploadOpened,
  UploadAdvanced: uploadAdvanced,
  UploadEnded: ({ uploadId }, state) => withoutUpload(state, uploadId),
  BlobCondemned: blobCondemned,
  BlobRemoved: ({ file }, state) => withoutDoomed(state, file),
  BlobFoundBad: blobFoundBad,
  WritesSwitched: writesSwitched,
});

/** The state after one more fact. */
export const evolveRegistry = (state: RegistryState, { at, event }: Recorded<RegistryEvent>): RegistryState =>
  apply(event, state, at);

/** The state after one more event of the log; one of a later release's types changes nothing here. */
export function evolveStoredRegistry(state: RegistryState, stored: FoldableEvent): RegistryState {
  const event = registryEventFrom(stored);
  return event === undefined ? state : apply(event, state, stored.recordedAt);
}
