/** `brickyard explain|what-if|events`: why things are as they are, what would be, and the log itself. */
import type { Command } from 'commander';
import { z } from 'zod';
import { type Context, parseAnswer, parseMoment } from '../context';
import { UsageError } from '../exit-codes';
import {
  EventPage,
  ExplainedOperation,
  ExplainedRefusal,
  ExplainedVolume,
  type LogEvent,
  WhatIf,
  type WhatIfAnswer,
} from '../explain.answers';
import { actorText } from '../picture/authors';
import { humanKib, parseGib } from '../sizes';
import { act, idFrom, NoFlags, WholeNumber, type Shell } from './act';
import { unknownTypesText } from './event-types';
import { idOf } from './named';
import { createRequest, shapeOptions, VolumeShape } from './volume-create.command';

const origin = (trigger: z.infer<typeof ExplainedOperation>['trigger']): string => {
  if (trigger === undefined) return '';
  const { actor, request, position, time } = trigger;
  const asked = request === undefined ? '' : `, ${request.method} ${request.path}`;
  return `${actorText(actor)}${asked}, position ${String(position)}, ${time}`;
};

const placeText = ({ host, name }: { readonly host: string; readonly name: string }): string => `${host} ${name}`;

function volumeLines(
  context: Context,
  { id, name, status, health, adopted, cloned, placements, moves }: z.infer<typeof ExplainedVolume>,
): string[] {
  return [
    `Volume ${id}  ${name ?? ''}  ${status}${health === undefined ? '' : `, ${health}`}`,
    ...(adopted === undefined
      ? []
      : [
          `  taken over from ${adopted.origin} by ${actorText(adopted.actor)}, position ${String(adopted.position)}, ${adopted.time}: nobody here chose where its bricks lie`,
        ]),
    ...(cloned === undefined
      ? []
      : [
          `  a clone of ${cloned.origin}, asked for by ${actorText(cloned.actor)}, position ${String(cloned.position)}, ${cloned.time}: its bricks share the pools of that volume's`,
        ]),
    ...placements.flatMap((placement) => [
      '',
      `${placement.type} by ${origin(placement)}`,
      ...(placement.instead === undefined ? [] : [`  planned again, since: ${placement.instead}`]),
      ...placement.attempts.map(
        ({ sets, brickKib, outcome }) => `  ${String(sets)} set(s) of bricks of ${humanKib(brickKib)}: ${outcome}`,
      ),
      ...placement.sets.flatMap((set) => [
        '',
        `Set ${String(set.set)}, ${set.order === 'walk' ? 'devices in the order of the walk' : 'emptiest nodes first'}:`,
        ...context.table(
          ['TURN', 'HOST', 'DEVICE', 'ZONE', 'FREE', 'VERDICT', 'WHY'],
          set.devices.map((device) => [
            device.rank === undefined ? '-' : String(device.rank),
            device.host,
            device.name,
            String(device.zone),
            humanKib(device.free),
            device.verdict,
            device.why,
          ]),
        ),
      ]),
      ...placement.unusable.map(({ host, name: device, why }) => `  not considered: ${host} ${device}: ${why}`),
    ]),
    ...moves.flatMap((move) => [
      '',
      `${move.type} by ${origin(move)}`,
      `  brick ${move.brick} ${move.result}${move.from === undefined ? '' : ` from ${placeText(move.from)}`} to ${placeText(move.to)}, where it is brick ${move.to.brick}`,
      ...(move.detail === undefined ? [] : [`  ${move.detail}`]),
      ...move.passedOver.map((place) => `  passed over: ${placeText(place)}: ${place.why}`),
    ]),
  ];
}

function operationLines(context: Context, operation: z.infer<typeof ExplainedOperation>): string[] {
  const fields = [
    ['kind', operation.kind],
    ['subject', operation.subject],
    ['status', operation.status],
    ['set off by', origin(operation.trigger)],
    ['waits for', operation.waitsFor],
    ['next', operation.next],
    ['detail', operation.detail],
  ] as const;
  const rows = operation.steps.flatMap(({ name, direction, attempt, startedAt, tasks }) =>
    tasks.map((task) => [
      `${name}${direction === 'act' ? '' : ` (${direction})`}${attempt > 1 ? ` #${String(attempt)}` : ''}`,
      startedAt,
      task.type,
      task.host,
      task.status,
      task.tookMs === undefined ? '' : `${String(task.tookMs)} ms`,
      task.detail ?? '',
    ]),
  );
  return [
    `Operation ${operation.id}`,
    ...fields.flatMap(([name, value]) => (value === undefined || value === '' ? [] : [`  ${name.padEnd(12)}${value}`])),
    ...(operation.plan === undefined
      ? []
      : [`  plan        ${operation.plan.map(({ name, status }) => `${name} (${status})`).join(' → ')}`]),
    '',
    ...context.table(['STEP', 'STARTED', 'TASK', 'HOST', 'STATUS', 'TOOK', 'DETAIL'], rows),
  ];
}

