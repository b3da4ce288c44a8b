/** Sending blobs: POST, PATCH, PUT, GET and DELETE of upload sessions, in every order that clients use. */
import { createHash, randomUUID } from 'node:crypto';
import {
  type Digest,
  type DigestAlgorithm,
  DigestAlgorithm as Algorithm,
  RepositoryName,
  UploadId,
  type UploadPart,
} from '@brickyard/contracts';
import { assemble, digestOf } from '../bytes/assemble';
import type { ContentStore } from '../bytes/content-store';
import type { LiveUpload } from '../bytes/live-uploads';
import type { ContentPart } from '../bytes/content-store';
import { receive } from '@brickyard/volume-storage';
import type { Upload } from '../domain/registry.state';
import { accepted, isRejected, type Registry } from '../registry';
import { chunkRangeOf } from './chunk-range';
import type { Exchange } from './exchange';
import { algorithmOf } from './manifest-shape';
import { OciError } from './oci-error';
import { digestIn } from './route';

const BYTES_MAX = Number.MAX_SAFE_INTEGER;

const locationOf = (name: RepositoryName, uploadId: UploadId): string => `/v2/${name}/blobs/uploads/${uploadId}`;

/** How far an upload is, as every answer about it tells. */
const standing = (name: RepositoryName, uploadId: UploadId, offset: number) => ({
  location: locationOf(name, uploadId),
  range: `0-${String(Math.max(0, offset - 1))}`,
  'docker-upload-uuid': uploadId,
});

const blobHeaders = (name: RepositoryName, digest: Digest) => ({
  location: `/v2/${name}/blobs/${digest}`,
  'docker-content-digest': digest,
});

function wantedDigest(exchange: Exchange): Digest {
  const text = exchange.query.get('digest');
  const digest = digestIn(text);
  if (digest !== undefined) return digest;
  throw new OciError('DIGEST_INVALID', 'digest must be sha256:<64 hex> or sha512:<128 hex>', {
    detail: { digest: text },
  });
}

/** `POST /v2/<name>/blobs/uploads/`: opens a session, or takes a whole blob, or links one that is here already. */
export async function postUpload(
  registry: Registry,
  exchange: Exchange,
  name: RepositoryName,
  mayRead: (from: RepositoryName) => boolean,
): Promise<void> {
  const { query } = exchange;
  if (query.has('mount') && (await mount(registry, exchange, name, mayRead))) return;
  if (query.has('digest') && !query.has('mount')) {
    await takeWhole(registry, exchange, name);
    return;
  }
  const algorithm = Algorithm.safeParse(query.get('digest-algorithm') ?? 'sha256');
  if (!algorithm.success) throw new OciError('DIGEST_INVALID', 'digest-algorithm must be sha256 or sha512');
  registry.store(); // Without a volume no client should begin to send.
  const uploadId = UploadId.parse(randomUUID());
  const command = { type: 'OpenUpload', repository: name, uploadId, algorithm: algorithm.data } as const;
  accepted(await registry.facts.submit({ ...command, rules: registry.rulesOf(name) }, exchange.origin));
  exchange.send(202, standing(name, uploadId, 0));
}

/** True when the blob was mounted and that was told. */
async function mount(
  registry: Registry,
  exchange: Exchange,
  name: RepositoryName,
  mayRead: (from: RepositoryName) => boolean,
): Promise<boolean> {
  const digest = digestIn(exchange.query.get('mount'));
  if (digest === undefined) return false;
  const from = await mountSource(registry, digest, exchange.query.get('from'), mayRead);
  if (from === undefined) return false;
  const command = { type: 'MountBlob', repository: name, digest, from, rules: registry.rulesOf(name) } as const;
  const outcome = await registry.facts.submit(command, exchange.origin);
  if (isRejected(outcome, 'BlobUnknown')) return false;
  accepted(outcome);
  exchange.digest = digest;
  exchange.send(201, blobHeaders(name, digest));
  return true;
}

