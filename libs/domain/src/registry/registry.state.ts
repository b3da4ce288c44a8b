/** What the registry's ledger says, folded: every replica has it in memory and answers from it. */
import type {
  ContentFile,
  Digest,
  DigestAlgorithm,
  RepositoryName,
  Tag,
  UploadId,
  UploadPart,
} from '@brickyard/contracts';
import { persistentMap, type PersistentMap } from '@brickyard/event-sourcing';

/** Bytes on the volume. */
export interface Blob {
  readonly size: number;
  readonly file: ContentFile;
  /** Repositories that have it, as a blob or as a manifest. */
  readonly links: number;
  /** Since when no repository has it; ISO time. */
  readonly freeSince?: string;
  /** Why it is not served. */
  readonly finding?: string;
}

/** A blob as one repository has it. */
export interface LinkedBlob {
  readonly size: number;
  /** When it was linked, asked for, or lost its last manifest: whichever is latest. ISO time. */
  readonly since: string;
}

/** A manifest as one repository has it. */
export interface Manifest {
  readonly size: number;
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly subject?: Digest;
  readonly references: readonly Digest[];
  readonly pushedAt: string;
  /** Nobody pushed it: it was fetched from another registry. */
  readonly isFetched?: true;
  /** When it was last asked for, roughly; known of fetched manifests only. */
  readonly pulledAt?: string;
}

/** Where a tag points. */
export interface TagTarget {
  readonly digest: Digest;
  readonly movedAt: string;
}

export interface Repository {
  readonly tags: PersistentMap<Tag, TagTarget>;
  readonly manifests: PersistentMap<Digest, Manifest>;
  readonly blobs: PersistentMap<Digest, LinkedBlob>;
  /** How many manifests of the repository name a digest. */
  readonly needed: PersistentMap<Digest, number>;
  /** Manifests by the digest they are about. */
  readonly referrers: PersistentMap<Digest, readonly Digest[]>;
  /** Of all blobs and manifests together. */
  readonly bytes: number;
}

/** An upload session. */
export interface Upload {
  readonly repository: RepositoryName;
  readonly algorithm: DigestAlgorithm;
  readonly openedAt: string;
  readonly offset: number;
  readonly parts: readonly UploadPart[];
  /** Of all bytes so far, when it is known. */
  readonly digest?: Digest;
}

export interface RegistryState {
  readonly repositories: PersistentMap<RepositoryName, Repository>;
  /** The same names; changes only when a repository appears, so what is derived from it can be kept. */
  readonly names: PersistentMap<RepositoryName, true>;
  readonly blobs: PersistentMap<Digest, Blob>;
  readonly uploads: PersistentMap<UploadId, Upload>;
  /** Files that may be removed. */
  readonly doomed: PersistentMap<ContentFile, Digest>;
  /** Why nothing may be written; absent when it may. */
  readonly readOnly?: string;
}

export const emptyRepository: Repository = {
  tags: persistentMap(),
  manifests: persistentMap(),
  blobs: persistentMap(),
  needed: persistentMap(),
  referrers: persistentMap(),
  bytes: 0,
};

export const emptyRegistryState: RegistryState = {
  repositories: persistentMap(),
  names: persistentMap(),
  blobs: persistentMap(),
  uploads: persistentMap(),
  doomed: persistentMap(),
};
