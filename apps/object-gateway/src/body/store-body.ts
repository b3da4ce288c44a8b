/** Bytes of a request onto the volume: few of them are kept in hand for the record, more go into a file of their own. */
import { receive } from '@brickyard/volume-storage';
import { S3Error } from '../s3-error';
import type { ObjectStore } from '../store/object-store';
import { INLINE_MAX, type Segment } from '../store/record';
import type { Body, BodyFacts } from './body';

/** Where the bytes are now; durable, and named by nothing yet. */
export interface StoredBytes {
  readonly facts: BodyFacts;
  readonly inline: Buffer | undefined;
  readonly segments: readonly Segment[] | undefined;
}

/** Stores a body; `file` is where it goes when it is not kept in hand. Nothing is left when it is not what was said. */
export async function storeBody(
  store: ObjectStore,
  bucket: string,
  file: string,
  body: Body,
  inlineMax = INLINE_MAX,
): Promise<StoredBytes> {
  if (body.length <= inlineMax) {
    const { bytes, facts } = await body.whole(inlineMax);
    return { facts, inline: bytes, segments: undefined };
  }
  const part = await store.beginFile(bucket, file);
  try {
    const facts = await intoFile(part, body);
    await part.sync();
    await part.close();
    await store.syncFolderOf(bucket, file);
    return { facts, inline: undefined, segments: [{ file, offset: 0, length: facts.size }] };
  } catch (error) {
    await part.close().catch(() => undefined);
    await store.removeFile(bucket, file).catch(() => undefined); // The sweep finds it.
    throw error;
  }
}

async function intoFile(part: Parameters<typeof receive>[1], body: Body): Promise<BodyFacts> {
  let failure: unknown;
  const watched = async function* (): AsyncGenerator<Buffer> {
    try {
      yield* body.chunks();
    } catch (error) {
      failure = error;
      throw error;
    }
  };
  await receive(watched(), part, undefined, body.length);
  if (failure !== undefined)
    throw failure instanceof Error ? failure : new S3Error('IncompleteBody', 'The body broke.');
  return body.facts();
}
