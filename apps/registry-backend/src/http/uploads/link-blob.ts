/** Bytes that are whole become a blob of a repository. */
import type { Digest, RepositoryName, UploadId } from '@brickyard/contracts';
import type { ContentPart, ContentStore } from '../../bytes/content-store';
import { accepted, isRejected, type Registry } from '../../registry';
import type { Origin } from '../../facts/registry-facts';
import { OciError } from '../oci-error';

/** Bytes with the digest they were promised to have. */
export interface Finished {
  readonly digest: Digest;
  readonly part: ContentPart;
  readonly store: ContentStore;
  readonly uploadId?: UploadId;
  /** The log names the part: it must stay until the log says that the upload is done. */
  readonly isNamed?: boolean;
  /** It was fetched from there. */
  readonly fetchedFrom?: string;
}

/** Makes synced bytes a blob of the repository: under their name on the volume, then in the log. */
export async function linkBlob(
  registry: Registry,
  origin: Origin,
  repository: RepositoryName,
  { digest, part, store, uploadId, isNamed, fetchedFrom }: Finished,
): Promise<void> {
  const size = part.length;
  const command = {
    type: 'LinkBlob',
    repository,
    digest,
    size,
    rules: registry.rulesOf(repository),
    ...(uploadId === undefined ? {} : { uploadId }),
    ...(fetchedFrom === undefined ? {} : { fetchedFrom }),
  } as const;
  const known = registry.facts.current.state.blobs.get(digest);
  const isGood = known !== undefined && known.finding === undefined && (await store.sizeOf(known.file)) === size;
  if (isGood) {
    const present = { ...command, file: known.file, isPresent: true };
    const outcome = await registry.facts.submit(present, origin);
    if (!isRejected(outcome, 'BlobUnknown')) {
      accepted(outcome);
      if (isNamed !== true) await part.discard(store);
      return;
    }
  }
  await part.close();
  const file = await store.publish(part.file, digest, { isKept: isNamed === true });
  const bad = known !== undefined && !isGood ? { bad: known.file } : {};
  const outcome = await registry.facts.submit({ ...command, file, ...bad }, origin);
  // Only what the log is known not to name may go; when it is not known, the sweep decides later.
  if (outcome.kind === 'rejected' || outcome.file !== file) await store.remove(file).catch(() => undefined);
  accepted(outcome);
}

/** Refuses bytes that are not what they were said to be. */
export function checkDigest(wanted: Digest, found: string): void {
  if (wanted === found) return;
  throw new OciError('DIGEST_INVALID', 'the bytes have another digest', { detail: { digest: wanted, found } });
}
