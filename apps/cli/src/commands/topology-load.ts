/** Brings what a topology file wants into being; what exists is found and left as it is. */
import { describeError } from '@brickyard/service-host';
import { z } from 'zod';
import { Cluster, Node, Topology } from '../answers';
import { parseAnswer, type Context } from '../context';

const Tags = z.record(z.string(), z.string());
const Device = z.union([
  z.string().transform((name) => ({ name, destroydata: false, tags: undefined })),
  z.object({ name: z.string(), destroydata: z.boolean().default(false), tags: Tags.optional() }),
]);
type Device = z.infer<typeof Device>;
const FileNode = z.object({
  node: z.object({
    hostnames: z.object({ manage: z.array(z.string()).min(1), storage: z.array(z.string()).min(1) }),
    zone: z.int().min(1),
    tags: Tags.optional(),
  }),
  devices: z.array(Device).default([]),
});
type FileNode = z.infer<typeof FileNode>;

/** heketi's topology file; a device is a name or an object. */
export const TopologyFile = z.object({
  clusters: z.array(
    z.object({ file: z.boolean().default(true), block: z.boolean().default(true), nodes: z.array(FileNode) }),
  ),
});
export type TopologyFile = z.infer<typeof TopologyFile>;
type FileCluster = TopologyFile['clusters'][number];

/** What a load did. */
export interface Loaded {
  readonly clusters: number;
  readonly nodes: number;
  readonly devices: number;
  readonly found: number;
  readonly failed: number;
}

/** One line about a load. */
export const summaryOf = ({ clusters, nodes, devices, found, failed }: Loaded): string =>
  `Created ${String(clusters)} cluster(s), ${String(nodes)} node(s), ${String(devices)} device(s); ` +
  `found ${String(found)} already there; ${String(failed)} failed`;

const manageName = ({ node }: FileNode): string => node.hostnames.manage[0] ?? '';

/** One run of a load: counts, and says each thing as it happens. */
class Load {
  clusters = 0;
  nodes = 0;
  devices = 0;
  found = 0;
  failed = 0;
  private readonly known: Map<string, Node>;

  constructor(
    private readonly context: Context,
    existing: readonly Node[],
    private readonly say: (text: string) => void,
  ) {
    this.known = new Map(existing.map((node) => [node.hostnames.manage[0] ?? '', node]));
  }

  async cluster(wanted: FileCluster): Promise<void> {
    let current: string | undefined;
    let made: string | undefined;
    for (const entry of wanted.nodes) {
      const known = this.known.get(manageName(entry));
      if (known !== undefined) {
        this.found += 1;
        this.say(`\tFound node ${manageName(entry)} on cluster ${known.cluster}\n`);
        current = known.cluster;
        await this.addDevices(known, entry.devices);
        continue;
      }
      current ??= made = await this.createCluster(wanted);
      const node = await this.createNode(current, entry);
      if (node !== undefined) await this.addDevices(node, entry.devices);
    }
    if (made !== undefined) await this.removeIfEmpty(made);
  }

  private async createCluster({ file, block }: FileCluster): Promise<string> {
    this.say('Creating cluster ... ');
    const { id } = parseAnswer(Cluster, await this.context.api.post('/clusters', { file, block }));
    this.clusters += 1;
    this.say(`ID: ${id}\n`);
    if (file) this.say('\tAllowing file volumes on cluster.\n');
    if (block) this.say('\tAllowing block volumes on cluster.\n');
    return id;
  }

  private async createNode(cluster: string, entry: FileNode): Promise<Node | undefined> {
    this.say(`\tCreating node ${manageName(entry)} ... `);
    const { hostnames, zone, tags } = entry.node;
    try {
      const request = { cluster, hostnames, zone, ...(tags === undefined ? {} : { tags }) };
      const node = parseAnswer(Node, await this.context.api.post('/nodes', request));
      this.nodes += 1;
      this.say(`ID: ${node.id}\n`);
      return node;
    } catch (error) {
      this.failed += 1;
      this.say(`Unable to create node: ${describeError(error)}\n`);
      return undefined;
    }
  }

  /** A host takes its devices one after the other; hosts do not wait for each other's disks here, as heketi-cli has it. */
  private async addDevices(node: Node, devices: readonly Device[]): Promise<void> {
    const names = new Set(node.devices.map(({ name }) => name));
    const fresh = devices.filter(({ name }) => !names.has(name));
    // Asked for all at once: each takes its turn on the host, and the answers are told in the file's order.
    const added = fresh.map((device) =>
      this.addDevice(node.id, device).then(
        () => undefined,
        (error: unknown) => describeError(error),
      ),
    );
    for (const device of devices) {
      const index = fresh.indexOf(device);
      if (index === -1) {
        this.found += 1;
        this.say(`\t\tFound device ${device.name}\n`);
        continue;
      }
      this.say(`\t\tAdding device ${device.name} ... `);
      const problem = await added[index];
      if (problem === undefined) this.devices += 1;
      else this.failed += 1;
      this.say(problem === undefined ? 'OK\n' : `Unable to add device: ${problem}\n`);
    }
  }

  private async addDevice(node: string, { name, destroydata, tags }: Device): Promise<void> {
    const request = { node, name, destroydata, ...(tags === undefined ? {} : { tags }) };
    await this.context.api.post('/devices', request);
  }

  /** Nothing was added to a cluster that was made for it: no trace of it. */
  private async removeIfEmpty(id: string): Promise<void> {
    const { nodes, volumes } = await this.context.get(`/clusters/${id}`, Cluster);
    if (nodes.length > 0 || volumes.length > 0) return;
    await this.context.api.delete(`/clusters/${id}`);
    this.clusters -= 1;
  }
}

/** Loads a topology; failures of single nodes and devices are told and counted, and the rest goes on. */
export async function loadTopology(context: Context, file: TopologyFile, say: (text: string) => void): Promise<Loaded> {
  const { nodes } = await context.get('/v1/topology', Topology);
  const load = new Load(context, nodes, say);
  for (const cluster of file.clusters) await load.cluster(cluster);
  return load;
}
