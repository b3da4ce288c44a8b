import type { Command } from 'commander';
import { z } from 'zod';
import { Volume, VolumeLines, VolumeList, Volumes } from '../answers';
import { UsageError } from '../exit-codes';
import { endpointPatch } from '../heketi/kubernetes';
import { volumeListText } from '../heketi/texts';
import { parseGib } from '../sizes';
import { act, NoFlags, tellAccepted, Wait, waitOption, type Shell } from './act';
import { change } from './change';
import { idOf } from './named';
import { volumeCreateCommand } from './volume-create.command';
import { durabilityText, tellVolume } from './volume.tell';

const ExpandFlags = z.object({
  size: z.string().optional(),
  expandSize: z.string().optional(),
  volume: z.string().optional(),
  wait: Wait,
});
const CloneFlags = z.object({ name: z.string().optional(), wait: Wait });
const DeleteFlags = z.object({ wait: Wait });

function listCommand(volume: Command, shell: Shell): void {
  act(shell, volume.command('list').description('all volumes'), NoFlags, async (context) => {
    // heketi-cli's data here are the ids alone.
    if (context.isHeketi && context.options.json) {
      context.tell({ data: await context.get('/volumes', VolumeList), lines: () => [], heketi: () => '' });
      return undefined;
    }
    if (context.options.json) {
      const { volumes } = await context.get('/v1/volumes', Volumes);
      context.print(volumes, () => []);
      return undefined;
    }
    const { volumes } = await context.get('/v1/volumes?brief=true', VolumeLines);
    const rows = volumes.map(({ id, name, size, durability, bricks, cluster, block }) => [
      id,
      `${name}${block ? ' [block]' : ''}`,
      `${String(size)} GiB`,
      durabilityText(durability),
      String(bricks),
      cluster,
    ]);
    const heads = ['VOLUME', 'NAME', 'SIZE', 'DURABILITY', 'BRICKS', 'CLUSTER'];
    context.tell({ data: volumes, lines: () => context.table(heads, rows), heketi: () => volumeListText(volumes) });
    return undefined;
  });
}

function expandCommand(volume: Command, shell: Shell): void {
  const expand = volume
    .command('expand')
    .argument('[id]')
    .description('make a volume larger')
    .option('--size <size>', 'by how much, such as 10GiB')
    .option('--expand-size <size>', 'the same, as heketi-cli calls it')
    .option('--volume <id>', 'the volume, as heketi-cli names it')
    .addOption(waitOption());
  act(shell, expand, ExpandFlags, async (context, [given], { size, expandSize, volume: named, wait }) => {
    const by = size ?? expandSize;
    if (by === undefined) throw new UsageError('by how much? give --size', 'Missing volume amount to expand');
    if (given !== undefined && named !== undefined && given !== named) throw new UsageError('two volumes are named');
    const id = given ?? named ?? '';
    const path = `/volumes/${await idOf(context, 'volume', id, id === '' ? 'Missing volume id' : undefined)}/expand`;
    const request = { expand_size: parseGib(by) };
    tellVolume(context, await change(context, (how) => context.api.post(path, request, how), wait));
    return undefined;
  });
}

function cloneCommand(volume: Command, shell: Shell): void {
  const clone = volume
    .command('clone')
    .argument('<id>')
    .description('a new volume with the content of another')
    .option('--name <name>', 'made from its id when absent')
    .addOption(waitOption());
  act(shell, clone, CloneFlags, async (context, args, { name, wait }) => {
    const path = `/volumes/${await idOf(context, 'volume', args[0])}/clone`;
    const request = name === undefined ? {} : { name };
    tellVolume(context, await change(context, (how) => context.api.post(path, request, how), wait));
    return undefined;
  });
}

function restrictionCommand(volume: Command, shell: Shell): void {
  const restrict = volume
    .command('set-block-hosting-restriction')
    .argument('<locked|unlocked>')
    .argument('<id>')
    .description('whether a hosting volume takes new block volumes');
  act(shell, restrict, NoFlags, async (context, [word = '', id = '']) => {
    if (word !== 'locked' && word !== 'unlocked') throw new UsageError(`locked or unlocked; not ${word}`);
    const path = `/volumes/${await idOf(context, 'volume', id)}/block-restriction`;
    const request = { restriction: word === 'locked' ? 'locked' : '' };
    tellVolume(context, await change(context, (how) => context.api.post(path, request, how)));
    return undefined;
  });
}

/** `brickyard volume …`. */
export function volumeCommands(program: Command, shell: Shell): void {
  const volume = program.command('volume').description('volumes');
  listCommand(volume, shell);
  act(shell, volume.command('info').argument('<id>').description('one volume'), NoFlags, async (context, args) => {
    tellVolume(context, await context.answer(`/volumes/${await idOf(context, 'volume', args[0])}`));
    return undefined;
  });
  volumeCreateCommand(volume, shell);
  expandCommand(volume, shell);
  cloneCommand(volume, shell);
  restrictionCommand(volume, shell);
  const endpoint = volume.command('endpoint').description('Kubernetes endpoints of a volume');
  const patch = endpoint.command('patch').argument('<id>').description('the hosts, as a patch for kubectl');
  act(shell, patch, NoFlags, async (context, args) => {
    const shown = await context.get(`/volumes/${await idOf(context, 'volume', args[0])}`, Volume);
    context.outside.out(JSON.stringify(endpointPatch(shown)));
    return undefined;
  });
  const remove = volume
    .command('delete')
    .argument('<id>')
    .description('delete a volume and what is on it')
    .addOption(waitOption());
  act(shell, remove, DeleteFlags, async (context, args, { wait }) => {
    const id = await idOf(context, 'volume', args[0]);
    const answer = await change(context, (how) => context.api.delete(`/volumes/${id}`, how), wait);
    if (answer.status === 202) tellAccepted(context, answer);
    else context.confirm({ id, deleted: true }, `Volume ${id} deleted`);
    return undefined;
  });
}
