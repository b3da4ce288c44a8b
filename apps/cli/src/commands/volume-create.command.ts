import type { Command } from 'commander';
import { writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { Volume } from '../answers';
import { parseAnswer, type Context } from '../context';
import { UsageError } from '../exit-codes';
import { persistentVolume } from '../heketi/kubernetes';
import { parseGib } from '../sizes';
import { act, listed, several, Wait, waitOption, WholeNumber, type Shell } from './act';
import { change } from './change';
import { tellVolume } from './volume.tell';

const DURABILITIES = ['none', 'replicate', 'disperse'] as const;

const CreateFlags = z.object({
  size: z.string(),
  name: z.string().optional(),
  durability: z.enum(DURABILITIES).default('replicate'),
  replica: WholeNumber.optional(),
  data: WholeNumber.optional(),
  disperseData: WholeNumber.optional(),
  redundancy: WholeNumber.optional(),
  cluster: z.array(z.string()).default([]),
  clusters: z.string().optional(),
  option: z.array(z.string()).default([]),
  glusterVolumeOptions: z.string().optional(),
  gid: WholeNumber.optional(),
  snapshotFactor: z
    .string()
    .regex(/^\d+(\.\d+)?$/, 'must be a number')
    .transform(Number)
    .optional(),
  block: z.boolean().default(false),
  persistentVolume: z.boolean().default(false),
  persistentVolumeFile: z.string().optional(),
  persistentVolumeEndpoint: z.string().optional(),
  wait: Wait,
});
type CreateFlags = z.infer<typeof CreateFlags>;

/** The flags that say what a volume is to be, without those that say how to go about it. */
export const VolumeShape = CreateFlags.omit({
  wait: true,
  persistentVolume: true,
  persistentVolumeFile: true,
  persistentVolumeEndpoint: true,
});
type VolumeShape = z.infer<typeof VolumeShape>;

/** What the API is asked for; flags that do not belong together are refused here, everything else by the server. */
export function createRequest(flags: VolumeShape, isHeketi = false): Record<string, unknown> {
  const { durability: type, replica, redundancy, name, gid, snapshotFactor, block } = flags;
  const data = flags.data ?? flags.disperseData;
  // heketi-cli sends all of them, whatever the durability; so do its scripts.
  if (replica !== undefined && type !== 'replicate' && !isHeketi)
    throw new UsageError(`--replica is for --durability replicate, not ${type}`);
  if ((data ?? redundancy) !== undefined && type !== 'disperse' && !isHeketi)
    throw new UsageError(`--data and --redundancy are for --durability disperse, not ${type}`);
  const clusters = [...flags.cluster, ...listed(flags.clusters)];
  const options = [...flags.option, ...listed(flags.glusterVolumeOptions)];
  // heketi-cli asks for snapshots only with more room than the volume itself.
  const snapshots = snapshotFactor !== undefined && (!isHeketi || snapshotFactor > 1);
  return {
    size: parseGib(flags.size),
    ...(name === undefined ? {} : { name }),
    durability: {
      type,
      ...(type === 'replicate' || isHeketi ? { replicate: { replica: replica ?? 3 } } : {}),
      ...(type === 'disperse' || isHeketi ? { disperse: { data: data ?? 4, redundancy: redundancy ?? 2 } } : {}),
    },
    ...(clusters.length === 0 ? {} : { clusters }),
    ...(options.length === 0 ? {} : { glustervolumeoptions: options }),
    ...(gid === undefined || (isHeketi && gid === 0) ? {} : { gid }),
    ...(snapshots ? { snapshot: { enable: true, factor: snapshotFactor } } : {}),
    ...(block ? { block: true } : {}),
  };
}

/** Prints or writes the volume as Kubernetes takes it, in place of the usual answer. */
async function tellPersistentVolume(context: Context, volume: Volume, flags: CreateFlags): Promise<void> {
  const text = JSON.stringify(persistentVolume(volume, flags.persistentVolumeEndpoint), undefined, 2);
  if (flags.persistentVolume) context.outside.out(`${text}\n`);
  else await writeFile(flags.persistentVolumeFile ?? '', text);
}

/** The options of `VolumeShape`. */
export const shapeOptions = (command: Command): Command =>
  command
    .requiredOption('--size <size>', 'such as 10GiB or 1.5TiB')
    .option('--name <name>', 'made from its id when absent')
    .option(
      '--durability <kind>',
      `${DURABILITIES.join(', ')}; arbiters: --option "user.heketi.arbiter true"`,
      'replicate',
    )
    .option('--replica <copies>', 'with replicate; 3 when absent')
    .option('--data <bricks>', 'with disperse; 4 when absent')
    .option('--disperse-data <bricks>', 'the same, as heketi-cli calls it')
    .option('--redundancy <bricks>', 'with disperse; 2 when absent')
    .option('--cluster <id>', 'clusters to try, in order; may be repeated', several)
    .option('--clusters <ids>', 'the same, separated by commas')
    .option('--option <text>', 'a Gluster option, "key value"; may be repeated', several)
    .option('--gluster-volume-options <texts>', 'the same, separated by commas')
    .option('--gid <group>', 'the group that owns the bricks')
    .option('--snapshot-factor <factor>', 'room for snapshots, such as 1.5')
    .option('--block', 'to hold block volumes');

/** `brickyard volume create`. */
export function volumeCreateCommand(volume: Command, shell: Shell): void {
  const create = shapeOptions(volume.command('create').description('a new volume'))
    .option('--persistent-volume', "print it as a Kubernetes' persistent volume")
    .option('--persistent-volume-file <file>', 'the same into a file')
    .option('--persistent-volume-endpoint <name>', 'the endpoints that the persistent volume names')
    .addOption(waitOption());
  act(shell, create, CreateFlags, async (context, _, flags) => {
    const asksForPv = flags.persistentVolume || flags.persistentVolumeFile !== undefined;
    if (flags.persistentVolume && flags.persistentVolumeEndpoint === undefined) {
      const need = '--persistent-volume-endpoint must be provided when using --persistent-volume';
      if (context.isHeketi) context.outside.err(`${need}\n`);
      throw new UsageError(need, 'Missing endpoint');
    }
    if (asksForPv && !flags.wait) throw new UsageError('a persistent volume needs the volume: leave out --wait=false');
    const request = createRequest(flags, context.isHeketi);
    const answer = await change(context, (how) => context.api.post('/volumes', request, how), flags.wait);
    if (asksForPv) await tellPersistentVolume(context, parseAnswer(Volume, answer), flags);
    else tellVolume(context, answer);
    return undefined;
  });
}
