import type { Command } from 'commander';
import { z } from 'zod';
import { Cluster, Device, Node, type Brick } from '../answers';
import { parseAnswer, type Context } from '../context';
import { UsageError } from '../exit-codes';
import { deviceText } from '../heketi/texts';
import { each } from '../picture/api-picture';
import { tagText } from '../picture/state-picture';
import { humanKib } from '../sizes';
import { act, idFrom, NoFlags, tellAccepted, Wait, waitOption, type Shell } from './act';
import { change } from './change';
import { stateCommands } from './state';
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
const ResyncFlags = z.object({ cluster: z.string().optional() });

function addCommand(device: Command, shell: Shell): void {
  const add = device
    .command('add')
    .description('give a block device to Brickyard')
    .requiredOption('--name <path>', 'such as /dev/sdb')
    .requiredOption('--node <id>', 'the node that has it')
    .option('--destroy-existing-data', 'wipe what is on it, if that is safe')
    .addOption(waitOption());
  act(shell, add, AddFlags, async (context, _, { name, node, destroyExistingData, wait }) => {
    const request = { name, node: idFrom([node]), destroydata: destroyExistingData };
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
    const id = idFrom(args);
    const body = { forceforget: forceForget };
    const answer = await change(context, (how) => context.api.delete(`/devices/${id}`, { ...how, body }), wait);
    if (answer.status === 202) tellAccepted(context, answer);
    else context.confirm({ id, deleted: true }, `Device ${id} deleted`);
    return undefined;
  });
}

/** Every device of a cluster, by node. */
async function devicesOf(context: Context, clusterId: string): Promise<readonly string[]> {
  const { nodes } = await context.get(`/clusters/${idFrom([clusterId])}`, Cluster);
  const shown = await each(nodes, (id) => context.get(`/nodes/${id}`, Node));
  return shown.flatMap(({ devices }) => devices.map(({ id }) => id));
}

function resyncCommand(device: Command, shell: Shell): void {
  const resync = device
    .command('resync')
    .argument('[id]')
    .description("read a device's size again from its node")
    .option('--cluster <id>', 'every device of a cluster');
  act(shell, resync, ResyncFlags, async (context, args, { cluster }) => {
    const given = args.filter((id: string | undefined) => id !== undefined && id !== '');
    if ((cluster === undefined) === (given.length === 0)) throw new UsageError('give a device, or --cluster ID');
    const ids = cluster === undefined ? [idFrom(given)] : await devicesOf(context, cluster);
    for (const id of ids) {
      try {
        await change(context, (how) => context.api.get(`/devices/${id}/resync`, how));
        context.confirm({ id, updated: true }, `Device ${id} updated`);
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
    const answer = await context.answer(`/devices/${idFrom(args)}`);
    const shown = parseAnswer(Device, answer);
    context.tell({
      data: answer.body,
      lines: () => deviceLines(context, shown),
      heketi: () => deviceText(shown),
    });
    return undefined;
  });
  addCommand(device, shell);
  stateCommands(device, shell, { noun: 'Device', path: 'devices', healCheck: true });
  deleteCommand(device, shell);
  resyncCommand(device, shell);
  tagCommands(device, shell, 'devices');
}
