import type { Command } from 'commander';
import { Buffer } from 'node:buffer';
import { writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { Volume, Volumes } from '../answers';
import { parseAnswer, type Context } from '../context';
import { UsageError } from '../exit-codes';
import { STORAGE, storageList } from '../heketi/kubernetes';
import { act, listed, WholeNumber, type Shell } from './act';
import { change } from './change';

/** What the volume of a database needs: every write there at once, nothing kept back. */
const DATABASE_OPTIONS = [
  'performance.stat-prefetch off',
  'performance.write-behind off',
  'performance.open-behind off',
  'performance.quick-read off',
  'performance.strict-o-direct on',
  'performance.read-ahead off',
  'performance.io-cache off',
  'performance.readdir-ahead off',
];
const LEVEL = 'user.heketi.dbstoragelevel';

const Flags = z.object({
  listfile: z.string().default('heketi-storage.json'),
  image: z.string().default('heketi/heketi:dev'),
  durability: z.enum(['replicate', 'none']).default('replicate'),
  replica: WholeNumber.default(3),
  glusterVolumeOptions: z.string().optional(),
  appendVolumeOptions: z.string().optional(),
  nodeSelector: z.string().optional(),
});
type Flags = z.infer<typeof Flags>;

/** The options of the volume, with the mark of where they come from. */
export function databaseOptions({
  glusterVolumeOptions,
  appendVolumeOptions,
}: Pick<Flags, 'glusterVolumeOptions' | 'appendVolumeOptions'>): readonly string[] {
  const own = listed(glusterVolumeOptions);
  const more = listed(appendVolumeOptions);
  const level = own.length === 0 && more.length === 0 ? '1' : 'custom';
  return [...(own.length === 0 ? DATABASE_OPTIONS : own), ...more, `${LEVEL} ${level}`];
}

function selectorOf(text: string | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries(
    listed(text).map((word) => {
      const [key = '', value] = word.split('=');
      if (key === '' || value === undefined) throw new UsageError(`not a label: ${word}; write key=value`);
      return [key, value] as const;
    }),
  );
}

async function createStorage(context: Context, flags: Flags): Promise<Volume> {
  const { volumes } = await context.get('/v1/volumes', Volumes);
  if (volumes.some(({ name }) => name === STORAGE.volume)) {
    throw new UsageError(`Volume ${STORAGE.volume} already exists`);
  }
  const request = {
    size: STORAGE.sizeGib,
    name: STORAGE.volume,
    durability: { type: flags.durability, replicate: { replica: flags.replica } },
    glustervolumeoptions: databaseOptions(flags),
  };
  return parseAnswer(Volume, await change(context, (how) => context.api.post('/volumes', request, how)));
}

/** `setup-openshift-heketi-storage` and its other names. */
export function kubernetesCommands(program: Command, shell: Shell): void {
  const setup = program
    .command('setup-openshift-heketi-storage')
    .aliases(['setup-heketi-db-storage', 'setup-kubernetes-heketi-storage'])
    .description("a volume for heketi's database, and what Kubernetes needs to copy one there")
    .option('--listfile <file>', 'where the list of objects goes', 'heketi-storage.json')
    .option('--image <name>', 'of the container that copies', 'heketi/heketi:dev')
    .option('--durability <kind>', 'replicate or none', 'replicate')
    .option('--replica <copies>', '3 when absent')
    .option('--gluster-volume-options <texts>', 'in place of those for databases, separated by commas')
    .option('--append-volume-options <texts>', 'beside those for databases')
    .option('--node-selector <labels>', 'key=value, separated by commas');
  act(shell, setup, Flags, async (context, _, flags) => {
    const nodeSelector = selectorOf(flags.nodeSelector);
    const volume = await createStorage(context, flags);
    try {
      const { body } = await context.api.get('/backup/db');
      const backup = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
      context.outside.out(`Saving ${flags.listfile}\n`);
      const list = storageList(volume, backup, { image: flags.image, nodeSelector });
      await writeFile(flags.listfile, JSON.stringify(list, undefined, 2));
    } catch (error) {
      context.outside.err('Cleaning up\n');
      await context.api.delete(`/volumes/${volume.id}`);
      throw error;
    }
    return undefined;
  });
}
