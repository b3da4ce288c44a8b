/** Every decision about the registry's facts: pure, one after the other, by the replica that leads. */
import {
  checkRegistryEvent,
  currentRegistryVersionOf,
  type ContentFile,
  type Digest,
  isRegistryEventType,
  type RegistryCommand,
  type RegistryEvent,
  type RegistryEventOf,
  type RegistryEventType,
  type RegistryRejection,
  type RemovalCause,
  type RepositoryName,
  type RepositoryRules,
  type Tag,
  upcastRegistryEvent,
} from '@brickyard/contracts';
import { accepted, type Decision, dispatch, rejected } from '@brickyard/event-sourcing';
import { garbageIn } from './garbage';
import { emptyRepository, type RegistryState, type Repository } from './registry.state';

export type RegistryDecision = Decision<RegistryEvent, RegistryRejection>;

/** What a decision needs besides command and state. */
export interface RegistryMoment {
  readonly now: string;
  readonly position: number;
}

type Command<Type extends RegistryCommand['type']> = Extract<RegistryCommand, { readonly type: Type }>;

/** A fact of today's version. */
export const fact = <Type extends RegistryEventType>(
  type: Type,
  data: Omit<RegistryEventOf<Type>, 'type' | 'version'>,
): RegistryEventOf<Type> => ({ ...data, type, version: currentRegistryVersionOf(type) }) as RegistryEventOf<Type>;

const repositoryIn = (state: RegistryState, name: RepositoryName): Repository =>
  state.repositories.get(name) ?? emptyRepository;

/** No write at all: the switch is on. */
function closed({ readOnly }: RegistryState): RegistryDecision | undefined {
  return readOnly === undefined ? undefined : rejected({ kind: 'ReadOnly', reason: readOnly });
}

function overQuota(repository: Repository, rules: RepositoryRules, wantedBytes: number): RegistryDecision | undefined {
  const { quotaBytes } = rules;
  if (quotaBytes === undefined || repository.bytes + wantedBytes <= quotaBytes) return undefined;
  return rejected({ kind: 'QuotaExceeded', quotaBytes, usedBytes: repository.bytes, wantedBytes });
}

function openUpload(command: Command<'OpenUpload'>, state: RegistryState): RegistryDecision {
  const { repository, uploadId, algorithm, rules } = command;
  const refusal = closed(state) ?? overQuota(repositoryIn(state, repository), rules, 1);
  if (refusal !== undefined) return refusal;
  if (state.uploads.has(uploadId)) return accepted();
  return accepted(fact('UploadOpened', { repository, uploadId, algorithm }));
}

function advanceUpload(command: Command<'AdvanceUpload'>, state: RegistryState): RegistryDecision {
  const { uploadId, from, added, part, digest } = command;
  const upload = state.uploads.get(uploadId);
  if (upload === undefined) return rejected({ kind: 'UploadUnknown', uploadId });
  if (upload.offset !== from) return rejected({ kind: 'WrongOffset', offset: upload.offset });
  const isGrown = upload.parts.at(-1)?.file === part.file;
  const parts = [...(isGrown ? upload.parts.slice(0, -1) : upload.parts), part];
  const offset = parts.reduce((sum, { length }) => sum + length, 0);
  if (offset !== from + added)
    return rejected({ kind: 'FactRefused', detail: 'the parts are not as long as the upload' });
  const known = digest === undefined ? {} : { digest };
  return accepted(fact('UploadAdvanced', { uploadId, offset, parts, ...known }));
}

function endUpload({ uploadId, outcome }: Command<'EndUpload'>, state: RegistryState): RegistryDecision {
  if (!state.uploads.has(uploadId)) return rejected({ kind: 'UploadUnknown', uploadId });
  return accepted(fact('UploadEnded', { uploadId, outcome }));
}

