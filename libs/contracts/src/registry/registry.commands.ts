/** What a replica of the registry asks of the one that leads, and what it is told. */
import { z } from 'zod';
import { Actor } from '../command-envelope';
import { CommittedEvent } from '../committed-events';
import { CommandId } from '../ids';
import { FetchedFrom, MANIFEST_REFERENCES_MAX, RemovalCause, UploadPart } from './registry.events';
import { ContentFile, Digest, DigestAlgorithm, RepositoryName, Tag, UploadId } from './registry.names';

/** What the settings of the registry allow in a repository. */
export const RepositoryRules = z.strictObject({
  /** Bytes that all manifests and blobs of the repository may have together. */
  quotaBytes: z.int().min(0).optional(),
  /** Those of the command's tags that stay where they point once they exist. */
  fixedTags: z.array(Tag).optional(),
  /** An index may name manifests that are not there. */
  isSparse: z.boolean().optional(),
});
export type RepositoryRules = z.infer<typeof RepositoryRules>;

const size = z.int().min(0);

export const RegistryCommand = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('OpenUpload'),
    repository: RepositoryName,
    uploadId: UploadId,
    algorithm: DigestAlgorithm,
    rules: RepositoryRules,
  }),
  /** Bytes `from` to `from + added` lie durable in a part: a new one, or the last one grown. */
  z.strictObject({
    type: z.literal('AdvanceUpload'),
    uploadId: UploadId,
    from: z.int().min(0),
    added: z.int().min(0),
    part: UploadPart,
    digest: Digest.optional(),
  }),
  z.strictObject({
    type: z.literal('EndUpload'),
    uploadId: UploadId,
    outcome: z.enum(['cancelled', 'refused', 'expired']),
  }),
  /** A blob's bytes are durable in `file`: link it; another file that has the same bytes is kept instead. */
  z.strictObject({
    type: z.literal('LinkBlob'),
    repository: RepositoryName,
    digest: Digest,
    size,
    file: ContentFile,
    uploadId: UploadId.optional(),
    /** A file of the same digest that was looked for and is not there or not whole. */
    bad: ContentFile.optional(),
    /** `file` is the one the log names already; when it is not any more, nothing is linked. */
    isPresent: z.boolean().optional(),
    fetchedFrom: FetchedFrom.optional(),
    rules: RepositoryRules,
  }),
  z.strictObject({
    type: z.literal('MountBlob'),
    repository: RepositoryName,
    digest: Digest,
    from: RepositoryName,
    rules: RepositoryRules,
  }),
  z.strictObject({
    type: z.literal('PushManifest'),
    repository: RepositoryName,
    digest: Digest,
    size,
    file: ContentFile,
    bad: ContentFile.optional(),
    isPresent: z.boolean().optional(),
    mediaType: z.string(),
    artifactType: z.string().optional(),
    subject: Digest.optional(),
    /** Everything it names that must be kept with it. */
    references: z.array(Digest).max(MANIFEST_REFERENCES_MAX),
    /** Those of them that must be in the repository already. */
    blobs: z.array(Digest),
    manifests: z.array(Digest),
    tags: z.array(Tag).max(128),
    fetchedFrom: FetchedFrom.optional(),
    rules: RepositoryRules,
  }),
  /** A fetched manifest is in use: it goes later than others. */
  z.strictObject({ type: z.literal('RecordPull'), repository: RepositoryName, digest: Digest }),
  z.strictObject({
    type: z.literal('DeleteTag'),
    repository: RepositoryName,
    tag: Tag,
    cause: RemovalCause,
    /** Only if the tag still points there. */
    digest: Digest.optional(),
    rules: RepositoryRules.optional(),
  }),
  z.strictObject({
    type: z.literal('DeleteManifest'),
    repository: RepositoryName,
    digest: Digest,
    cause: RemovalCause,
    /** Only if nothing points to it. */
    isOnlyLoose: z.boolean().optional(),
    rules: RepositoryRules.optional(),
  }),
  /** Somebody has been told that the blob is here and may rely on it: its age begins anew. */
  z.strictObject({ type: z.literal('KeepBlob'), repository: RepositoryName, digest: Digest }),
  z.strictObject({ type: z.literal('DeleteBlob'), repository: RepositoryName, digest: Digest, cause: RemovalCause }),
  /** Takes links away that no manifest needs, then condemns bytes without links; younger than `before` they stay. */
  z.strictObject({ type: z.literal('CollectGarbage'), before: z.iso.datetime(), blobsMax: z.int().min(1).max(2_000) }),
  z.strictObject({
    type: z.literal('ConfirmRemoval'),
    removed: z
      .array(z.strictObject({ digest: Digest, file: ContentFile }))
      .min(1)
      .max(2_000),
  }),
  z.strictObject({
    type: z.literal('ReportBadBlob'),
    digest: Digest,
    file: ContentFile,
    finding: z.string().max(500),
  }),
  z.strictObject({ type: z.literal('SwitchWrites'), isReadOnly: z.boolean(), reason: z.string().max(500) }),
  /** Facts as an earlier log had them, read from the volume; only into a log that has none. */
  z.strictObject({
    type: z.literal('RestoreFacts'),
    /** Position the first of them must get. */
    at: z.int().min(1),
    facts: z
      .array(z.strictObject({ type: z.string(), version: z.int().min(1), data: z.record(z.string(), z.json()) }))
      .min(1)
      .max(500),
  }),
]);
export type RegistryCommand = z.infer<typeof RegistryCommand>;

