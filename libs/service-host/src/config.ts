import { z } from 'zod';

/** The environment does not say what the service needs; the message lists every variable at fault, never a value. */
export class ConfigError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(`Configuration is not usable:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

/** Reads a service's settings from its environment variables; an empty variable counts as absent. */
export function readConfig<T>(schema: z.ZodType<T>, env: NodeJS.ProcessEnv): T {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  throw new ConfigError(result.error.issues.map((issue) => describeIssue(issue, schema, given)));
}

function describeIssue(issue: z.core.$ZodIssue, schema: z.ZodType, given: Record<string, unknown>): string {
  const name = String(issue.path[0] ?? 'environment');
  const meaning = schema instanceof z.ZodObject ? descriptionOf((schema.shape as z.ZodRawShape)[name]) : undefined;
  const problem = name in given || issue.path.length === 0 ? issue.message : `is not set; ${issue.message}`;
  return `${name}: ${problem}${meaning === undefined ? '' : ` (${meaning})`}`;
}

function descriptionOf(field: z.core.$ZodType | undefined): string | undefined {
  return field === undefined ? undefined : z.globalRegistry.get(field)?.description;
}