/** The bytes have a place from now on, unless they have one already that is not known to be bad. */
function stored(
  state: RegistryState,
  { digest, size, file, bad }: { digest: Digest; size: number; file: ContentFile; bad?: ContentFile | undefined },
): readonly RegistryEvent[] {
  const blob = state.blobs.get(digest);
  const isGood = blob !== undefined && blob.finding === undefined && blob.file !== bad;
  return isGood ? [] : [fact('BlobStored', { digest, size, file })];
}

/** Whoever relies on a file that the log does not name any more must bring the bytes again. */
function vanished(
  state: RegistryState,
  { digest, file, isPresent }: { digest: Digest; file: ContentFile; isPresent?: boolean | undefined },
): RegistryDecision | undefined {
  if (isPresent !== true) return undefined;
  const blob = state.blobs.get(digest);
  const isThere = blob?.file === file && blob.finding === undefined;
  return isThere ? undefined : rejected({ kind: 'BlobUnknown', digest });
}

const origin = (fetchedFrom: string | undefined): { readonly fetchedFrom?: string } =>
  fetchedFrom === undefined ? {} : { fetchedFrom };

/** Who is told that a blob is here may rely on it: unless a manifest keeps it, its age begins anew. */
const isKept = ({ blobs, needed }: Repository, digest: Digest): boolean => blobs.has(digest) && needed.has(digest);

function linkBlob(command: Command<'LinkBlob'>, state: RegistryState): RegistryDecision {
  const { repository, digest, size, uploadId, rules, fetchedFrom } = command;
  const before = repositoryIn(state, repository);
  const isLinked = before.blobs.has(digest);
  const refusal = closed(state) ?? vanished(state, command) ?? (isLinked ? undefined : overQuota(before, rules, size));
  if (refusal !== undefined) return refusal;
  const isOpen = uploadId !== undefined && state.uploads.has(uploadId);
  if (uploadId !== undefined && !isOpen && !isLinked) return rejected({ kind: 'UploadUnknown', uploadId });
  return accepted(
    ...stored(state, command),
    ...(isKept(before, digest) ? [] : [fact('BlobLinked', { repository, digest, size, ...origin(fetchedFrom) })]),
    ...(isOpen ? [fact('UploadEnded', { uploadId, outcome: 'committed' })] : []),
  );
}

function mountBlob({ repository, digest, from, rules }: Command<'MountBlob'>, state: RegistryState): RegistryDecision {
  const source = state.repositories.get(from);
  const blob = state.blobs.get(digest);
  const isThere = source?.blobs.has(digest) === true || source?.manifests.has(digest) === true;
  if (!isThere || blob === undefined || blob.finding !== undefined) return rejected({ kind: 'BlobUnknown', digest });
  const target = repositoryIn(state, repository);
  const { size } = blob;
  if (isKept(target, digest)) return closed(state) ?? accepted();
  const refusal = closed(state) ?? (target.blobs.has(digest) ? undefined : overQuota(target, rules, size));
  return refusal ?? accepted(fact('BlobLinked', { repository, digest, size, mountedFrom: from }));
}

function missingIn({ blobs, manifests }: Repository, command: Command<'PushManifest'>): readonly Digest[] {
  const isThere = (digest: Digest): boolean => blobs.has(digest) || manifests.has(digest);
  const missing = command.blobs.filter((digest) => !isThere(digest));
  const missingManifests = command.rules.isSparse === true ? [] : command.manifests.filter((one) => !isThere(one));
  return [...new Set([...missing, ...missingManifests])];
}

function fixedTag(
  repository: Repository,
  { tags, digest, rules }: Command<'PushManifest'>,
): RegistryDecision | undefined {
  for (const tag of tags) {
    if (rules.fixedTags?.includes(tag) !== true) continue;
    const target = repository.tags.get(tag);
    if (target !== undefined && target.digest !== digest) {
      return rejected({ kind: 'TagFixed', tag, digest: target.digest });
    }
  }
  return undefined;
}