function refusalLines(context: Context, refusal: z.infer<typeof ExplainedRefusal>): string[] {
  const { id, actor, request, position, refusedAt, reason, remedy, clusters = [] } = refusal;
  return [
    `Refusal ${id}: ${request.method} ${request.path} by ${actorText(actor)}, ${refusedAt}, on position ${String(position)}`,
    `  ${reason ?? 'today it would not be refused'}`,
    ...(remedy === undefined ? [] : [`  ${remedy}`]),
    ...clusters.flatMap(({ cluster, kind, devices = [] }) => [
      '',
      `Cluster ${cluster ?? ''}: ${kind}`,
      ...context.table(
        ['HOST', 'DEVICE', 'ZONE', 'FREE', 'RULE', 'WHY'],
        devices.map(({ host, name, zone, free, rule, why }) => [host, name, String(zone), humanKib(free), rule, why]),
      ),
    ]),
  ];
}

function explainCommand(program: Command, shell: Shell): void {
  const explain = program
    .command('explain')
    .argument('<kind>', 'volume, operation or refusal')
    .argument('<id>')
    .description('why a volume lies where it lies; what an operation did, waits for and will do');
  act(shell, explain, NoFlags, async (context, args) => {
    const id = args[0] === 'volume' ? await idOf(context, 'volume', args[1]) : idFrom(args.slice(1));
    if (args[0] === 'volume') {
      const volume = await context.get(`/v1/explain/volumes/${id}`, ExplainedVolume);
      context.print(volume, () => volumeLines(context, volume));
    } else if (args[0] === 'operation') {
      const operation = await context.get(`/v1/explain/operations/${id}`, ExplainedOperation);
      context.print(operation, () => operationLines(context, operation));
    } else if (args[0] === 'refusal') {
      const refusal = await context.get(`/v1/explain/refusals/${id}`, ExplainedRefusal);
      context.print(refusal, () => refusalLines(context, refusal));
    } else throw new UsageError(`explain volume, operation or refusal; not ${args[0] ?? 'nothing'}`);
    return undefined;
  });
}

const Moment = z.string().transform(parseMoment);

const EventFlags = z.object({
  stream: z.string().optional(),
  type: z.string().optional(),
  actor: z.string().optional(),
  address: z.string().optional(),
  operation: z.string().optional(),
  mentions: z.string().optional(),
  from: Moment.optional(),
  to: Moment.optional(),
  limit: WholeNumber.default(100),
});

/** Events in a table, the request that led to each beside it. */
export const eventLines = (context: Context, events: readonly LogEvent[]): string[] =>
  context.table(
    ['POSITION', 'TIME', 'EVENT', 'STREAM', 'BY', 'REQUEST', 'CAUSE', 'TRACE'],
    events.map(({ position, time, type, stream, actor, request, commandId, cause, trigger, traceId }) => [
      String(position),
      time,
      type,
      stream,
      actorText(actor),
      request === undefined ? (commandId ?? '') : `${request.method} ${request.path}`,
      [cause, trigger]
        .filter((one) => one !== undefined)
        .map((one) => `${one.type}@${String(one.position)}`)
        .filter((text, index, all) => all.indexOf(text) === index)
        .join(' ← … ← '),
      traceId ?? '',
    ]),
  );

/** Pages are asked for until there are enough events or no more. */
export async function eventsFrom(context: Context, query: URLSearchParams, limit: number): Promise<LogEvent[]> {
  query.set('limit', String(Math.min(limit, PAGE_MAX)));
  let page = await context.get(`/v1/events?${query.toString()}`, EventPage);
  const events = [...page.events];
  while (page.next !== undefined && events.length < limit) {
    page = parseAnswer(EventPage, await context.api.get(page.next)); // The path says of which moment.
    events.push(...page.events);
  }
  return events.slice(0, limit);
}

const PAGE_MAX = 10_000;

function eventsCommand(program: Command, shell: Shell): void {
  const events = program
    .command('events')
    .description('events of the log that pass a filter, the latest last')
    .option('--stream <name>', 'of one thing, such as volume-<id>')
    .option('--type <types>', 'of these types, separated by commas')
    .option('--actor <name>', 'caused by somebody, or on their behalf')
    .option('--address <address>', 'asked for from an address')
    .option('--operation <id>', 'of one operation')
    .option('--mentions <id>', 'that name an id')
    .option('--from <moment>', 'from a position or after a time')
    .option('--to <moment>', 'up to a position or time')
    .option('--limit <events>', 'the latest so many', '100');
  act(shell, events, EventFlags, async (context, _, { limit, ...filter }) => {
    const warning = unknownTypesText(filter.type);
    if (warning !== undefined) context.outside.err(`${warning}\n`);
    const query = new URLSearchParams({ order: 'newest' });
    for (const [name, value] of Object.entries(filter)) if (value !== undefined) query.set(name, value);
    const found = (await eventsFrom(context, query, limit)).reverse();
    context.print(found, () => eventLines(context, found));
    return undefined;
  });
}

const GrowFlags = VolumeShape.extend({ node: z.string(), deviceSize: z.string(), count: WholeNumber });

