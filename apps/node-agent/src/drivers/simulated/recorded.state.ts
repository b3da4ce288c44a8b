/** What simulated Glusters remember: lines of a journal, and the maps they fold into. */
import { z } from 'zod';

const RecordedVolume = z.strictObject({
  name: z.string(),
  uuid: z.string(),
  status: z.enum(['created', 'started', 'stopped']),
  perSet: z.int(),
  bricks: z.array(z.string()),
  options: z.record(z.string(), z.string()),
  healPending: z.int(),
  /** Bricks whose data has been moved away and that wait to be taken out. */
  leaving: z.array(z.string()),
});

/** A volume of a simulated pool. */
export type RecordedVolume = z.infer<typeof RecordedVolume>;

const RecordedMember = z.strictObject({ uuid: z.string(), pool: z.string(), hostname: z.string() });

/** A simulated host: its identity, its pool, and the name its peers know it by. */
export type RecordedMember = z.infer<typeof RecordedMember>;

const RecordedSnapshot = z.strictObject({
  volume: z.string(),
  active: z.boolean(),
  /** The volume as it was. */
  of: RecordedVolume,
});

/** A snapshot of a simulated volume. */
export type RecordedSnapshot = z.infer<typeof RecordedSnapshot>;

const Line = z.discriminatedUnion('is', [
  z.strictObject({ is: z.literal('member'), host: z.string(), member: RecordedMember.nullable() }),
  z.strictObject({
    is: z.literal('volume'),
    pool: z.string(),
    name: z.string(),
    volume: RecordedVolume.nullable(),
  }),
  z.strictObject({
    is: z.literal('snapshot'),
    pool: z.string(),
    name: z.string(),
    snapshot: RecordedSnapshot.nullable(),
  }),
  z.strictObject({ is: z.literal('claim'), brick: z.string(), uuid: z.string().nullable() }),
]);

/** One change: something has this value from now on, or is gone (null, since it is written as JSON). */
export type Line = z.infer<typeof Line>;

/** Everything the simulated hosts of one process know. */
export class RecordedState {
  readonly members = new Map<string, RecordedMember>();
  readonly pools = new Map<string, Map<string, RecordedVolume>>();
  /** By `pool/name`. */
  readonly snapshots = new Map<string, RecordedSnapshot>();
  /** Volume UUIDs on brick directories, by `host:path`. */
  readonly claims = new Map<string, string>();

  /** Takes over one line of the journal. */
  replay(line: unknown): void {
    this.apply(Line.parse(line));
  }

  apply(line: Line): void {
    switch (line.is) {
      case 'member':
        put(this.members, line.host, line.member);
        return;
      case 'volume':
        put(this.volumesOf(line.pool), line.name, line.volume);
        return;
      case 'snapshot':
        put(this.snapshots, `${line.pool}/${line.name}`, line.snapshot);
        return;
      case 'claim':
        put(this.claims, line.brick, line.uuid);
    }
  }

  volumesOf(pool: string): Map<string, RecordedVolume> {
    const known = this.pools.get(pool);
    if (known !== undefined) return known;
    const made = new Map<string, RecordedVolume>();
    this.pools.set(pool, made);
    return made;
  }

  /** The fewest lines that say the same. */
  snapshot(): readonly Line[] {
    return [
      ...[...this.members].map(([host, member]) => ({ is: 'member', host, member }) as const),
      ...[...this.pools].flatMap(([pool, volumes]) =>
        [...volumes].map(([name, volume]) => ({ is: 'volume', pool, name, volume }) as const),
      ),
      ...[...this.snapshots].map(([key, snapshot]) => {
        const slash = key.indexOf('/');
        return { is: 'snapshot', pool: key.slice(0, slash), name: key.slice(slash + 1), snapshot } as const;
      }),
      ...[...this.claims].map(([brick, uuid]) => ({ is: 'claim', brick, uuid }) as const),
    ];
  }
}

function put<V>(map: Map<string, V>, key: string, value: V | null): void {
  if (value === null) map.delete(key);
  else map.set(key, value);
}
