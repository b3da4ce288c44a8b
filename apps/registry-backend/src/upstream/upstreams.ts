/** Which other registry a repository comes from. */
import { RepositoryName, type Tag } from '@brickyard/contracts';
import type { TagTarget } from '@brickyard/domain/registry';
import { createSlots, type Logger, type Metrics } from '@brickyard/service-host';
import { nameThere, type UpstreamConfig } from '../config-file';
import { OciError } from '../http/oci-error';
import type { Exchange } from '../http/exchange';
import type { Route } from '../http/route';
import type { BlobFetch } from './blob-fetch';
import type { FetchedManifest } from './fetched-manifest';
import { Flights } from './flights';
import { UpstreamClient } from './upstream-client';
import { type UpstreamMetrics, upstreamMetrics } from './upstream-metrics';

const NAMES_KEPT = 10_000;
/** Blobs that one replica fetches at a time; more wait. */
const FETCHES_MAX = 32;
/** Registries that ask each other in a chain, at most. */
const HOPS_MAX = 4;
const PSEUDONYM = /\bbrickyard-registry-([0-9a-f-]{8,64})\b/g;

/** One configured upstream, and what is under way with it on this replica. */
export interface Upstream {
  readonly config: UpstreamConfig;
  readonly client: UpstreamClient;
  readonly manifests: Flights<FetchedManifest>;
  readonly blobs: Map<string, BlobFetch>;
  /** When tags were last compared, milliseconds since 1970, by repository and tag. */
  readonly compared: Recent;
  /** When uses were last told to the log. */
  readonly told: Recent;
}

/** Moments by name, the oldest forgotten when there are too many. */
export class Recent {
  readonly #moments = new Map<string, number>();

  get(name: string): number {
    return this.#moments.get(name) ?? 0;
  }

  set(name: string, moment: number): void {
    this.#moments.delete(name);
    this.#moments.set(name, moment);
    const [oldest] = this.#moments.keys();
    if (this.#moments.size > NAMES_KEPT && oldest !== undefined) this.#moments.delete(oldest);
  }
}

/** A repository here, and what it is there. */
export interface Source {
  readonly upstream: Upstream;
  readonly name: RepositoryName;
  /** As the upstream calls it. */
  readonly remote: string;
  /** Host and repository, for the log. */
  readonly fetchedFrom: string;
}

/** All of them; most registries have none. */
export class Upstreams {
  readonly all: readonly Upstream[];
  readonly metrics: UpstreamMetrics | undefined;
  readonly fetching = createSlots(FETCHES_MAX);
  readonly #sources = new Map<RepositoryName, Source | undefined>();

  constructor(
    configs: readonly UpstreamConfig[],
    /** Differs between replicas and between runs of one. */
    private readonly replica: string,
    metrics: Metrics,
    log: Logger,
  ) {
    const counted = configs.length === 0 ? undefined : upstreamMetrics(metrics);
    this.metrics = counted;
    this.all =
      counted === undefined
        ? []
        : configs.map((config) => ({
            config,
            client: new UpstreamClient(config, counted, log),
            manifests: new Flights(),
            blobs: new Map(),
            compared: new Recent(),
            told: new Recent(),
          }));
  }

  /** Where a repository comes from; undefined when it is one of our own. The first entry that matches counts. */
  of(name: RepositoryName): Source | undefined {
    if (this.all.length === 0) return undefined;
    if (this.#sources.has(name)) return this.#sources.get(name);
    const source = this.all.map((upstream) => sourceIn(upstream, name)).find((one) => one !== undefined);
    if (this.#sources.size >= NAMES_KEPT) this.#sources.clear();
    this.#sources.set(name, source);
    return source;
  }

  /** The route that is meant: containerd asks a mirror by the names of the upstream, and which one in `?ns=`. */
  meant(route: Route, exchange: Exchange): Route {
    if (this.all.length === 0 || !exchange.hasQuery || !('name' in route) || route.kind === 'bad-name') return route;
    const namespace = exchange.query.get('ns');
    const upstream = this.all.find(({ config }) => namespace !== null && config.namespaces.includes(namespace));
    if (upstream === undefined || upstream.config.prefix === '') return route;
    const name = RepositoryName.safeParse(`${upstream.config.prefix}/${route.name}`);
    return name.success ? { ...route, name: name.data } : { kind: 'bad-name', name: route.name };
  }

  /** What our questions say of the way they came; refuses one that has been here before. */
  viaOf(exchange: Exchange): string {
    const before = exchange.header('via') ?? '';
    const passed = [...before.matchAll(PSEUDONYM)].map(([, one]) => one);
    if (passed.includes(this.replica) || passed.length >= HOPS_MAX) {
      throw new OciError('UNSUPPORTED', 'the upstreams of this registry lead back to it', { status: 508 });
    }
    return [...passed, this.replica].map((one) => `1.1 brickyard-registry-${one ?? ''}`).join(', ');
  }

  /** Whether a tag was compared with the upstream's not long ago; fetching it was a comparison. */
  isFresh({ upstream, name }: Source, tag: Tag, target: TagTarget): boolean {
    const { compared, config } = upstream;
    const at = Math.max(compared.get(`${name}:${tag}`), Date.parse(target.movedAt));
    return Date.now() - at < config.tagTtlSeconds * 1_000;
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    for (const { blobs, client } of this.all) {
      const fetches = [...blobs.values()];
      for (const fetch of fetches) fetch.abort();
      await Promise.all(fetches.map(({ ended }) => ended));
      client.close();
    }
  }
}

function sourceIn(upstream: Upstream, name: RepositoryName): Source | undefined {
  const remote = nameThere(upstream.config, name);
  return remote === undefined
    ? undefined
    : { upstream, name, remote, fetchedFrom: `${new URL(upstream.config.url).host}/${remote}` };
}
