/** The command line: what there is to say and how it ends. */
import { ApiError, describeError } from '@brickyard/service-host/client';
import { Command, CommanderError } from 'commander';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { several, type Shell } from './commands/act';
import { filesFor } from './commands/command-files';
import type { Outside } from './context';
import { EXIT, EXIT_CODES_HELP, exitCodeOf, type ExitCode, UsageError } from './exit-codes';
import { heketiComplaint } from './heketi/complaints';

/** The version of this package. */
const version = (): string => {
  const { version: text } = JSON.parse(readFileSync(join(__dirname, '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  return text;
};

function programFor(argv: readonly string[], shell: Shell): Command {
  const name = shell.outside.style === 'heketi' ? 'heketi-cli' : 'brickyard';
  const program = new Command(name)
    .description('Storage for containers, and proof of what was done to it')
    .option('-s, --server <url>', 'URL of the API')
    .option('--user <name>', 'admin or user')
    .option('--secret <key>', "that user's key")
    .option('-I, --insecure-tls', 'believe any server that it is the right one')
    .option('-C, --tls-cert <file>', 'authority to trust (PEM); may be repeated', several)
    .option('--json', 'print data instead of tables')
    .option('--at <moment>', 'look at the past: a position of the log or a time')
    .addHelpText('after', EXIT_CODES_HELP)
    .version(`${name} ${version()}`, '-v, --version', 'the version of this command')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        shell.outside.out(text);
      },
      writeErr: (text) => {
        shell.outside.err(text);
      },
    });
  for (const file of filesFor(argv)) file.read()(program, shell);
  inherit(program, program);
  if (shell.outside.style === 'heketi') complainAsHeketi(program, []);
  return program;
}

/** Sub-commands made with `command()` take over settings; this makes sure of it whatever the order. */
function inherit(command: Command, from: Command): void {
  for (const sub of command.commands) {
    sub.copyInheritedSettings(from);
    inherit(sub, from);
  }
}

/** The parser's complaints in heketi-cli's words; `words` are the nouns and the verb that lead to a command. */
function complainAsHeketi(command: Command, words: readonly string[]): void {
  command.configureOutput({
    outputError: (text, write) => {
      write(heketiComplaint(words, text));
    },
  });
  for (const sub of command.commands) complainAsHeketi(sub, [...words, sub.name()]);
}

/** What would have helped, and where more is told of it: heketi-cli's users do not expect either. */
function adviceOf(error: unknown): string {
  if (!(error instanceof ApiError)) return '';
  const { remedy, refusal } = error.advice;
  const lines = [remedy, refusal === undefined ? undefined : `why: brickyard explain refusal ${refusal}`];
  return lines.map((line) => (line === undefined ? '' : `  → ${line}\n`)).join('');
}

const usageOf = ({ style }: Outside): ExitCode => (style === 'heketi' ? EXIT.heketi : EXIT.usage);

/** Runs one command line, without the program's own name; resolves with the exit code, problems told. */
export async function runCli(argv: readonly string[], outside: Outside): Promise<ExitCode> {
  let code: ExitCode = EXIT.fine;
  const shell: Shell = {
    outside,
    ended: (told) => {
      code = told;
    },
  };
  try {
    await programFor(argv, shell).parseAsync(argv, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.fine : usageOf(outside);
    if (outside.style === 'heketi') {
      outside.err(`Error: ${error instanceof UsageError ? error.heketi : describeError(error)}\n`);
      return EXIT.heketi;
    }
    outside.err(`brickyard: ${describeError(error)}\n${adviceOf(error)}`);
    return exitCodeOf(error);
  }
}
