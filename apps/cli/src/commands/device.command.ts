import type { Command } from 'commander';
import { z } from 'zod';
import { Cluster, Device, Node, type Brick } from '../answers';
import { parseAnswer, type Context } from '../context';
import { UsageError } from '../exit-codes';
import { deviceText } from '../heketi/texts';
import { each } from '../picture/api-picture';
import { tagText } from '../picture/state-picture';
import { humanKib } from '../sizes';
import { act, fieldIdFrom, idFrom, NoFlags, tellAccepted, Wait, waitOption, type Shell } from './act';
import { change } from './change';
import { stateCommands } from './state';
import { idOf } from './named';
import { tagCommands } from './tags';

/** One row for a device. */
export const deviceRow = ({ id, name, state, storage, bricks }: Device): string[] => [
  id,
  name,
  state,
  humanKib(storage.total),
  humanKib(storage.used),
  humanKib(storage.free),
  String(bricks.length),
];

export const DEVICE_HEADS = ['DEVICE', 'NAME', 'STATE', 'TOTAL', 'USED', 'FREE', 'BRICKS'] as const;

/** A line of tags, if there are any. */
export const tagLine = (tags: Readonly<Record<string, string>>): string[] =>
  Object.keys(tags).length === 0 ? [] : [`  tags          ${tagText(tags)}`];

const brickRow = ({ id, volume, size, path }: Brick): string[] => [id, volume, humanKib(size), path];

const deviceLines = (context: Context, device: Device): string[] => [
  `Device ${device.id}`,
  `  name          ${device.name}`,
  `  state         ${device.state}`,
  `  total         ${humanKib(device.storage.total)}`,
  `  used          ${humanKib(device.storage.used)}`,
  `  free          ${humanKib(device.storage.free)}`,
  ...(device.pv_uuid === '' ? [] : [`  pv uuid       ${device.pv_uuid}`]),
  ...device.paths.map((path) => `  also          ${path}`),
  ...tagLine(device.tags),
  '',
  ...context.table(['BRICK', 'VOLUME', 'SIZE', 'PATH'], device.bricks.map(brickRow)),
];

const AddFlags = z.object({
  name: z.string(),
  node: z.string(),
  destroyExistingData: z.boolean().default(false),
  wait: Wait,
});
const DeleteFlags = z.object({ forceForget: z.boolean().default(false), wait: Wait });
const ResyncFlags = z.object({ cluster: z.union([z.string(), z.literal(true)]).optional() });

function addCommand(device: Command, shell: Shell): void {
  const add = device
    .command('add')
    .description('give a block device to Brickyard')
    .requiredOption('--name <path>', 'such as /dev/sdb')
    .requiredOption('--node <id>', 'the node that has it')
    .option('--destroy-existing-data', 'wipe what is on it, if that is safe')
    .addOption(waitOption());
  act(shell, add, AddFlags, async (context, _, { name, node, destroyExistingData, wait }) => {
    const nodeId = context.isHeketi ? fieldIdFrom('node', node) : await idOf(context, 'node', node);
    const request = { name, node: nodeId, destroydata: destroyExistingData };
    const answer = await change(context, (how) => context.api.post('/devices', request, how), wait);
    if (answer.status === 202) tellAccepted(context, answer);
    else context.confirm({ name, node, added: true }, 'Device added successfully');
    return undefined;
  });
}

function deleteCommand(device: Command, shell: Shell): void {
  const remove = device
    .command('delete')
    .argument('<id>')
    .description('forget a removed device')
    .option('--force-forget', 'also when its node cannot tear it down')
    .addOption(waitOption());
  act(shell, remove, DeleteFlags, async (context, args, { forceForget, wait }) => {
    const id = await idOf(context, 'device', args[0]);
    const body = { forceforget: forceForget };
    const answer = await change(context, (how) => context.api.delete(`/devices/${id}`, { ...how, body }), wait);
    if (answer.status === 202) tellAccepted(context, answer);
    else context.confirm({ id, deleted: true }, `Device ${id} deleted`);
    return undefined;
  });
}

/** A device and what heketi-cli says before and after its turn, when a whole cluster has one. */
interface Turn {
  readonly id: string;
  readonly before?: string;
  readonly after: string;
}

/** Every device of a cluster, by node. */
async function turnsOf(context: Context, clusterId: string): Promise<readonly Turn[]> {
  const { nodes } = await context.get(`/clusters/${idFrom([clusterId])}`, Cluster);
  const shown = await each(nodes, (id) => context.get(`/nodes/${id}`, Node));
  if (context.isHeketi) {
    context.outside.out('Cluster-wide resync operation requested. Using object_id as cluster_id.\n');
  }
  return shown.flatMap(({ id: node, devices }) =>
    devices.map(({ id }) => ({
      id,
      before: `Now resyncing device ${id}..\n`,
      after: `Device ${id} (node ${node}) in cluster ${clusterId} updated\n`,
    })),
  );
}

function resyncCommand(device: Command, shell: Shell): void {
  const resync = device
    .command('resync')
    .argument('[id]')
    .description("read a device's size again from its node")
    .option('--cluster [id]', 'every device of a cluster');
  act(shell, resync, ResyncFlags, async (context, args, { cluster }) => {
    const given = args.filter((id: string | undefined) => id !== undefined && id !== '');
    const named = cluster === true ? given : [...given, ...(cluster === undefined ? [] : [cluster])];
    const [word = ''] = named;
    if (named.length !== 1) throw new UsageError('give a device, or --cluster ID', 'object/cluster id missing');
    const alone = async (): Promise<readonly Turn[]> => {
      const id = await idOf(context, 'device', word);
      return [{ id, after: `Device ${id} updated\n` }];
    };
    const turns = cluster === undefined ? await alone() : await turnsOf(context, word);
    for (const { id, before, after } of turns) {
      try {
        if (context.isHeketi && before !== undefined) context.outside.out(before);
        await change(context, (how) => context.api.get(`/devices/${id}/resync`, how));
        context.confirm({ id, updated: true }, `Device ${id} updated`, after);
      } catch (error) {
        if (cluster === undefined) throw error;
        context.outside.err(`device ${id}: ${error instanceof Error ? error.message : String(error)}\n`);
      }
    }
    return undefined;
  });
}

/** `brickyard device …`. */
export function deviceCommands(program: Command, shell: Shell): void {
  const device = program.command('device').description('block devices of nodes');
  act(shell, device.command('info').argument('<id>').description('one device'), NoFlags, async (context, args) => {
    const answer = await context.answer(`/devices/${await idOf(context, 'device', args[0])}`);
    const shown = parseAnswer(Device, answer);
    context.tell({
      data: answer.body,
      lines: () => deviceLines(context, shown),
      heketi: () => deviceText(shown),
    });
    return undefined;
  });
  addCommand(device, shell);
  stateCommands(device, shell, { noun: 'Device', kind: 'device', path: 'devices', healCheck: true });
  deleteCommand(device, shell);
  resyncCommand(device, shell);
  tagCommands(device, shell, 'devices');
}
