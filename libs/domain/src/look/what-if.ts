/** A fork of the log: what would happen, decided and folded by the code that would do it, and nothing of it recorded. */
import {
  bricksPerSet,
  type Brick,
  type CommandOf,
  type ControlEvent,
  type DeviceId,
  type Durability,
  type Kib,
  type NodeId,
  type OperationId,
  type Rejection,
  type Tags,
  type VolumeId,
} from '@brickyard/contracts';
import { decide } from '../control/control.decide';
import { evolve } from '../control/control.evolve';
import type { ControlState, Volume } from '../control/control.state';
import { deriveId } from '../placement/derive-id';
import { USUAL_EXTENT_KIB } from '../placement/sizing';

/** A state that went another way at some position. */
export interface Fork {
  readonly state: ControlState;
  readonly position: number;
  /** The moment everything in it happens at. */
  readonly now: string;
}

function happened(fork: Fork, events: readonly ControlEvent[]): Fork {
  return events.reduce<Fork>(({ state, position, now }, event) => {
    const recorded = { position: position + 1, at: now, event };
    return { state: evolve(state, recorded), position: position + 1, now };
  }, fork);
}

/** A volume created in a fork, ready at once, or the reason why not. */
export type Creation =
  | { readonly kind: 'placed'; readonly fork: Fork; readonly volume: Volume; readonly placement: Placed }
  | { readonly kind: 'refused'; readonly rejection: Rejection };

type Placed = Extract<ControlEvent, { type: 'VolumePlanned' }>;

/** Creates a volume. */
export function createIn(fork: Fork, command: CommandOf<'CreateVolume'>): Creation {
  const { state, position, now } = fork;
  const decision = decide(command, state, { position, now });
  if (decision.kind === 'rejected') return { kind: 'refused', rejection: decision.rejection };
  const placement = decision.events.find((event): event is Placed => event.type === 'VolumePlanned');
  if (placement === undefined) return { kind: 'refused', rejection: { kind: 'NoClusters' } };
  const { operationId, volumeId } = command;
  const next = happened(fork, [placement, { type: 'VolumeCreated', version: 1, operationId, volumeId }]);
  const volume = next.state.volumes.get(volumeId);
  return volume === undefined
    ? { kind: 'refused', rejection: { kind: 'VolumeNotFound', volumeId } }
    : { kind: 'placed', fork: next, volume, placement };
}

/** Volumes of one shape placed one after the other, each in the fork the one before left, until one is refused. */
export function* fill(
  fork: Fork,
  shape: CommandOf<'CreateVolume'>,
): Generator<Extract<Creation, { kind: 'placed' }>, Rejection> {
  for (let number = 0, at = fork; ; number++) {
    const volumeId = deriveId(shape.volumeId, `fill/${String(number)}`) as VolumeId;
    const operationId = deriveId(shape.operationId, `fill/${String(number)}`) as OperationId;
    const spec = { ...shape.spec, name: `vol_${volumeId}` };
    const creation = createIn(at, { ...shape, volumeId, operationId, spec });
    if (creation.kind === 'refused') return creation.rejection;
    yield creation;
    at = creation.fork;
  }
}

/** Devices that somebody might buy. */
export interface NewDevices {
  readonly nodeId: NodeId;
  readonly count: number;
  readonly sizeKib: Kib;
  readonly tags: Tags;
}

/** Adds devices of one size to a node; undefined when there is no such node. */
export function addDevicesIn(fork: Fork, { nodeId, count, sizeKib, tags }: NewDevices): Fork | undefined {
  if (!fork.state.nodes.has(nodeId)) return undefined;
  const seed = `${nodeId}/${String(fork.position)}`;
  const events = Array.from({ length: count }, (_, index): ControlEvent[] => {
    const deviceId = deriveId(seed, `device/${String(index)}`) as DeviceId;
    const operationId = deriveId(seed, `operation/${String(index)}`) as OperationId;
    const name = `/dev/what-if-${String(index + 1)}`;
    const planned = { operationId, deviceId, nodeId, name, tags, destroyData: false };
    const found = { totalKib: sizeKib, extentKib: USUAL_EXTENT_KIB, pvUuid: '', paths: [] };
    return [
      { type: 'DeviceAdditionPlanned', version: 1, ...planned },
      { type: 'DeviceAdded', version: 1, operationId, deviceId, ...found },
    ];
  });
  return happened(fork, events.flat());
}

/**
 * What is left of a volume when nodes are away. `degraded`: everything works, less protected; `read-only`: too few
 * copies are left to allow writes; `unreachable`: data cannot be read.
 */
export type Health = 'whole' | 'degraded' | 'read-only' | 'unreachable';

const WORSE: readonly Health[] = ['whole', 'degraded', 'read-only', 'unreachable'];

/** A volume that a loss touches. */
export interface TouchedVolume {
  readonly volumeId: VolumeId;
  readonly name: string;
  readonly before: Health;
  readonly after: Health;
  readonly bricksLost: readonly Brick[];
}

/** What losing a node does. */
export interface Loss {
  readonly fork: Fork;
  readonly volumes: readonly TouchedVolume[];
}

/** The health of one set of bricks of which so many are there, and so many of those with data: an arbiter has none. */
export function setHealth(durability: Durability, present: number, withData = present): Health {
  const all = bricksPerSet(durability);
  if (present >= all) return 'whole';
  if (durability.kind === 'disperse') return present >= durability.data ? 'degraded' : 'unreachable';
  if (withData === 0) return 'unreachable';
  // Two copies have no majority to lose; of three, one alone may not be written.
  return all === 2 || present * 2 > all ? 'degraded' : 'read-only';
}

/** The brick of a set that holds only names: Gluster takes the last. */
const ARBITER_PLACE = 2;

/** The health of a volume as its nodes are: the worst of its sets. */
export function volumeHealth({ spec, bricks }: Volume, state: ControlState): Health {
  const { durability } = spec;
  const present = new Map<number, { all: number; withData: number }>();
  for (const { set, place, nodeId } of bricks) {
    const isThere = state.nodes.get(nodeId)?.lostSince === undefined && state.nodes.has(nodeId);
    const hasData = durability.kind !== 'arbiter' || place !== ARBITER_PLACE;
    const { all, withData } = present.get(set) ?? { all: 0, withData: 0 };
    present.set(set, { all: all + (isThere ? 1 : 0), withData: withData + (isThere && hasData ? 1 : 0) });
  }
  const each = [...present.values()].map(({ all, withData }) => WORSE.indexOf(setHealth(durability, all, withData)));
  return WORSE[Math.max(0, ...each)] ?? 'whole';
}

/** Loses a node; undefined when there is no such node. */
export function loseNodeIn(fork: Fork, nodeId: NodeId): Loss | undefined {
  if (!fork.state.nodes.has(nodeId)) return undefined;
  const next = happened(fork, [{ type: 'NodeLost', version: 1, nodeId, silentSince: fork.now }]);
  const volumes = [...fork.state.volumes.values()].flatMap((volume): TouchedVolume[] => {
    const bricksLost = volume.bricks.filter((brick) => brick.nodeId === nodeId);
    if (bricksLost.length === 0) return [];
    const { volumeId, spec } = volume;
    const before = volumeHealth(volume, fork.state);
    return [{ volumeId, name: spec.name, before, after: volumeHealth(volume, next.state), bricksLost }];
  });
  const byHealth = (one: TouchedVolume, other: TouchedVolume): number =>
    WORSE.indexOf(other.after) - WORSE.indexOf(one.after) || (one.volumeId < other.volumeId ? -1 : 1);
  return { fork: next, volumes: volumes.sort(byHealth) };
}
