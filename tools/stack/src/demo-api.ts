/** What the demonstration asks of the API, and what it expects back. */
import type { ApiClient } from '@brickyard/service-host';
import { z } from 'zod';
import { eventually } from './readiness';

const OPERATIONS_TIMEOUT_MS = 60_000;

const Brick = z.object({ id: z.string(), path: z.string(), node: z.string(), device: z.string(), size: z.number() });
const Volume = z.object({
  id: z.string(),
  name: z.string(),
  /** GiB. */
  size: z.number(),
  mount: z.object({ glusterfs: z.object({ device: z.string(), options: z.record(z.string(), z.string()) }) }),
  bricks: z.array(Brick),
});
export type Volume = z.infer<typeof Volume>;

const Node = z.object({
  id: z.string(),
  hostnames: z.object({ manage: z.array(z.string()).min(1) }),
  devices: z.array(z.object({ name: z.string(), storage: z.object({ used: z.number() }) })),
});
const Status = z.object({
  position: z.number(),
  counts: z.object({ operations: z.number() }),
  nodes: z.array(
    z.object({
      id: z.string(),
      host: z.string(),
      lost: z.boolean(),
      agent: z.object({ alive: z.boolean().optional(), host: z.string().optional() }),
    }),
  ),
});
export type Status = z.infer<typeof Status>;

const Entry = z.object({ position: z.number(), time: z.string(), type: z.string(), stream: z.string() });
export type HistoryEntry = z.infer<typeof Entry>;

export const readStatus = async (api: ApiClient): Promise<Status> => Status.parse((await api.get('/v1/status')).body);

export const readVolume = async (api: ApiClient, id: string, query = ''): Promise<Volume> =>
  Volume.parse((await api.get(`/volumes/${id}${query}`)).body);

export const createVolume = async (api: ApiClient, name: string, sizeGib: number): Promise<Volume> => {
  const durability = { type: 'replicate', replicate: { replica: 3 } };
  return Volume.parse((await api.post('/volumes', { name, size: sizeGib, durability })).body);
};

export const expandVolume = async (api: ApiClient, id: string, byGib: number): Promise<Volume> =>
  Volume.parse((await api.post(`/volumes/${id}/expand`, { expand_size: byGib })).body);

export const readHistory = async (api: ApiClient, id: string): Promise<readonly HistoryEntry[]> =>
  z.object({ events: z.array(Entry) }).parse((await api.get(`/v1/history/volumes/${id}`)).body).events;

/** KiB taken on every device, by node and device name. */
export async function usedSpace(api: ApiClient): Promise<Readonly<Record<string, number>>> {
  const { nodes } = await readStatus(api);
  const used: Record<string, number> = {};
  for (const { id } of nodes) {
    const node = Node.parse((await api.get(`/nodes/${id}`)).body);
    for (const { name, storage } of node.devices) used[`${node.hostnames.manage[0] ?? ''} ${name}`] = storage.used;
  }
  return used;
}

/** Waits until no operation runs: the registry may still be getting its volume. */
export async function untilIdle(api: ApiClient): Promise<void> {
  await eventually('operations do not end', OPERATIONS_TIMEOUT_MS, async () => {
    const { counts } = await readStatus(api);
    if (counts.operations > 0) throw new Error(`${String(counts.operations)} run`);
  });
}
