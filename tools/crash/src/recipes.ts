/** How each saga is set going. A saga without its line here does not compile; which steps it has, its own table says. */
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentTask } from '@brickyard/contracts';
import type { OperationKind } from '@brickyard/domain';
import { loadTopology, sampleTopology } from '@brickyard/stack';
import { z } from 'zod';
import { type Estate, patiently } from './estate';
import { planFaults, type PlannedFault } from './faults-file';

/** A request whose operation is the one that is watched. */
export interface Ask {
  readonly method: 'get' | 'post' | 'delete';
  readonly path: string;
  readonly body?: unknown;
}

/** What is ready to begin: by a request, or because something happens to a host. */
export type Ready = { readonly ask: Ask } | { readonly happen: (faults: readonly PlannedFault[]) => Promise<void> };

type Recipe = (estate: Estate, unique: string) => Promise<Ready>;

const Brick = z.object({ id: z.string(), device: z.string(), node: z.string() });
const VolumeInfo = z.object({ id: z.string(), name: z.string(), bricks: z.array(Brick).min(1) });
const NodeInfo = z.object({
  id: z.string(),
  cluster: z.string(),
  hostnames: z.object({ manage: z.array(z.string()) }),
});
const DeviceInfo = z.object({ id: z.string(), name: z.string() });
const DriftList = z.object({
  drift: z.array(
    z.object({
      id: z.string(),
      class: z.string(),
      found: z.string(),
      subject: z.object({ volumeId: z.string().optional() }),
      restore: z.object({ possible: z.boolean() }),
    }),
  ),
});

const EXTRA = 'extra-';
const EXTRA_SIZE = '20G';
const FILE_MS = 10_000;
const GLUSTER_MS = 120_000;

const REPLICA_3 = { size: 1, durability: { type: 'replicate', replicate: { replica: 3 } } };
const volumeNamed = (name: string): object => ({ ...REPLICA_3, name });

async function makeVolume({ api }: Estate, name: string): Promise<z.infer<typeof VolumeInfo>> {
  return VolumeInfo.parse((await api.post('/volumes', volumeNamed(name), { idempotencyKey: `make-${name}` })).body);
}

const blockNamed = (name: string, hacount = 2): object => ({ size: 1, name, hacount });

async function makeBlock({ api }: Estate, name: string, hacount?: number): Promise<string> {
  return z.object({ id: z.string() }).parse((await api.post('/blockvolumes', blockNamed(name, hacount))).body).id;
}

/** The nodes by id; the one that runs Gluster's commands is the first. */
const nodesOf = async (estate: Estate): Promise<z.infer<typeof NodeInfo>[]> => {
  const ids = [...(await estate.read()).nodes.keys()].sort();
  return Promise.all(ids.map(async (id) => NodeInfo.parse((await estate.api.get(`/nodes/${id}`)).body)));
};

async function firstNode(estate: Estate): Promise<z.infer<typeof NodeInfo>> {
  const [node] = await nodesOf(estate);
  if (node === undefined) throw new Error('the cluster has no nodes');
  return node;
}

/** The last real host, out of the cluster; a simulated host of any name is there for the asking. */
async function spareNode(estate: Estate, unique: string): Promise<{ cluster: string; host: string; zone: number }> {
  const { cluster } = await firstNode(estate);
  const last = estate.stack.hosts.at(-1);
  if (estate.stack.lab === undefined || last === undefined) return { cluster, host: `${EXTRA}${unique}`, zone: 9 };
  const node = (await nodesOf(estate)).find(({ hostnames }) => hostnames.manage[0] === last.address);
  if (node === undefined) throw new Error(`${last.name} is not in the cluster`);
  for (const { deviceId, nodeId, state } of (await estate.read()).devices.values()) {
    if (nodeId === node.id) await dropDevice(estate, `/devices/${deviceId}`, state);
  }
  await estate.api.delete(`/nodes/${node.id}`);
  return { cluster, host: last.address, zone: estate.stack.hosts.length };
}

