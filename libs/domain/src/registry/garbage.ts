/** What nobody needs: the mark of mark and sweep, from facts alone. */
import type { ContentFile, Digest, RepositoryName } from '@brickyard/contracts';
import type { RegistryState } from './registry.state';

/** Links without a manifest, and bytes without a link. */
export interface Garbage {
  readonly links: readonly { readonly repository: RepositoryName; readonly digest: Digest; readonly size: number }[];
  readonly blobs: readonly { readonly digest: Digest; readonly file: ContentFile; readonly size: number }[];
}

/**
 * What has been of no use since before a moment, at most so many of each. A link taken away now frees its bytes for a
 * later collection, not for this one: between the two whoever relies on it can push.
 */
export function garbageIn(state: RegistryState, before: string, countMax: number): Garbage {
  const links: Garbage['links'][number][] = [];
  for (const [repository, { blobs, needed }] of state.repositories.entries()) {
    for (const [digest, { since, size }] of blobs.entries()) {
      if (links.length >= countMax) break;
      if (since < before && !needed.has(digest)) links.push({ repository, digest, size });
    }
  }
  const blobs: Garbage['blobs'][number][] = [];
  for (const [digest, { links: count, freeSince, file, size }] of state.blobs.entries()) {
    if (blobs.length >= countMax) break;
    if (count === 0 && freeSince !== undefined && freeSince < before) blobs.push({ digest, file, size });
  }
  return { links, blobs };
}
