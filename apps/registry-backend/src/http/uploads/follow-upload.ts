/** `GET` and `DELETE` of an upload: how far it is, and giving it up. */
import type { RepositoryName } from '@brickyard/contracts';
import { accepted, type Registry } from '../../registry';
import type { Exchange } from '../exchange';
import { dropParts, sessionOf, standing } from './session';

/** Tells how far it is. */
export async function getUpload(
  registry: Registry,
  exchange: Exchange,
  name: RepositoryName,
  text: string,
): Promise<void> {
  const { uploadId, upload } = await sessionOf(registry, name, text);
  exchange.begin(204, standing(name, uploadId, upload.offset));
  exchange.response.end();
}

/** Cancels an upload and gives its bytes back. */
export async function deleteUpload(
  registry: Registry,
  exchange: Exchange,
  name: RepositoryName,
  text: string,
): Promise<void> {
  const { uploadId } = await sessionOf(registry, name, text);
  await registry.uploads.inTurn(uploadId, async () => {
    const { upload } = await sessionOf(registry, name, text); // It may have ended meanwhile.
    accepted(await registry.facts.submit({ type: 'EndUpload', uploadId, outcome: 'cancelled' }, exchange.origin));
    await registry.uploads.drop(uploadId);
    await dropParts(registry, registry.store(), upload.parts);
    exchange.begin(204, {});
    exchange.response.end();
  });
}
