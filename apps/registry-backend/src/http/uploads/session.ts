/** What all requests about an upload have in common: finding it, telling how far it is, dropping what it had. */
import { type Digest, type RepositoryName, UploadId, type UploadPart } from '@brickyard/contracts';
import type { ContentStore } from '../../bytes/content-store';
import type { Upload } from '@brickyard/domain/registry';
import type { Registry } from '../../registry';
import type { Exchange } from '../exchange';
import { OciError } from '../oci-error';
import { digestIn } from '../route';
import { chunkRangeOf } from './chunk-range';

/** An upload that was begun and has not ended. */
export interface Session {
  readonly name: RepositoryName;
  readonly uploadId: UploadId;
  readonly upload: Upload;
}

const locationOf = (name: RepositoryName, uploadId: UploadId): string => `/v2/${name}/blobs/uploads/${uploadId}`;

/** How far an upload is, as every answer about it tells. */
export const standing = (
  name: RepositoryName,
  uploadId: UploadId,
  offset: number,
): Readonly<Record<string, string>> => ({
  location: locationOf(name, uploadId),
  range: `0-${String(Math.max(0, offset - 1))}`,
  'docker-upload-uuid': uploadId,
});

/** What the answer tells when the blob is there. */
export const blobHeaders = (name: RepositoryName, digest: Digest): Readonly<Record<string, string>> => ({
  location: `/v2/${name}/blobs/${digest}`,
  'docker-content-digest': digest,
});

/** The digest that the blob must have; refuses a request without one. */
export function wantedDigest(exchange: Exchange): Digest {
  const text = exchange.query.get('digest');
  const digest = digestIn(text);
  if (digest !== undefined) return digest;
  throw new OciError('DIGEST_INVALID', 'digest must be sha256:<64 hex> or sha512:<128 hex>', {
    detail: { digest: text },
  });
}

/** A session of this repository; any other is as unknown as one that never was. */
export async function findSession(
  { facts }: Registry,
  name: RepositoryName,
  text: string,
): Promise<Session | undefined> {
  const uploadId = UploadId.safeParse(text.toLowerCase());
  if (!uploadId.success) return undefined;
  const upload = (await facts.readable()).state.uploads.get(uploadId.data);
  return upload?.repository === name ? { name, uploadId: uploadId.data, upload } : undefined;
}

/** The same where there must be one. */
export async function sessionOf(registry: Registry, name: RepositoryName, text: string): Promise<Session> {
  const session = await findSession(registry, name, text);
  if (session === undefined) throw uploadUnknown(text);
  return session;
}

/** What is told of a session that is not there. */
export const uploadUnknown = (text: string): OciError =>
  new OciError('BLOB_UPLOAD_UNKNOWN', 'no such upload: it was never begun here, or is finished, cancelled or expired', {
    detail: { uploadId: text },
  });

/** Where a chunk says it begins must be where the upload ends. */
export function checkChunk(exchange: Exchange, { name, uploadId, upload: { offset } }: Session): void {
  const range = chunkRangeOf(exchange.header('content-range'));
  if (range === 'absent') return;
  const headers = standing(name, uploadId, offset);
  if (range === 'bad') throw new OciError('RANGE_INVALID', 'Content-Range must be <first>-<last>', { status: 400 });
  if (range.first !== offset) {
    throw new OciError('RANGE_INVALID', `the upload is at ${String(offset)}`, { headers, detail: { offset } });
  }
  const length = exchange.declaredLength;
  if (length !== undefined && length !== range.last - range.first + 1) {
    throw new OciError('SIZE_INVALID', 'Content-Length is not the length of Content-Range');
  }
}

/** Removes the files of an upload that has ended; what cannot be removed now is found by the sweep. */
export async function dropParts(registry: Registry, store: ContentStore, parts: readonly UploadPart[]): Promise<void> {
  for (const { file } of parts) {
    await store.remove(file).catch((error: unknown) => {
      registry.log.debug({ file, err: error }, 'a part of an upload is left for the sweep');
    });
  }
}