function pushManifest(command: Command<'PushManifest'>, state: RegistryState): RegistryDecision {
  const { repository, digest, size, rules, tags } = command;
  const before = repositoryIn(state, repository);
  const known = before.manifests.get(digest);
  const refusal =
    closed(state) ??
    vanished(state, command) ??
    missingReferences(before, command) ??
    fixedTag(before, command) ??
    (known === undefined ? overQuota(before, rules, size) : undefined);
  if (refusal !== undefined) return refusal;
  // Whoever pushes what was only fetched makes it his own: it must not go because it could be fetched again.
  const isTaken = known?.isFetched === true && command.fetchedFrom === undefined;
  const isSame = known?.mediaType === command.mediaType && !isTaken;
  return accepted(
    ...stored(state, command),
    ...(isSame ? [] : [manifestFact(command)]),
    ...[...new Set(tags)].flatMap((tag) => moved(before, command, tag)),
  );
}

function missingReferences(before: Repository, command: Command<'PushManifest'>): RegistryDecision | undefined {
  const digests = missingIn(before, command);
  return digests.length === 0 ? undefined : rejected({ kind: 'ReferencesMissing', digests: [...digests] });
}

function manifestFact(command: Command<'PushManifest'>): RegistryEvent {
  const { repository, digest, size, mediaType, artifactType, subject, references, fetchedFrom } = command;
  return fact('ManifestPushed', {
    repository,
    digest,
    size,
    mediaType,
    references,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(subject === undefined ? {} : { subject }),
    ...origin(fetchedFrom),
  });
}

function moved(
  before: Repository,
  { repository, digest, fetchedFrom }: Command<'PushManifest'>,
  tag: Tag,
): readonly RegistryEvent[] {
  const target = before.tags.get(tag);
  if (target?.digest === digest) return [];
  const from = target === undefined ? {} : { from: target.digest };
  return [fact('TagMoved', { repository, tag, digest, ...from, ...origin(fetchedFrom) })];
}

function recordPull({ repository, digest }: Command<'RecordPull'>, state: RegistryState): RegistryDecision {
  if (state.repositories.get(repository)?.manifests.has(digest) !== true) {
    return rejected({ kind: 'ManifestUnknown', digest });
  }
  return accepted(fact('ManifestPulled', { repository, digest }));
}

function deleteTag(command: Command<'DeleteTag'>, state: RegistryState): RegistryDecision {
  const { repository, tag, cause, digest, rules } = command;
  const refusal = cause === 'request' ? closed(state) : undefined;
  if (refusal !== undefined) return refusal;
  const target = state.repositories.get(repository)?.tags.get(tag);
  if (target === undefined) return rejected({ kind: 'TagUnknown', tag });
  if (digest !== undefined && digest !== target.digest) return rejected({ kind: 'StillInUse', by: tag });
  if (rules?.fixedTags?.includes(tag) === true) return rejected({ kind: 'TagFixed', tag, digest: target.digest });
  return accepted(fact('TagDeleted', { repository, tag, digest: target.digest, cause }));
}

function deleteManifest(command: Command<'DeleteManifest'>, state: RegistryState): RegistryDecision {
  const { repository, digest, cause, isOnlyLoose, rules } = command;
  const refusal = cause === 'request' ? closed(state) : undefined;
  if (refusal !== undefined) return refusal;
  const before = repositoryIn(state, repository);
  if (!before.manifests.has(digest)) return rejected({ kind: 'ManifestUnknown', digest });
  const tags = tagsOf(before, digest);
  const holder = before.needed.has(digest) ? 'another manifest' : tags.at(0);
  if (isOnlyLoose === true && holder !== undefined) return rejected({ kind: 'StillInUse', by: holder });
  const fixed = tags.find((tag) => rules?.fixedTags?.includes(tag) === true);
  if (fixed !== undefined) return rejected({ kind: 'TagFixed', tag: fixed, digest });
  return accepted<RegistryEvent>(
    ...tags.map((tag) => fact('TagDeleted', { repository, tag, digest, cause })),
    fact('ManifestDeleted', { repository, digest, cause }),
  );
}

