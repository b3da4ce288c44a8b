/** What the handlers of the protocol work with. */
import type { RegistryRejection, RepositoryName, RepositoryRules, Tag } from '@brickyard/contracts';
import type { Logger } from '@brickyard/service-host';
import type { ContentStore } from './bytes/content-store';
import type { ManifestCache } from './bytes/manifest-cache';
import type { LiveUploads } from './bytes/live-uploads';
import type { Repository } from '@brickyard/domain/registry';
import type { ReadableState } from './facts/folded-facts';
import type { Outcome, RegistryFacts } from './facts/registry-facts';
import type { PastFacts } from './history/past-facts';
import { errorFrom, OciError } from './http/oci-error';
import type { Upstreams } from './upstream/upstreams';

/** Limits and switches of the protocol. */
export interface ProtocolSettings {
  readonly manifestBytesMax: number;
  readonly isDeleteEnabled: boolean;
  /** Entries of a list in one answer, and how many a client may ask for. */
  readonly catalogPage: { readonly usual: number; readonly max: number };
}

export interface Registry {
  readonly facts: RegistryFacts;
  readonly past: PastFacts;
  /** The bytes; throws `VolumeTrouble` while there is no volume. */
  readonly store: () => ContentStore;
  readonly manifests: ManifestCache;
  readonly uploads: LiveUploads;
  /** Other registries whose content is fetched on demand. */
  readonly upstreams: Upstreams;
  readonly rulesOf: (name: RepositoryName, tags?: readonly Tag[]) => RepositoryRules;
  readonly settings: ProtocolSettings;
  readonly log: Logger;
  /** A blob that is asked for begins to age anew when it is older than this. */
  readonly keepYoungMs: number;
  /** A file that should be there is not, or is not whole: somebody looks after it. */
  readonly suspect: (digest: string, finding: string) => void;
}

/** A repository that is there; refuses one that never was. */
export function repositoryOf({ state }: ReadableState, name: RepositoryName): Repository {
  const repository = state.repositories.get(name);
  if (repository === undefined) throw new OciError('NAME_UNKNOWN', 'no such repository', { detail: { name } });
  return repository;
}

type Accepted = Extract<Outcome, { readonly kind: 'accepted' }>;

/** The outcome when it is one that was hoped for; a refusal is thrown as the protocol words it. */
export function accepted(outcome: Outcome): Accepted {
  if (outcome.kind === 'accepted') return outcome;
  throw errorFrom(outcome.rejection);
}

/** Whether a command was refused for one reason. */
export const isRejected = (outcome: Outcome, kind: RegistryRejection['kind']): boolean =>
  outcome.kind === 'rejected' && outcome.rejection.kind === kind;

/** The facts a request is about: those of now, or of the moment its `at` names. */
export async function factsFor({ facts, past }: Registry, at: string | null): Promise<ReadableState> {
  return at === null ? facts.readable() : { ...(await past.at(at)), isMaybeStale: false };
}
