/** `PUT …?digest=`: an upload ends as a blob. */
import {
  type Digest,
  type DigestAlgorithm,
  type RepositoryName,
  UploadId,
  type UploadPart,
} from '@brickyard/contracts';
import { assemble, digestOf } from '../../bytes/assemble';
import type { ContentPart, ContentStore } from '../../bytes/content-store';
import type { LiveUpload } from '../../bytes/live-uploads';
import type { Upload } from '@brickyard/domain/registry';
import type { Registry } from '../../registry';
import type { Exchange } from '../exchange';
import { algorithmOf } from '../manifest-shape';
import { digestSoFar, recordAppended, takeBody } from './body';
import { checkDigest, linkBlob } from './link-blob';
import { blobHeaders, checkChunk, dropParts, findSession, type Session, uploadUnknown, wantedDigest } from './session';

/** Takes the rest of the bytes, if any, and the end. */
export async function putUpload(
  registry: Registry,
  exchange: Exchange,
  name: RepositoryName,
  text: string,
): Promise<void> {
  const digest = wantedDigest(exchange);
  exchange.digest = digest;
  const known = await findSession(registry, name, text);
  if (known === undefined) {
    tellIfDone(registry, exchange, name, text, digest);
    return;
  }
  const { uploadId } = known;
  await registry.uploads.inTurn(uploadId, async () => {
    const session = await findSession(registry, name, text);
    if (session === undefined) {
      tellIfDone(registry, exchange, name, text, digest);
      return;
    }
    checkChunk(exchange, session);
    exchange.accept();
    await finish(registry, exchange, { ...session, digest });
    exchange.send(201, blobHeaders(name, digest));
  });
}

/** The answer to a PUT may have been lost; asked again, the blob is there. */
function tellIfDone(registry: Registry, exchange: Exchange, name: RepositoryName, text: string, digest: Digest): void {
  const isLinked = registry.facts.current.state.repositories.get(name)?.blobs.has(digest) === true;
  if (!isLinked || !UploadId.safeParse(text.toLowerCase()).success) throw uploadUnknown(text);
  exchange.send(201, blobHeaders(name, digest));
}

interface Finish extends Session {
  readonly digest: Digest;
}

/** Makes the bytes a blob. After a failure an upload that is still there can go on, and nothing else is left. */
async function finish(registry: Registry, exchange: Exchange, wanted: Finish): Promise<void> {
  const { name, uploadId, upload, digest } = wanted;
  const store = registry.store();
  const { hasBody } = exchange;
  const algorithm = algorithmOf(digest);
  const live =
    hasBody || upload.offset === 0
      ? await registry.uploads.take(uploadId, upload, upload.offset === 0 ? algorithm : upload.algorithm, store)
      : registry.uploads.peek(uploadId, upload);
  let part: ContentPart | undefined;
  try {
    if (live !== undefined && hasBody) {
      const bytes = await takeBody(exchange, live);
      if (upload.offset === 0) await live.part.sync();
      else await recordAppended(registry, exchange, wanted, live, bytes);
    }
    const whole = await wholeOf(store, upload, live, algorithm);
    part = whole.part;
    if (whole.digest !== digest) await refuse(registry, exchange, wanted);
    checkDigest(digest, whole.digest);
    const named = partsInLog(registry, uploadId);
    const isNamed = named.some(({ file }) => file === whole.part.file);
    await linkBlob(registry, exchange.origin, name, { digest, part, store, uploadId, isNamed });
    await part.close();
    await live?.part.close(); // Another file than the blob when parts were put together.
    if (live !== undefined && live.part.file !== part.file) await live.part.discard(store);
    await registry.uploads.drop(uploadId);
    await dropParts(registry, store, named);
  } catch (error) {
    if (live !== undefined) await live.part.close().catch(() => undefined);
    const made = [part, hasBody ? live?.part : undefined].filter((one) => one !== undefined);
    const named = new Set<string>(partsInLog(registry, uploadId).map(({ file }) => file));
    for (const one of made) if (!named.has(one.file)) await one.discard(store);
    throw error;
  }
}

/** What the log names now, the last chunk included: it must stay until the upload has ended. */
const partsInLog = ({ facts }: Registry, uploadId: UploadId): readonly UploadPart[] =>
  facts.current.state.uploads.get(uploadId)?.parts ?? [];

/** All bytes of an upload as one synced file with its digest; files are put together when more than one has them. */
async function wholeOf(
  store: ContentStore,
  upload: Upload,
  live: LiveUpload | undefined,
  algorithm: DigestAlgorithm,
): Promise<{ readonly part: ContentPart; readonly digest: Digest }> {
  const parts = partsWith(upload, live);
  if (live !== undefined && parts.length === 1) {
    const digest = live.algorithm === algorithm && live.hash !== undefined ? digestSoFar(live) : undefined;
    return { part: live.part, digest: digest ?? (await digestOf(store, parts, algorithm)) };
  }
  const [only] = parts;
  const isWhole = parts.length === 1 && only !== undefined && (await store.sizeOf(only.file)) === only.length;
  if (!isWhole) return assemble(store, parts, algorithm);
  const recorded = upload.digest !== undefined && algorithmOf(upload.digest) === algorithm ? upload.digest : undefined;
  return { part: await store.reopen(only), digest: recorded ?? (await digestOf(store, parts, algorithm)) };
}

function partsWith(upload: Upload, live: LiveUpload | undefined): readonly UploadPart[] {
  if (live === undefined) return upload.parts;
  const { file, length } = live.part;
  const others = upload.parts.filter((part) => part.file !== file);
  return length === 0 && others.length > 0 ? others : [...others, { file, length }];
}

/** Bytes that are not what they were said to be end the session. */
async function refuse(registry: Registry, exchange: Exchange, { uploadId }: Session): Promise<void> {
  const parts = partsInLog(registry, uploadId);
  await registry.facts.submit({ type: 'EndUpload', uploadId, outcome: 'refused' }, exchange.origin);
  await registry.uploads.drop(uploadId);
  await dropParts(registry, registry.store(), parts);
}
