/** The command line: what there is to say and how it ends. */
import { describeError } from '@brickyard/service-host';
import { Command, CommanderError } from 'commander';
import type { Shell } from './commands/act';
import { auditCommands } from './commands/audit.command';
import { clusterCommands } from './commands/cluster.command';
import { lookCommands } from './commands/look.command';
import { nodeCommands } from './commands/node.command';
import { volumeCommands } from './commands/volume.command';
import type { Outside } from './context';
import { EXIT, EXIT_CODES_HELP, exitCodeOf, type ExitCode } from './exit-codes';

function programFor(shell: Shell): Command {
  const program = new Command('brickyard')
    .description('Storage for containers, and proof of what was done to it')
    .option('-s, --server <url>', 'URL of the API')
    .option('--user <name>', 'admin or user')
    .option('--secret <key>', "that user's key")
    .option('--json', 'print data instead of tables')
    .option('--at <moment>', 'look at the past: a position of the log or a time')
    .addHelpText('after', EXIT_CODES_HELP)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        shell.outside.out(text);
      },
      writeErr: (text) => {
        shell.outside.err(text);
      },
    });
  for (const add of [clusterCommands, nodeCommands, volumeCommands, lookCommands, auditCommands]) add(program, shell);
  inherit(program, program);
  return program;
}

/** Sub-commands made with `command()` take over settings; this makes sure of it whatever the order. */
function inherit(command: Command, from: Command): void {
  for (const sub of command.commands) {
    sub.copyInheritedSettings(from);
    inherit(sub, from);
  }
}

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
    await programFor(shell).parseAsync(argv, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.fine : EXIT.usage;
    outside.err(`brickyard: ${describeError(error)}\n`);
    return exitCodeOf(error);
  }
}
