/** What heketi never had: operations, history, status, and what changed between two moments. */
import type { Command } from 'commander';
import { z } from 'zod';
import { Operation, OperationList, Status } from '../answers';
import { authorsOf, whoIn } from '../picture/authors';
import type { Context } from '../context';
import { UsageError } from '../exit-codes';
import { EventPage } from '../explain.answers';
import { changesBetween, type Change, type Picture } from '../picture/picture';
import { pictureFromApi } from '../picture/api-picture';
import { picturesFromPostgres } from '../picture/postgres-pictures';
import { act, idFrom, NoFlags, WholeNumber, type Shell } from './act';
import { eventLines } from './explain.command';
import { parseMoment } from '../context';
import { idOf } from './named';
import { imageHistory } from './registry.command';
import { pgUrlFrom } from './audit.command';

const HISTORY_KINDS = ['cluster', 'node', 'device', 'volume', 'blockvolume', 'brick', 'operation', 'actor'] as const;
const HistoryFlags = z.object({ limit: WholeNumber.optional() });
const DiffFlags = z.object({ pg: z.string().optional() });

/** An actor goes by a name; of volumes and nodes a name does. */
async function subjectOf(context: Context, kind: (typeof HISTORY_KINDS)[number], text = ''): Promise<string> {
  if (kind === 'actor') return encodeURIComponent(text);
  return kind === 'volume' || kind === 'node' ? idOf(context, kind, text) : idFrom([text]);
}

function operationLines(context: Context, operation: Operation): string[] {
  const { step } = operation;
  const fields = [
    ['kind', operation.kind],
    ['subject', operation.subject],
    ['status', operation.status],
    ['started', operation.startedAt],
    ['ended', operation.endedAt],
    ['waits for', operation.waitsFor],
    ['detail', operation.detail],
    ['step', step === undefined ? undefined : `${step.name}, ${step.direction}, attempt ${String(step.attempt)}`],
  ] as const;
  return [
    `Operation ${operation.id}`,
    ...fields.flatMap(([name, value]) => (value === undefined ? [] : [`  ${name.padEnd(12)}${value}`])),
    ...(step === undefined
      ? []
      : [
          '',
          ...context.table(
            ['TASK', 'HOST', 'STATUS'],
            step.tasks.map(({ type, host, status }) => [type, host, status]),
          ),
        ]),
  ];
}

function operationCommands(program: Command, shell: Shell): void {
  const operation = program.command('operation').description('work on the hosts');
  act(
    shell,
    operation.command('list').description('running ones, then those that ended last'),
    NoFlags,
    async (context) => {
      const { operations } = await context.get('/v1/operations', OperationList);
      const rows = operations.map(({ id, kind, subject, status, startedAt, endedAt, waitsFor, detail }) => [
        id,
        kind,
        subject,
        status,
        endedAt ?? startedAt ?? '',
        detail ?? waitsFor ?? '',
      ]);
      context.print(operations, () =>
        context.table(['OPERATION', 'KIND', 'SUBJECT', 'STATUS', 'SINCE', 'DETAIL'], rows),
      );
      return undefined;
    },
  );
  act(
    shell,
    operation.command('info').argument('<id>').description('one operation'),
    NoFlags,
    async (context, args) => {
      const shown = await context.get(`/v1/operations/${idFrom(args)}`, Operation);
      context.print(shown, () => operationLines(context, shown));
      return undefined;
    },
  );
}

function historyCommand(program: Command, shell: Shell): void {
  const history = program
    .command('history')
    .argument('<kind>', `${HISTORY_KINDS.join(', ')}, image`)
    .argument('<id>', 'of an image: repository:tag')
    .description('every event about one thing or by one actor: who, from where, by which request, because of what')
    .option('--limit <events>', 'the latest so many; 1000 when absent');
  act(shell, history, HistoryFlags, async (context, args, { limit }) => {
    if (args[0] === 'image') {
      await imageHistory(context, args[1] ?? '', limit);
      return undefined;
    }
    const kind = HISTORY_KINDS.find((one) => one === args[0]);
    if (kind === undefined)
      throw new UsageError(`history of ${HISTORY_KINDS.join(', ')}; not of ${args[0] ?? 'nothing'}`);
    const query = limit === undefined ? '' : `?limit=${String(limit)}`;
    const id = await subjectOf(context, kind, args[1]);
    const { events } = await context.get(`/v1/history/${kind}s/${id}${query}`, EventPage);
    context.print(events, () => eventLines(context, events));
    return undefined;
  });
}