async function nodeRequest(estate: Estate, unique: string): Promise<object> {
  const { cluster, host, zone } = await spareNode(estate, unique);
  return { cluster, zone, hostnames: { manage: [host], storage: [host] } };
}

/** The name of a device that no topology has. A real one is a file, which a device of that name needs first. */
async function extraDevice({ stack }: Estate, unique: string): Promise<string> {
  const [host] = stack.lab?.hosts ?? [];
  if (host === undefined) return `/dev/${EXTRA}${unique}`;
  const name = `${host.stateDirectory}/devices/${EXTRA}${unique}`;
  for (const one of stack.lab?.hosts ?? []) await one.run(['truncate', '-s', EXTRA_SIZE, name], { timeoutMs: FILE_MS });
  return name;
}

async function makeDevice(estate: Estate, unique: string): Promise<string> {
  const node = await firstNode(estate);
  const name = await extraDevice(estate, unique);
  await estate.api.post('/devices', { node: node.id, name });
  const { body } = await estate.api.get(`/nodes/${node.id}`);
  const { devices } = z.object({ devices: z.array(DeviceInfo) }).parse(body);
  const device = devices.find((one) => one.name === name);
  if (device === undefined) throw new Error(`device ${name} is not there`);
  return device.id;
}

const post = (path: string, body: unknown): Ready => ({ ask: { method: 'post', path, body } });
const remove = (path: string): Ready => ({ ask: { method: 'delete', path } });

const RESIDUE_TRIES = 5;

/**
 * The host is switched off in the middle of a creation; what it had done is residue until it comes back. It is the one
 * that runs Gluster's commands, and the volume needs every host that is online: so it has a brick, and no other place.
 */
async function leaveResidue(estate: Estate, unique: string): Promise<Ready> {
  const { api, faultsFile, stack } = estate;
  const [node, ...others] = await nodesOf(estate);
  const host = node?.hostnames.manage[0] ?? '';
  for (const { id } of others.slice(REPLICA_3.durability.replicate.replica - 1)) {
    await api.post(`/nodes/${id}/state`, { state: 'offline' });
  }
  const isReal = stack.lab !== undefined;
  for (let count = 1; ; count++) {
    planFaults(faultsFile, [{ host, step: 1, direction: 'act', hang: 'after' }]);
    const made = api.post('/volumes', volumeNamed(`residue-${unique}-${String(count)}`));
    made.catch(() => undefined); // Awaited below.
    await patiently(estate, 'the creation does not come so far', async () => {
      const { operations } = await estate.read();
      if (![...operations.values()].some(({ current }) => current?.step === 1)) throw new Error('not yet');
    });
    if (isReal) await stack.crashHost(host);
    planFaults(faultsFile, isReal ? [] : [{ host, silent: true }]);
    // There is no other place for it, or its name is taken by what the lost host still serves: it ends with that reason.
    await made.catch(() => undefined);
    const missing = await missingResidue(estate, isReal ? ['DeleteBrick'] : ['DeleteGlusterVolume', 'DeleteBrick']);
    if (missing.length === 0) break;
    if (count === RESIDUE_TRIES)
      throw new Error(`${host} was lost ${String(count)} times, and left no ${missing.join(', no ')}`);
    planFaults(faultsFile, []);
    if (isReal) await stack.bootHost(host);
    await estate.rest();
  }
  return {
    async happen(faults) {
      planFaults(faultsFile, faults);
      if (isReal) await stack.bootHost(host);
    },
  };
}

/** Which of these tasks no lost host has left, or left for a volume that is there after all: its step would ask for nothing. */
async function missingResidue(estate: Estate, wanted: readonly AgentTask['type'][]): Promise<readonly string[]> {
  const { nodes, volumes } = await estate.read();
  const left = [...nodes.values()]
    .flatMap(({ residue }) => residue)
    .filter(({ task }) => !('volume' in task) || !volumes.has(task.volume.volumeId))
    .map(({ task }) => task.type);
  return wanted.filter((type) => !left.includes(type));
}

