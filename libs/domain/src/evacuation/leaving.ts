/** Which bricks an evacuation is about, and everything that decides where one may go. */
import {
  bricksPerSet,
  type Brick,
  type BrickId,
  type DeviceId,
  type NodeId,
  type VolumeId,
} from '@brickyard/contracts';
import type { Cluster, ControlState, Volume } from '../control/control.state';
import { deriveId } from '../placement/derive-id';
import { placementOptions, roleAt, type BrickRole } from '../placement/filters';
import { ringOf, type Ring } from '../placement/ring';
import { brickFootprint, USUAL_EXTENT_KIB, type BrickFootprint } from '../placement/sizing';
import type { EvacuationRequest, EvacuationSubject } from './evacuation.types';

/** Digits of a derived id that make the start of a walk: heketi's 7, 28 bits. */
const START_DIGITS = 7;

/** A brick on a device that is to be emptied. */
export interface LeavingBrick {
  readonly volume: Volume;
  readonly brick: Brick;
}

/** A leaving brick with what was read for it. */
export interface Mover extends LeavingBrick {
  readonly newBrickId: string;
  readonly role: BrickRole;
  readonly strictZones: boolean;
  readonly ring: Ring;
  readonly start: number;
  /** Where the other bricks of the set are, or are about to be. */
  readonly nodesInSet: ReadonlySet<NodeId>;
  readonly zonesInSet: ReadonlySet<number>;
  readonly footprint: (extentKib: number) => BrickFootprint;
  /** On a device with the usual extents. */
  readonly neededKib: number;
}

/** The devices of a subject. */
export function devicesOf(subject: EvacuationSubject, state: ControlState): readonly DeviceId[] {
  if (subject.kind === 'node') return state.nodes.get(subject.nodeId)?.deviceIds ?? [];
  if (subject.kind === 'device') return [subject.deviceId];
  const found = findBrick(subject.brickId, state);
  return found === undefined ? [] : [found.brick.deviceId];
}

/** The volume that a brick, or a planned replacement, belongs to. */
export function volumeOfBrick(brickId: BrickId, state: ControlState): VolumeId | undefined {
  for (const device of state.devices.values()) {
    const volumeId = device.bricks.get(brickId);
    if (volumeId !== undefined) return volumeId;
  }
  return undefined;
}

/** A brick that serves, with its volume. */
export function findBrick(brickId: BrickId, state: ControlState): LeavingBrick | undefined {
  const volumeId = volumeOfBrick(brickId, state);
  const volume = volumeId === undefined ? undefined : state.volumes.get(volumeId);
  const brick = volume?.bricks.find((each) => each.brickId === brickId);
  return volume === undefined || brick === undefined ? undefined : { volume, brick };
}

function bricksOn(deviceId: DeviceId, state: ControlState): LeavingBrick[] {
  return [...(state.devices.get(deviceId)?.bricks.entries() ?? [])].flatMap(([brickId, volumeId]) => {
    const volume = state.volumes.get(volumeId);
    const brick = volume?.bricks.find((each) => each.brickId === brickId);
    return volume === undefined || brick === undefined ? [] : [{ volume, brick }];
  });
}

/** The bricks to move: the largest first, since they are the hardest to place. */
export function leavingBricks(subject: EvacuationSubject, state: ControlState): readonly LeavingBrick[] {
  if (subject.kind === 'brick') {
    const found = findBrick(subject.brickId, state);
    return found === undefined ? [] : [found];
  }
  return devicesOf(subject, state)
    .flatMap((deviceId) => bricksOn(deviceId, state))
    .sort(
      ({ brick: one }, { brick: other }) =>
        other.poolKib + other.metadataKib - one.poolKib - one.metadataKib || (one.brickId < other.brickId ? -1 : 1),
    );
}

/** Whether a volume keeps more than one brick's worth of every byte: what makes a move possible at all. */
export const isRedundant = ({ spec }: Volume): boolean => bricksPerSet(spec.durability) > 1;

/** Reads everything the choice for one brick depends on; nothing when the volume's own tag rule cannot be read. */
export function moverOf(
  { volume, brick }: LeavingBrick,
  cluster: Cluster,
  { seed, zoneChecking }: EvacuationRequest,
  state: ControlState,
): Mover | undefined {
  const { options, durability, snapshotFactor } = volume.spec;
  const read = placementOptions(options, { zoneChecking });
  if (read.kind === 'invalid-tag-rule') return undefined;
  const ring = ringOf(cluster.ring, read.options.tagRule);
  const others = [
    ...volume.bricks.filter((other) => other.set === brick.set && other.brickId !== brick.brickId),
    ...volume.moves
      .filter((move) => move.replacement.set === brick.set && move.brickId !== brick.brickId)
      .map((move) => move.replacement),
  ];
  const newBrickId = deriveId(seed, `move/${brick.brickId}`);
  const footprint = (extentKib: number): BrickFootprint => brickFootprint(brick.sizeKib, snapshotFactor, extentKib);
  return {
    volume,
    brick,
    newBrickId,
    role: roleAt(brick.place, durability, options),
    strictZones: read.options.strictZones,
    ring,
    start: ring.devices.length === 0 ? 0 : Number.parseInt(newBrickId.slice(0, START_DIGITS), 16) % ring.devices.length,
    nodesInSet: new Set(others.map(({ nodeId }) => nodeId)),
    zonesInSet: new Set(others.flatMap(({ nodeId }) => state.nodes.get(nodeId)?.zone ?? [])),
    footprint,
    neededKib: footprint(USUAL_EXTENT_KIB).totalKib,
  };
}
