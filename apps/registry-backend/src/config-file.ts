/** The registry's configuration file: what differs between repositories, and who is told of what. */
import { readFileSync } from 'node:fs';
import type { RepositoryName, RepositoryRules, Tag } from '@brickyard/contracts';
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

export const ConfigFile = z.strictObject({
  repositories: z.array(Repositories).default([]),
  access: z.array(Access).optional(),
  webhooks: z.array(Webhook).default([]),
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
