/** The whole tree: shown, and loaded from a file as heketi-cli loads it. */
import type { Command } from 'commander';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { Topology, TopologyLines } from '../answers';
import { parseAnswer } from '../context';
import { UsageError } from '../exit-codes';
import { goTopology } from '../heketi/go-topology';
import { topologyText } from '../heketi/texts';
import { humanKib } from '../sizes';
import { parseTemplate } from '../template/parse';
import { fillTemplate } from '../template/run';
import { act, WholeNumber, type Shell } from './act';
import { loadTopology, summaryOf, TopologyFile } from './topology-load';
import { durabilityText } from './volume.tell';

const LoadFlags = z.object({ json: z.string().optional(), hostsWithin: WholeNumber.default(0) });
const InfoFlags = z.object({ template: z.string().optional() });

const linesOf = ({ clusters, nodes, volumes }: TopologyLines): string[] =>
  clusters.flatMap((cluster) => [
    `Cluster ${cluster.id}`,
    ...nodes
      .filter(({ cluster: id }) => id === cluster.id)
      .flatMap((node) => [
        `  Node ${node.id}  ${node.hostnames.manage[0] ?? ''}  zone ${String(node.zone)}  ${node.state}`,
        ...node.devices.flatMap(({ id, name, state, storage, bricks }) => [
          `    Device ${id}  ${name}  ${state}  ${humanKib(storage.free)} of ${humanKib(storage.total)} free`,
          ...bricks.map((brick) => `      Brick ${brick.id}  ${humanKib(brick.size)}  of volume ${brick.volume}`),
        ]),
      ]),
    ...volumes
      .filter(({ cluster: id }) => id === cluster.id)
      .map(
        ({ id, name, size, durability }) =>
          `  Volume ${id}  ${name}  ${String(size)} GiB  ${durabilityText(durability)}`,
      ),
  ]);

/** Each thing as its own route shows it, nothing read into it. */
const Thing = z.looseObject({ cluster: z.string() });
const RawTopology = z.object({
  clusters: Topology.shape.clusters,
  nodes: z.array(z.custom<z.infer<typeof Thing>>((value) => Thing.safeParse(value).success)),
  volumes: z.array(z.custom<z.infer<typeof Thing>>((value) => Thing.safeParse(value).success)),
});
type RawTopology = z.infer<typeof RawTopology>;

/** heketi-cli's `--json` nests what belongs to a cluster. */
const heketiTree = ({ clusters, nodes, volumes }: RawTopology): object => ({
  clusters: clusters.map(({ id, file, block }) => ({
    volumes: volumes.filter(({ cluster }) => cluster === id),
    nodes: nodes.filter(({ cluster }) => cluster === id),
    id,
    block,
    file,
  })),
});

const UNPARSED = 'Unable to parse config file';

/** Reads and checks a topology file. */
export async function readTopology(file: string): Promise<TopologyFile> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new Error(`Unable to open config file ${file}`, { cause: error });
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : '';
    throw new UsageError(`Unable to parse config file ${file}: ${reason}`, UNPARSED);
  }
  const parsed = TopologyFile.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`;
  throw new UsageError(`Unable to parse config file ${file}: ${where}`, UNPARSED);
}

/** `topology load` says with `--json` which file, where other commands say how to print. */
const fileIn = (args: readonly string[], file: unknown): string | undefined =>
  typeof file === 'string' ? file : args.find((word: string | undefined) => word !== undefined && word !== '');

function loadCommand(topology: Command, shell: Shell): void {
  const load = topology
    .command('load')
    .argument('[file]')
    .description('add the clusters, nodes and devices of a file; what is there already stays as it is')
    .option('-j, --json <file>', 'the file, as heketi-cli takes it')
    .option('--hosts-within <seconds>', 'wait so long for hosts whose agent or glusterd does not answer yet; 0');
  act(shell, load, LoadFlags, async (context, args, { json, hostsWithin }) => {
    context.refuseAt();
    const file = fileIn(args, json);
    if (file === undefined) throw new UsageError('Missing configuration file');
    const wanted = await readTopology(file);
    const tell = (text: string): void => {
      context.outside.out(text);
    };
    const loaded = await loadTopology(context, wanted, tell, hostsWithin);
    if (!context.isHeketi) context.outside.out(`${summaryOf(loaded)}\n`);
    // heketi-cli ends well whatever failed; scripts of ours shall notice.
    return loaded.failed > 0 && !context.isHeketi ? 1 : undefined;
  });
}

/** `brickyard topology …`. */
export function topologyCommands(program: Command, shell: Shell): void {
  const topology = program.command('topology').description('clusters, nodes, devices, bricks and volumes');
  const info = topology
    .command('info')
    .description('everything as a tree')
    .option('-T, --template <text>', 'a template in the language of Go to fill, as heketi-cli takes it');
  act(shell, info, InfoFlags, async (context, _, { template }) => {
    if (template !== undefined) {
      parseTemplate(template); // What is wrong with it is told before the server is asked.
      context.outside.out(fillTemplate(template, goTopology(await context.get('/v1/topology', Topology))));
      return undefined;
    }
    if (!context.isHeketi && !context.options.json) {
      const brief = await context.get('/v1/topology?brief=true', TopologyLines);
      context.print(brief, () => linesOf(brief));
      return undefined;
    }
    const answer = await context.answer('/v1/topology');
    const whole = parseAnswer(Topology, answer);
    const { clusters, nodes, volumes } = whole;
    context.tell({
      data: context.isHeketi ? heketiTree(parseAnswer(RawTopology, answer)) : whole,
      lines: () => [],
      heketi: () => topologyText(clusters, nodes, volumes),
    });
    return undefined;
  });
  loadCommand(topology, shell);
}
