/** The registry's configuration file: what differs between repositories, and who is told of what. */
import { readFileSync } from 'node:fs';
import { RepositoryName, type RepositoryRules, type Tag } from '@brickyard/contracts';
import { z } from 'zod';

const pattern = z.string().min(1).max(300);
const whole = z.int().min(0);

/** Which tags of a repository stay; whatever none of these keeps goes. */
const Keep = z.strictObject({
  /** Tags that match one of these stay in any case. */
  tags: z.array(pattern).default([]),
  /** The tags that were moved last, so many. */
  newest: whole.optional(),
  /** Tags that were moved within so many days. */
  days: whole.optional(),
  /** Manifests without a tag that nothing names go after so many days; absent: they stay. */
  untaggedDays: whole.optional(),
});

const Repositories = z.strictObject({
  /** `*` is any part of one component, `**` any number of components. The first entry that matches counts. */
  match: pattern,
  quotaBytes: whole.optional(),
  /** Patterns of tags that never move once they exist. */
  fixedTags: z.array(pattern).default([]),
  /** An index may name manifests that are not there. */
  sparse: z.boolean().default(false),
  keep: Keep.optional(),
});

const Access = z.strictObject({
  match: pattern,
  /** Names of users; `*` is everybody who has said who he is, `anonymous` everybody else too. */
  users: z.array(z.string().min(1)).min(1),
  actions: z.array(z.enum(['pull', 'push', 'delete'])).min(1),
});

const Webhook = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  url: z.url(),
  headers: z.record(z.string(), z.string()).default({}),
  timeoutMs: z.int().min(100).max(60_000).default(5_000),
  ignoreActions: z.array(z.enum(['push', 'mount', 'delete'])).default([]),
  ignoreMediaTypes: z.array(z.string()).default([]),
});
export type Webhook = z.infer<typeof Webhook>;

/** Another registry whose content is fetched when it is asked for, and kept. */
const Upstream = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/),
  /** Scheme, host and port, nothing else. */
  url: z
    .url({ protocol: /^https?$/ })
    .refine((text) => new URL(text).href === `${new URL(text).origin}/`, 'must be scheme, host and port, nothing else'),
  /** Before the upstream's names here: `hub` makes `library/alpine` there `hub/library/alpine` here; none: the same names. */
  prefix: z.union([RepositoryName, z.literal('')]).default(''),
  /** Names by which containerd asks for it in `?ns=`. */
  namespaces: z.array(z.string().min(1)).default([]),
  /** Which of its repositories, by the names there. */
  repositories: z.array(pattern).min(1).default(['**']),
  credentialsFile: z.string().optional(),
  caFile: z.string().optional(),
  /** For so long nobody asks whether a tag has moved. */
  tagTtlSeconds: whole.max(31_536_000).default(300),
  /** After so long a tag that is held is answered from here. */
  slowMs: z.int().min(100).max(60_000).default(3_000),
  /** After so long without the head of an answer the upstream is taken to be away. */
  timeoutMs: z.int().min(100).max(120_000).default(20_000),
  /** Without it nothing goes. */
  keep: z
    .strictObject({
      /** What nobody has pulled for so many days goes. */
      days: whole.optional(),
      /** The manifests pulled longest ago go until the others need no more than so many bytes. */
      bytes: whole.optional(),
    })
    .optional(),
});
export type UpstreamConfig = z.infer<typeof Upstream>;

export const ConfigFile = z.strictObject({
  repositories: z.array(Repositories).default([]),
  access: z.array(Access).optional(),
  webhooks: z.array(Webhook).default([]),
  upstreams: z
    .array(Upstream)
    .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, 'two upstreams have the same name')
    .default([]),
});
export type ConfigFile = z.infer<typeof ConfigFile>;
export type RepositoryConfig = ConfigFile['repositories'][number];

export const emptyConfig: ConfigFile = ConfigFile.parse({});

/** Reads the file; throws with every problem in it. */
export function readConfigFile(file: string): ConfigFile {
  const text = readFileSync(file, 'utf8');
  const parsed = ConfigFile.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `  ${path.join('.')}: ${message}`);
  throw new Error(`${file} is not usable:\n${problems.join('\n')}`);
}

const compiled = new Map<string, RegExp>();

/** Whether a name or tag matches a pattern with `*` and `**`. */
export function matchesPattern(text: string, glob: string): boolean {
  let expression = compiled.get(glob);
  if (expression === undefined) {
    const source = glob
      .split(/(\*\*|\*)/)
      .map((part) => (part === '**' ? '.*' : part === '*' ? '[^/]*' : part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')))
      .join('');
    expression = new RegExp(`^${source}$`);
    compiled.set(glob, expression);
  }
  return expression.test(text);
}

/** What the file says of a repository. */
export const configOf = ({ repositories }: ConfigFile, name: string): RepositoryConfig | undefined =>
  repositories.find(({ match }) => matchesPattern(name, match));

/** What a command must know of it. */
export function rulesFrom(config: ConfigFile, name: RepositoryName, tags: readonly Tag[] = []): RepositoryRules {
  const found = configOf(config, name);
  if (found === undefined) return {};
  const fixedTags = tags.filter((tag) => found.fixedTags.some((glob) => matchesPattern(tag, glob)));
  return {
    ...(found.quotaBytes === undefined ? {} : { quotaBytes: found.quotaBytes }),
    ...(fixedTags.length === 0 ? {} : { fixedTags }),
    ...(found.sparse ? { isSparse: true } : {}),
  };
}

/** What an upstream calls a repository of ours; undefined when it does not come from there. */
export function nameThere({ prefix, repositories }: UpstreamConfig, name: RepositoryName): string | undefined {
  if (prefix !== '' && !name.startsWith(`${prefix}/`)) return undefined;
  const there = prefix === '' ? name : name.slice(prefix.length + 1);
  return repositories.some((glob) => matchesPattern(there, glob)) ? there : undefined;
}

/** The upstream a repository comes from; the first entry that matches counts. */
export const upstreamOf = (upstreams: readonly UpstreamConfig[], name: RepositoryName): UpstreamConfig | undefined =>
  upstreams.find((upstream) => nameThere(upstream, name) !== undefined);
