import type { Command } from 'commander';
import { z } from 'zod';
import { Cluster, ClusterList } from '../answers';
import { parseAnswer, type Context } from '../context';
import { UsageError } from '../exit-codes';
import { each } from '../picture/api-picture';
import { act, idFrom, NoFlags, type Shell } from './act';

type Shown = z.infer<typeof Cluster>;

const yesNo = (flag: boolean): string => (flag ? 'yes' : 'no');

/** Every cluster. */
export async function clustersOf(context: Context): Promise<Shown[]> {
  const { clusters } = await context.get('/clusters', ClusterList);
  return each(clusters, (id) => context.get(`/clusters/${id}`, Cluster));
}

const infoLines = ({ id, file, block, nodes, volumes }: Shown): string[] => [
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
    const clusters = await clustersOf(context);
    const rows = clusters.map(({ id, nodes, volumes, file, block }) => [
      id,
      String(nodes.length),
      String(volumes.length),
      yesNo(file),
      yesNo(block),
    ]);
    context.print(clusters, () => context.table(['CLUSTER', 'NODES', 'VOLUMES', 'FILE', 'BLOCK'], rows));
    return undefined;
  });
  act(shell, cluster.command('info').argument('<id>').description('one cluster'), NoFlags, async (context, args) => {
    const shown = await context.get(`/clusters/${idFrom(args)}`, Cluster);
    context.print(shown, () => infoLines(shown));
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
    const made = parseAnswer(
      Cluster,
      await context.api.post('/clusters', { file: file === 'true', block: block === 'true' }),
    );
    context.print(made, () => infoLines(made));
    return undefined;
  });
  const remove = cluster.command('delete').argument('<id>').description('remove an empty cluster');
  act(shell, remove, NoFlags, async (context, args) => {
    context.refuseAt();
    const id = idFrom(args);
    await context.api.delete(`/clusters/${id}`);
    context.print({ id, deleted: true }, () => [`Cluster ${id} deleted`]);
    return undefined;
  });
}
