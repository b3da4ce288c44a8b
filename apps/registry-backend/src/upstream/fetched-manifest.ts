import type { Digest } from '@brickyard/contracts';
import type { Manifest } from '@brickyard/domain/registry';

/** What asking the upstream came to. */
export type FetchedManifest =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'absent' }
  | {
      readonly kind: 'fetched';
      readonly digest: Digest;
      readonly manifest: Pick<Manifest, 'mediaType'>;
      readonly bytes: Buffer;
    };