/** Somebody deletes the volume behind the system's back, on all hosts. */
async function loseVolume(estate: Estate, unique: string): Promise<Ready> {
  const { api } = estate;
  const { id, name } = await makeVolume(estate, `drift-${unique}`);
  await deleteBehindItsBack(estate, name);
  // One host after the other tells that it has lost the volume; as long as one is believed to have it, it is not restored.
  const drift = await patiently(estate, 'the drift is not seen', async () => {
    const { drift: all } = DriftList.parse((await api.get('/v1/drift')).body);
    const found = all.find(({ class: kind, subject }) => kind === 'volume-missing' && subject.volumeId === id);
    if (found?.restore.possible === true) return found;
    throw new Error(found === undefined ? `volume ${name} is not missed yet` : `it is ${found.found}`);
  });
  return post(`/v1/drift/${drift.id}/restore`, {});
}

async function deleteBehindItsBack({ stack, dataDir }: Estate, volume: string): Promise<void> {
  const [host] = stack.lab?.hosts ?? [];
  if (host !== undefined) {
    for (const what of [
      ['stop', volume, 'force'],
      ['delete', volume],
    ]) {
      const { exitCode, stderr } = await host.run(['gluster', '--mode=script', 'volume', ...what], {
        timeoutMs: GLUSTER_MS,
      });
      if (exitCode !== 0) throw new Error(`volume ${what.join(' ')}: ${stderr}`);
    }
    return;
  }
  const agents = stack.service('node-agents');
  await agents.stop();
  const journal = join(dataDir, 'simulated', 'gluster.journal');
  const pool = poolIn(journal, volume);
  appendFileSync(journal, `${JSON.stringify({ is: 'volume', pool, name: volume, volume: null })}\n`);
  await agents.start();
}

function poolIn(journal: string, volume: string): string {
  const lines = readFileSync(journal, 'utf8').split('\n');
  const last = lines.findLast((line) => line.includes(`"name":${JSON.stringify(volume)}`));
  return z.object({ pool: z.string() }).parse(JSON.parse(last ?? '{}')).pool;
}

/** One for each kind of operation. */
export const recipes: Readonly<Record<OperationKind, Recipe>> = {
  'create-volume': (_, unique) => Promise.resolve(post('/volumes', volumeNamed(`create-${unique}`))),
  'expand-volume': async (estate, unique) => {
    const { id } = await makeVolume(estate, `expand-${unique}`);
    return post(`/volumes/${id}/expand`, { expand_size: 1 });
  },
  'delete-volume': async (estate, unique) => {
    const { id } = await makeVolume(estate, `delete-${unique}`);
    return remove(`/volumes/${id}`);
  },
  'clone-volume': async (estate, unique) => {
    const { id } = await makeVolume(estate, `origin-${unique}`);
    return post(`/volumes/${id}/clone`, { name: `clone-${unique}` });
  },
  'add-node': async (estate, unique) => post('/nodes', await nodeRequest(estate, unique)),
  'remove-node': async (estate, unique) => {
    const { body } = await estate.api.post('/nodes', await nodeRequest(estate, unique));
    // Offered by every node, so that the one that leaves has something to take back.
    if (estate.stack.lab === undefined) {
      await makeBlock(estate, `offered-${unique}`, (await nodesOf(estate)).length);
    }
    return remove(`/nodes/${NodeInfo.parse(body).id}`);
  },
  'add-device': async (estate, unique) => {
    const { id } = await firstNode(estate);
    return post('/devices', { node: id, name: await extraDevice(estate, unique) });
  },
  'remove-device': async (estate, unique) => {
    const id = await makeDevice(estate, unique);
    for (const state of ['offline', 'failed']) await estate.api.post(`/devices/${id}/state`, { state });
    return remove(`/devices/${id}`);
  },
  'resync-device': async (estate, unique) => {
    const id = await makeDevice(estate, unique);
    return { ask: { method: 'get', path: `/devices/${id}/resync` } };
  },
  'evict-brick': async (estate, unique) => {
    const { bricks } = await makeVolume(estate, `evict-${unique}`);
    return post(`/bricks/to-evict/${bricks[0]?.id ?? ''}`, {});
  },
  'evacuate-device': async (estate, unique) => {
    const { bricks } = await makeVolume(estate, `device-${unique}`);
    const path = `/devices/${bricks[0]?.device ?? ''}/state`;
    await estate.api.post(path, { state: 'offline' });
    return post(path, { state: 'failed' });
  },
  'evacuate-node': async (estate, unique) => {
    const { bricks } = await makeVolume(estate, `node-${unique}`);
    const path = `/nodes/${bricks[0]?.node ?? ''}/state`;
    await estate.api.post(path, { state: 'offline' });
    return post(path, { state: 'failed' });
  },
  'create-block-volume': (_, unique) => Promise.resolve(post('/blockvolumes', blockNamed(`block-${unique}`))),
  'expand-block-volume': async (estate, unique) => {
    const id = await makeBlock(estate, `wider-${unique}`);
    return post(`/blockvolumes/${id}/expand`, { new_size: 2 });
  },
  'delete-block-volume': async (estate, unique) => {
    const id = await makeBlock(estate, `no-block-${unique}`);
    return remove(`/blockvolumes/${id}`);
  },
  'remove-residue': leaveResidue,
  'restore-drift': loseVolume,
};

