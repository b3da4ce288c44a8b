/** Where a repository comes from, as its content has it: what somebody pushed here is ours, whatever the settings say. */
import type { RepositoryName } from '@brickyard/contracts';
import type { Repository } from '@brickyard/domain/registry';
import type { Registry } from '../registry';
import type { Source } from './upstreams';

/** Looked at once for as long as the map is the same. */
const owned = new WeakMap<Repository['manifests'], boolean>();

/**
 * The upstream of a repository; undefined when it is one of our own. An entry of the settings that comes to cover
 * repositories with images that were pushed does not turn them into copies of something else.
 */
export function sourceOf({ upstreams, facts, log }: Registry, name: RepositoryName): Source | undefined {
  const source = upstreams.of(name);
  const manifests = source === undefined ? undefined : facts.current.state.repositories.get(name)?.manifests;
  if (source === undefined || manifests === undefined) return source;
  const known = owned.get(manifests);
  if (known !== undefined) return known ? undefined : source;
  const isOwn = [...manifests.values()].some(({ isFetched }) => isFetched !== true);
  owned.set(manifests, isOwn);
  if (!isOwn) return source;
  log.warn({ repository: name, upstream: source.upstream.config.name }, 'pushed images are here: it stays our own');
  return undefined;
}
