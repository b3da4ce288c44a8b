/** Which tags and manifests the rules of retention let go: a plan made from facts alone. */
import type { Digest, RepositoryName, Tag } from '@brickyard/contracts';
import type { RegistryState, Repository } from '@brickyard/domain/registry';
import { type ConfigFile, configOf, matchesPattern, type RepositoryConfig } from '../config-file';
import { planEviction } from './eviction';

const DAY_MS = 86_400_000;

export interface RetentionPlan {
  readonly tags: readonly { readonly repository: RepositoryName; readonly tag: Tag; readonly digest: Digest }[];
  readonly manifests: readonly { readonly repository: RepositoryName; readonly digest: Digest }[];
  /** Manifests that were fetched and can be again, with the tags that point to them. */
  readonly evicted: readonly { readonly repository: RepositoryName; readonly digest: Digest }[];
}

/** What goes at a moment; a repository without a rule keeps everything. */
export function planRetention(state: RegistryState, config: ConfigFile, nowMs: number): RetentionPlan {
  const tags: RetentionPlan['tags'][number][] = [];
  const manifests: RetentionPlan['manifests'][number][] = [];
  for (const [repository, facts] of state.repositories.entries()) {
    const keep = configOf(config, repository)?.keep;
    if (keep === undefined) continue;
    const going = goingTags(facts, keep, nowMs);
    for (const tag of going) {
      const target = facts.tags.get(tag);
      if (target !== undefined) tags.push({ repository, tag, digest: target.digest });
    }
    for (const digest of goingManifests(facts, keep, nowMs)) manifests.push({ repository, digest });
  }
  return { tags, manifests, evicted: planEviction(state, config.upstreams, nowMs) };
}

type Keep = NonNullable<RepositoryConfig['keep']>;

function goingTags({ tags }: Repository, keep: Keep, nowMs: number): readonly Tag[] {
  if (keep.newest === undefined && keep.days === undefined) return []; // No rule says that a tag may go.
  const byAge = [...tags.entries()].sort(([, one], [, other]) => (one.movedAt < other.movedAt ? 1 : -1));
  return byAge.flatMap(([tag, { movedAt }], index) => {
    const isNamed = keep.tags.some((glob) => matchesPattern(tag, glob));
    const isNew = keep.newest !== undefined && index < keep.newest;
    const isYoung = keep.days !== undefined && nowMs - Date.parse(movedAt) < keep.days * DAY_MS;
    return isNamed || isNew || isYoung ? [] : [tag];
  });
}

/** Manifests that no tag, no index and no subject holds. */
function goingManifests({ tags, manifests, needed }: Repository, keep: Keep, nowMs: number): readonly Digest[] {
  const { untaggedDays } = keep;
  if (untaggedDays === undefined) return [];
  const tagged = new Set([...tags.values()].map(({ digest }) => digest));
  return [...manifests.entries()].flatMap(([digest, { pushedAt, subject }]) => {
    const isHeld = tagged.has(digest) || needed.has(digest) || (subject !== undefined && manifests.has(subject));
    const isYoung = nowMs - Date.parse(pushedAt) < untaggedDays * DAY_MS;
    return isHeld || isYoung ? [] : [digest];
  });
}
