/** Moving in: from heketi's database, with a look at the hosts before anything is written; and back again. */
import { readFile, writeFile } from 'node:fs/promises';
import { AdoptionAnswer, type DumpFinding, HostsAnswer, readHeketiDump, type DumpReading } from '@brickyard/contracts';
import { type AdoptCommand, compareWithHosts, planImport, volumesSeen } from '@brickyard/domain';
import type { Command } from 'commander';
import { z } from 'zod';
import { parseAnswer, type Context } from '../context';
import { EXIT, UsageError, type ExitCode } from '../exit-codes';
import { positionOf } from '../picture/api-picture';
import { act, NoFlags, type Shell } from './act';

const HOSTS_PER_LOOK = 50;
/** The server takes a megabyte; an entry is far smaller. */
const CHUNK_CHARACTERS = 200_000;
const CHUNK_THINGS = 200;

const ImportFlags = z.object({
  dump: z.string(),
  yes: z.boolean().default(false),
  withoutHosts: z.boolean().default(false),
});

async function readDump(file: string): Promise<DumpReading> {
  const text = await readFile(file, 'utf8');
  try {
    return readHeketiDump(JSON.parse(text));
  } catch (error) {
    throw new UsageError(`${file}: ${error instanceof Error ? error.message : ''}`);
  }
}

/** Every host as its agent sees it now. */
export async function lookAtHosts(context: Context, names: readonly string[]): Promise<HostsAnswer> {
  const hosts: HostsAnswer['hosts'] = [];
  const silent: string[] = [];
  for (let from = 0; from < names.length; from += HOSTS_PER_LOOK) {
    const query = names.slice(from, from + HOSTS_PER_LOOK).map((name) => `name=${encodeURIComponent(name)}`);
    const answer = await context.get(`/v1/hosts?${query.join('&')}`, HostsAnswer, undefined);
    hosts.push(...answer.hosts);
    silent.push(...answer.silent);
  }
  return { hosts, silent };
}

function chunksOf(commands: readonly AdoptCommand[]): AdoptCommand[][] {
  const chunks: AdoptCommand[][] = [];
  let characters = 0;
  for (const command of commands) {
    const size = JSON.stringify(command).length;
    const last = chunks.at(-1);
    if (last === undefined || last.length >= CHUNK_THINGS || characters + size > CHUNK_CHARACTERS) {
      chunks.push([command]);
      characters = size;
    } else {
      last.push(command);
      characters += size;
    }
  }
  return chunks;
}

/** Sends what is to be taken over; repeating it after a break takes over only what is missing. */
export async function sendAdoptions(context: Context, commands: readonly AdoptCommand[]): Promise<AdoptionAnswer> {
  let adopted = 0;
  const refused: AdoptionAnswer['refused'] = [];
  for (const adopt of chunksOf(commands)) {
    const answer = parseAnswer(AdoptionAnswer, await context.api.post('/v1/adoptions', { adopt }));
    adopted += answer.adopted;
    refused.push(...answer.refused);
  }
  return { adopted, refused };
}

const countOf = (commands: readonly AdoptCommand[], type: AdoptCommand['type']): string =>
  String(commands.filter((command) => command.type === type).length);

/** One line about what would be, or was, taken over. */
export const summaryOf = (commands: readonly AdoptCommand[]): string =>
  `${countOf(commands, 'AdoptCluster')} clusters, ${countOf(commands, 'AdoptNode')} nodes, ` +
  `${countOf(commands, 'AdoptDevice')} devices, ${countOf(commands, 'AdoptVolume')} volumes`;

/** What is wrong, as a table; nothing when nothing is. */
export const findingLines = (context: Context, title: string, findings: readonly DumpFinding[]): string[] =>
  findings.length === 0
    ? [`${title}: none`]
    : [
        `${title}: ${String(findings.length)}`,
        ...context.table(
          ['ABOUT', 'PROBLEM', 'DONE ABOUT IT'],
          findings.map(({ subject, problem, done }) => [subject, problem, done]),
        ),
      ];

/** What is planned and what speaks against it, as both ways of moving in tell it. */
export interface MovingIn {
  readonly commands: readonly AdoptCommand[];
  readonly findings: readonly DumpFinding[];
  readonly differences: readonly DumpFinding[];
  readonly silent: readonly string[];
}

/** From the first thing on that is taken over. */
const HELD =
  'The API is read-only now. Look at `brickyard drift list`; then let changes in again: brickyard import confirm';

