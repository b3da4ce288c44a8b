/** Tags and referrers as the upstream lists them; what is held is the answer while it cannot be asked. */
import { Digest, Tag } from '@brickyard/contracts';
import { z } from 'zod';
import type { Exchange } from '../http/exchange';
import { listReferrers, listTags } from '../http/listings';
import { OCI_INDEX } from '../http/manifest-shape';
import { OciError } from '../http/oci-error';
import { digestOf } from '../http/route';
import { factsFor, type Registry } from '../registry';
import { bytesOf } from './hop';
import { errorOf, tellOutcome, tellStale } from './told';
import type { Source } from './upstreams';
import { UpstreamTrouble } from './upstream-trouble';

const LIST_BYTES_MAX = 16 * 1024 * 1024;

const Tags = z.object({ tags: z.array(z.string()).nullish() });
const Index = z.looseObject({
  schemaVersion: z.literal(2),
  manifests: z.array(z.looseObject({ digest: Digest, size: z.int().min(0), mediaType: z.string() })),
});

interface List {
  readonly value: unknown;
  readonly headers: Readonly<Record<string, string>>;
}

/** `GET /v2/<name>/tags/list` of a repository that comes from elsewhere. */
export async function listCachedTags(registry: Registry, exchange: Exchange, source: Source): Promise<void> {
  const { query } = exchange;
  const local = async (): Promise<void> => {
    listTags(exchange, await factsFor(registry, query.get('at')), source.name);
  };
  if (query.has('at')) return local();
  try {
    const list = await listed(registry, exchange, source, '/tags/list', ['n', 'last']);
    if (list === undefined) throw new OciError('NAME_UNKNOWN', 'the upstream has no such repository');
    const given = Tags.safeParse(list.value);
    if (!given.success) throw new UpstreamTrouble('unusable', 'what should be a list of tags is none');
    const tags = (given.data.tags ?? []).filter((tag) => Tag.safeParse(tag).success);
    tellOutcome(exchange, 'miss');
    exchange.json(200, { name: source.name, tags }, list.headers);
  } catch (error) {
    await heldOr(registry, exchange, source, error, local);
  }
  return undefined;
}

/** `GET /v2/<name>/referrers/<digest>` of one. An upstream without that list has its referrers under tags. */
export async function listCachedReferrers(
  registry: Registry,
  exchange: Exchange,
  source: Source,
  text: string,
): Promise<void> {
  const digest = digestOf(text);
  const { query } = exchange;
  const local = async (): Promise<void> =>
    listReferrers(registry, exchange, await factsFor(registry, query.get('at')), source.name, text);
  if (query.has('at')) {
    await local();
    return;
  }
  try {
    const parameters = ['artifactType', 'n', 'last', 'token', 'nextToken', 'page'];
    const list = await listed(registry, exchange, source, `/referrers/${digest}`, parameters, true);
    const given = Index.safeParse(list?.value);
    if (list === undefined || !given.success) {
      await local();
      return;
    }
    tellOutcome(exchange, 'miss');
    exchange.json(200, given.data, { ...list.headers, 'content-type': OCI_INDEX });
  } catch (error) {
    await heldOr(registry, exchange, source, error, local, true);
  }
}

/** The upstream's list and, when there is more, the way to it through us; undefined when it has none. */
async function listed(
  registry: Registry,
  exchange: Exchange,
  { upstream, remote, name }: Source,
  path: string,
  parameters: readonly string[],
  isOptional = false,
): Promise<List | undefined> {
  const via = registry.upstreams.viaOf(exchange);
  const asked = new URLSearchParams();
  for (const parameter of parameters) {
    for (const value of exchange.query.getAll(parameter)) asked.append(parameter, value);
  }
  const text = asked.toString();
  const { client, config } = upstream;
  if (client.isResting && client.trouble !== undefined) throw client.trouble;
  const response = await client.ask({
    method: 'GET',
    repository: remote,
    path: `${path}${text === '' ? '' : `?${text}`}`,
    via,
    isOptional,
  });
  if (response === undefined) return undefined;
  const bytes = await bytesOf(response, LIST_BYTES_MAX).catch(() => undefined);
  if (bytes === undefined) throw new UpstreamTrouble('unusable', `${config.name}: a list is too long or broke off`);
  const next = /<[^>?]*\?([^>]*)>\s*;\s*rel="?next"?/.exec(headerOf(response.headers['link']))?.[1];
  const filters = headerOf(response.headers['oci-filters-applied']);
  return {
    value: jsonIn(bytes),
    headers: {
      ...(next === undefined
        ? {}
        : { link: `</v2/${name}${path}?${new URLSearchParams(next).toString()}>; rel="next"` }),
      ...(filters === 'artifactType' ? { 'oci-filters-applied': filters } : {}),
    },
  };
}

async function heldOr(
  registry: Registry,
  exchange: Exchange,
  { name, upstream }: Source,
  error: unknown,
  local: () => Promise<void>,
  isAlwaysThere = false,
): Promise<void> {
  if (!(error instanceof UpstreamTrouble)) throw error;
  const at = await registry.facts.readable();
  if (!isAlwaysThere && at.state.repositories.get(name) === undefined) throw errorOf(error);
  tellStale(exchange, upstream.config.name);
  await local();
}

const headerOf = (header: string | string[] | undefined): string =>
  Array.isArray(header) ? header.join(', ') : (header ?? '');

function jsonIn(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
