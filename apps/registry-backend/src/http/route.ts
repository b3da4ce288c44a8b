/** Which resource a path below `/v2/` names, read from the right: a name may contain words that look like routes. */
import { Digest, RepositoryName } from '@brickyard/contracts';
import { OciError } from './oci-error';

export type Route =
  | { readonly kind: 'base' }
  | { readonly kind: 'catalog' }
  | { readonly kind: 'extensions' }
  | { readonly kind: 'tags'; readonly name: RepositoryName }
  | { readonly kind: 'manifest'; readonly name: RepositoryName; readonly reference: string }
  | { readonly kind: 'blob'; readonly name: RepositoryName; readonly digest: string }
  | { readonly kind: 'referrers'; readonly name: RepositoryName; readonly digest: string }
  | { readonly kind: 'uploads'; readonly name: RepositoryName }
  | { readonly kind: 'upload'; readonly name: RepositoryName; readonly uploadId: string }
  /** A route with a name that is none. */
  | { readonly kind: 'bad-name'; readonly name: string }
  | { readonly kind: 'unknown' };

const UNKNOWN: Route = { kind: 'unknown' };

/** The route of a path, without its query. */
export function routeOf(path: string): Route {
  if (path === '/v2/' || path === '/v2') return { kind: 'base' };
  if (!path.startsWith('/v2/')) return UNKNOWN;
  const segments = decoded(path.slice('/v2/'.length).split('/'));
  if (segments === undefined) return UNKNOWN;
  if (segments.length === 1 && segments[0] === '_catalog') return { kind: 'catalog' };
  if (segments.join('/') === '_oci/ext/discover') return { kind: 'extensions' };
  return byEnding(segments);
}

/** Each segment decoded once; undefined when one cannot be. */
function decoded(segments: readonly string[]): readonly string[] | undefined {
  try {
    return segments.map((segment) => (segment.includes('%') ? decodeURIComponent(segment) : segment));
  } catch {
    return undefined;
  }
}

function byEnding(segments: readonly string[]): Route {
  const [third, second, last] = [segments.at(-3), segments.at(-2), segments.at(-1) ?? ''];
  const before = (count: number): string => segments.slice(0, -count).join('/');
  if (second === 'tags' && last === 'list') return named(before(2), (name) => ({ kind: 'tags', name }));
  if (second === 'blobs' && last === 'uploads') return named(before(2), (name) => ({ kind: 'uploads', name }));
  if (third === 'blobs' && second === 'uploads') {
    return named(before(3), (name) =>
      last === '' ? { kind: 'uploads', name } : { kind: 'upload', name, uploadId: last },
    );
  }
  if (last === '') return UNKNOWN;
  if (second === 'manifests') return named(before(2), (name) => ({ kind: 'manifest', name, reference: last }));
  if (second === 'blobs') return named(before(2), (name) => ({ kind: 'blob', name, digest: last }));
  if (second === 'referrers') return named(before(2), (name) => ({ kind: 'referrers', name, digest: last }));
  return UNKNOWN;
}

function named(text: string, route: (name: RepositoryName) => Route): Route {
  const name = RepositoryName.safeParse(text);
  return name.success ? route(name.data) : { kind: 'bad-name', name: text };
}

/** The digest a text is; undefined when it is none. */
export function digestIn(text: string | null | undefined): Digest | undefined {
  const digest = Digest.safeParse(text);
  return digest.success ? digest.data : undefined;
}

/** The digest that a path must name. */
export function digestOf(text: string): Digest {
  const digest = digestIn(text);
  if (digest === undefined) throw new OciError('DIGEST_INVALID', 'not a digest', { detail: { digest: text } });
  return digest;
}
