/** One row of the checklist: something a client of heketi can see, as a test over HTTP. */
import assert from 'node:assert/strict';
import type { Answer, HeketiServer, Json } from './heketi-server';
import type { SpareHost } from './hosts';

/** What a row may do besides asking the server; there only when the tests run the whole system. */
export interface SystemControl {
  /** From now on, and until `release`, tasks of this kind do not end. */
  hold(task: string): Promise<void>;
  /** From now on tasks of this kind fail. */
  fail(task: string): Promise<void>;
  /** Ends all planned trouble. */
  release(): Promise<void>;
  /** The signal that opens a server that is read-only. */
  reopen(): Promise<void>;
}

/** What a row is given. */
export interface Bench {
  readonly server: HeketiServer;
  readonly control?: SystemControl | undefined;
  /** One cluster of four nodes in zones 1 to 4, two devices of 500 GiB each: made once, for rows that leave it as it was. */
  readonly shared: () => Promise<Site>;
}

export interface Row {
  /** Of the checklist; with a letter behind it, one more test of the same row. */
  readonly id: string;
  /** Other rows of the checklist that this one proves as well. */
  readonly also?: readonly string[];
  readonly title: string;
  /** Needs the tests' hands on the system, or the key of `user`. */
  readonly needs?: 'control' | 'user';
  /** Leaves something that nothing may take away: it comes last where hosts are few. */
  readonly leaves?: true;
  readonly run: (bench: Bench) => Promise<void>;
}

/** A cluster with its nodes and devices. */
export interface Site {
  readonly cluster: string;
  readonly nodes: readonly SiteNode[];
}
export interface SiteNode {
  readonly id: string;
  readonly host: string;
  readonly devices: readonly string[];
  /** Of the devices, in the same order. */
  readonly names: readonly string[];
}

export interface SiteShape {
  /** Zone of each node; four nodes in zones 1 to 4 when absent. */
  readonly zones?: readonly number[];
  readonly devices?: number;
  /** Tags of the node with this index. */
  readonly tags?: (index: number) => Readonly<Record<string, string>>;
  readonly file?: boolean;
  readonly block?: boolean;
}

/** Makes a cluster of hosts that nobody uses. */
export async function makeSite(server: HeketiServer, shape: SiteShape = {}): Promise<Site> {
  const { zones = [1, 2, 3, 4], devices = 2, file = true, block = true } = shape;
  const hosts = await server.hosts.take(zones.length, devices);
  const cluster = await makeCluster(server, { file, block });
  const [first, ...others] = hosts.map((host, index) => () => {
    const tags = shape.tags?.(index) ?? {};
    return makeNode(server, host, { cluster, zone: zones[index], tags });
  });
  if (first === undefined) return { cluster, nodes: [] };
  const head = await first().catch(async (error: unknown) => {
    await server.ask('DELETE', `/clusters/${cluster}`);
    throw error;
  });
  const made = await Promise.allSettled(others.map((make) => make()));
  const nodes = [head, ...made.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))];
  const failure = made.find((one) => one.status === 'rejected');
  if (failure === undefined) return { cluster, nodes };
  await removeSite(server, { cluster, nodes }).catch(() => undefined); // Other rows may need its hosts.
  throw failure.reason;
}

export async function makeCluster(server: HeketiServer, flags = { file: true, block: true }): Promise<string> {
  const answer = await server.post('/clusters', flags);
  assert.equal(answer.status, 201, answer.text);
  return (JSON.parse(answer.text) as { id: string }).id;
}

interface Place {
  readonly cluster: string;
  readonly zone: number | undefined;
  readonly tags: Readonly<Record<string, string>>;
}

async function makeNode(server: HeketiServer, host: SpareHost, { cluster, zone, tags }: Place): Promise<SiteNode> {
  const { address, devices: names } = host;
  const hostnames = { manage: [address], storage: [address] };
  const node = await server.make('/nodes', { zone, cluster, hostnames, tags }).catch((error: unknown) => {
    server.hosts.give(address);
    throw error;
  });
  const id = node.text('id');
  const added = await Promise.all(names.map((name) => server.work('POST', '/devices', { node: id, name })));
  for (const answer of added) expectText(answer, 204, '');
  const shown = (await server.read(`/nodes/${id}`)).list('devices');
  const devices = shown.map((one) => one.text('id'));
  return { id, host: address, devices, names: shown.map((one) => one.text('name')) };
}