/** Why a command changes nothing. */
export const RegistryRejection = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('ReadOnly'), reason: z.string() }),
  z.strictObject({ kind: z.literal('RepositoryUnknown'), repository: z.string() }),
  z.strictObject({ kind: z.literal('BlobUnknown'), digest: z.string() }),
  z.strictObject({ kind: z.literal('ManifestUnknown'), digest: z.string() }),
  z.strictObject({ kind: z.literal('TagUnknown'), tag: z.string() }),
  z.strictObject({ kind: z.literal('TagFixed'), tag: z.string(), digest: z.string() }),
  z.strictObject({ kind: z.literal('UploadUnknown'), uploadId: z.string() }),
  z.strictObject({ kind: z.literal('WrongOffset'), offset: z.int() }),
  z.strictObject({ kind: z.literal('ReferencesMissing'), digests: z.array(z.string()) }),
  z.strictObject({
    kind: z.literal('QuotaExceeded'),
    quotaBytes: z.int(),
    usedBytes: z.int(),
    wantedBytes: z.int(),
  }),
  z.strictObject({ kind: z.literal('StillInUse'), by: z.string() }),
  z.strictObject({ kind: z.literal('NotEmpty'), position: z.int() }),
  /** The sender's code is of another time than the leader's. */
  z.strictObject({ kind: z.literal('FactRefused'), detail: z.string() }),
]);
export type RegistryRejection = z.infer<typeof RegistryRejection>;

/** One command with what the log will say about its origin. */
export const RegistryRequest = z.strictObject({
  commandId: CommandId,
  correlationId: z.string(),
  actor: Actor,
  command: RegistryCommand,
});
export type RegistryRequest = z.infer<typeof RegistryRequest>;

/** What became of it. */
export const RegistryReply = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('accepted'),
    position: z.int(),
    /** The file that holds the bytes from now on, when the command named one. */
    file: z.string().optional(),
    /** How much a collection of garbage took. */
    count: z.int().optional(),
  }),
  z.strictObject({ kind: z.literal('rejected'), position: z.int(), rejection: RegistryRejection }),
  z.strictObject({ kind: z.literal('unavailable'), reason: z.string(), retryAfterMs: z.int().min(0) }),
  z.strictObject({ kind: z.literal('defect'), reference: z.string() }),
]);
export type RegistryReply = z.infer<typeof RegistryReply>;

/** Said by the leader after every commit and several times a second: how far the log has come. */
export const RegistryPulse = z.strictObject({
  epoch: z.int(),
  position: z.int(),
  leader: z.string(),
  /** Followers the leader waits for before it acknowledges anything; who is not among them may not trust its own fold. */
  members: z.array(z.string()),
  /** The events up to that position, as far as they fit; a follower that lacks more reads the log. */
  events: z.array(CommittedEvent),
});
export type RegistryPulse = z.infer<typeof RegistryPulse>;

/** Said by a follower when it has come that far. */
export const RegistryFollowed = z.strictObject({ replica: z.string(), position: z.int() });
export type RegistryFollowed = z.infer<typeof RegistryFollowed>;
