import type { ApiAnswer } from '@brickyard/service-host';
import type { Command } from 'commander';
import { z } from 'zod';
import { Volume, VolumeList } from '../answers';
import { parseAnswer, type Context } from '../context';
import { UsageError } from '../exit-codes';
import { each } from '../picture/api-picture';
import { humanKib, parseGib } from '../sizes';
import { act, idFrom, NoFlags, Wait, waitOption, WholeNumber, type Shell } from './act';

const DURABILITIES = ['none', 'replicate', 'disperse'] as const;

const CreateFlags = z.object({
  size: z.string(),
  name: z.string().optional(),
  durability: z.enum(DURABILITIES).default('replicate'),
  replica: WholeNumber.optional(),
  data: WholeNumber.optional(),
  redundancy: WholeNumber.optional(),
  cluster: z.array(z.string()).default([]),
  option: z.array(z.string()).default([]),
  gid: WholeNumber.optional(),
  snapshotFactor: z
    .string()
    .regex(/^\d+(\.\d+)?$/, 'must be a number')
    .transform(Number)
    .optional(),
  wait: Wait,
});
type CreateFlags = z.infer<typeof CreateFlags>;
const ExpandFlags = z.object({ size: z.string(), wait: Wait });
const DeleteFlags = z.object({ wait: Wait });

/** What the API is asked for; flags that do not belong together are refused here, everything else by the server. */
export function createRequest(flags: CreateFlags): Record<string, unknown> {
  const { durability: type, replica, data, redundancy, name, cluster, option, gid, snapshotFactor } = flags;
  if (replica !== undefined && type !== 'replicate')
    throw new UsageError(`--replica is for --durability replicate, not ${type}`);
  if ((data ?? redundancy) !== undefined && type !== 'disperse')
    throw new UsageError(`--data and --redundancy are for --durability disperse, not ${type}`);
  return {
    size: parseGib(flags.size),
    ...(name === undefined ? {} : { name }),
    durability: {
      type,
      ...(type === 'replicate' ? { replicate: { replica: replica ?? 3 } } : {}),
      ...(type === 'disperse' ? { disperse: { data: data ?? 4, redundancy: redundancy ?? 2 } } : {}),
    },
    ...(cluster.length === 0 ? {} : { clusters: cluster }),
    ...(option.length === 0 ? {} : { glustervolumeoptions: option }),
    ...(gid === undefined ? {} : { gid }),
    ...(snapshotFactor === undefined ? {} : { snapshot: { enable: true, factor: snapshotFactor } }),
  };
}

/** The durability as one word: `replicate 3`, `disperse 4+2`. */
export function durabilityText(durability: unknown): string {
  const Shape = z.object({
    type: z.string().default('none'),
    replicate: z.object({ replica: z.int().optional() }).default({}),
    disperse: z.object({ data: z.int().optional(), redundancy: z.int().optional() }).default({}),
  });
  const parsed = Shape.safeParse(durability);
  if (!parsed.success) return 'unknown';
  const { type, replicate, disperse } = parsed.data;
  if (type === 'replicate') return `replicate ${String(replicate.replica ?? 2)}`;
  return type === 'disperse' ? `disperse ${String(disperse.data ?? 0)}+${String(disperse.redundancy ?? 0)}` : 'none';
}

function infoLines(context: Context, volume: Volume): string[] {
  const { glusterfs } = volume.mount;
  const backup = glusterfs.options['backup-volfile-servers'] ?? '';
  const options = volume.glustervolumeoptions.filter((option) => option !== '');
  return [
    `Volume ${volume.id}`,
    `  name          ${volume.name}`,
    `  size          ${String(volume.size)} GiB`,
    `  durability    ${durabilityText(volume.durability)}`,
    `  cluster       ${volume.cluster}`,
    `  mount         ${glusterfs.device}`,
    ...(backup === '' ? [] : [`  backup        ${backup}`]),
    ...(volume.snapshot.enable ? [`  snapshots     factor ${String(volume.snapshot.factor)}`] : []),
    ...options.map((option) => `  option        ${option}`),
    '',
    ...context.table(
      ['BRICK', 'NODE', 'DEVICE', 'SIZE'],
      volume.bricks.map(({ id, node, device, size }) => [id, node, device, humanKib(size)]),
    ),
  ];
}

