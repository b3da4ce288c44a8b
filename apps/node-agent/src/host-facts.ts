/** What a host looks like, as its drivers tell it, in messages that the bus takes. */
import type { HostLook, HostName, NodeFacts, VolumeFact } from '@brickyard/contracts';
import type { BrickDriver } from './drivers/brick.driver';
import type { Ground } from './drivers/grounds';
import type { Volume, VolumeDriver } from './drivers/volume.driver';
import type { Drivers } from './execute';

/** Who looks. */
export interface HostIdentity {
  readonly host: HostName;
  readonly incarnation: string;
  readonly simulated: boolean;
  /** The newest order it has seen. */
  readonly seenGeneration: number;
}

/** What of a host's drivers tells about it, and changes nothing. */
export interface HostReaders {
  readonly bricks: Pick<BrickDriver, 'kind' | 'clones' | 'readBricks' | 'readDevices'>;
  readonly volumes: Pick<VolumeDriver, 'readHeal' | 'readHealth' | 'readIdle' | 'readPeers' | 'readVolumes'>;
  readonly grounds?: Drivers['grounds'];
}

/** NATS takes 1 MiB by default; a message stays well below. */
const MESSAGE_CHARACTERS_MAX = 500_000;

/** Looks at everything of a host. Healing is asked for elsewhere, since it costs a process a volume. */
export async function lookAtHost(
  identity: HostIdentity,
  { bricks, volumes, grounds }: HostReaders,
  glusterd: 'running' | 'stopped',
  healPending: ReadonlyMap<string, number> = new Map(),
): Promise<HostLook> {
  const observedAt = new Date().toISOString();
  const isRunning = glusterd === 'running';
  const [devices, brickStates, peers, listed, idle] = await Promise.all([
    bricks.readDevices(),
    bricks.readBricks(),
    isRunning ? volumes.readPeers() : [],
    isRunning ? volumes.readVolumes() : [],
    isRunning ? volumes.readIdle() : new Map<string, readonly string[]>(),
  ]);
  const self = peers.find(({ hostname }) => hostname === 'localhost')?.uuid;
  const foundAt = await groundsByPath(listed, self, grounds);
  return {
    ...identity,
    observedAt,
    glusterd,
    devices: [...devices],
    bricks: [...brickStates],
    peers: peers.map(({ uuid, hostname, names, connected }) => ({ uuid, hostname, names: [...names], connected })),
    volumes: listed
      .filter((volume) => isToldHere(volume, self))
      .map((volume) => ({
        ...volumeFact(volume, idle.get(volume.name) ?? [], healPending.get(volume.name)),
        ...foundFact(volume, self, foundAt),
      })),
  };
}

/** A volume is told by the hosts of its bricks; one without a stamp of ours by everybody. */
const isToldHere = ({ options, hostUuids }: Volume, self: string | undefined): boolean =>
  options['user.brickyard.id'] === undefined || (self !== undefined && hostUuids.includes(self));

const isForeign = ({ options }: Volume): boolean => options['user.brickyard.id'] === undefined;

/** Directories of bricks of a volume on this host. */
const pathsHere = ({ bricks, hostUuids }: Volume, self: string | undefined): readonly string[] =>
  bricks.filter((_, index) => hostUuids[index] === self).map((brick) => brick.slice(brick.indexOf(':/') + 1));

/** What bricks of somebody else's on this host stand on; nothing is asked while there are none. */
async function groundsByPath(
  volumes: readonly Volume[],
  self: string | undefined,
  grounds: Drivers['grounds'],
): Promise<ReadonlyMap<string, Ground> | undefined> {
  if (grounds === undefined || self === undefined) return undefined;
  const paths = volumes.filter(isForeign).flatMap((volume) => pathsHere(volume, self));
  return new Map((await grounds(paths)).map((ground) => [ground.path, ground] as const));
}

function foundFact(
  volume: Volume,
  self: string | undefined,
  grounds: ReadonlyMap<string, Ground> | undefined,
): Pick<VolumeFact, 'found'> {
  const { shape, hostUuids } = volume;
  if (shape === undefined || self === undefined || grounds === undefined || !isForeign(volume)) return {};
  const here = pathsHere(volume, self).flatMap((path) => grounds.get(path) ?? []);
  return {
    found: { shape, hostUuids: [...hostUuids], grounds: here.map((ground) => ({ hostUuid: self, ...ground })) },
  };
}

function volumeFact(
  { name, uuid, status, bricks, options }: Volume,
  idle: readonly string[],
  healPending: number | undefined,
): VolumeFact {
  const heal = healPending === undefined ? {} : { healPending };
  return { name, uuid, status, bricks: [...bricks], options: { ...options }, idle: [...idle], ...heal };
}

/** The messages that tell a look: one, unless it is large. */
export function messagesOf(look: HostLook): readonly NodeFacts[] {
  const rooms = [...cut(look.volumes, (volumes) => ({ volumes })), ...cut(look.bricks, (bricks) => ({ bricks }))];
  const whole = JSON.stringify(look).length <= MESSAGE_CHARACTERS_MAX;
  const parts: readonly Partial<HostLook>[] = whole ? [look] : rooms;
  const empty = { devices: [], bricks: [], peers: [], volumes: [] };
  return parts.map((part, index) => ({
    ...look,
    ...(whole ? {} : empty),
    ...(index === 0 && !whole ? { devices: look.devices, peers: look.peers } : {}),
    ...part,
    part: index,
    parts: parts.length,
  }));
}

function cut<T>(items: readonly T[], wrap: (items: T[]) => Partial<HostLook>): Partial<HostLook>[] {
  const parts: Partial<HostLook>[] = [];
  let room: T[] = [];
  let characters = 0;
  for (const item of items) {
    const size = JSON.stringify(item).length;
    if (room.length > 0 && characters + size > MESSAGE_CHARACTERS_MAX) {
      parts.push(wrap(room));
      [room, characters] = [[], 0];
    }
    room.push(item);
    characters += size;
  }
  return [...parts, wrap(room)];
}
