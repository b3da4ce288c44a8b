/** Which fetched manifests go: nobody has pulled them for long, or there is more than there should be. From facts alone. */
import type { Digest, RepositoryName } from '@brickyard/contracts';
import type { Manifest, RegistryState } from '@brickyard/domain/registry';
import { type UpstreamConfig, upstreamOf } from '../config-file';

const DAY_MS = 86_400_000;

interface Cached {
  readonly repository: RepositoryName;
  readonly digest: Digest;
  readonly manifest: Manifest;
}

/** What goes at a moment; an upstream without a rule keeps everything. */
export function planEviction(
  state: RegistryState,
  upstreams: readonly UpstreamConfig[],
  nowMs: number,
): readonly { readonly repository: RepositoryName; readonly digest: Digest }[] {
  if (upstreams.every(({ keep }) => keep === undefined)) return [];
  const byUpstream = new Map<UpstreamConfig, Cached[]>(upstreams.map((upstream) => [upstream, []]));
  for (const [repository, { manifests }] of state.repositories.entries()) {
    const upstream = upstreamOf(upstreams, repository);
    const cached = upstream === undefined ? undefined : byUpstream.get(upstream);
    for (const [digest, manifest] of manifests.entries()) {
      if (manifest.isFetched === true) cached?.push({ repository, digest, manifest });
    }
  }
  return [...byUpstream].flatMap(([{ keep }, cached]) => going(state, keep ?? {}, cached, nowMs));
}

/** When it was pulled last, as far as the log knows. */
const usedAt = ({ manifest }: Cached): string => manifest.pulledAt ?? manifest.pushedAt;

function going(
  state: RegistryState,
  { days, bytes: bytesMax }: NonNullable<UpstreamConfig['keep']>,
  cached: readonly Cached[],
  nowMs: number,
): readonly { readonly repository: RepositoryName; readonly digest: Digest }[] {
  const byAge = [...cached].sort((one, other) => (usedAt(one) < usedAt(other) ? -1 : 1));
  const isOld = (one: Cached): boolean => days !== undefined && nowMs - Date.parse(usedAt(one)) >= days * DAY_MS;
  const sizes = new Sizes(state, byAge);
  const gone: Cached[] = [];
  for (const one of byAge) {
    const isTooMuch = bytesMax !== undefined && sizes.total > bytesMax;
    if (!isOld(one) && !isTooMuch) break; // The others are younger.
    sizes.without(one);
    gone.push(one);
  }
  return gone.map(({ repository, digest }) => ({ repository, digest }));
}

/** Bytes that manifests need, each blob counted once however many name it. */
class Sizes {
  readonly #uses = new Map<Digest, number>();
  #total = 0;

  constructor(
    private readonly state: RegistryState,
    cached: readonly Cached[],
  ) {
    for (const one of cached) for (const digest of needsOf(one)) this.#use(digest, 1);
  }

  get total(): number {
    return this.#total;
  }

  without(one: Cached): void {
    for (const digest of needsOf(one)) this.#use(digest, -1);
  }

  #use(digest: Digest, by: 1 | -1): void {
    const before = this.#uses.get(digest) ?? 0;
    this.#uses.set(digest, before + by);
    if ((by === 1 && before === 0) || (by === -1 && before === 1)) {
      this.#total += by * (this.state.blobs.get(digest)?.size ?? 0);
    }
  }
}

/** A manifest and what it names; other manifests count for themselves. */
const needsOf = ({ digest, manifest }: Cached): readonly Digest[] => [digest, ...manifest.references];
