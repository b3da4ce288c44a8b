/** The shapes inside Gluster's answers, checked at the door. Pure. */
import { z } from 'zod';
import type { BrickHeal, Member, Migration, VolumeInfo } from './gluster.port';

const empty = z.literal('');
const text = z.string();
const list = <T extends z.ZodType>(item: T, name: string) =>
  z.union([empty, z.looseObject({ [name]: z.array(item).default([]) })]).transform((value) => {
    const items = value === '' ? [] : value[name];
    return items as z.output<T>[];
  });

const Peers = z.object({
  peerStatus: list(
    z.looseObject({
      uuid: text,
      hostname: text,
      hostnames: z.union([empty, z.looseObject({ hostname: z.array(text).default([]) })]).optional(),
      connected: text,
      stateStr: text.optional(),
    }),
    'peer',
  ).default([]),
});

/** Members of the pool; this host itself is `localhost`, and joined by nature. */
export const membersIn = (body: unknown): readonly Member[] =>
  Peers.parse(body).peerStatus.map(({ uuid, hostname, hostnames, connected, stateStr }) => ({
    uuid,
    hostname,
    names: typeof hostnames === 'object' ? hostnames.hostname : [hostname],
    connected: connected === '1',
    joined: stateStr === undefined ? hostname === 'localhost' : stateStr === 'Peer in Cluster',
    rejected: stateStr === 'Peer Rejected',
  }));

const Info = z.object({
  volInfo: z.object({
    volumes: z.looseObject({
      volume: z
        .array(
          z.looseObject({
            name: text,
            id: text,
            statusStr: z.enum(['Created', 'Started', 'Stopped']),
            replicaCount: z.coerce.number(),
            disperseCount: z.coerce.number(),
            arbiterCount: z.coerce.number().default(0),
            redundancyCount: z.coerce.number().default(0),
            typeStr: text.default(''),
            bricks: list(z.looseObject({ name: text, hostUuid: text }), 'brick'),
            options: list(z.looseObject({ name: text, value: text }), 'option').default([]),
          }),
        )
        .default([]),
    }),
  }),
});

const STATUS = { Created: 'created', Started: 'started', Stopped: 'stopped' } as const;

/** Volumes as `volume info` lists them. */
export const volumesIn = (body: unknown): readonly VolumeInfo[] =>
  Info.parse(body).volInfo.volumes.volume.map((volume) => ({
    name: volume.name,
    uuid: volume.id,
    status: STATUS[volume.statusStr],
    perSet: Math.max(1, volume.disperseCount, volume.replicaCount),
    bricks: volume.bricks.map(({ name, hostUuid }) => ({ name, hostUuid })),
    options: Object.fromEntries(volume.options.map(({ name, value }) => [name, value])),
    shape: {
      type: volume.typeStr,
      replica: volume.replicaCount,
      arbiter: volume.arbiterCount,
      disperse: volume.disperseCount,
      redundancy: volume.redundancyCount,
    },
  }));

const SnapshotInfo = z.object({
  snapInfo: z.looseObject({
    snapshots: z.union([
      empty.transform(() => undefined),
      z.looseObject({ snapshot: z.looseObject({ snapVolume: z.looseObject({ status: text }) }) }),
    ]),
  }),
});

/** How the one snapshot that `snapshot info` was asked about stands. */
export function snapshotIn(body: unknown): 'absent' | 'inactive' | 'active' {
  const { snapshots } = SnapshotInfo.parse(body).snapInfo;
  if (snapshots === undefined) return 'absent';
  return snapshots.snapshot.snapVolume.status === 'Started' ? 'active' : 'inactive';
}

const Heal = z.object({
  healInfo: z.object({
    bricks: list(
      z.looseObject({
        status: text,
        numberOfEntriesInHealPending: text.optional(),
        numberOfEntriesInSplitBrain: text.optional(),
      }),
      'brick',
    ),
  }),
});

/** Entries to be healed, over all bricks; undefined unless every brick was asked, since a brick that is down hides its own. */
export function healPendingIn(body: unknown): number | undefined {
  const { bricks } = Heal.parse(body).healInfo;
  let pending = 0;
  for (const { status, numberOfEntriesInHealPending: count } of bricks) {
    if (status !== 'Connected' || count === undefined || !/^\d+$/.test(count)) return undefined;
    pending += Number(count);
  }
  return pending;
}

/** Each brick by itself, in the order of the volume. */
export const brickHealsIn = (body: unknown): readonly BrickHeal[] =>
  Heal.parse(body).healInfo.bricks.map((brick) => {
    const { status, numberOfEntriesInHealPending: pending, numberOfEntriesInSplitBrain: split = '0' } = brick;
    const isTold = status === 'Connected' && pending !== undefined && /^\d+$/.test(pending);
    return isTold ? { connected: true, pending: Number(pending) + (Number(split) || 0) } : { connected: false };
  });

const Progress = z.looseObject({
  node: z.array(z.looseObject({ failures: text.default('0') })).default([]),
  aggregate: z.looseObject({ status: text, statusStr: text.default('') }),
});
const MaybeProgress = z.union([empty.transform(() => undefined), Progress]).optional();
const MigrationBody = z.object({ volRebalance: MaybeProgress, volRemoveBrick: MaybeProgress });

/** How far a rebalance or the emptying of bricks is. */
export function migrationIn(body: unknown): Migration {
  const parsed = MigrationBody.parse(body);
  const progress = parsed.volRebalance ?? parsed.volRemoveBrick;
  if (progress === undefined) return { kind: 'none' };
  const failures = progress.node.reduce((sum, node) => sum + Number(node.failures), 0);
  switch (progress.aggregate.status) {
    case '1':
      return { kind: 'running' };
    case '3':
      return failures === 0 ? { kind: 'completed' } : { kind: 'failed', message: `${String(failures)} files failed` };
    case '4':
      return { kind: 'failed', message: progress.aggregate.statusStr };
    default:
      return { kind: 'none' };
  }
}

/** This host's bricks that should be served and are not, by volume: from `get-state`, which asks nobody else. */
export function idleBricksIn(state: string): ReadonlyMap<string, readonly string[]> {
  const values = new Map<string, string>();
  for (const line of state.split('\n')) {
    const [, key, value] = /^(Volume\d+\.[^:]+): ?(.*)$/.exec(line) ?? [];
    if (key !== undefined) values.set(key, value ?? '');
  }
  const idle = new Map<string, string[]>();
  for (const [key, status] of values) {
    // Only bricks of the host that was asked have a status.
    const [, volume, brick] = /^(Volume\d+)\.(Brick\d+)\.status$/.exec(key) ?? [];
    if (volume === undefined || brick === undefined || status === 'Started') continue;
    if (values.get(`${volume}.status`) !== 'Started') continue;
    const name = values.get(`${volume}.name`) ?? '';
    const path = (values.get(`${volume}.${brick}.path`) ?? '').replace(/^[^/]*:/, '');
    idle.set(name, [...(idle.get(name) ?? []), path]);
  }
  return idle;
}