async function tellStory(
  context: Context,
  steps: readonly object[],
  lines: (told: z.infer<typeof WhatIf>) => string[],
): Promise<void> {
  const { at } = context;
  const path = at === undefined ? '/v1/what-if' : `/v1/what-if?at=${encodeURIComponent(at)}`;
  const told = WhatIf.parse((await context.api.post(path, { steps })).body);
  context.print(told, () => [
    `On a fork of the log at position ${String(told.position)}; nothing was changed.`,
    ...lines(told),
  ]);
}

function createLines(context: Context, { fits, bricks, reason, remedy }: WhatIfAnswer): string[] {
  if (fits !== true) return ['It does not fit.', `  ${reason ?? ''}`, ...(remedy === undefined ? [] : [`  ${remedy}`])];
  const rows = (bricks ?? []).map(({ set, place, host, deviceId, sizeKib }) => [
    String(set),
    String(place),
    host,
    deviceId,
    humanKib(sizeKib),
  ]);
  return ['It fits:', ...context.table(['SET', 'PLACE', 'HOST', 'DEVICE', 'BRICK'], rows)];
}

function fillLines({ count, isAll, endedBy }: WhatIfAnswer): string[] {
  const more = isAll === true ? '' : 'at least ';
  return [
    `${more}${String(count ?? 0)} more of these volumes fit.`,
    ...(endedBy === undefined
      ? []
      : [`  The next one: ${endedBy.reason}`, ...(endedBy.remedy === undefined ? [] : [`  ${endedBy.remedy}`])]),
  ];
}

function evacuationText(evacuation: WhatIfAnswer['evacuation']): string {
  if (evacuation === undefined) return '';
  const { fits, moves = 0, blocked = 0, remedy } = evacuation;
  if (fits) return `Its ${String(moves)} brick(s) fit elsewhere.`;
  return `${String(blocked)} of its bricks fit nowhere else. ${remedy ?? ''}`;
}

function loseLines(context: Context, { host, touched, counts, volumes, evacuation }: WhatIfAnswer): string[] {
  const told = Object.entries(counts ?? {}).filter(([, count]) => count > 0);
  return [
    `Without ${host ?? ''}: ${String(touched ?? 0)} volume(s) touched: ${told.map(([health, count]) => `${String(count)} ${health}`).join(', ')}`,
    evacuationText(evacuation),
    ...context.table(
      ['VOLUME', 'NAME', 'BEFORE', 'AFTER'],
      (volumes ?? []).map(({ id, name, before, after }) => [id, name, before, after]),
    ),
  ];
}

function whatIfCommands(program: Command, shell: Shell): void {
  const whatIf = program.command('what-if').description('what would happen, without letting it happen');
  const create = shapeOptions(whatIf.command('create-volume').description('where would its bricks go, if anywhere'));
  act(shell, create, VolumeShape, async (context, _, flags) => {
    await tellStory(context, [{ do: 'create-volume', volume: createRequest(flags) }], ({ steps }) =>
      steps.flatMap((step) => createLines(context, step)),
    );
    return undefined;
  });
  const fill = shapeOptions(whatIf.command('fill').description('how many more volumes of this shape fit'));
  act(shell, fill, VolumeShape, async (context, _, flags) => {
    await tellStory(context, [{ do: 'fill', volume: createRequest(flags) }], ({ steps }) => steps.flatMap(fillLines));
    return undefined;
  });
  const lose = whatIf.command('lose-node').argument('<ids...>').description('which volumes suffer without these nodes');
  act(shell, lose, NoFlags, async (context, args) => {
    const nodes = await Promise.all(args.map((text) => idOf(context, 'node', text)));
    const steps = nodes.map((node) => ({ do: 'lose-node', node }));
    await tellStory(context, steps, (told) => told.steps.flatMap((step) => loseLines(context, step)));
    return undefined;
  });
  const grow = shapeOptions(
    whatIf
      .command('add-devices')
      .description('how many more volumes of a shape fit when a node gets more devices')
      .requiredOption('--node <id>', 'the node that gets them')
      .requiredOption('--device-size <size>', 'the size of each, such as 4TiB')
      .option('--count <devices>', 'how many', '1'),
  );
  act(shell, grow, GrowFlags, async (context, _, flags) => {
    const volume = createRequest(flags);
    const { node, deviceSize, count } = flags;
    const add = { do: 'add-devices', node, sizeGib: parseGib(deviceSize), count };
    await tellStory(context, [{ do: 'fill', volume }, add, { do: 'fill', volume }], ({ steps }) => [
      ...steps.slice(0, 1).flatMap(fillLines),
      `With ${String(count)} device(s) of ${deviceSize} on ${steps[1]?.host ?? node}, beyond those:`,
      ...steps.slice(2).flatMap(fillLines),
    ]);
    return undefined;
  });
}

/** `brickyard explain|events|what-if`. */
export function explainCommands(program: Command, shell: Shell): void {
  explainCommand(program, shell);
  eventsCommand(program, shell);
  whatIfCommands(program, shell);
}
