/** `POST`: an upload begins, or is not needed. */
import { createHash, randomUUID } from 'node:crypto';
import { type Digest, DigestAlgorithm as Algorithm, RepositoryName, UploadId } from '@brickyard/contracts';
import type { LiveUpload } from '../../bytes/live-uploads';
import { accepted, isRejected, type Registry } from '../../registry';
import type { Exchange } from '../exchange';
import { algorithmOf } from '../manifest-shape';
import { OciError } from '../oci-error';
import { digestIn } from '../route';
import { digestSoFar, takeBody } from './body';
import { checkDigest, linkBlob } from './link-blob';
import { blobHeaders, standing, wantedDigest } from './session';

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
    checkDigest(digest, digestSoFar(live));
    await part.sync();
    await linkBlob(registry, exchange.origin, name, { digest, part, store });
  } catch (error) {
    await part.discard(store);
    throw error;
  }
  exchange.digest = digest;
  exchange.send(201, blobHeaders(name, digest));
}