/** The repository a blob may be taken from: the one named, or any that has it and may be read. */
async function mountSource(
  { facts }: Registry,
  digest: Digest,
  named: string | null,
  mayRead: (from: RepositoryName) => boolean,
): Promise<RepositoryName | undefined> {
  const { state } = await facts.readable();
  const has = (name: RepositoryName): boolean => {
    const repository = state.repositories.get(name);
    return repository?.blobs.has(digest) === true || repository?.manifests.has(digest) === true;
  };
  if (named !== null) {
    const from = RepositoryName.safeParse(named);
    return from.success && has(from.data) && mayRead(from.data) ? from.data : undefined;
  }
  if (!state.blobs.has(digest)) return undefined;
  for (const name of state.names.keys()) if (has(name) && mayRead(name)) return name;
  return undefined;
}

/** `POST …?digest=`: the whole blob in one request. */
async function takeWhole(registry: Registry, exchange: Exchange, name: RepositoryName): Promise<void> {
  const digest = wantedDigest(exchange);
  const store = registry.store();
  const algorithm = algorithmOf(digest);
  const part = await store.begin('single');
  const live: LiveUpload = { part, hash: createHash(algorithm), algorithm };
  try {
    await takeBody(exchange, live);
    checkDigest(digest, `${algorithm}:${(live.hash ?? createHash(algorithm)).digest('hex')}`);
    await part.sync();
    await link(registry, exchange, name, { digest, part, store });
  } catch (error) {
    await part.discard(store);
    throw error;
  }
  exchange.digest = digest;
  exchange.send(201, blobHeaders(name, digest));
}

function checkDigest(wanted: Digest, found: string): void {
  if (wanted === found) return;
  throw new OciError('DIGEST_INVALID', 'the bytes have another digest', { detail: { digest: wanted, found } });
}

/** Appends the whole body; throws when the client did not send all of it. */
async function takeBody({ request, declaredLength }: Exchange, live: LiveUpload): Promise<number> {
  const { bytes, isWhole } = await receive(request, live.part, live.hash, BYTES_MAX);
  if (!isWhole) throw new OciError('BLOB_UPLOAD_INVALID', 'the connection broke in the middle of the body');
  if (declaredLength !== undefined && bytes !== declaredLength) {
    throw new OciError('SIZE_INVALID', 'the body is not as long as Content-Length says');
  }
  return bytes;
}

interface Finished {
  readonly digest: Digest;
  readonly part: ContentPart;
  readonly store: ContentStore;
  readonly uploadId?: UploadId;
  /** The log names the part: it must stay until the log says that the upload is done. */
  readonly isNamed?: boolean;
}

/** Makes synced bytes a blob of the repository: under their name on the volume, then in the log. */
async function link(
  registry: Registry,
  exchange: Exchange,
  repository: RepositoryName,
  { digest, part, store, uploadId, isNamed }: Finished,
): Promise<void> {
  const size = part.length;
  const command = {
    type: 'LinkBlob',
    repository,
    digest,
    size,
    rules: registry.rulesOf(repository),
    ...(uploadId === undefined ? {} : { uploadId }),
  } as const;
  const known = registry.facts.current.state.blobs.get(digest);
  const isGood = known !== undefined && known.finding === undefined && (await store.sizeOf(known.file)) === size;
  if (isGood) {
    const present = { ...command, file: known.file, isPresent: true };
    const outcome = await registry.facts.submit(present, exchange.origin);
    if (!isRejected(outcome, 'BlobUnknown')) {
      accepted(outcome);
      if (isNamed !== true) await part.discard(store);
      return;
    }
  }
  await part.close();
  const file = await store.publish(part.file, digest, { isKept: isNamed === true });
  const bad = known !== undefined && !isGood ? { bad: known.file } : {};
  const outcome = await registry.facts.submit({ ...command, file, ...bad }, exchange.origin);
  // Only what the log is known not to name may go; when it is not known, the sweep decides later.
  if (outcome.kind === 'rejected' || outcome.file !== file) await store.remove(file).catch(() => undefined);
  accepted(outcome);
}

/** A session of this repository; any other is as unknown as one that never was. */
async function sessionOf(
  { facts }: Registry,
  name: RepositoryName,
  text: string,
): Promise<{ readonly uploadId: UploadId; readonly upload: Upload } | undefined> {
  const uploadId = UploadId.safeParse(text.toLowerCase());
  if (!uploadId.success) return undefined;
  const upload = (await facts.readable()).state.uploads.get(uploadId.data);
  return upload?.repository === name ? { uploadId: uploadId.data, upload } : undefined;
}

