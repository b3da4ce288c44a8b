/** Completion for shells, made from the commands that there are. */
import type { Command, Option } from 'commander';
import { UsageError } from '../exit-codes';
import { act, NoFlags, type Shell } from './act';

const SHELLS = ['bash', 'zsh'];

/** Each command by its words, with what can follow them. */
export function followers(program: Command): ReadonlyMap<string, readonly string[]> {
  const known = new Map<string, readonly string[]>();
  const walk = (command: Command, path: readonly string[]): void => {
    const subs = command.commands.map((sub) => sub.name());
    const flags = command.options.flatMap(({ long }) => (long === undefined ? [] : [long]));
    const choices = command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices);
    known.set(path.join(' '), [...subs, ...choices, ...flags, '--help']);
    for (const sub of command.commands) walk(sub, [...path, sub.name()]);
  };
  walk(program, []);
  return known;
}

/** Flags that take a value wherever there are flags of the name, with what the value may be where that is known. */
function valuedFlags(program: Command): ReadonlyMap<string, readonly string[]> {
  const options: Option[] = [];
  const walk = (command: Command): void => {
    options.push(...command.options);
    for (const sub of command.commands) walk(sub);
  };
  walk(program);
  const switches = new Set(options.filter((option) => option.isBoolean()).flatMap(namesOf));
  const valued = options.filter((option) => option.required);
  return new Map(
    valued.flatMap((option) =>
      namesOf(option)
        .filter((name) => !switches.has(name))
        .map((name) => [name, option.argChoices ?? []] as const),
    ),
  );
}

const namesOf = ({ short, long }: Option): string[] => [short, long].filter((name) => name !== undefined);

/** A script for bash; zsh runs it through its own bridge. */
export function completionScript(program: Command, shell: string): string {
  const name = program.name();
  const cases = [...followers(program)].map(
    ([path, words]) => `    '${path}') words='${words.map((word) => word.replaceAll("'", '')).join(' ')}' ;;`,
  );
  const valued = valuedFlags(program);
  const choices = [...valued].filter(([, words]) => words.length > 0);
  const bridge = shell === 'zsh' ? ['autoload -U +X bashcompinit && bashcompinit'] : [];
  return [
    ...bridge,
    `_${name.replaceAll('-', '_')}() {`,
    "  local path='' word words='' before=''",
    `  local valued=' ${[...valued.keys()].join(' ')} '`,
    '  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
    // A flag's value is no command. Bash parts words at = and : as well.
    '    case "$valued$before" in *" $before "*|*[=:]) ;;',
    '      *) case "$word" in -*|[=:]) ;; *) path="${path:+$path }$word" ;; esac ;;',
    '    esac',
    '    before="$word"',
    '  done',
    '  case "$before" in',
    ...choices.map(([flag, words]) => `    ${flag}) words='${words.join(' ')}' ;;`),
    '    *) case "$valued$before" in *" $before "*|*[=:]) return ;; esac ;;',
    '  esac',
    // Arguments such as ids are no commands: the longest known beginning counts.
    `  while [ -z "$words" ]; do`,
    '    case "$path" in',
    ...cases,
    '    esac',
    '    [ -n "$words$path" ] || break',
    '    case "$path" in *" "*) path="${path% *}" ;; *) path="" ;; esac',
    '  done',
    '  COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))',
    '}',
    `complete -o default -F _${name.replaceAll('-', '_')} ${name}`,
    '',
  ].join('\n');
}

/** `brickyard completion bash|zsh`. */
export function completionCommand(program: Command, shell: Shell): void {
  const command = program
    .command('completion')
    .argument('<shell>', SHELLS.join(' or '))
    .description('a script to source: completes commands and flags');
  act(shell, command, NoFlags, (context, [wanted = '']) => {
    if (!SHELLS.includes(wanted)) throw new UsageError(`completion for ${SHELLS.join(' and ')}; not for ${wanted}`);
    context.outside.out(completionScript(program, wanted));
    return Promise.resolve(undefined);
  });
}
