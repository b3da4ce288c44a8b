/** `PATCH`: a chunk, or a stream. */
import { receive } from '@brickyard/volume-storage';
import type { RepositoryName } from '@brickyard/contracts';
import type { ContentPart, ContentStore } from '../../bytes/content-store';
import type { LiveUpload } from '../../bytes/live-uploads';
import type { Upload } from '@brickyard/domain/registry';
import type { Registry } from '../../registry';
import type { Exchange } from '../exchange';
import { OciError } from '../oci-error';
import { BYTES_MAX, recordAppended } from './body';
import { chunkRangeOf } from './chunk-range';
import { checkChunk, type Session, sessionOf, standing } from './session';

/** Takes what a client sends next. What arrived of one that breaks off is kept, as far as it is durable. */
export async function patchUpload(
  registry: Registry,
  exchange: Exchange,
  name: RepositoryName,
  text: string,
): Promise<void> {
  const { uploadId } = await sessionOf(registry, name, text);
  await registry.uploads.inTurn(uploadId, async () => {
    const session = await sessionOf(registry, name, text); // Somebody else may have had a turn.
    const { upload } = session;
    checkChunk(exchange, session);
    exchange.accept();
    const live = await registry.uploads.take(uploadId, upload, upload.algorithm, registry.store());
    const isWhole = await advance(registry, exchange, session, live);
    const offset = registry.facts.current.state.uploads.get(uploadId)?.offset ?? upload.offset;
    if (isWhole) exchange.send(202, standing(name, uploadId, offset));
    else exchange.response.destroy();
  });
}

/** Takes the body and records how far the upload is; false when the client went away in the middle. */
async function advance(registry: Registry, exchange: Exchange, session: Session, live: LiveUpload): Promise<boolean> {
  const { uploadId, upload } = session;
  const store = registry.store();
  try {
    const range = chunkRangeOf(exchange.header('content-range'));
    const bytesMax = typeof range === 'object' ? range.last - range.first + 1 : BYTES_MAX;
    const { bytes, isWhole, isTooMuch } = await receive(exchange.request, live.part, live.hash, bytesMax);
    if (isTooMuch) throw new OciError('SIZE_INVALID', 'more bytes came than Content-Range says');
    if (isWhole && bytesMax !== BYTES_MAX && bytes !== bytesMax) {
      throw new OciError('SIZE_INVALID', 'fewer bytes came than Content-Range says');
    }
    if (bytes > 0) await recordAppended(registry, exchange, session, live, bytes);
    registry.uploads.keep(uploadId, live, upload.offset + bytes);
    return isWhole;
  } catch (error) {
    await abandonPart(store, upload, live.part);
    throw error;
  }
}

/** A file that the log names must stay; any other is of no use to anybody. */
async function abandonPart(store: ContentStore, upload: Upload, part: ContentPart): Promise<void> {
  const isNamed = upload.parts.some(({ file }) => file === part.file);
  if (isNamed) await part.close().catch(() => undefined);
  else await part.discard(store);
}
