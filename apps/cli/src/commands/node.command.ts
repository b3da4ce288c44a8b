import type { Command } from 'commander';
import { z } from 'zod';
import { Node, Topology } from '../answers';
import { parseAnswer, type Context } from '../context';
import { nodeAddedText, nodeListText, nodeText } from '../heketi/texts';
import { humanKib } from '../sizes';
import { act, fieldIdFrom, NoFlags, several, tellAccepted, Wait, waitOption, WholeNumber, type Shell } from './act';
import { change } from './change';
import { DEVICE_HEADS, deviceRow, tagLine } from './device.command';
import { idOf } from './named';
import { stateCommands } from './state';
import { tagCommands, tagFrom } from './tags';

/** Every node of every cluster. */
export const nodesOf = async (context: Context): Promise<Node[]> => (await context.get('/v1/topology', Topology)).nodes;

const nodeLines = (context: Context, node: Node): string[] => [
  `Node ${node.id}`,
  `  cluster       ${node.cluster}`,
  `  zone          ${String(node.zone)}`,
  `  state         ${node.state}`,
  `  management    ${node.hostnames.manage.join(', ')}`,
  `  storage       ${node.hostnames.storage.join(', ')}`,
  ...tagLine(node.tags),
  '',
  ...context.table(DEVICE_HEADS, node.devices.map(deviceRow)),
];

const AddFlags = z.object({
  zone: WholeNumber,
  cluster: z.string(),
  managementHostName: z.string(),
  storageHostName: z.string(),
  tag: z.array(z.string()).default([]),
  wait: Wait,
});

function addCommand(node: Command, shell: Shell): void {
  const add = node
    .command('add')
    .description('make a host part of a cluster')
    .requiredOption('--zone <number>', 'its failure domain, from 1')
    .requiredOption('--cluster <id>', 'the cluster')
    .requiredOption('--management-host-name <name>', 'the name its agent has')
    .requiredOption('--storage-host-name <name>', 'the name Gluster uses')
    .option('--tag <name:value>', 'may be repeated', several)
    .addOption(waitOption());
  act(shell, add, AddFlags, async (context, _, flags) => {
    const { zone, cluster, managementHostName, storageHostName, tag, wait } = flags;
    const request = {
      zone,
      cluster: fieldIdFrom('cluster', cluster),
      hostnames: { manage: [managementHostName], storage: [storageHostName] },
      ...(tag.length === 0 ? {} : { tags: Object.fromEntries(tag.map(tagFrom)) }),
    };
    const answer = await change(context, (how) => context.api.post('/nodes', request, how), wait);
    if (answer.status === 202) {
      tellAccepted(context, answer);
      return undefined;
    }
    const made = parseAnswer(Node, answer);
    const lines = (): string[] => nodeLines(context, made);
    context.tell({ data: answer.body, lines, heketi: () => nodeAddedText(made) });
    return undefined;
  });
}

function deleteCommand(node: Command, shell: Shell): void {
  const remove = node
    .command('delete')
    .argument('<id>')
    .description('take a node without devices out of its cluster')
    .addOption(waitOption());
  act(shell, remove, z.object({ wait: Wait }), async (context, args, { wait }) => {
    const id = await idOf(context, 'node', args[0]);
    const answer = await change(context, (how) => context.api.delete(`/nodes/${id}`, how), wait);
    if (answer.status === 202) tellAccepted(context, answer);
    else context.confirm({ id, deleted: true }, `Node ${id} deleted`);
    return undefined;
  });
}

/** `brickyard node …` and `brickyard device …`. */
export function nodeCommands(program: Command, shell: Shell): void {
  const node = program.command('node').description('storage hosts');
  act(shell, node.command('list').description('all nodes'), NoFlags, async (context) => {
    const nodes = await nodesOf(context);
    const rows = nodes.map(({ id, hostnames, cluster, zone, state, devices }) => {
      const free = devices.reduce((sum, { storage }) => sum + storage.free, 0);
      return [id, hostnames.manage[0] ?? '', String(zone), state, String(devices.length), humanKib(free), cluster];
    });
    const heads = ['NODE', 'HOST', 'ZONE', 'STATE', 'DEVICES', 'FREE', 'CLUSTER'];
    const lines = (): string[] => context.table(heads, rows);
    context.tell({ data: nodes, lines, heketi: () => nodeListText(nodes), isTextOnly: true });
    return undefined;
  });
  act(shell, node.command('info').argument('<id>').description('one node'), NoFlags, async (context, args) => {
    const answer = await context.answer(`/nodes/${await idOf(context, 'node', args[0])}`);
    const shown = parseAnswer(Node, answer);
    context.tell({ data: answer.body, lines: () => nodeLines(context, shown), heketi: () => nodeText(shown) });
    return undefined;
  });
  addCommand(node, shell);
  stateCommands(node, shell, { noun: 'Node', kind: 'node', path: 'nodes', healCheck: false });
  deleteCommand(node, shell);
  tagCommands(node, shell, 'nodes');
}