/** The tags that point to a manifest, sorted. */
export const tagsOf = ({ tags }: Repository, digest: Digest): readonly Tag[] =>
  [...tags.entries()].flatMap(([tag, target]) => (target.digest === digest ? [tag] : [])).sort();

function keepBlob({ repository, digest }: Command<'KeepBlob'>, state: RegistryState): RegistryDecision {
  const link = state.repositories.get(repository)?.blobs.get(digest);
  if (link === undefined) return rejected({ kind: 'BlobUnknown', digest });
  return accepted(fact('BlobLinked', { repository, digest, size: link.size }));
}

function deleteBlob({ repository, digest, cause }: Command<'DeleteBlob'>, state: RegistryState): RegistryDecision {
  const refusal = cause === 'request' ? closed(state) : undefined;
  if (refusal !== undefined) return refusal;
  if (state.repositories.get(repository)?.blobs.has(digest) !== true) return rejected({ kind: 'BlobUnknown', digest });
  return accepted(fact('BlobUnlinked', { repository, digest, cause }));
}

function collectGarbage({ before, blobsMax }: Command<'CollectGarbage'>, state: RegistryState): RegistryDecision {
  const cause: RemovalCause = 'garbage';
  const { links, blobs } = garbageIn(state, before, blobsMax);
  return accepted<RegistryEvent>(
    ...links.map(({ repository, digest }) => fact('BlobUnlinked', { repository, digest, cause })),
    ...blobs.map(({ digest, file, size }) => fact('BlobCondemned', { digest, file, size })),
  );
}

function confirmRemoval({ removed }: Command<'ConfirmRemoval'>, state: RegistryState): RegistryDecision {
  const gone = removed.filter(({ file }) => state.doomed.has(file));
  return accepted(...gone.map(({ digest, file }) => fact('BlobRemoved', { digest, file })));
}

function reportBadBlob({ digest, file, finding }: Command<'ReportBadBlob'>, state: RegistryState): RegistryDecision {
  const blob = state.blobs.get(digest);
  if (blob?.file !== file || blob.finding !== undefined) return accepted();
  return accepted(fact('BlobFoundBad', { digest, file, finding }));
}

function switchWrites({ isReadOnly, reason }: Command<'SwitchWrites'>, state: RegistryState): RegistryDecision {
  if ((state.readOnly !== undefined) === isReadOnly) return accepted();
  return accepted(fact('WritesSwitched', { isReadOnly, reason }));
}

function restoreFacts(
  { at, facts }: Command<'RestoreFacts'>,
  _: RegistryState,
  { position }: RegistryMoment,
): RegistryDecision {
  if (at !== position + 1) return rejected({ kind: 'NotEmpty', position });
  const events: RegistryEvent[] = [];
  for (const { type, version, data } of facts) {
    if (!isRegistryEventType(type)) return rejected({ kind: 'FactRefused', detail: `unknown event ${type}` });
    const event = upcastRegistryEvent(type, version, data);
    checkRegistryEvent(event);
    events.push(event);
  }
  return accepted(...events);
}

/** What a command comes to. A new command without its decision does not compile. */
export const decideRegistry = dispatch<RegistryCommand, [RegistryState, RegistryMoment], RegistryDecision>({
  OpenUpload: openUpload,
  AdvanceUpload: advanceUpload,
  EndUpload: endUpload,
  LinkBlob: linkBlob,
  MountBlob: mountBlob,
  PushManifest: pushManifest,
  RecordPull: recordPull,
  DeleteTag: deleteTag,
  DeleteManifest: deleteManifest,
  KeepBlob: keepBlob,
  DeleteBlob: deleteBlob,
  CollectGarbage: collectGarbage,
  ConfirmRemoval: confirmRemoval,
  ReportBadBlob: reportBadBlob,
  SwitchWrites: switchWrites,
  RestoreFacts: restoreFacts,
});
