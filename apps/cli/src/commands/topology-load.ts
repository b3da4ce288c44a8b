/** Brings what a topology file wants into being; what exists is found and left as it is. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { createSlots, describeError, type ApiAnswer } from '@brickyard/service-host/client';
import { z } from 'zod';
import { Cluster, Node, TopologyLines } from '../answers';
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

type KnownNode = TopologyLines['nodes'][number];

/** Few enough that Gluster's own lock is not fought for. */
const NODES_AT_ONCE = 8;
/** Hosts that take their devices at a time: none of them waits for another, and Gluster has no part in it. */
const HOSTS_AT_ONCE = 16;

/** What is answered while no agent of a host answers, or its glusterd does not run. */
const NOT_YET = 'glusterd running';
const AGAIN_MS = 1_000;

const manageName = ({ node }: FileNode): string => node.hostnames.manage[0] ?? '';

/** One run of a load: counts, and says each thing as it happens. */
class Load {
  clusters = 0;
  nodes = 0;
  devices = 0;
  found = 0;
  failed = 0;
  private readonly known: Map<string, KnownNode>;
  private readonly joining = createSlots(NODES_AT_ONCE);
  private readonly filling = createSlots(HOSTS_AT_ONCE);

  constructor(
    private readonly context: Context,
    existing: readonly KnownNode[],
    private readonly say: (text: string) => void,
    /** Until when, by `performance.now()`, hosts may still be starting. */
    private readonly patientUntil: number,
  ) {
    this.known = new Map(existing.map((node) => [node.hostnames.manage[0] ?? '', node]));
  }

  /**
   * The first node that a new cluster gets is waited for, since the others join it; after that several are added at a time, and
   * told in the order of the file.
   */
  async cluster(wanted: FileCluster): Promise<void> {
    let current: string | undefined;
    let made: string | undefined;
    let hasMember = false;
    const told: Promise<string>[] = [];
    for (const entry of wanted.nodes) {
      const known = this.known.get(manageName(entry));
      if (known !== undefined) {
        current = known.cluster;
        hasMember = true;
        told.push(this.foundNode(known, entry));
        continue;
      }
      current ??= made = await this.createCluster(wanted);
      const cluster = current;
      const node = this.createNode(cluster, entry);
      told.push(this.newNode(node, entry));
      if (!hasMember) hasMember = typeof (await node) !== 'string';
    }
    for (const text of told) this.say(await text);
    if (made !== undefined) await this.removeIfEmpty(made);
  }

  private async foundNode(known: KnownNode, { node, devices }: FileNode): Promise<string> {
    this.found += 1;
    const head = `\tFound node ${node.hostnames.manage[0] ?? ''} on cluster ${known.cluster}\n`;
    return head + (await this.addDevices(known, devices));
  }

  private async newNode(created: Promise<Node | string>, entry: FileNode): Promise<string> {
    const head = `\tCreating node ${manageName(entry)} ... `;
    const node = await created;
    if (typeof node === 'string') return `${head}Unable to create node: ${node}\n`;
    return `${head}ID: ${node.id}\n${await this.addDevices(node, entry.devices)}`;
  }

  private async createCluster({ file, block }: FileCluster): Promise<string> {
    this.say('Creating cluster ... ');
    const { id } = parseAnswer(Cluster, await this.send('/clusters', { file, block }));
    this.clusters += 1;
    this.say(`ID: ${id}\n`);
    if (file) this.say('\tAllowing file volumes on cluster.\n');
    if (block) this.say('\tAllowing block volumes on cluster.\n');
    return id;
  }

  /** The node, or why there is none. */
  private async createNode(cluster: string, entry: FileNode): Promise<Node | string> {
    const { hostnames, zone, tags } = entry.node;
    await this.joining.acquire();
    try {
      const request = { cluster, hostnames, zone, ...(tags === undefined ? {} : { tags }) };
      const node = parseAnswer(Node, await this.whenGlusterRuns(() => this.send('/nodes', request)));
      this.nodes += 1;
      return node;
    } catch (error) {
      this.failed += 1;
      return describeError(error);
    } finally {
      this.joining.release();
    }
  }

  private async whenGlusterRuns(ask: () => Promise<ApiAnswer>): Promise<ApiAnswer> {
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (performance.now() > this.patientUntil || !describeError(error).includes(NOT_YET)) throw error;
        await pause(AGAIN_MS);
      }
    }
  }

  /** A host takes its devices one after the other; asked for all at once, each takes its turn there. */
  private async addDevices(node: KnownNode, devices: readonly Device[]): Promise<string> {
    await this.filling.acquire();
    try {
      return await this.addEach(node, devices);
    } finally {
      this.filling.release();
    }
  }

  private async addEach(node: KnownNode, devices: readonly Device[]): Promise<string> {
    const names = new Set(node.devices.map(({ name }) => name));
    const lines = devices.map(async (device) => {
      if (names.has(device.name)) {
        this.found += 1;
        return `\t\tFound device ${device.name}\n`;
      }
      const problem = await this.addDevice(node.id, device).then(() => undefined, describeError);
      if (problem === undefined) this.devices += 1;
      else this.failed += 1;
      return `\t\tAdding device ${device.name} ... ${problem === undefined ? 'OK' : `Unable to add device: ${problem}`}\n`;
    });
    return (await Promise.all(lines)).join('');
  }

  private async addDevice(node: string, { name, destroydata, tags }: Device): Promise<void> {
    const request = { node, name, destroydata, ...(tags === undefined ? {} : { tags }) };
    await this.send('/devices', request);
  }

  /** With a key, so that a connection that breaks does no harm and an answer comes when all is done. */
  private send(path: string, request: object): Promise<ApiAnswer> {
    return this.context.api.post(path, request, { idempotencyKey: randomUUID() });
  }

  /** Nothing was added to a cluster that was made for it: no trace of it. */
  private async removeIfEmpty(id: string): Promise<void> {
    const { nodes, volumes } = await this.context.get(`/clusters/${id}`, Cluster);
    if (nodes.length > 0 || volumes.length > 0) return;
    await this.context.api.delete(`/clusters/${id}`);
    this.clusters -= 1;
  }
}

/**
 * Loads a topology; failures of single nodes and devices are told and counted, and the rest goes on. For so many seconds
 * hosts are asked again whose agent or glusterd does not answer yet.
 */
export async function loadTopology(
  context: Context,
  file: TopologyFile,
  say: (text: string) => void,
  hostsWithinSeconds = 0,
): Promise<Loaded> {
  const { nodes } = await context.get('/v1/topology?brief=true', TopologyLines);
  const load = new Load(context, nodes, say, performance.now() + hostsWithinSeconds * 1_000);
  for (const cluster of file.clusters) await load.cluster(cluster);
  return load;
}