/** The site that many rows share: made when it is wanted. */
export interface SharedSite {
  readonly get: () => Promise<Site>;
  /** Takes it away if it was made; fails when something in it has to stay. */
  readonly giveBack: () => Promise<void>;
}

/** Also taken away where its hosts are wanted more. */
export function sharedSite(server: HeketiServer): SharedSite {
  let site: Promise<Site> | undefined;
  const giveBack = async (): Promise<void> => {
    const had = await site;
    site = undefined;
    if (had !== undefined) await removeSite(server, had);
  };
  server.hosts.onShortage(giveBack);
  return {
    giveBack,
    get: () => {
      site ??= makeSite(server).catch((error: unknown) => {
        site = undefined;
        throw error;
      });
      return site;
    },
  };
}

/** Takes a cluster away with all that is in it. */
export async function removeSite(server: HeketiServer, { cluster, nodes }: Site): Promise<void> {
  for (const block of (await server.read(`/clusters/${cluster}`)).texts('blockvolumes')) {
    await expectDone(server, 'DELETE', `/blockvolumes/${block}`);
  }
  for (const volume of (await server.read(`/clusters/${cluster}`)).texts('volumes')) {
    await expectDone(server, 'DELETE', `/volumes/${volume}`);
  }
  for (const { id, devices, host } of nodes) {
    await Promise.all(devices.map((device) => removeDevice(server, device)));
    await expectDone(server, 'DELETE', `/nodes/${id}`);
    server.hosts.give(host);
  }
  expectText(await server.ask('DELETE', `/clusters/${cluster}`), 200, '');
}

export async function removeDevice(server: HeketiServer, device: string): Promise<void> {
  await expectDone(server, 'POST', `/devices/${device}/state`, { state: 'offline' });
  await expectDone(server, 'POST', `/devices/${device}/state`, { state: 'failed' });
  await expectDone(server, 'DELETE', `/devices/${device}`);
}

/** Runs with a cluster of its own, and takes it away. */
export const withSite =
  (shape: SiteShape, run: (bench: Bench, site: Site) => Promise<void>) =>
  async (bench: Bench): Promise<void> => {
    const site = await makeSite(bench.server, shape);
    try {
      await run(bench, site);
    } catch (error) {
      await bench.control?.release();
      await removeSite(bench.server, site).catch(() => undefined); // The next row may need its hosts.
      throw error;
    }
    await removeSite(bench.server, site);
  };

/** Status and whole text of an answer; errors end with a line break, which is left out here. */
export function expectText(answer: Answer, status: number, text: string | RegExp): void {
  assert.equal(answer.status, status, `${String(answer.status)}: ${answer.text}`);
  if (typeof text === 'string') assert.equal(answer.text.replace(/\n$/, ''), text);
  else assert.match(answer.text, text);
}

export async function expectDone(server: HeketiServer, method: string, path: string, body?: unknown): Promise<void> {
  expectText(await server.work(method, path, body), 204, '');
}

/** A volume in one cluster. */
export const makeVolume = (server: HeketiServer, cluster: string, body: object): Promise<Json> =>
  server.make('/volumes', { clusters: [cluster], ...body });

/** The refusal of a volume for which no devices have room. */
export const NO_SPACE = 'Failed to allocate new volume: No space';

/** A volume that is refused, with the whole text of the refusal. */
export async function expectNoVolume(
  server: HeketiServer,
  body: object,
  status: number,
  text: string | RegExp,
): Promise<void> {
  expectText(await server.post('/volumes', body), status, text);
}

/** KiB promised to bricks on each device of a site. */
export async function usedKib(server: HeketiServer, { nodes }: Site): Promise<readonly number[]> {
  const infos = await Promise.all(nodes.map(({ id }) => server.read(`/nodes/${id}`)));
  return infos.flatMap((info) => info.list('devices')).map((device) => device.at('storage').number('used'));
}

export const replica = (count: number): object => ({
  durability: { type: 'replicate', replicate: { replica: count } },
});
/** A volume option, as a request asks for it. */
export const option = (key: string, value: string): object => ({ glustervolumeoptions: [`${key} ${value}`] });
export const disperse = (data: number, redundancy: number): object => ({
  durability: { type: 'disperse', disperse: { data, redundancy } },
});
