/** A lost log, made anew from what the hosts carry. */
import type { Command } from 'commander';
import { z } from 'zod';
import { parseAnswer } from '../context';
import { EXIT } from '../exit-codes';
import { act, type Shell } from './act';

const RebuildFlags = z.object({ apply: z.boolean().default(false) });
const Remark = z.object({ about: z.string(), text: z.string() });
const Answer = z.object({
  applied: z.boolean(),
  adopt: z.array(
    z.looseObject({
      type: z.string(),
      clusterId: z.string().optional(),
      nodeId: z.string().optional(),
      deviceId: z.string().optional(),
      volumeId: z.string().optional(),
      name: z.string().optional(),
      hostnames: z.object({ manage: z.array(z.string()) }).optional(),
      spec: z.looseObject({ name: z.string() }).optional(),
      sizeKib: z.int().optional(),
      bricks: z.array(z.unknown()).optional(),
    }),
  ),
  assumed: z.array(Remark),
  undecided: z.array(Remark),
});
type Answer = z.infer<typeof Answer>;

const KIB_PER_GIB = 1_048_576;

function adoptLine(one: Answer['adopt'][number]): string {
  switch (one.type) {
    case 'AdoptCluster':
      return `  cluster ${one.clusterId ?? ''}`;
    case 'AdoptNode':
      return `  node    ${one.nodeId ?? ''}  ${one.hostnames?.manage[0] ?? ''}`;
    case 'AdoptDevice':
      return `  device  ${one.deviceId ?? ''}  ${one.name ?? ''} of ${one.nodeId ?? ''}`;
    default:
      return `  volume  ${one.volumeId ?? ''}  ${one.spec?.name ?? ''}, ${String(Math.round((one.sizeKib ?? 0) / KIB_PER_GIB))} GiB, ${String(one.bricks?.length ?? 0)} bricks`;
  }
}

function lines({ applied, adopt, assumed, undecided }: Answer): string[] {
  const remarks = (all: Answer['assumed']): string[] => all.map(({ about, text }) => `  ${about}: ${text}`);
  return [
    applied ? 'Taken over:' : 'Would be taken over:',
    ...(adopt.length === 0 ? ['  nothing'] : adopt.map(adoptLine)),
    ...(assumed.length === 0 ? [] : ['Assumed:', ...remarks(assumed)]),
    ...(undecided.length === 0 ? [] : ['Not decided, and left alone:', ...remarks(undecided)]),
    ...(applied || adopt.length === 0 ? [] : ['Nothing was written yet: say the same with --apply.']),
  ];
}

/** `brickyard rebuild`. */
export function rebuildCommand(program: Command, shell: Shell): void {
  const rebuild = program
    .command('rebuild')
    .argument('<hosts...>', 'every storage host, by the name its agent answers to')
    .description('take into the log what hosts carry that it does not know: all of it, when the log was lost')
    .option('--apply', 'do it; without this only say what would be done');
  act(shell, rebuild, RebuildFlags, async (context, hosts, { apply }) => {
    context.refuseAt();
    const answer = parseAnswer(Answer, await context.api.post('/v1/rebuild', { hosts, apply }));
    context.print(answer, () => lines(answer));
    return answer.undecided.length === 0 ? EXIT.fine : EXIT.refused;
  });
}
