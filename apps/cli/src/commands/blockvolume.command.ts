import type { ApiAnswer } from '@brickyard/service-host';
import type { Command } from 'commander';
import { z } from 'zod';
import { BlockVolume, BlockVolumeList } from '../answers';
import { parseAnswer, type Context } from '../context';
import { UsageError } from '../exit-codes';
import { blockVolumeListText, blockVolumeText } from '../heketi/texts';
import { each } from '../picture/api-picture';
import { parseGib } from '../sizes';
import { act, idFrom, listed, NoFlags, tellAccepted, Wait, waitOption, WholeNumber, type Shell } from './act';
import { change } from './change';

const CreateFlags = z.object({
  size: z.string(),
  name: z.string().optional(),
  ha: WholeNumber.optional(),
  auth: z.boolean().default(false),
  clusters: z.string().optional(),
  wait: Wait,
});
const ExpandFlags = z.object({ newSize: z.string(), blockvolume: z.string().optional(), wait: Wait });

const infoLines = ({ blockvolume: target, ...volume }: BlockVolume): string[] => [
  `Block volume ${volume.id}`,
  `  name          ${volume.name}`,
  `  size          ${String(volume.size)} GiB`,
  `  usable        ${String(volume.usablesize)} GiB`,
  `  cluster       ${volume.cluster}`,
  `  kept on       ${volume.blockhostingvolume}`,
  `  portals       ${target.hosts.join(', ')}`,
  `  target        ${target.iqn}, LUN ${String(target.lun)}`,
  ...(target.username === '' ? [] : [`  CHAP user     ${target.username}`, `  CHAP secret   ${target.password}`]),
];

function tell(context: Context, answer: ApiAnswer): void {
  if (answer.status === 202) {
    tellAccepted(context, answer);
    return;
  }
  const volume = parseAnswer(BlockVolume, answer);
  context.tell({ data: answer.body, lines: () => infoLines(volume), heketi: () => blockVolumeText(volume) });
}

function createCommand(block: Command, shell: Shell): void {
  const create = block
    .command('create')
    .description('a new block volume')
    .requiredOption('--size <size>', 'such as 10GiB')
    .option('--name <name>', 'made from its id when absent')
    .option('--ha <hosts>', 'how many hosts offer it; all of its cluster when absent')
    .option('--auth', 'ask initiators for a name and a secret (CHAP)')
    .option('--clusters <ids>', 'clusters to try, separated by commas')
    .addOption(waitOption());
  act(shell, create, CreateFlags, async (context, _, { size, name, ha, auth, clusters, wait }) => {
    const wanted = listed(clusters);
    const request = {
      size: parseGib(size),
      ...(name === undefined ? {} : { name }),
      ...(ha === undefined ? {} : { hacount: ha }),
      auth,
      ...(wanted.length === 0 ? {} : { clusters: wanted }),
    };
    tell(context, await change(context, (how) => context.api.post('/blockvolumes', request, how), wait));
    return undefined;
  });
}

/** `brickyard blockvolume …`. */
export function blockVolumeCommands(program: Command, shell: Shell): void {
  const block = program.command('blockvolume').description('block volumes, offered over iSCSI');
  act(shell, block.command('list').description('all block volumes'), NoFlags, async (context) => {
    const list = await context.get('/blockvolumes', BlockVolumeList);
    if (context.isHeketi && context.options.json) {
      context.tell({ data: list, lines: () => [], heketi: () => '' });
      return undefined;
    }
    const volumes = await each(list.blockvolumes, (id) => context.get(`/blockvolumes/${id}`, BlockVolume));
    const rows = volumes.map(({ id, name, size, hacount, cluster }) => [
      id,
      name,
      `${String(size)} GiB`,
      String(hacount),
      cluster,
    ]);
    context.tell({
      data: volumes,
      lines: () => context.table(['BLOCK VOLUME', 'NAME', 'SIZE', 'HOSTS', 'CLUSTER'], rows),
      heketi: () => blockVolumeListText(volumes),
    });
    return undefined;
  });
  act(shell, block.command('info').argument('<id>').description('one block volume'), NoFlags, async (context, args) => {
    tell(context, await context.answer(`/blockvolumes/${idFrom(args)}`));
    return undefined;
  });
  createCommand(block, shell);
  const expand = block
    .command('expand')
    .argument('[id]')
    .description('make a block volume larger')
    .requiredOption('--new-size <size>', 'the whole new size, such as 20GiB')
    .option('--blockvolume <id>', 'the block volume, as heketi-cli names it')
    .addOption(waitOption());
  act(shell, expand, ExpandFlags, async (context, [given], { newSize, blockvolume, wait }) => {
    if (given !== undefined && blockvolume !== undefined && given !== blockvolume) {
      throw new UsageError('two block volumes are named');
    }
    const path = `/blockvolumes/${idFrom([given ?? blockvolume ?? ''])}/expand`;
    const request = { new_size: parseGib(newSize) };
    tell(context, await change(context, (how) => context.api.post(path, request, how), wait));
    return undefined;
  });
  const remove = block.command('delete').argument('<id>').description('delete a block volume').addOption(waitOption());
  act(shell, remove, z.object({ wait: Wait }), async (context, args, { wait }) => {
    const id = idFrom(args);
    const answer = await change(context, (how) => context.api.delete(`/blockvolumes/${id}`, how), wait);
    if (answer.status === 202) tellAccepted(context, answer);
    else context.confirm({ id, deleted: true }, `Block volume ${id} deleted`, `Volume ${id} deleted\n`);
    return undefined;
  });
}