/** Shows a plan, and carries it out when that was asked for. */
export async function moveIn(context: Context, plan: MovingIn, isWanted: boolean): Promise<ExitCode> {
  const { commands, findings, differences, silent } = plan;
  const silentLines = silent.length === 0 ? [] : [`Hosts that do not answer: ${silent.join(', ')}`];
  const lines = [
    ...findingLines(context, 'Inconsistencies', findings),
    ...findingLines(context, 'Differences from the hosts', differences),
    ...silentLines,
  ];
  if (!isWanted) {
    context.print({ ...plan, adopted: 0, refused: [] }, () => [
      ...lines,
      `Would take over ${summaryOf(commands)}. Nothing was written; say --yes to do it.`,
    ]);
    return EXIT.fine;
  }
  const { adopted, refused } = await sendAdoptions(context, commands);
  const refusals = refused.map(({ subject, reason }) => ({ subject, problem: reason, done: 'left out' }));
  context.print({ ...plan, adopted, refused }, () => [
    ...lines,
    ...(refused.length === 0 ? [] : findingLines(context, 'Refused', refusals)),
    ...(commands.length === 0
      ? ['There is nothing new to take over.']
      : [`Took over ${String(adopted)} of ${String(commands.length)} things (${summaryOf(commands)}).`]),
    ...(adopted === 0 ? [] : [HELD]),
  ]);
  return refused.length === 0 ? EXIT.fine : EXIT.refused;
}

async function importHeketi(context: Context, flags: z.infer<typeof ImportFlags>): Promise<ExitCode> {
  context.refuseAt();
  const { dump, findings } = await readDump(flags.dump);
  const names = [...dump.nodes.values()].map(({ Info }) => Info.hostnames.manage[0] ?? '');
  const looks = flags.withoutHosts ? { hosts: [], silent: [] } : await lookAtHosts(context, names);
  const plan = planImport(dump, volumesSeen(looks.hosts));
  const silent = looks.silent;
  const moving = {
    commands: plan.commands,
    findings: [...findings, ...plan.findings],
    differences: compareWithHosts(plan.commands, looks.hosts),
    silent,
  };
  if (flags.yes && silent.length > 0) {
    await moveIn(context, moving, false);
    throw new UsageError(
      'hosts do not answer; start their agents, or say --without-hosts to go on without a comparison',
    );
  }
  return moveIn(context, moving, flags.yes);
}

const Mode = z.object({ state: z.string() });

/** Ends the time in which nobody may change anything; where no import had begun one the mode stays what it is. */
async function confirmAdoption(context: Context): Promise<undefined> {
  context.refuseAt();
  const before = await context.get('/admin', Mode);
  const answer = await context.api.post('/v1/adoptions/confirm', {});
  const { state } = await context.get(`/admin?after=${String(positionOf(answer))}`, Mode);
  const asSet = `the mode is ${state}, as somebody set it: SIGUSR2 to any gateway ends it`;
  if (state === before.state) {
    throw new Error(`nothing to confirm: no import holds changes back${state === 'normal' ? '' : `; ${asSet}`}`);
  }
  const line = state === 'normal' ? 'The API takes changes again.' : `Confirmed; but ${asSet}`;
  context.confirm({ confirmed: true, mode: state }, line);
  return undefined;
}

/** `brickyard import …` and `brickyard export …`. */
export function importCommands(program: Command, shell: Shell): void {
  const imports = program.command('import').description('take over what another system managed');
  const heketi = imports
    .command('heketi')
    .description("everything in heketi's database, its ids kept; shown only, unless --yes is said")
    .requiredOption('--dump <file>', 'what `heketi db export` wrote, or GET /db/dump answers')
    .option('--without-hosts', 'do not compare with the hosts; volumes of several sets are left out')
    .option('--yes', 'take it over');
  act(shell, heketi, ImportFlags, (context, _, flags) => importHeketi(context, flags));
  const confirm = imports.command('confirm').description('let changes in again, once hosts and log were compared');
  act(shell, confirm, NoFlags, (context) => confirmAdoption(context));
  const exports = program.command('export').description('the state for another system');
  const toHeketi = exports
    .command('heketi')
    .description("the state as heketi's database, for `heketi db import`")
    .option('--file <file>', 'write it there, unless the file exists');
  act(shell, toHeketi, z.object({ file: z.string().optional() }), async (context, _, { file }) => {
    const { body } = await context.answer('/db/dump');
    const text = `${JSON.stringify(body, undefined, 4)}\n`;
    if (file === undefined) context.outside.out(text);
    else {
      await writeFile(file, text, { flag: 'wx', mode: 0o600 });
      context.confirm({ file }, `Wrote ${file}`);
    }
    return undefined;
  });
}
