/** The body of a request into the file of an upload. */
import { createHash } from 'node:crypto';
import type { Digest } from '@brickyard/contracts';
import { receive } from '@brickyard/volume-storage';
import type { LiveUpload } from '../../bytes/live-uploads';
import { accepted, type Registry } from '../../registry';
import type { Exchange } from '../exchange';
import { OciError } from '../oci-error';
import { type Session, standing } from './session';

/** No limit: what a client may send is bounded by the volume. */
export const BYTES_MAX = Number.MAX_SAFE_INTEGER;

/** Appends the whole body; throws when the client did not send all of it. */
export async function takeBody({ request, declaredLength }: Exchange, live: LiveUpload): Promise<number> {
  const { bytes, isWhole } = await receive(request, live.part, live.hash, BYTES_MAX);
  if (!isWhole) throw new OciError('BLOB_UPLOAD_INVALID', 'the connection broke in the middle of the body');
  if (declaredLength !== undefined && bytes !== declaredLength) {
    throw new OciError('SIZE_INVALID', 'the body is not as long as Content-Length says');
  }
  return bytes;
}

/** The digest of all bytes of an upload as far as it is. */
export const digestSoFar = ({ hash, algorithm }: LiveUpload): Digest =>
  `${algorithm}:${(hash ?? createHash(algorithm)).copy().digest('hex')}` as Digest;

/**
 * Makes the bytes that were appended durable and records how far the upload is, so that whatever fails later can go on
 * from there. Refuses when another request was faster.
 */
export async function recordAppended(
  registry: Registry,
  exchange: Exchange,
  { name, uploadId, upload }: Session,
  live: LiveUpload,
  added: number,
): Promise<void> {
  await live.part.sync();
  const part = { file: live.part.file, length: live.part.length };
  const digest = live.hash === undefined ? {} : { digest: digestSoFar(live) };
  const command = { type: 'AdvanceUpload', uploadId, from: upload.offset, added, part, ...digest } as const;
  const outcome = await registry.facts.submit(command, exchange.origin);
  if (outcome.kind === 'rejected' && outcome.rejection.kind === 'WrongOffset') {
    throw new OciError('RANGE_INVALID', 'another request advanced the upload meanwhile', {
      headers: standing(name, uploadId, outcome.rejection.offset),
    });
  }
  accepted(outcome);
}
