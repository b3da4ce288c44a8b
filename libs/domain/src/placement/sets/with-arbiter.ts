/** Sets of two bricks with data and a small one that holds only names: which devices take which. */
import { isPreferredFor, refusalOfRole, walkRefusal, type BrickRole, type WalkRule } from '../filters';
import type { Ring } from '../ring';
import { fits } from '../sizing';
import type { Readings } from './readings';
import type { FootprintOf } from './stock';
import { noneCounted, type PassedOver, type Room, type Walk, type WalkOrder } from './walk';

/** Data bricks of a set. */
const DATA_BRICKS = 2;
/** Where in a set the arbiter stands: after the data. */
const ARBITER_PLACE = 2;

/** The room of devices for bricks of both sizes; what one kind takes, the other lacks. */
export interface RoleRooms {
  readonly data: Room;
  readonly arbiter: Room;
}

/** The rooms, with nothing taken yet. */
export function roleRooms(readings: Readings, data: FootprintOf, arbiter: FootprintOf): RoleRooms {
  const taken = new Map<number, number>();
  const room = (footprintOf: FootprintOf): Room => {
    const neededKib = (index: number): number => footprintOf(readings.extentKib(index)).totalKib;
    return {
      freeKib: (index) => readings.freeKib(index) - (taken.get(index) ?? 0),
      neededKib,
      take: (index) => {
        taken.set(index, (taken.get(index) ?? 0) + neededKib(index));
      },
    };
  };
  return { data: room(data), arbiter: room(arbiter) };
}

interface Search {
  readonly ring: Ring;
  readonly rooms: RoleRooms;
  readonly order: WalkOrder;
  readonly passedOver: PassedOver[];
  readonly counts: Record<WalkRule, number>;
}

type Role = Exclude<BrickRole, 'any'>;

/** Places in the ring from the start of the walk; devices that want just this kind of brick come first, as in heketi. */
function inOrder({ devices }: Ring, start: number, role: Role): readonly number[] {
  const walked = devices.map((_, step) => (start + step) % devices.length);
  const isPreferred = (index: number): boolean => {
    const device = devices[index];
    return device !== undefined && isPreferredFor(device, role);
  };
  return [...walked.filter(isPreferred), ...walked.filter((index) => !isPreferred(index))];
}

function ruleAgainst({ ring, rooms, order }: Search, role: Role, index: number, chosen: readonly number[]) {
  const device = ring.devices[index];
  if (device === undefined || refusalOfRole(device, role) !== undefined) return 'arbiter-tag';
  if (chosen.some((other) => ring.nodeNumbers[other] === ring.nodeNumbers[index])) return 'node-in-set';
  const isZoneTaken = chosen.some((other) => ring.zoneNumbers[other] === ring.zoneNumbers[index]);
  if (order.strictZones && isZoneTaken) return 'zone-in-set';
  const room = rooms[role];
  return fits(room.freeKib(index), room.neededKib(index)) ? undefined : 'too-little-space';
}

function passOver(search: Search, role: Role, index: number, rule: WalkRule, place: number): void {
  const { ring, rooms, order, passedOver, counts } = search;
  counts[rule] += 1;
  const device = ring.devices[index];
  if (passedOver.length >= order.namedMax || device === undefined) return;
  const refusal = walkRefusal(rule, device, rooms[role].freeKib(index), rooms[role].neededKib(index));
  passedOver.push({ deviceId: device.deviceId, place, refusal });
}

/** Two devices for data beside the arbiter's. */
function dataBeside(search: Search, arbiter: number): readonly number[] {
  const data: number[] = [];
  for (const index of inOrder(search.ring, search.order.start, 'data')) {
    if (data.length === DATA_BRICKS) break;
    const rule = ruleAgainst(search, 'data', index, [arbiter, ...data]);
    if (rule === undefined) data.push(index);
    else passOver(search, 'data', index, rule, data.length);
  }
  return data;
}

/** The nodes, or zones when those are strict, that can take a data brick: up to three, more make no difference. */
function dataGroups(search: Search): ReadonlySet<number> {
  const { ring, order } = search;
  const numbers = order.strictZones ? ring.zoneNumbers : ring.nodeNumbers;
  const groups = new Set<number>();
  for (let index = 0; index < ring.devices.length && groups.size <= DATA_BRICKS; index++) {
    if (ruleAgainst(search, 'data', index, []) === undefined) groups.add(numbers[index] ?? -1);
  }
  return groups;
}

/**
 * The devices of one set, the arbiter's last. The arbiter is placed first, as in heketi; it keeps off the nodes that
 * the data needs, so that a set is found whenever there is one.
 */
export function walkForArbiterSet(ring: Ring, rooms: RoleRooms, order: WalkOrder): Walk {
  const search: Search = { ring, rooms, order, passedOver: [], counts: noneCounted() };
  const groups = dataGroups(search);
  const numbers = order.strictZones ? ring.zoneNumbers : ring.nodeNumbers;
  for (const arbiter of inOrder(ring, order.start, 'arbiter')) {
    const rule = ruleAgainst(search, 'arbiter', arbiter, []);
    const leavesData = groups.size > DATA_BRICKS || !groups.has(numbers[arbiter] ?? -1);
    if (rule !== undefined) passOver(search, 'arbiter', arbiter, rule, ARBITER_PLACE);
    if (rule !== undefined || !leavesData) continue;
    const data = dataBeside(search, arbiter);
    if (data.length < DATA_BRICKS) return { chosen: data, passedOver: search.passedOver, counts: search.counts };
    for (const index of data) rooms.data.take(index);
    rooms.arbiter.take(arbiter);
    return { chosen: [...data, arbiter], passedOver: search.passedOver, counts: search.counts };
  }
  return { chosen: [], passedOver: search.passedOver, counts: search.counts };
}
