/** Registers clusters, nodes and devices as heketi's `topology load` does: what is there already is found, never changed. */
import type { ApiClient } from '@brickyard/service-host';
import { z } from 'zod';
import type { HostPlace } from './fleet';

const Tags = z.record(z.string(), z.string());
const Device = z.union([
  z.string(),
  z.object({ name: z.string(), destroydata: z.boolean().optional(), tags: Tags.optional() }),
]);
const Node = z.object({
  node: z.object({
    hostnames: z.object({ manage: z.array(z.string()).min(1), storage: z.array(z.string()).min(1) }),
    zone: z.int(),
    tags: Tags.optional(),
  }),
  devices: z.array(Device).default([]),
});
const Cluster = z.object({ file: z.boolean().default(true), block: z.boolean().default(true), nodes: z.array(Node) });

/** heketi's topology file. */
export const Topology = z.object({ clusters: z.array(Cluster) });
export type Topology = z.input<typeof Topology>;

/** What a load has found, made, and could not do. */
export interface TopologyReport {
  /** The lines heketi's client prints, without their indentation. */
  readonly lines: readonly string[];
  readonly problems: readonly string[];
}

const ClusterList = z.object({ clusters: z.array(z.string()) });
const ClusterInfo = z.object({ nodes: z.array(z.string()) });
const NodeInfo = z.object({
  id: z.string(),
  cluster: z.string(),
  hostnames: z.object({ manage: z.array(z.string()) }),
  devices: z.array(z.object({ name: z.string() })).default([]),
});
type NodeInfo = z.infer<typeof NodeInfo>;
const Created = z.object({ id: z.string() });

/** A topology of the hosts: one cluster, each host in a zone of its own. */
export function sampleTopology(places: readonly HostPlace[]): Topology {
  const nodes = places.map(({ address, devices }, index) => ({
    node: { hostnames: { manage: [address], storage: [address] }, zone: index + 1 },
    devices: [...devices],
  }));
  return { clusters: [{ nodes }] };
}

/** Loads a topology through the API; a second load changes nothing. A node or device that is refused does not stop the rest. */
export async function loadTopology(client: ApiClient, topology: Topology): Promise<TopologyReport> {
  const load: Load = { client, known: await readNodes(client), lines: [], problems: [] };
  for (const cluster of Topology.parse(topology).clusters) await loadCluster(load, cluster);
  return load;
}

interface Load extends TopologyReport {
  readonly client: ApiClient;
  readonly known: Map<string, NodeInfo>;
  readonly lines: string[];
  readonly problems: string[];
}

async function readNodes(client: ApiClient): Promise<Map<string, NodeInfo>> {
  const known = new Map<string, NodeInfo>();
  const { clusters } = ClusterList.parse((await client.get('/clusters')).body);
  for (const id of clusters) {
    const { nodes } = ClusterInfo.parse((await client.get(`/clusters/${id}`)).body);
    for (const nodeId of nodes) {
      const node = NodeInfo.parse((await client.get(`/nodes/${nodeId}`)).body);
      for (const name of node.hostnames.manage.slice(0, 1)) known.set(name, node);
    }
  }
  return known;
}

async function loadCluster(load: Load, { file, block, nodes }: z.output<typeof Cluster>): Promise<void> {
  let current: string | undefined;
  let made: string | undefined;
  for (const entry of nodes) {
    const [name = ''] = entry.node.hostnames.manage;
    const found = load.known.get(name);
    if (found === undefined && current === undefined) {
      made = Created.parse((await load.client.post('/clusters', { file, block })).body).id;
      current = made;
      load.lines.push(`Creating cluster ... ID: ${current}`);
    }
    if (found !== undefined) {
      current = found.cluster;
      load.lines.push(`Found node ${name} on cluster ${found.cluster}`);
    }
    const node = found ?? (await addNode(load, current ?? '', entry));
    if (node === undefined) continue;
    await Promise.all(entry.devices.map((device) => addDevice(load, node, device)));
  }
  if (made !== undefined) await removeIfEmpty(load, made);
}

async function addNode(load: Load, cluster: string, { node }: z.output<typeof Node>): Promise<NodeInfo | undefined> {
  const [name = ''] = node.hostnames.manage;
  try {
    const added = NodeInfo.parse((await load.client.post('/nodes', { ...node, cluster })).body);
    load.known.set(name, added);
    load.lines.push(`Creating node ${name} ... ID: ${added.id}`);
    return added;
  } catch (error) {
    load.problems.push(`Creating node ${name} ... Unable to create node: ${textOf(error)}`);
    return undefined;
  }
}

async function addDevice(load: Load, node: NodeInfo, device: z.output<typeof Device>): Promise<void> {
  const wanted = typeof device === 'string' ? { name: device } : device;
  if (node.devices.some(({ name }) => name === wanted.name)) {
    load.lines.push(`Found device ${wanted.name}`);
    return;
  }
  try {
    await load.client.post('/devices', { ...wanted, node: node.id });
    load.lines.push(`Adding device ${wanted.name} ... OK`);
  } catch (error) {
    load.problems.push(`Adding device ${wanted.name} ... Unable to add device: ${textOf(error)}`);
  }
}

/** A cluster none of whose nodes could be added would only confuse. */
async function removeIfEmpty({ client }: Load, cluster: string): Promise<void> {
  const { nodes } = ClusterInfo.parse((await client.get(`/clusters/${cluster}`)).body);
  if (nodes.length === 0) await client.delete(`/clusters/${cluster}`);
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
