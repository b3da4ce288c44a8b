/** Every event of the registry's ledger: bytes lie on the volume, these are the facts about them. */
import { z } from 'zod';
import { ContentFile, Digest, DigestAlgorithm, RepositoryName, Tag, UploadId } from './registry.names';

/** Why something went: a client asked, a rule of retention, the collector of garbage, the registry it was fetched from. */
export const RemovalCause = z.enum(['request', 'retention', 'garbage', 'upstream']);
export type RemovalCause = z.infer<typeof RemovalCause>;

/** A file with the first so many bytes of an upload, or the next ones. */
export const UploadPart = z.strictObject({ file: ContentFile, length: z.int().min(0) });
export type UploadPart = z.infer<typeof UploadPart>;

/** How an upload ended. */
export const UploadOutcome = z.enum(['committed', 'cancelled', 'refused', 'expired']);
export type UploadOutcome = z.infer<typeof UploadOutcome>;

/** Where a copy came from when nobody pushed it: host and repository of the registry it was fetched from. */
export const FetchedFrom = z.string().min(1).max(600);

/** More than any real image has; an event must fit into a message of the bus. */
export const MANIFEST_REFERENCES_MAX = 4_096;

/** Schemas of the data of each event type; index 0 is version 1. Only the last is written. */
export const registryEventSchemas = {
  /** Bytes are whole, durable and named: `file` is where. */
  BlobStored: [z.strictObject({ digest: Digest, size: z.int().min(0), file: ContentFile })],
  /** From now on the blob can be read in this repository. */
  BlobLinked: [
    z.strictObject({
      repository: RepositoryName,
      digest: Digest,
      size: z.int().min(0),
      mountedFrom: RepositoryName.optional(),
      fetchedFrom: FetchedFrom.optional(),
    }),
  ],
  BlobUnlinked: [z.strictObject({ repository: RepositoryName, digest: Digest, cause: RemovalCause })],
  /** What the bytes of a manifest say, as far as it matters without reading them again. */
  ManifestPushed: [
    z.strictObject({
      repository: RepositoryName,
      digest: Digest,
      size: z.int().min(0),
      mediaType: z.string().min(1).max(255),
      artifactType: z.string().max(255).optional(),
      subject: Digest.optional(),
      references: z.array(Digest).max(MANIFEST_REFERENCES_MAX),
      fetchedFrom: FetchedFrom.optional(),
    }),
  ],
  /** A fetched manifest was asked for; told at most every few hours, for what must go when room is short. */
  ManifestPulled: [z.strictObject({ repository: RepositoryName, digest: Digest })],
  ManifestDeleted: [z.strictObject({ repository: RepositoryName, digest: Digest, cause: RemovalCause })],
  /** `from` is what the tag pointed to before. */
  TagMoved: [
    z.strictObject({
      repository: RepositoryName,
      tag: Tag,
      digest: Digest,
      from: Digest.optional(),
      fetchedFrom: FetchedFrom.optional(),
    }),
  ],
  TagDeleted: [z.strictObject({ repository: RepositoryName, tag: Tag, digest: Digest, cause: RemovalCause })],
  UploadOpened: [z.strictObject({ repository: RepositoryName, uploadId: UploadId, algorithm: DigestAlgorithm })],
  /** The first `offset` bytes are durable in these files; `digest` is of exactly them, when it is known. */
  UploadAdvanced: [
    z.strictObject({
      uploadId: UploadId,
      offset: z.int().min(0),
      parts: z.array(UploadPart),
      digest: Digest.optional(),
    }),
  ],
  UploadEnded: [z.strictObject({ uploadId: UploadId, outcome: UploadOutcome })],
  /** Nobody needs the bytes any more: their file may be removed, and will never be linked again. */
  BlobCondemned: [z.strictObject({ digest: Digest, file: ContentFile, size: z.int().min(0) })],
  /** The bytes are gone from the volume. */
  BlobRemoved: [z.strictObject({ digest: Digest, file: ContentFile })],
  /** The file is missing, or its bytes are not those of its name: it is not served until somebody pushes it again. */
  BlobFoundBad: [z.strictObject({ digest: Digest, file: ContentFile, finding: z.string().max(500) })],
  /** Pulls only, until it is switched back. */
  WritesSwitched: [z.strictObject({ isReadOnly: z.boolean(), reason: z.string().max(500) })],
} as const;

export type RegistryEventType = keyof typeof registryEventSchemas;

type Last<T extends readonly unknown[]> = T extends readonly [...unknown[], infer L] ? L : never;

/** One event as the registry's fold sees it. */
export type RegistryEventOf<Type extends RegistryEventType> = {
  readonly type: Type;
  readonly version: number;
} & Readonly<z.infer<Extract<Last<(typeof registryEventSchemas)[Type]>, z.ZodType>>>;

export type RegistryEvent = { [Type in RegistryEventType]: RegistryEventOf<Type> }[RegistryEventType];

/** The version that is written today. */
export const currentRegistryVersionOf = (type: RegistryEventType): number => registryEventSchemas[type].length;

/** Whether a stored type is one of the registry's. */
export const isRegistryEventType = (type: string): type is RegistryEventType => type in registryEventSchemas;

/** Whether this release can fold such an event: a later one may have introduced its type, or its version. */
export const isRegistryFoldable = (type: string, version: number): type is RegistryEventType =>
  isRegistryEventType(type) && version <= currentRegistryVersionOf(type);

/** Turns the data of one version into the data of the next. */
type RegistryUpcaster = (data: Record<string, unknown>) => Record<string, unknown>;

/** Upcasters by event type; index 0 leads from version 1 to 2. Every type is at version 1 today. */
export const registryUpcasters: Partial<Record<RegistryEventType, readonly RegistryUpcaster[]>> = {};

/** Brings stored data to today's version: what the log's door does before anything is folded. */
export function upcastRegistryEvent(
  type: RegistryEventType,
  version: number,
  data: Record<string, unknown>,
): RegistryEvent {
  let today = data;
  for (const step of (registryUpcasters[type] ?? []).slice(version - 1)) today = step(today);
  return { ...today, type, version: currentRegistryVersionOf(type) } as RegistryEvent;
}

/** Checks an event against its schema before it is written; throws a ZodError that names the field. */
export function checkRegistryEvent(event: RegistryEvent): void {
  const { type, version, ...data } = event;
  const schema = registryEventSchemas[type][version - 1];
  if (schema === undefined) throw new RangeError(`${type} has no version ${String(version)}`);
  schema.parse(data);
}

/** The stream an event belongs to: the thing it happened to. */
export function registryStreamOf(event: RegistryEvent): string {
  if ('repository' in event && event.type !== 'UploadOpened') return `repository-${event.repository}`;
  if ('uploadId' in event) return `upload-${event.uploadId}`;
  if ('digest' in event) return `blob-${event.digest}`;
  return 'registry';
}
