/** Where hosts and log differ: seen, and settled one way or the other. */
import type { Command } from 'commander';
import { z } from 'zod';
import type { Context } from '../context';
import { EXIT } from '../exit-codes';
import { act, idFrom, NoFlags, Wait, waitOption, type Shell } from './act';

const Proposal = z.union([
  z.object({ possible: z.literal(true), does: z.string() }),
  z.object({ possible: z.literal(false), reason: z.string() }),
]);
const Drift = z.looseObject({
  id: z.string(),
  class: z.string(),
  about: z.string(),
  expected: z.string(),
  found: z.string(),
  nodes: z.array(z.object({ id: z.string(), host: z.string() })),
  since: z.string(),
  operation: z.string().optional(),
  lastFailure: z.looseObject({ operation: z.string(), at: z.string(), detail: z.string() }).optional(),
  accept: Proposal,
  restore: Proposal,
});
type Drift = z.infer<typeof Drift>;
const DriftList = z.object({ drift: z.array(Drift) });
const SettleFlags = z.object({ wait: Wait });

const orNothing = (text: string): string => (text === '' ? '(nothing)' : text);

const wayText = (proposal: z.infer<typeof Proposal>): string =>
  proposal.possible ? proposal.does : `no: ${proposal.reason}`;

const driftLines = ({
  id,
  about,
  expected,
  found,
  nodes,
  since,
  operation,
  lastFailure,
  ...drift
}: Drift): string[] => [
  `Drift ${id}`,
  `  class         ${drift.class}`,
  `  about         ${about}`,
  `  expected      ${orNothing(expected)}`,
  `  found         ${orNothing(found)}`,
  `  seen by       ${nodes.map(({ host }) => host).join(', ')}`,
  `  since         ${since}`,
  ...(operation === undefined ? [] : [`  being settled ${operation}`]),
  ...(lastFailure === undefined ? [] : [`  last attempt  ${lastFailure.at}: ${lastFailure.detail}`]),
  `  accept        ${wayText(drift.accept)}`,
  `  restore       ${wayText(drift.restore)}`,
];

function listLines(context: Context, drift: readonly Drift[]): string[] {
  if (drift.length === 0) return ['Hosts and log agree.'];
  const ways = ({ accept, restore }: Drift): string =>
    [...(accept.possible ? ['accept'] : []), ...(restore.possible ? ['restore'] : [])].join(', ');
  const rows = drift.map((one) => [
    one.id,
    one.class,
    one.about,
    orNothing(one.expected),
    orNothing(one.found),
    one.operation === undefined ? ways(one) : 'being settled',
  ]);
  return context.table(['DRIFT', 'CLASS', 'ABOUT', 'EXPECTED', 'FOUND', 'CAN BE'], rows);
}

/** `brickyard drift …`. */
export function driftCommands(program: Command, shell: Shell): void {
  const drift = program.command('drift').description('where hosts and log differ');
  act(shell, drift.command('list').description('all open differences'), NoFlags, async (context) => {
    const list = await context.get('/v1/drift', DriftList);
    context.print(list, () => listLines(context, list.drift));
    return undefined;
  });
  act(shell, drift.command('info').argument('<id>').description('one difference'), NoFlags, async (context, args) => {
    const shown = await context.get(`/v1/drift/${idFrom(args)}`, Drift);
    context.print(shown, () => driftLines(shown));
    return undefined;
  });
  for (const [way, description] of [
    ['accept', 'take what the hosts have for what is wanted'],
    ['restore', 'make the hosts have what the log says'],
  ] as const) {
    const command = drift.command(way).argument('<id>').description(description).addOption(waitOption());
    act(shell, command, SettleFlags, async (context, args, { wait }) => {
      context.refuseAt();
      const answer = await context.api.post(`/v1/drift/${idFrom(args)}/${way}`, {}, { follow: wait });
      const operation = operationIn(answer.location);
      context.print({ operation, done: wait }, () => [
        wait ? 'done' : `accepted; it goes on as operation ${operation}`,
      ]);
      return EXIT.fine;
    });
  }
}

const operationIn = (location: string | undefined): string => /[0-9a-f]{32}/.exec(location ?? '')?.[0] ?? '';
