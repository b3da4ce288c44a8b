/** Manifests of other registries: by digest from what is held, by tag from there too as long as it was compared not long ago. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Digest, Tag } from '@brickyard/contracts';
import { describeError } from '@brickyard/service-host';
import type { Manifest } from '@brickyard/domain/registry';
import type { ReadableState } from '../facts/folded-facts';
import type { Origin } from '../facts/registry-facts';
import { momentIn } from '../history/past-facts';
import type { Exchange } from '../http/exchange';
import { algorithmOf, digestOfBytes, MANIFEST_TYPES, type ManifestShape, readManifest } from '../http/manifest-shape';
import { answerManifest, getManifest, manifestIn, sendManifest } from '../http/manifests';
import { OciError } from '../http/oci-error';
import { recordManifest } from '../http/record-manifest';
import { digestIn } from '../http/route';
import { isRejected, type Registry } from '../registry';
import type { FetchedManifest } from './fetched-manifest';
import { bytesOf, letGo } from './hop';
import { errorOf, tellOutcome, tellStale } from './told';
import type { Source } from './upstreams';
import { UpstreamTrouble } from './upstream-trouble';

/** A client waits so long for what it gets to be kept; then it gets it all the same. */
const RECORD_PATIENCE_MS = 2_000;
/** That a manifest was used is told to the log so often at most. */
const USE_TOLD_EVERY_MS = 6 * 3_600_000;
/** For so long nobody asks again for what the upstream does not have. */
const ABSENT_MS = 10_000;
/** For so long nobody asks again where we were refused: an account may be locked for asking too often. */
const DENIED_MS = 30_000;

interface Held {
  readonly digest: Digest;
  readonly manifest: Manifest;
}

/** What is asked for, and with what it is asked of the upstream. */
interface Wanted {
  readonly source: Source;
  readonly reference: string;
  readonly origin: Origin;
  readonly via: string;
}

/** `GET` and `HEAD /v2/<name>/manifests/<reference>` of a repository that comes from elsewhere. */
export function getCachedManifest(
  registry: Registry,
  exchange: Exchange,
  source: Source,
  reference: string,
): void | Promise<void> {
  const isOfThePast = momentIn(reference) !== undefined || (exchange.hasQuery && exchange.query.has('at'));
  if (isOfThePast) return getManifest(registry, exchange, source.name, reference);
  const isDigest = reference.includes(':');
  if (isDigest && digestIn(reference) === undefined) {
    throw new OciError('DIGEST_INVALID', 'not a digest: sha256:<64 hex> or sha512:<128 hex>');
  }
  if (!isDigest && !Tag.safeParse(reference).success) {
    throw new OciError('MANIFEST_UNKNOWN', 'no such manifest', { detail: { reference } });
  }
  const at = registry.facts.readable();
  const go = (state: ReadableState): void | Promise<void> => answer(registry, exchange, source, reference, state);
  return at instanceof Promise ? at.then(go) : go(at);
}

function answer(
  registry: Registry,
  exchange: Exchange,
  source: Source,
  reference: string,
  at: ReadableState,
): void | Promise<void> {
  const { upstreams } = registry;
  const held = heldIn(at, source, reference);
  const target = at.state.repositories.get(source.name)?.tags.get(reference as Tag);
  const isGood = target === undefined || upstreams.isFresh(source, reference as Tag, target);
  if (held !== undefined && isGood) {
    upstreams.metrics?.wanted('manifest', 'hit');
    tellOutcome(exchange, 'hit');
    tellUse(registry, exchange.origin, source, held);
    return answerManifest(registry, exchange, at, source.name, reference);
  }
  const wanted = { source, reference, origin: exchange.origin, via: upstreams.viaOf(exchange) };
  return asked(registry, exchange, wanted, held);
}

/** A manifest that is held and whose bytes are not known to be bad. */
function heldIn({ state }: ReadableState, { name }: Source, reference: string): Held | undefined {
  const repository = state.repositories.get(name);
  const found = repository === undefined ? undefined : manifestIn(repository, reference);
  const blob = found === undefined ? undefined : state.blobs.get(found.digest);
  return blob === undefined || blob.finding !== undefined ? undefined : found;
}