function statusLines(context: Context, { position, leader, problem, counts, nodes }: z.infer<typeof Status>): string[] {
  const rows = nodes.map(({ id, host, state, lifecycle, lost, lostSince, residue, agent }) => {
    const heard = !agent.heard ? 'never heard' : agent.alive === true ? 'alive' : 'silent';
    const health = lost ? `lost since ${lostSince ?? 'then'}` : lifecycle === 'ready' ? state : lifecycle;
    return [id, host, health, heard, agent.host ?? '', String(residue)];
  });
  return [
    `Position ${String(position)}${leader === undefined ? '' : `, epoch ${String(leader.epoch)}`}`,
    ...(problem === undefined ? [] : [`Problem: ${problem}`]),
    Object.entries(counts)
      .map(([name, count]) => `${name} ${String(count)}`)
      .join(', '),
    '',
    ...context.table(['NODE', 'HOST', 'STATE', 'AGENT', 'KIND', 'RESIDUE'], rows),
  ];
}

const changeLines = ({ kind, id, what, fields }: Change, who: readonly string[]): string[] => [
  `${{ added: '+', removed: '-', changed: '~' }[what]} ${kind} ${id}`,
  ...fields
    .filter(({ field }) => what === 'changed' || !field.startsWith('brick '))
    .map(({ field, before, after }) => {
      if (what !== 'changed') return `    ${field}: ${after ?? before ?? ''}`;
      return `    ${field}: ${before ?? '(nothing)'} → ${after ?? '(nothing)'}`;
    }),
  ...who.map((text) => `    by ${text}`),
];

async function twoPictures(
  context: Context,
  from: string,
  to: string,
  pgUrl: string | undefined,
): Promise<[Picture, Picture]> {
  if (pgUrl !== undefined) return picturesFromPostgres(pgUrl, from, to);
  return [await pictureFromApi(context, from), await pictureFromApi(context, to)];
}

function diffCommand(program: Command, shell: Shell): void {
  const diff = program
    .command('diff')
    .argument('<from>', 'a position or a time')
    .argument('<to>', 'a position or a time')
    .description('what changed between two moments, and who did it')
    .option('--pg <url>', 'read Postgres instead of asking the API');
  act(shell, diff, DiffFlags, async (context, [first = '', second = ''], { pg }) => {
    const [from, to] = [parseMoment(first), parseMoment(second)];
    const pgUrl = pg === undefined ? undefined : pgUrlFrom(pg, context);
    const [before, after] = await twoPictures(context, from, to, pgUrl);
    if (before.position > after.position) throw new UsageError(`${first} is after ${second}`);
    const changes = changesBetween(before, after);
    const authors = await authorsOf(context, pgUrl, changes, before.position, after.position);
    const told = changes.map((change) => ({ ...change, by: whoIn(change, authors) }));
    const data = { from: before.position, to: after.position, changes: told };
    context.print(data, () => [
      `From position ${String(before.position)} to ${String(after.position)}: ${String(changes.length)} thing(s) changed`,
      ...told.flatMap((change) => changeLines(change, change.by)),
    ]);
    return undefined;
  });
}

/** `brickyard operation|history|status|diff`. */
export function lookCommands(program: Command, shell: Shell): void {
  operationCommands(program, shell);
  historyCommand(program, shell);
  act(shell, program.command('status').description('the whole at a glance'), NoFlags, async (context) => {
    const status = await context.get('/v1/status', Status);
    context.print(status, () => statusLines(context, status));
    return undefined;
  });
  diffCommand(program, shell);
}
