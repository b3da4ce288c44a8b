/** All sets of one brick size, or none. */
import { bricksPerSet, type BrickId, type DeviceId } from '@brickyard/contracts';
import type { PersistentMap } from '@brickyard/event-sourcing';
import type { Device } from '../../control/control.state';
import { deriveId } from '../derive-id';
import { averageFileKib, hasArbiter, type PlacementOptions } from '../filters';
import { arrangeByMostRoom } from './most-room';
import type { BrickRequest } from '../placement.types';
import { readingsOf, type Readings } from './readings';
import { groupsOf, type Ring } from '../ring';
import { arbiterKib, type Split } from '../sizing';
import { roleRooms, walkForArbiterSet } from './with-arbiter';
import { bricksMissing, footprints, roomByGroup, stockOf, type FootprintOf, type Stock } from './stock';
import { passedOverCount, roomOf, walkForSet, type PassedOver, type Walk, type WalkOrder } from './walk';

/** Passed-over devices a plan names for one set. */
const NAMED_PER_SET_MAX = 64;
/** Passed-over devices a plan names in all, so that its event stays small. */
const NAMED_PER_PLAN_MAX = 256;
/** Digits of a derived id that make the start of a walk: heketi's 7, 28 bits. */
const START_DIGITS = 7;

/** A request with what was read for it. */
export interface Planning {
  readonly request: BrickRequest;
  readonly options: PlacementOptions;
  /** KiB of a file on average, when the third brick of each set is an arbiter. */
  readonly arbiterFileKib?: number;
  readonly ring: Ring;
  readonly devices: PersistentMap<DeviceId, Device>;
  readonly readings: Readings;
  /** The room of every device of the ring; read when space is short. */
  readonly stock: () => Stock;
}

/** What is planned for, with the stock left unread until somebody asks. */
export function planningOf(
  request: BrickRequest,
  options: PlacementOptions,
  ring: Ring,
  devices: PersistentMap<DeviceId, Device>,
): Planning {
  const groups = groupsOf(ring, options.strictZones);
  const readings = readingsOf(ring.devices, devices);
  const planning = { request, options, ring, devices, readings, stock: () => stockOf(readings, groups) };
  if (!hasArbiter(request.durability, request.options)) return planning;
  return { ...planning, arbiterFileKib: averageFileKib(request.options, request.policy) };
}

/** One set: the devices of its bricks as indices in the ring, and how they came to be chosen. */
export interface PlacedSet {
  readonly set: number;
  readonly start: number;
  readonly order: 'walk' | 'most-room';
  readonly chosen: readonly number[];
  readonly passedOver: readonly PassedOver[];
  readonly passedOverMore: number;
}

/** Every set of one brick size, or the walk that found no more. */
export type PlacedSets =
  | { readonly kind: 'placed'; readonly sets: readonly PlacedSet[] }
  | { readonly kind: 'no-space'; readonly failed: Walk };

/** The id of a brick: it follows from what is planned and its place in it. */
export const brickIdOf = (seed: string, set: number, place: number): BrickId =>
  deriveId(seed, `brick/${String(set)}/${String(place)}`) as BrickId;

/** Where a set's walk begins: as in heketi, the id of its first brick says so. */
export const ringStart = (seed: string, set: number, ringSize: number): number =>
  ringSize === 0 ? 0 : Number.parseInt(brickIdOf(seed, set, 0).slice(0, START_DIGITS), 16) % ringSize;

type WalkOnce = (order: WalkOrder) => Walk;

/** How sets are found: three alike, or two and an arbiter. */
function walkerOf(
  { readings, ring, request, arbiterFileKib }: Planning,
  split: Split,
  footprintOf: FootprintOf,
): WalkOnce {
  if (arbiterFileKib === undefined) {
    const room = roomOf(readings, footprintOf);
    return (order) => walkForSet(ring, room, order);
  }
  const small = footprints(arbiterKib(split.brickKib, arbiterFileKib), request.snapshotFactor);
  const rooms = roleRooms(readings, footprintOf, small);
  return (order) => walkForArbiterSet(ring, rooms, order);
}

function walkSet({ request, options, ring }: Planning, walk: WalkOnce, set: number, namedMax: number): [number, Walk] {
  const start = ringStart(request.seed, set, ring.devices.length);
  const setSize = bricksPerSet(request.durability);
  return [start, walk({ start, setSize, strictZones: options.strictZones, namedMax })];
}

/** heketi's way: one walk for each set. */
function placeByWalks(planning: Planning, split: Split, footprintOf: FootprintOf): PlacedSets {
  const walkOnce = walkerOf(planning, split, footprintOf);
  const placed: PlacedSet[] = [];
  let nameable = NAMED_PER_PLAN_MAX;
  for (let number = 0; number < split.sets; number++) {
    const set = planning.request.firstSet + number;
    const [start, walk] = walkSet(planning, walkOnce, set, Math.min(nameable, NAMED_PER_SET_MAX));
    if (walk.chosen.length < bricksPerSet(planning.request.durability)) {
      return { kind: 'no-space', failed: walk };
    }
    const passedOverMore = passedOverCount(walk) - walk.passedOver.length;
    placed.push({ set, start, order: 'walk', chosen: walk.chosen, passedOver: walk.passedOver, passedOverMore });
    nameable -= walk.passedOver.length;
  }
  return { kind: 'placed', sets: placed };
}

/** The way that finds an arrangement whenever there is one: walks can use up the nodes that later sets need. */
function placeByMostRoom(planning: Planning, sets: number, footprintOf: FootprintOf): PlacedSet[] | undefined {
  const { request, ring } = planning;
  const arranged = arrangeByMostRoom(planning.stock(), sets, bricksPerSet(request.durability), footprintOf);
  return arranged?.map((chosen, number) => {
    const set = request.firstSet + number;
    const start = ringStart(request.seed, set, ring.devices.length);
    return { set, start, order: 'most-room', chosen, passedOver: [], passedOverMore: 0 };
  });
}

const footprintsFor = ({ request }: Planning, split: Split): FootprintOf =>
  footprints(split.brickKib, request.snapshotFactor);

/** Bricks for which there is no place when a volume is cut this way; 0 exactly when it can be placed. */
export function missingFor(planning: Planning, split: Split): number {
  const room = roomByGroup(planning.stock(), split.sets, footprintsFor(planning, split));
  return bricksMissing(room, split.sets, bricksPerSet(planning.request.durability));
}

/** Places every set of one way to cut a volume: by heketi's walks, or where those run out of room, by most room. */
export function placeSets(planning: Planning, split: Split): PlacedSets {
  const footprintOf = footprintsFor(planning, split);
  const walked = placeByWalks(planning, split, footprintOf);
  const isFinal = split.sets === 1 || planning.arbiterFileKib !== undefined;
  if (walked.kind === 'placed' || isFinal) return walked;
  const arranged = placeByMostRoom(planning, split.sets, footprintOf);
  return arranged === undefined ? walked : { kind: 'placed', sets: arranged };
}