/** Asks the upstream; what is held is the answer when that fails. */
async function asked(registry: Registry, exchange: Exchange, wanted: Wanted, held: Held | undefined): Promise<void> {
  const { source, reference, origin } = wanted;
  const { metrics } = registry.upstreams;
  const { name } = source.upstream.config;
  try {
    const found = await comparedInTime(registry, wanted, held);
    if (found.kind === 'absent') throw new OciError('MANIFEST_UNKNOWN', `upstream ${name} has no such manifest`);
    metrics?.wanted('manifest', found.kind === 'unchanged' ? 'hit' : 'miss');
    tellOutcome(exchange, found.kind === 'unchanged' ? 'hit' : 'miss');
    if (found.kind === 'fetched') {
      exchange.digest = found.digest;
      sendManifest(exchange, found, found.bytes, reference, false);
      return;
    }
  } catch (error) {
    if (!(error instanceof UpstreamTrouble)) throw error;
    const { compared } = source.upstream;
    if (error.kind === 'denied' && Date.now() - compared.get(`denied ${source.name}`) >= DENIED_MS) {
      compared.set(`denied ${source.name}`, Date.now());
      registry.log.warn({ repository: source.name, reason: error.message }, 'an upstream refuses us a repository');
    }
    if (held === undefined) throw errorOf(error);
    const details = { upstream: name, repository: source.name, reference, reason: error.message };
    // Trouble with the upstream as a whole has been told once; this is about one image.
    if (error.kind === 'unusable')
      registry.log.warn(details, 'what an upstream has cannot be used: the held one is served');
    else registry.log.debug(details, 'the held manifest is served');
    metrics?.wanted('manifest', 'stale');
    tellStale(exchange, name);
  }
  if (held !== undefined) tellUse(registry, origin, source, held);
  await answerManifest(registry, exchange, await registry.facts.readable(), source.name, reference);
}

/** With something held nobody waits long, and not at all while the upstream is in trouble; it is asked all the same. */
async function comparedInTime(registry: Registry, wanted: Wanted, held: Held | undefined): Promise<FetchedManifest> {
  const { source, reference } = wanted;
  const { client, manifests, config, compared } = source.upstream;
  const { trouble } = client;
  const isLimited = client.isResting && trouble?.kind === 'limited';
  if (trouble !== undefined && (isLimited || (held !== undefined && client.isResting))) throw trouble;
  if (Date.now() - compared.get(`denied ${source.name}`) < DENIED_MS) {
    throw new UpstreamTrouble('denied', `${config.name} has refused this repository a moment ago`);
  }
  const absentAt = compared.get(`absent ${source.name}@${reference}`);
  if (held === undefined && Date.now() - absentAt < ABSENT_MS) return { kind: 'absent' };
  const comparing = manifests.run(`${source.name}@${reference}`, () => compare(registry, wanted, held));
  if (held === undefined) return comparing;
  const ending = new AbortController();
  const late = pause(config.slowMs, undefined, { signal: ending.signal, ref: false }).then(
    () => 'late' as const,
    () => 'late' as const,
  );
  const first = await Promise.race([comparing, late]);
  ending.abort();
  if (first !== 'late') return first;
  comparing.catch(() => undefined); // Whoever asks next sees what came of it.
  const slow = new UpstreamTrouble('slow', `${config.name} has not answered within ${String(config.slowMs)} ms`);
  client.noteTrouble(slow);
  throw slow;
}

/** Asks for the digest first when that may be all there is to know. */
async function compare(registry: Registry, wanted: Wanted, held: Held | undefined): Promise<FetchedManifest> {
  const { source, reference } = wanted;
  const { compared } = source.upstream;
  const isTag = !reference.includes(':');
  if (held !== undefined && isTag && (await digestThere(wanted)) === held.digest) {
    compared.set(`${source.name}:${reference}`, Date.now());
    return { kind: 'unchanged' };
  }
  const found = await fetchManifest(registry, wanted);
  if (found === undefined) {
    compared.set(`absent ${source.name}@${reference}`, Date.now());
    if (held !== undefined && isTag) await forget(registry, wanted);
    return { kind: 'absent' };
  }
  const isKept = await keep(registry, wanted, found);
  if (isTag) compared.set(`${source.name}:${reference}`, Date.now());
  return isKept === 'fixed' && held !== undefined
    ? { kind: 'unchanged' }
    : { kind: 'fetched', digest: found.digest, bytes: found.bytes, manifest: { mediaType: found.shape.mediaType } };
}

const asking = ({ source, reference, via }: Wanted, method: 'GET' | 'HEAD') =>
  source.upstream.client.ask({
    method,
    repository: source.remote,
    path: `/manifests/${reference}`,
    headers: { accept: MANIFEST_TYPES.join(', ') },
    via,
  });

