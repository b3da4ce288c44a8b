import type { Command } from 'commander';
import { Device, Node, type Brick } from '../answers';
import type { Context } from '../context';
import { each } from '../picture/api-picture';
import { tagText } from '../picture/state-picture';
import { humanKib } from '../sizes';
import { act, idFrom, NoFlags, type Shell } from './act';
import { clustersOf } from './cluster.command';

/** Every node of every cluster. */
export async function nodesOf(context: Context): Promise<Node[]> {
  const clusters = await clustersOf(context);
  return each(
    clusters.flatMap(({ nodes }) => nodes),
    (id) => context.get(`/nodes/${id}`, Node),
  );
}

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

const tagLine = (tags: Readonly<Record<string, string>>): string[] =>
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

/** `brickyard node …` and `brickyard device …`. */
export function nodeCommands(program: Command, shell: Shell): void {
  const node = program.command('node').description('storage hosts');
  act(shell, node.command('list').description('all nodes'), NoFlags, async (context) => {
    const nodes = await nodesOf(context);
    const rows = nodes.map(({ id, hostnames, cluster, zone, state, devices }) => {
      const free = devices.reduce((sum, { storage }) => sum + storage.free, 0);
      return [id, hostnames.manage[0] ?? '', String(zone), state, String(devices.length), humanKib(free), cluster];
    });
    context.print(nodes, () => context.table(['NODE', 'HOST', 'ZONE', 'STATE', 'DEVICES', 'FREE', 'CLUSTER'], rows));
    return undefined;
  });
  act(shell, node.command('info').argument('<id>').description('one node'), NoFlags, async (context, args) => {
    const shown = await context.get(`/nodes/${idFrom(args)}`, Node);
    context.print(shown, () => nodeLines(context, shown));
    return undefined;
  });
  const device = program.command('device').description('block devices of nodes');
  act(shell, device.command('info').argument('<id>').description('one device'), NoFlags, async (context, args) => {
    const shown = await context.get(`/devices/${idFrom(args)}`, Device);
    context.print(shown, () => deviceLines(context, shown));
    return undefined;
  });
}