/** Tells the volume, or where its operation can be watched when nobody waits for it. */
function tell(context: Context, answer: ApiAnswer): void {
  if (answer.status === 202) {
    const operation = (answer.location ?? '').replace(/^\/queue\//, '');
    context.print({ operation }, () => [`Accepted: brickyard operation info ${operation}`]);
    return;
  }
  const volume = parseAnswer(Volume, answer);
  context.print(answer.body, () => infoLines(context, volume));
}

const several = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

function createCommand(volume: Command, shell: Shell): void {
  const create = volume
    .command('create')
    .description('a new volume')
    .requiredOption('--size <size>', 'such as 10GiB or 1.5TiB')
    .option('--name <name>', 'made from its id when absent')
    .option('--durability <kind>', DURABILITIES.join(', '), 'replicate')
    .option('--replica <copies>', 'with replicate; 3 when absent')
    .option('--data <bricks>', 'with disperse; 4 when absent')
    .option('--redundancy <bricks>', 'with disperse; 2 when absent')
    .option('--cluster <id>', 'clusters to try, in order; may be repeated', several)
    .option('--option <text>', 'a Gluster option, "key value"; may be repeated', several)
    .option('--gid <group>', 'the group that owns the bricks')
    .option('--snapshot-factor <factor>', 'room for snapshots, such as 1.5')
    .addOption(waitOption());
  act(shell, create, CreateFlags, async (context, _, flags) => {
    context.refuseAt();
    tell(context, await context.api.post('/volumes', createRequest(flags), { follow: flags.wait }));
    return undefined;
  });
}

/** `brickyard volume …`. */
export function volumeCommands(program: Command, shell: Shell): void {
  const volume = program.command('volume').description('volumes');
  act(shell, volume.command('list').description('all volumes'), NoFlags, async (context) => {
    const { volumes: ids } = await context.get('/volumes', VolumeList);
    const volumes = await each(ids, (id) => context.get(`/volumes/${id}`, Volume));
    const rows = volumes.map(({ id, name, size, durability, bricks, cluster }) => [
      id,
      name,
      `${String(size)} GiB`,
      durabilityText(durability),
      String(bricks.length),
      cluster,
    ]);
    context.print(volumes, () => context.table(['VOLUME', 'NAME', 'SIZE', 'DURABILITY', 'BRICKS', 'CLUSTER'], rows));
    return undefined;
  });
  act(shell, volume.command('info').argument('<id>').description('one volume'), NoFlags, async (context, args) => {
    tell(context, await context.answer(`/volumes/${idFrom(args)}`));
    return undefined;
  });
  createCommand(volume, shell);
  const expand = volume
    .command('expand')
    .argument('<id>')
    .description('make a volume larger')
    .requiredOption('--size <size>', 'by how much, such as 10GiB')
    .addOption(waitOption());
  act(shell, expand, ExpandFlags, async (context, args, { size, wait }) => {
    context.refuseAt();
    const request = { expand_size: parseGib(size) };
    tell(context, await context.api.post(`/volumes/${idFrom(args)}/expand`, request, { follow: wait }));
    return undefined;
  });
  const remove = volume
    .command('delete')
    .argument('<id>')
    .description('delete a volume and what is on it')
    .addOption(waitOption());
  act(shell, remove, DeleteFlags, async (context, args, { wait }) => {
    context.refuseAt();
    const id = idFrom(args);
    const answer = await context.api.delete(`/volumes/${id}`, { follow: wait });
    if (answer.status === 202) tell(context, answer);
    else context.print({ id, deleted: true }, () => [`Volume ${id} deleted`]);
    return undefined;
  });
}