/** What a tag points to there; undefined when it does not say, or has no such tag. */
async function digestThere(wanted: Wanted): Promise<Digest | undefined> {
  const head = await asking(wanted, 'HEAD');
  if (head === undefined) return undefined;
  letGo(head);
  return digestIn(head.headers['docker-content-digest'] as string | undefined);
}

interface Whole {
  readonly digest: Digest;
  readonly bytes: Buffer;
  readonly shape: ManifestShape;
}

/** The manifest, checked against every digest that anybody has named; undefined when there is none. */
async function fetchManifest(registry: Registry, wanted: Wanted): Promise<Whole | undefined> {
  const { source, reference } = wanted;
  const { name } = source.upstream.config;
  const { manifestBytesMax } = registry.settings;
  const unusable = (what: string, cause?: unknown): UpstreamTrouble =>
    new UpstreamTrouble('unusable', `${name}: ${what}`, { cause });
  const response = await asking(wanted, 'GET');
  if (response === undefined) return undefined;
  const bytes = await bytesOf(response, manifestBytesMax).catch((cause: unknown) => {
    throw new UpstreamTrouble('away', `${name}: a manifest broke off`, { cause });
  });
  if (bytes === undefined) throw unusable(`its manifest has more than ${String(manifestBytesMax)} bytes`);
  registry.upstreams.metrics?.pulled('manifest', bytes.length);
  const declared = digestIn(response.headers['docker-content-digest'] as string | undefined);
  const asked = digestIn(reference);
  const digest = digestOfBytes(bytes, algorithmOf(asked ?? declared ?? ('sha256:' as Digest)));
  for (const other of [asked, declared]) {
    const isComparable = other !== undefined && algorithmOf(other) === algorithmOf(digest);
    if (isComparable && other !== digest) throw unusable(`its manifest has the digest ${digest} and not ${other}`);
  }
  try {
    return { digest, bytes, shape: readManifest(bytes, response.headers['content-type']) };
  } catch (error) {
    throw unusable(`its manifest is none that is served here: ${describeError(error)}`, error);
  }
}

/** Keeps it; that it cannot be kept is no reason not to serve it. */
async function keep(registry: Registry, wanted: Wanted, found: Whole): Promise<'kept' | 'unkept' | 'fixed'> {
  const { source, reference, origin } = wanted;
  const { name, fetchedFrom, upstream } = source;
  const tag = reference.includes(':') ? [] : [Tag.parse(reference)];
  const recording = (async (): Promise<'kept' | 'unkept' | 'fixed'> => {
    const outcome = await recordManifest(registry, origin, { name, tags: tag, fetchedFrom, ...found });
    if (outcome.kind === 'accepted') {
      registry.manifests.put(found.digest, found.bytes);
      return 'kept';
    }
    const details = { repository: name, reference, rejection: outcome.rejection };
    registry.log.warn(details, 'a manifest that was fetched is not kept');
    registry.upstreams.metrics?.unstored(upstream.config.name, 'manifest');
    return isRejected(outcome, 'TagFixed') ? 'fixed' : 'unkept';
  })().catch((error: unknown) => {
    registry.log.warn(
      { repository: name, reference, reason: describeError(error) },
      'a manifest that was fetched is not kept',
    );
    registry.upstreams.metrics?.unstored(upstream.config.name, 'manifest');
    return 'unkept' as const;
  });
  return Promise.race([recording, pause(RECORD_PATIENCE_MS, 'unkept' as const, { ref: false })]);
}

/** The upstream says, as a registry does, that the tag is gone. */
async function forget(registry: Registry, { source, reference, origin }: Wanted): Promise<void> {
  const command = { type: 'DeleteTag', repository: source.name, tag: Tag.parse(reference), cause: 'upstream' } as const;
  try {
    await registry.facts.submit(command, origin);
  } catch (error) {
    registry.log.warn({ repository: source.name, reference, reason: describeError(error) }, 'a tag is not removed');
  }
}

/** Tells the log now and then that a manifest is in use, where that decides what stays. */
function tellUse(registry: Registry, origin: Origin, { upstream, name }: Source, { digest, manifest }: Held): void {
  if (upstream.config.keep === undefined) return;
  const key = `${name}@${digest}`;
  const last = Math.max(upstream.told.get(key), Date.parse(manifest.pulledAt ?? manifest.pushedAt));
  if (Date.now() - last < USE_TOLD_EVERY_MS) return;
  upstream.told.set(key, Date.now());
  registry.facts.submit({ type: 'RecordPull', repository: name, digest }, origin).catch((error: unknown) => {
    registry.log.debug({ repository: name, digest, reason: describeError(error) }, 'a use is not recorded');
  });
}
