/** How a command is bound to what it does: its flags are parsed once, at this door. */
import type { ApiAnswer } from '@brickyard/service-host/client';
import { Option, type Command } from 'commander';
import { z } from 'zod';
import { Context, GlobalOptions, type Outside } from '../context';
import { EXIT, UsageError, type ExitCode } from '../exit-codes';
import { operationOf } from './change';

/** What a command does: its arguments and flags, its exit code when it is not 0. */
export type Work<Flags> = (context: Context, args: readonly string[], flags: Flags) => Promise<ExitCode | undefined>;

/** Where commands are hung on and how their end is told. */
export interface Shell {
  readonly outside: Outside;
  ended(code: ExitCode): void;
}

/** Lets a command do its work. */
export function act<Flags>(shell: Shell, command: Command, flags: z.ZodType<Flags>, work: Work<Flags>): void {
  command.action(async () => {
    const context = new Context(shell.outside, globalOptionsOf(command));
    try {
      const code = await work(context, command.processedArgs.flat() as string[], parseFlags(flags, command.opts()));
      shell.ended(code ?? EXIT.fine);
    } finally {
      context.close();
    }
  });
}

/** `topology load` takes a file where all others take a switch. */
function globalOptionsOf(command: Command): GlobalOptions {
  const given = command.optsWithGlobals<{ readonly json?: unknown }>();
  return GlobalOptions.parse({ ...given, json: given.json === true });
}

/** For commands without flags of their own. */
export const NoFlags = z.object({});

function parseFlags<Flags>(schema: z.ZodType<Flags>, given: unknown): Flags {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new UsageError(`--${String(issue?.path[0] ?? '')}: ${issue?.message ?? 'not understood'}`);
}

/** A whole number, as a flag. */
export const WholeNumber = z
  .string()
  .regex(/^\d{1,15}$/, 'must be a whole number')
  .transform(Number);

/** `--wait`, which is on unless told otherwise. */
export const waitOption = (): Option =>
  new Option('--wait <true|false>', 'wait until the hosts have done it').default('true').choices(['true', 'false']);

/** Whether to wait. */
export const Wait = z
  .enum(['true', 'false'])
  .default('true')
  .transform((text) => text === 'true');

/** What an id looks like. */
export const ID = /^[0-9a-f]{32}$/;

/** The argument of a command that must be an id; `heketi` is what its server says of any other. */
export function idFrom([id = '']: readonly string[], heketi = 'Invalid path or request'): string {
  if (ID.test(id)) return id;
  throw new UsageError(`not an id: ${id}; ids have 32 hexadecimal digits`, heketi);
}

/** The same for an id that is part of a request. */
export const fieldIdFrom = (field: string, id: string): string =>
  idFrom([id], `validation failed: ${field}: ${id} is not a valid UUID.`);

/** Collects an option that may be repeated. */
export const several = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

/** Words separated by commas, as heketi-cli takes lists; an option's text may hold spaces. */
export const listed = (text: string | undefined): readonly string[] =>
  text === undefined || text === '' ? [] : text.split(',').map((word) => word.trim());

/** Tells where a change can be watched that nobody waits for. */
export function tellAccepted(context: Context, answer: ApiAnswer): void {
  const operation = operationOf(answer);
  context.print({ operation }, () => [`Accepted: brickyard operation info ${operation}`]);
}
