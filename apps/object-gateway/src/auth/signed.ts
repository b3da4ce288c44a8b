import type { ChunkSigner } from '../body/chunked';
import type { Credential } from './credentials';

/** Who asks, and how the body is vouched for. */
export interface Signed {
  readonly credential: Credential;
  /** `x-amz-content-sha256`. */
  readonly payload: string;
  readonly chunkSigner: () => ChunkSigner;
}
