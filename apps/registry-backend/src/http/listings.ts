/** Lists: tags of a repository, all repositories, what refers to a manifest. */
import type { Digest, RepositoryName } from '@brickyard/contracts';
import type { PersistentMap } from '@brickyard/event-sourcing';
import type { ReadableState } from '../facts/folded-facts';
import { type Registry, repositoryOf } from '../registry';
import type { Exchange } from './exchange';
import { OCI_INDEX } from './manifest-shape';
import { manifestBytes } from './manifests';
import { OciError } from './oci-error';
import { digestOf } from './route';
import { STALE_WARNING } from './stale';

const NUMBER = /^\d{1,9}$/;
/** A page of referrers stays below what clients take for a manifest. */
const REFERRERS_BYTES_MAX = 4 * 1024 * 1024 - 64 * 1024;

interface Page {
  readonly items: readonly string[];
  readonly isMore: boolean;
}

/** The names after one, at most so many; `sorted` is in byte order, which for these names is the order of code units. */
function pageOf(sorted: readonly string[], last: string | null, count: number | undefined): Page {
  const from = last === null ? 0 : firstAfter(sorted, last);
  const items = count === undefined ? sorted.slice(from) : sorted.slice(from, from + count);
  return { items, isMore: from + items.length < sorted.length };
}

function firstAfter(sorted: readonly string[], last: string): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? '') > last) high = middle;
    else low = middle + 1;
  }
  return low;
}

function countIn({ query }: Exchange): number | undefined {
  const text = query.get('n');
  if (text === null) return undefined;
  if (!NUMBER.test(text))
    throw new OciError('PAGINATION_NUMBER_INVALID', 'n must be a whole number', { detail: { n: text } });
  return Number(text);
}

/** The next page, with all other parameters kept. */
function nextLink({ path, query }: Exchange, last: string, count: number): Record<string, string> {
  const next = new URLSearchParams(query);
  next.set('n', String(count));
  next.set('last', last);
  return { link: `<${path}?${next.toString()}>; rel="next"` };
}

/** Sorted once for as long as the map is the same. */
const sortedKeys = new WeakMap<object, readonly string[]>();

function sortedOf<V>(map: PersistentMap<string, V>): readonly string[] {
  const known = sortedKeys.get(map);
  if (known !== undefined) return known;
  const sorted = [...map.keys()].sort();
  sortedKeys.set(map, sorted);
  return sorted;
}

const warningOf = ({ isMaybeStale }: ReadableState): Record<string, string> => (isMaybeStale ? STALE_WARNING : {});

/** `GET /v2/<name>/tags/list`. */
export function listTags(exchange: Exchange, at: ReadableState, name: RepositoryName): void {
  const count = countIn(exchange);
  const { tags } = repositoryOf(at, name);
  const { items, isMore } = pageOf(sortedOf(tags), exchange.query.get('last'), count);
  const last = items.at(-1);
  const link = isMore && last !== undefined && count !== undefined ? nextLink(exchange, last, count) : {};
  exchange.json(200, { name, tags: items }, { ...link, ...warningOf(at) });
}

/** `GET /v2/_catalog`: repositories with anything in them, of those that may be seen. */
export function listRepositories(
  registry: Registry,
  exchange: Exchange,
  at: ReadableState,
  maySee: (name: RepositoryName) => boolean,
): void {
  const { usual, max } = registry.settings.catalogPage;
  const count = countIn(exchange) ?? usual;
  if (count > max) {
    throw new OciError('PAGINATION_NUMBER_INVALID', `n may be ${String(max)} at most`, { detail: { n: count } });
  }
  const sorted = sortedOf(at.state.names);
  const items: string[] = [];
  let isMore = false;
  for (let index = firstAfter(sorted, exchange.query.get('last') ?? ''); index < sorted.length; index++) {
    const name = sorted[index] as RepositoryName;
    if (!maySee(name)) continue;
    if (items.length === count) {
      isMore = true;
      break;
    }
    items.push(name);
  }
  const last = items.at(-1);
  const link = isMore && last !== undefined ? nextLink(exchange, last, count) : {};
  exchange.json(200, { repositories: items }, { ...link, ...warningOf(at) });
}

/** `GET /v2/<name>/referrers/<digest>`. */
export async function listReferrers(
  registry: Registry,
  exchange: Exchange,
  at: ReadableState,
  name: RepositoryName,
  text: string,
): Promise<void> {
  const subject = digestOf(text);
  const wanted = exchange.query.getAll('artifactType').flatMap((types) => types.split(','));
  const last = exchange.query.get('last');
  const repository = at.state.repositories.get(name);
  const digests = (repository?.referrers.get(subject) ?? []).filter((digest) => {
    const manifest = repository?.manifests.get(digest);
    if (manifest === undefined || (last !== null && digest <= last)) return false;
    return wanted.length === 0 || wanted.includes(manifest.artifactType ?? '');
  });
  const page = await describeAll(registry, at, name, digests);
  const end = page.at(-1);
  const link = end !== undefined && page.length < digests.length ? nextReferrers(exchange, end.digest) : {};
  const filters = wanted.length === 0 ? {} : { 'oci-filters-applied': 'artifactType' };
  const body = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: page };
  exchange.json(200, body, { 'content-type': OCI_INDEX, ...filters, ...link, ...warningOf(at) });
}

function nextReferrers({ path, query }: Exchange, last: string): Record<string, string> {
  const next = new URLSearchParams(query);
  next.set('last', last);
  return { link: `<${path}?${next.toString()}>; rel="next"` };
}

interface Described {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** What annotations are: texts by name. Anything else is not told, as it could not be written or not be read. */
function annotationsIn(manifest: Buffer): Described['annotations'] {
  // Without a byte order mark, which manifests once could have.
  const { annotations } = JSON.parse(new TextDecoder().decode(manifest)) as { readonly annotations?: unknown };
  if (typeof annotations !== 'object' || annotations === null || Array.isArray(annotations)) return undefined;
  const texts = Object.entries(annotations).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return Object.fromEntries(texts);
}

/** Descriptors of manifests, as many as go into one page; annotations come from the bytes. */
async function describeAll(
  registry: Registry,
  at: ReadableState,
  name: RepositoryName,
  digests: readonly Digest[],
): Promise<readonly Described[]> {
  const page: Described[] = [];
  let bytes = 0;
  for (const digest of digests) {
    const manifest = at.state.repositories.get(name)?.manifests.get(digest);
    if (manifest === undefined) continue;
    const annotations = annotationsIn(await manifestBytes(registry, at, digest));
    const described: Described = {
      mediaType: manifest.mediaType,
      digest,
      size: manifest.size,
      ...(manifest.artifactType === undefined ? {} : { artifactType: manifest.artifactType }),
      ...(annotations === undefined ? {} : { annotations }),
    };
    bytes += JSON.stringify(described).length;
    if (page.length > 0 && bytes > REFERRERS_BYTES_MAX) break;
    page.push(described);
  }
  return page;
}