const uploadUnknown = (text: string): OciError =>
  new OciError('BLOB_UPLOAD_UNKNOWN', 'no such upload: it was never begun here, or is finished, cancelled or expired', {
    detail: { uploadId: text },
  });

/** Where a chunk says it begins must be where the upload ends. */
function checkChunk(exchange: Exchange, name: RepositoryName, uploadId: UploadId, offset: number): void {
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

/** `PATCH`: a chunk, or a stream. What arrived of one that breaks off is kept, as far as it is durable. */
export async function patchUpload(
  registry: Registry,
  exchange: Exchange,
  name: RepositoryName,
  text: string,
): Promise<void> {
  const known = await sessionOf(registry, name, text);
  if (known === undefined) throw uploadUnknown(text);
  const { uploadId } = known;
  await registry.uploads.inTurn(uploadId, async () => {
    const session = await sessionOf(registry, name, text); // Somebody else may have had a turn.
    if (session === undefined) throw uploadUnknown(text);
    const { upload } = session;
    checkChunk(exchange, name, uploadId, upload.offset);
    exchange.accept();
    const live = await registry.uploads.take(uploadId, upload, upload.algorithm, registry.store());
    const isWhole = await advance(registry, exchange, { name, uploadId, upload, live });
    const offset = registry.facts.current.state.uploads.get(uploadId)?.offset ?? upload.offset;
    if (isWhole) exchange.send(202, standing(name, uploadId, offset));
    else exchange.response.destroy();
  });
}

interface Session {
  readonly name: RepositoryName;
  readonly uploadId: UploadId;
  readonly upload: Upload;
  readonly live: LiveUpload;
}

/** Takes the body and records how far the upload is; false when the client went away in the middle. */
async function advance(registry: Registry, exchange: Exchange, session: Session): Promise<boolean> {
  const { uploadId, upload, live, name } = session;
  const store = registry.store();
  try {
    const range = chunkRangeOf(exchange.header('content-range'));
    const bytesMax = typeof range === 'object' ? range.last - range.first + 1 : BYTES_MAX;
    const { bytes, isWhole, isTooMuch } = await receive(exchange.request, live.part, live.hash, bytesMax);
    if (isTooMuch) throw new OciError('SIZE_INVALID', 'more bytes came than Content-Range says');
    if (isWhole && bytesMax !== BYTES_MAX && bytes !== bytesMax) {
      throw new OciError('SIZE_INVALID', 'fewer bytes came than Content-Range says');
    }
    if (bytes > 0) {
      await live.part.sync();
      const digest = live.hash === undefined ? {} : { digest: digestSoFar(live) };
      const part = { file: live.part.file, length: live.part.length };
      const outcome = await registry.facts.submit(
        { type: 'AdvanceUpload', uploadId, from: upload.offset, added: bytes, part, ...digest },
        exchange.origin,
      );
      if (outcome.kind === 'rejected' && outcome.rejection.kind === 'WrongOffset') {
        throw new OciError('RANGE_INVALID', 'another request advanced the upload meanwhile', {
          headers: standing(name, uploadId, outcome.rejection.offset),
        });
      }
      accepted(outcome);
    }
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

const digestSoFar = ({ hash, algorithm }: LiveUpload): Digest =>
  `${algorithm}:${(hash ?? createHash(algorithm)).copy().digest('hex')}` as Digest;

/** `PUT …?digest=`: the rest of the bytes, if any, and the end. */
export async function putUpload(
  registry: Registry,
  exchange: Exchange,
  name: RepositoryName,
  text: string,
): Promise<void> {
  const digest = wantedDigest(exchange);
  exchange.digest = digest;
  const known = await sessionOf(registry, name, text);
  if (known === undefined) {
    tellIfDone(registry, exchange, name, text, digest);
    return;
  }
  const { uploadId } = known;
  await registry.uploads.inTurn(uploadId, async () => {
    const session = await sessionOf(registry, name, text);
    if (session === undefined) {
      tellIfDone(registry, exchange, name, text, digest);
      return;
    }
    checkChunk(exchange, name, uploadId, session.upload.offset);
    exchange.accept();
    await finish(registry, exchange, { name, uploadId, upload: session.upload, digest });
    exchange.send(201, blobHeaders(name, digest));
  });
}

/** The answer to a PUT may have been lost; asked again, the blob is there. */
function tellIfDone(registry: Registry, exchange: Exchange, name: RepositoryName, text: string, digest: Digest): void {
  const isLinked = registry.facts.current.state.repositories.get(name)?.blobs.has(digest) === true;
  if (!isLinked || !UploadId.safeParse(text.toLowerCase()).success) throw uploadUnknown(text);
  exchange.send(201, blobHeaders(name, digest));
}

interface Finish {
  readonly name: RepositoryName;
  readonly uploadId: UploadId;
  readonly upload: Upload;
  readonly digest: Digest;
}

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
      await live.part.sync();
      if (upload.offset > 0) await noteBody(registry, exchange, wanted, live, bytes);
    }
    const whole = await wholeOf(store, upload, live, algorithm);
    part = whole.part;
    if (whole.digest !== digest) await refuse(registry, exchange, wanted, whole.digest);
    const isNamed = upload.parts.some(({ file }) => file === whole.part.file);
    await link(registry, exchange, name, { digest, part, store, uploadId, isNamed });
    await part.close();
    await live?.part.close(); // Another file than the blob when parts were put together.
    if (live !== undefined && live.part.file !== part.file) await live.part.discard(store);
    await registry.uploads.drop(uploadId);
    await dropParts(registry, store, upload);
  } catch (error) {
    if (live !== undefined) await live.part.close().catch(() => undefined);
    const isLeft = registry.facts.current.state.uploads.has(uploadId);
    const made = [part, hasBody ? live?.part : undefined].filter((one) => one !== undefined);
    const named = new Set<string>(isLeft ? upload.parts.map(({ file }) => file) : []);
    for (const one of made) if (!named.has(one.file)) await one.discard(store);
    throw error;
  }
}

