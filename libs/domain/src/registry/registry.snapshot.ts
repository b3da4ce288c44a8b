/**
 * The registry's folded state as text and back: a cache of the fold, nothing more. Whatever follows from something else
 * (what manifests need, who refers to what, bytes of a repository) is left out and made again.
 */
import type { ContentFile, Digest, RepositoryName, Tag, UploadId } from '@brickyard/contracts';
import { persistentMap, type PersistentMap } from '@brickyard/event-sourcing';
import type { Blob, LinkedBlob, Manifest, RegistryState, Repository, TagTarget, Upload } from './registry.state';

/** Changes with every change of the folding code that gives another state for the same events; then old snapshots are not read. */
export const REGISTRY_FOLD_VERSION = 'registry-3';

/** How many things stand in one line: enough to parse fast, few enough that nobody waits for one. */
const ITEMS_PER_LINE = 500;

/** Things of a repository carry its number: the place of its name among the repositories. */
interface Lines {
  readonly repositories: RepositoryName;
  readonly tags: readonly [number, Tag, TagTarget];
  readonly manifests: readonly [number, Digest, Manifest];
  readonly links: readonly [number, Digest, LinkedBlob];
  readonly blobs: readonly [Digest, Blob];
  readonly uploads: readonly [UploadId, Upload];
  readonly doomed: readonly [ContentFile, Digest];
  readonly readOnly: string;
}

type Kind = keyof Lines;

/** A line is written as soon as it is full, so that a large state is never there twice. */
function* linesOf<K extends Kind>(kind: K, items: Iterable<Lines[K]>): Generator<string> {
  let line: Lines[K][] = [];
  for (const item of items) {
    line.push(item);
    if (line.length < ITEMS_PER_LINE) continue;
    yield JSON.stringify({ kind, items: line });
    line = [];
  }
  if (line.length > 0) yield JSON.stringify({ kind, items: line });
}

function* numbered<K extends string, V>(
  repositories: Iterable<Repository>,
  of: (repository: Repository) => PersistentMap<K, V>,
): Generator<readonly [number, K, V]> {
  let number = 0;
  for (const repository of repositories) {
    for (const [key, value] of of(repository).entries()) yield [number, key, value];
    number += 1;
  }
}

/** The state as lines of JSON; equal states give equal lines, as the order of a map depends on its keys alone. */
export function* encodeRegistrySnapshot(state: RegistryState): Generator<string> {
  const { repositories, blobs, uploads, doomed, readOnly } = state;
  yield* linesOf('repositories', repositories.keys());
  yield* linesOf(
    'tags',
    numbered(repositories.values(), ({ tags }) => tags),
  );
  yield* linesOf(
    'manifests',
    numbered(repositories.values(), ({ manifests }) => manifests),
  );
  yield* linesOf(
    'links',
    numbered(repositories.values(), (repository) => repository.blobs),
  );
  yield* linesOf('blobs', blobs.entries());
  yield* linesOf('uploads', uploads.entries());
  yield* linesOf('doomed', doomed.entries());
  yield* linesOf('readOnly', readOnly === undefined ? [] : [readOnly]);
}

/** Lines of a snapshot, sorted by kind. */
function collect(lines: Iterable<string>): { readonly [K in Kind]: Lines[K][] } {
  const all: { [K in Kind]: Lines[K][] } = {
    repositories: [],
    tags: [],
    manifests: [],
    links: [],
    blobs: [],
    uploads: [],
    doomed: [],
    readOnly: [],
  };
  for (const line of lines) {
    const { kind, items } = JSON.parse(line) as { readonly kind: Kind; readonly items: readonly never[] };
    for (const item of items) all[kind].push(item);
  }
  return all;
}

/** Things by the number of their repository. */
function byRepository<K extends string, V>(items: Iterable<readonly [number, K, V]>): Map<number, [K, V][]> {
  const groups = new Map<number, [K, V][]>();
  for (const [number, key, value] of items) {
    const group = groups.get(number);
    if (group === undefined) groups.set(number, [[key, value]]);
    else group.push([key, value]);
  }
  return groups;
}

const bytesOf = (things: readonly (readonly [Digest, { readonly size: number }])[]): number =>
  things.reduce((sum, [, { size }]) => sum + size, 0);

/** How many manifests need each digest. */
function neededBy(manifests: readonly (readonly [Digest, Manifest])[]): Repository['needed'] {
  const counts = new Map<Digest, number>();
  for (const [, { references }] of manifests) {
    for (const digest of new Set(references)) counts.set(digest, (counts.get(digest) ?? 0) + 1);
  }
  return persistentMap(counts);
}

function referrersIn(manifests: readonly (readonly [Digest, Manifest])[]): Repository['referrers'] {
  const referrers = new Map<Digest, Digest[]>();
  for (const [digest, { subject }] of manifests) {
    if (subject === undefined) continue;
    const others = referrers.get(subject);
    if (others === undefined) referrers.set(subject, [digest]);
    else others.push(digest);
  }
  return persistentMap([...referrers].map(([subject, digests]) => [subject, digests.sort()] as const));
}

const repositoryOf = (
  tags: readonly (readonly [Tag, TagTarget])[],
  manifests: readonly (readonly [Digest, Manifest])[],
  links: readonly (readonly [Digest, LinkedBlob])[],
): Repository => ({
  tags: persistentMap(tags),
  manifests: persistentMap(manifests),
  blobs: persistentMap(links),
  needed: neededBy(manifests),
  referrers: referrersIn(manifests),
  bytes: bytesOf(manifests) + bytesOf(links),
});

/** The state that these lines were made of. */
export function decodeRegistrySnapshot(lines: Iterable<string>): RegistryState {
  const all = collect(lines);
  const [tags, manifests, links] = [byRepository(all.tags), byRepository(all.manifests), byRepository(all.links)];
  const [readOnly] = all.readOnly;
  return {
    repositories: persistentMap(
      all.repositories.map((name, number) => [
        name,
        repositoryOf(tags.get(number) ?? [], manifests.get(number) ?? [], links.get(number) ?? []),
      ]),
    ),
    names: persistentMap(all.repositories.map((name) => [name, true])),
    blobs: persistentMap(all.blobs),
    uploads: persistentMap(all.uploads),
    doomed: persistentMap(all.doomed),
    ...(readOnly === undefined ? {} : { readOnly }),
  };
}