/** Everything that points have made is taken away again, and what they emptied is added anew: the cluster is as it was at first. */
export async function tidy(estate: Estate): Promise<void> {
  const { api } = estate;
  await patiently(estate, 'the cluster cannot be tidied', async () => {
    const { blockVolumes, volumes } = await estate.read();
    for (const id of blockVolumes.keys()) await api.delete(`/blockvolumes/${id}`);
    for (const id of volumes.keys()) await api.delete(`/volumes/${id}`);
    await replaceWhatFailed(estate);
  });
  await estate.rest();
}

/** Devices and nodes that are offline or failed are online again, and no others are there than at first. */
export async function replaceWhatFailed(estate: Estate): Promise<void> {
  await tidyDevices(estate);
  await tidyNodes(estate);
  const { problems } = await loadTopology(estate.api, sampleTopology(estate.stack.hosts));
  if (problems.length > 0) throw new Error(problems.join('; '));
}

/** There is no way back from failed: such a device is given back, and added again with its node's others. */
async function tidyDevices(estate: Estate): Promise<void> {
  const { devices, nodes } = await estate.read();
  for (const { deviceId, nodeId, name, state } of devices.values()) {
    const path = `/devices/${deviceId}`;
    const isToGo = name.includes(`/${EXTRA}`) || state === 'failed' || nodes.get(nodeId)?.state === 'failed';
    if (isToGo) await dropDevice(estate, path, state);
    else if (state === 'offline') await estate.api.post(`${path}/state`, { state: 'online' });
  }
}

async function tidyNodes(estate: Estate): Promise<void> {
  const { api } = estate;
  for (const { nodeId, clusterId, zone, state, hostnames } of (await estate.read()).nodes.values()) {
    const isExtra = hostnames.manage[0]?.startsWith(EXTRA) === true;
    if (isExtra || state === 'failed') await api.delete(`/nodes/${nodeId}`);
    else if (state === 'offline') await api.post(`/nodes/${nodeId}/state`, { state: 'online' });
    // Into its own cluster: a topology that begins with an unknown node would make another.
    if (!isExtra && state === 'failed') await api.post('/nodes', { cluster: clusterId, zone, hostnames });
  }
}

async function dropDevice({ api }: Estate, path: string, state: string): Promise<void> {
  if (state === 'online') await api.post(`${path}/state`, { state: 'offline' });
  if (state !== 'failed') await api.post(`${path}/state`, { state: 'failed' });
  await api.delete(path);
}
