import type { Command } from 'commander';
import { z } from 'zod';
import { Cluster, ClusterList } from '../answers';
import { parseAnswer, type Context } from '../context';
import { UsageError } from '../exit-codes';
import { each } from '../picture/api-picture';
import { clusterListText, clusterText } from '../heketi/texts';
import { act, idFrom, NoFlags, type Shell } from './act';
import { change } from './change';

const yesNo = (flag: boolean): string => (flag ? 'yes' : 'no');

/** Every cluster. */
async function clustersOf(context: Context): Promise<Cluster[]> {
  const { clusters } = await context.get('/clusters', ClusterList);
  return each(clusters, (id) => context.get(`/clusters/${id}`, Cluster));
}

const infoLines = ({ id, file, block, nodes, volumes }: Cluster): string[] => [
  `Cluster ${id}`,
  `  file volumes   ${yesNo(file)}`,
  `  block volumes  ${yesNo(block)}`,
  `  nodes          ${String(nodes.length)}`,
  ...nodes.map((node) => `    ${node}`),
  `  volumes        ${String(volumes.length)}`,
  ...volumes.map((volume) => `    ${volume}`),
];

const CreateFlags = z.object({
  file: z.enum(['true', 'false']).default('true'),
  block: z.enum(['true', 'false']).default('true'),
});

/** `brickyard cluster …`. */
export function clusterCommands(program: Command, shell: Shell): void {
  const cluster = program.command('cluster').description('trusted pools of nodes');
  act(shell, cluster.command('list').description('all clusters'), NoFlags, async (context) => {
    // heketi-cli's data here are the ids alone.
    if (context.isHeketi && context.options.json) {
      context.tell({ data: await context.get('/clusters', ClusterList), lines: () => [], heketi: () => '' });
      return undefined;
    }
    const clusters = await clustersOf(context);
    const rows = clusters.map(({ id, nodes, volumes, file, block }) => [
      id,
      String(nodes.length),
      String(volumes.length),
      yesNo(file),
      yesNo(block),
    ]);
    context.tell({
      data: clusters,
      lines: () => context.table(['CLUSTER', 'NODES', 'VOLUMES', 'FILE', 'BLOCK'], rows),
      heketi: () => clusterListText(clusters),
    });
    return undefined;
  });
  act(shell, cluster.command('info').argument('<id>').description('one cluster'), NoFlags, async (context, args) => {
    const answer = await context.answer(`/clusters/${idFrom(args)}`);
    const shown = parseAnswer(Cluster, answer);
    context.tell({ data: answer.body, lines: () => infoLines(shown), heketi: () => clusterText(shown) });
    return undefined;
  });
  const create = cluster
    .command('create')
    .description('a new, empty cluster')
    .option('--file <true|false>', 'take file volumes', 'true')
    .option('--block <true|false>', 'take block volumes', 'true');
  act(shell, create, CreateFlags, async (context, _, { file, block }) => {
    context.refuseAt();
    if (file === 'false' && block === 'false')
      throw new UsageError('a cluster takes file volumes, block volumes or both');
    const flags = { file: file === 'true', block: block === 'true' };
    const answer = await change(context, (how) => context.api.post('/clusters', flags, how));
    const made = parseAnswer(Cluster, answer);
    context.tell({ data: answer.body, lines: () => infoLines(made), heketi: () => `Cluster id: ${made.id}\n` });
    return undefined;
  });
  const remove = cluster.command('delete').argument('<id>').description('remove an empty cluster');
  act(shell, remove, NoFlags, async (context, args) => {
    context.refuseAt();
    const id = idFrom(args);
    await context.api.delete(`/clusters/${id}`);
    context.confirm({ id, deleted: true }, `Cluster ${id} deleted`);
    return undefined;
  });
  setFlagsCommand(cluster, shell);
}

const SetFlags = z.object({ file: z.enum(['true', 'false']).optional(), block: z.enum(['true', 'false']).optional() });

function setFlagsCommand(cluster: Command, shell: Shell): void {
  const set = cluster
    .command('setflags')
    .argument('<id>')
    .description('which volumes a cluster takes from now on')
    .option('--file <true|false>', 'file volumes')
    .option('--block <true|false>', 'block volumes');
  act(shell, set, SetFlags, async (context, args, { file, block }) => {
    context.refuseAt();
    if (file === undefined && block === undefined) {
      throw new UsageError('give --file or --block, or both', 'At least one of --file or --block must be specified.');
    }
    const path = `/clusters/${idFrom(args)}`;
    const before = await context.get(path, Cluster);
    const flags = {
      file: file === undefined ? before.file : file === 'true',
      block: block === undefined ? before.block : block === 'true',
    };
    await context.api.post(`${path}/flags`, flags);
    const text = `Cluster ${before.id} takes file volumes: ${yesNo(flags.file)}, block volumes: ${yesNo(flags.block)}`;
    context.confirm({ id: before.id, ...flags }, text, '');
    return undefined;
  });
}
