/** One row of the checklist: something a client of heketi can see, as a test over HTTP. */
import assert from 'node:assert/strict';
import { type Answer, type HeketiServer, type Json, newName } from './heketi-server';

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
  readonly id: string;
  readonly title: string;
  /** Needs the tests' hands on the system, or the key of `user`. */
  readonly needs?: 'control' | 'user';
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

/** Makes a cluster whose hosts nobody has used before. */
export async function makeSite(server: HeketiServer, shape: SiteShape = {}): Promise<Site> {
  const { zones = [1, 2, 3, 4], file = true, block = true } = shape;
  const cluster = await makeCluster(server, { file, block });
  const [first, ...others] = zones.map((zone, index) => () => makeNode(server, cluster, zone, index, shape));
  if (first === undefined) return { cluster, nodes: [] };
  const head = await first();
  return { cluster, nodes: [head, ...(await Promise.all(others.map((make) => make())))] };
}

export async function makeCluster(server: HeketiServer, flags = { file: true, block: true }): Promise<string> {
  const answer = await server.post('/clusters', flags);
  assert.equal(answer.status, 201, answer.text);
  return (JSON.parse(answer.text) as { id: string }).id;
}

async function makeNode(
  server: HeketiServer,
  cluster: string,
  zone: number,
  index: number,
  { devices = 2, tags }: SiteShape,
): Promise<SiteNode> {
  const host = newName('host');
  const hostnames = { manage: [host], storage: [host] };
  const node = await server.make('/nodes', { zone, cluster, hostnames, tags: tags?.(index) ?? {} });
  const id = node.text('id');
  const names = Array.from({ length: devices }, (_, number) => `/dev/sd${String.fromCharCode(98 + number)}`);
  const added = await Promise.all(names.map((name) => server.work('POST', '/devices', { node: id, name })));
  for (const answer of added) assert.equal(answer.status, 204, answer.text);
  return { id, host, devices: (await server.read(`/nodes/${id}`)).list('devices').map((one) => one.text('id')) };
}

/** Takes a cluster away with all that is in it. */
export async function removeSite(server: HeketiServer, { cluster, nodes }: Site): Promise<void> {
  for (const block of (await server.read(`/clusters/${cluster}`)).texts('blockvolumes')) {
    await expectDone(server, 'DELETE', `/blockvolumes/${block}`);
  }
  for (const volume of (await server.read(`/clusters/${cluster}`)).texts('volumes')) {
    await expectDone(server, 'DELETE', `/volumes/${volume}`);
  }
  for (const { id, devices } of nodes) {
    await Promise.all(devices.map((device) => removeDevice(server, device)));
    await expectDone(server, 'DELETE', `/nodes/${id}`);
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
    await run(bench, site);
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
export const disperse = (data: number, redundancy: number): object => ({
  durability: { type: 'disperse', disperse: { data, redundancy } },
});
