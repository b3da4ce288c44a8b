import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** The environment does not say what the service needs; the message lists every variable at fault, never a value. */
export class ConfigError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(`Configuration is not usable:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

/**
 * Reads a service's settings from its environment variables; an empty variable counts as absent. The value of any of
 * them may lie in a file instead, named by the variable with `_FILE` at its end: secrets do not belong into an environment.
 */
export function readConfig<T>(schema: z.ZodType<T>, env: NodeJS.ProcessEnv): T {
  const direct = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const given = { ...direct, ...valuesFromFiles(schema, direct) };
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  throw new ConfigError(result.error.issues.map((issue) => describeIssue(issue, schema, given)));
}

const FILE = '_FILE';

/** A value given directly wins; the last line break of a file does not belong to it. */
function valuesFromFiles(
  schema: z.ZodType,
  given: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  if (!(schema instanceof z.ZodObject)) return {};
  const shape = schema.shape as z.ZodRawShape;
  const named = Object.keys(shape).filter((name) => !(name in given) && !(`${name}${FILE}` in shape));
  return Object.fromEntries(
    named.flatMap((name) => {
      const path = given[`${name}${FILE}`];
      return path === undefined ? [] : [[name, readFile(path, `${name}${FILE}`)] as const];
    }),
  );
}

function readFile(path: string, variable: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    const { code = 'unknown reason' } = error as NodeJS.ErrnoException;
    throw new ConfigError([`${variable}: ${path} cannot be read (${code})`]);
  }
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