/** The last chunk is recorded like any other, so that a PUT that fails after it can be repeated. */
async function noteBody(
  registry: Registry,
  exchange: Exchange,
  { uploadId, upload }: Finish,
  live: LiveUpload,
  bytes: number,
): Promise<void> {
  const part = { file: live.part.file, length: live.part.length };
  const digest = live.hash === undefined ? {} : { digest: digestSoFar(live) };
  accepted(
    await registry.facts.submit(
      { type: 'AdvanceUpload', uploadId, from: upload.offset, added: bytes, part, ...digest },
      exchange.origin,
    ),
  );
}

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
async function refuse(
  registry: Registry,
  exchange: Exchange,
  { uploadId, digest, upload }: Finish,
  found: Digest,
): Promise<never> {
  await registry.facts.submit({ type: 'EndUpload', uploadId, outcome: 'refused' }, exchange.origin);
  await registry.uploads.drop(uploadId);
  await dropParts(registry, registry.store(), upload);
  throw new OciError('DIGEST_INVALID', 'the bytes have another digest', { detail: { digest, found } });
}

async function dropParts(registry: Registry, store: ContentStore, { parts }: Upload): Promise<void> {
  for (const { file } of parts) {
    await store.remove(file).catch((error: unknown) => {
      registry.log.debug({ file, err: error }, 'a part of an upload is left for the sweep');
    });
  }
}

/** `GET` of a session: how far it is. */
export async function getUpload(
  registry: Registry,
  exchange: Exchange,
  name: RepositoryName,
  text: string,
): Promise<void> {
  const session = await sessionOf(registry, name, text);
  if (session === undefined) throw uploadUnknown(text);
  const { location, ...headers } = standing(name, session.uploadId, session.upload.offset);
  exchange.begin(204, { location, ...headers });
  exchange.response.end();
}

/** `DELETE` of a session: cancelled, its bytes given back. */
export async function deleteUpload(
  registry: Registry,
  exchange: Exchange,
  name: RepositoryName,
  text: string,
): Promise<void> {
  const session = await sessionOf(registry, name, text);
  if (session === undefined) throw uploadUnknown(text);
  const { uploadId } = session;
  await registry.uploads.inTurn(uploadId, async () => {
    const latest = await sessionOf(registry, name, text);
    if (latest === undefined) throw uploadUnknown(text);
    accepted(await registry.facts.submit({ type: 'EndUpload', uploadId, outcome: 'cancelled' }, exchange.origin));
    await registry.uploads.drop(uploadId);
    await dropParts(registry, registry.store(), latest.upload);
    exchange.begin(204, {});
    exchange.response.end();
  });
}
