/** The picture that the API's answers give. */
import { canonicalJson } from '@brickyard/event-sourcing';
import type { ApiAnswer } from '@brickyard/service-host';
import { Cluster, ClusterList, Device, Node, Volume, VolumeList } from '../answers';
import { parseAnswer, type Context } from '../context';
import { listed, type Picture, type Thing } from './picture';
import { brickField, gibText, kibText, tagText } from './state-picture';

/** Requests at the same time. */
const AT_ONCE = 8;

/** What the API shows at a moment, which it turns into a position with its first answer. */
export async function pictureFromApi(context: Context, moment: string | undefined): Promise<Picture> {
  const first = await context.answer('/clusters', moment);
  const position = positionOf(first);
  const at = String(position);
  const things = new Map<string, Thing>();
  const clusters = await each(parseAnswer(ClusterList, first).clusters, (id) =>
    context.get(`/clusters/${id}`, Cluster, at),
  );
  for (const cluster of clusters) things.set(`cluster ${cluster.id}`, clusterThing(cluster));
  const nodes = await each(
    clusters.flatMap((cluster) => cluster.nodes),
    (id) => context.get(`/nodes/${id}`, Node, at),
  );
  for (const node of nodes) things.set(`node ${node.id}`, nodeThing(node));
  const places = nodes.flatMap((node) => node.devices.map((device) => ({ id: device.id, nodeId: node.id })));
  const devices = await each(places, async ({ id, nodeId }) => ({
    nodeId,
    device: await context.get(`/devices/${id}`, Device, at),
  }));
  for (const { device, nodeId } of devices) things.set(`device ${device.id}`, deviceThing(device, nodeId));
  const { volumes } = await context.get('/volumes', VolumeList, at);
  for (const volume of await each(volumes, (id) => context.get(`/volumes/${id}`, Volume, at))) {
    things.set(`volume ${volume.id}`, volumeThing(volume));
  }
  return { position, things };
}

/** The position an answer is of. */
export function positionOf({ headers }: ApiAnswer): number {
  const position = Number(headers['x-brickyard-position'] ?? Number.NaN);
  if (Number.isSafeInteger(position)) return position;
  throw new Error('the server does not say which position its answer is of: it is not a Brickyard gateway');
}

/** Does something for each item, a few at a time, results in order. */
export async function each<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let from = 0; from < items.length; from += AT_ONCE) {
    results.push(...(await Promise.all(items.slice(from, from + AT_ONCE).map(work))));
  }
  return results;
}

const clusterThing = ({ file, block, nodes, volumes }: ReturnType<typeof Cluster.parse>): Thing =>
  new Map([
    ['file', String(file)],
    ['block', String(block)],
    ['nodes', listed(nodes)],
    ['volumes', listed(volumes)],
  ]);

const nodeThing = ({ cluster, zone, state, hostnames, tags, devices }: Node): Thing =>
  new Map([
    ['cluster', cluster],
    ['zone', String(zone)],
    ['state', state],
    ['manage', hostnames.manage.join(' ')],
    ['storage', hostnames.storage.join(' ')],
    ['tags', tagText(tags)],
    ['devices', listed(devices.map(({ id }) => id))],
  ]);

const deviceThing = ({ name, state, storage, tags, paths, pv_uuid: pvUuid, bricks }: Device, nodeId: string): Thing =>
  new Map([
    ['name', name],
    ['node', nodeId],
    ['state', state],
    ['total', kibText(storage.total)],
    ['free', kibText(storage.free)],
    ['used', kibText(storage.used)],
    ['tags', tagText(tags)],
    ['paths', paths.join(' ')],
    ['pv uuid', pvUuid],
    ...bricks.map(({ id, volume, path, size }) => brickField(id, volume, path, size)),
  ]);

const volumeThing = ({ name, size, cluster, durability, gid, ...volume }: Volume): Thing =>
  new Map([
    ['name', name],
    ['size', gibText(size)],
    ['cluster', cluster],
    ['durability', canonicalJson(durability)],
    ['gid', String(gid)],
    ['options', JSON.stringify(volume.glustervolumeoptions)],
    ['snapshot', `${String(volume.snapshot.enable)} ${String(volume.snapshot.factor)}`],
    ['hosts', listed(volume.mount.glusterfs.hosts)],
    ...volume.bricks.map(({ id, device, path, size: sizeKib }) => brickField(id, device, path, sizeKib)),
  ]);
