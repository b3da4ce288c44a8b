/** Gets a service its volume from the API, as any client of heketi's protocol would, and finds it again. */
import { createHash } from 'node:crypto';
import { type ApiAnswer, type ApiClient, ApiError, isPassing, type Logger } from '@brickyard/service-host';
import { z } from 'zod';
import { type ClaimRecord, readClaimRecord, writeClaimRecord } from './claim-record';

const REPLICAS = 3;

/**
 * For several mounts that must see new names at once and only ever read whole files: none of the caches that keep what
 * another client has changed. Errors of writes that were put off are seen, since nothing is told before a sync.
 */
const VOLUME_OPTIONS = [
  'performance.stat-prefetch off',
  'performance.quick-read off',
  'performance.open-behind off',
  'performance.io-cache off',
  'performance.read-ahead off',
  'performance.readdir-ahead off',
  'performance.nl-cache off',
  'performance.parallel-readdir off',
  'features.cache-invalidation off',
  'network.ping-timeout 15',
];

const Volume = z.object({
  id: z.string(),
  name: z.string(),
  size: z.number(),
  mount: z.object({
    glusterfs: z.object({
      hosts: z.array(z.string()),
      device: z.string(),
      options: z.record(z.string(), z.string()).default({}),
    }),
  }),
});
/** A volume as the API describes it; `size` in GiB. */
export type Volume = z.infer<typeof Volume>;

const VolumeList = z.object({ volumes: z.array(z.string()) });

/** Which volume is wanted, by whom, and where that is remembered. */
export interface VolumeWish {
  /** What the service is, at the front of its keys. */
  readonly kind: 'registry' | 'objects';
  readonly instance: string;
  readonly name: string;
  readonly sizeGib: number;
  readonly stateFile: string;
}

/** The key of one attempt: a repeated request, also by a restarted service, is the same command. */
export function claimKey({ kind, instance, name }: VolumeWish, attempt: number): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([instance, name, attempt]))
    .digest('hex');
  return `${kind}-${digest.slice(0, 32)}`;
}

/** The recorded volume, else the one of that name, else a new one. Rejects when the API refuses or is not there. */
export async function claimVolume(api: ApiClient, wish: VolumeWish, log: Logger, signal: AbortSignal): Promise<Volume> {
  const record = await readClaimRecord(wish.stateFile);
  const known = await recordedVolume(api, record, signal);
  if (known !== undefined) return known;
  if (record.volumeId !== undefined) {
    log.error({ volumeId: record.volumeId }, 'the recorded volume does not exist any more; looking for another');
  }
  const volume =
    (await volumeNamed(api, wish.name, signal)) ?? (await createVolume(api, wish, afterLoss(record), signal));
  const latest = await readClaimRecord(wish.stateFile);
  await writeClaimRecord(wish.stateFile, { ...latest, volumeId: volume.id });
  log.info({ volumeId: volume.id, name: volume.name, sizeGib: volume.size }, 'the volume is there');
  return volume;
}

/** The first answer for the key of a lost volume would be that volume: a new one needs a new key. */
function afterLoss({ volumeId, ...record }: ClaimRecord): ClaimRecord {
  return volumeId === undefined ? record : { ...record, attempt: record.attempt + 1 };
}

async function recordedVolume(
  api: ApiClient,
  { volumeId }: ClaimRecord,
  signal: AbortSignal,
): Promise<Volume | undefined> {
  return volumeId === undefined ? undefined : readVolume(api, volumeId, signal);
}

async function readVolume(api: ApiClient, id: string, signal: AbortSignal): Promise<Volume | undefined> {
  try {
    return volumeFrom(await api.get(`/volumes/${encodeURIComponent(id)}`, { signal }));
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

async function volumeNamed(api: ApiClient, name: string, signal: AbortSignal): Promise<Volume | undefined> {
  const { volumes } = VolumeList.parse((await api.get('/volumes', { signal })).body);
  for (const id of volumes) {
    const volume = await readVolume(api, id, signal);
    if (volume?.name === name) return volume;
  }
  return undefined;
}

async function createVolume(
  api: ApiClient,
  wish: VolumeWish,
  record: ClaimRecord,
  signal: AbortSignal,
): Promise<Volume> {
  const body = {
    name: wish.name,
    size: wish.sizeGib,
    durability: { type: 'replicate', replicate: { replica: REPLICAS } },
    glustervolumeoptions: VOLUME_OPTIONS,
  };
  await writeClaimRecord(wish.stateFile, record);
  try {
    return volumeFrom(await api.post('/volumes', body, { idempotencyKey: claimKey(wish, record.attempt), signal }));
  } catch (error) {
    // A refusal or failure is the answer to this key for ever; the next attempt must ask anew.
    if (error instanceof ApiError && !isPassing(error)) {
      await writeClaimRecord(wish.stateFile, { ...record, attempt: record.attempt + 1 });
    }
    throw error;
  }
}

/** Grows a volume; replicas that ask at the same size ask for the same growth. */
export async function expandVolume(
  api: ApiClient,
  { kind, instance }: VolumeWish,
  { id, size }: Volume,
  byGib: number,
  signal: AbortSignal,
): Promise<Volume> {
  const digest = createHash('sha256')
    .update(JSON.stringify([instance, id, size, byGib]))
    .digest('hex');
  const body = { expand_size: byGib };
  const options = { idempotencyKey: `${kind}-grow-${digest.slice(0, 32)}`, signal };
  return volumeFrom(await api.post(`/volumes/${encodeURIComponent(id)}/expand`, body, options));
}

const volumeFrom = (answer: ApiAnswer): Volume => Volume.parse(answer.body);
