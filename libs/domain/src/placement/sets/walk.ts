/** One walk round the ring: the bricks of one set, first device that fits first. */
import type { DeviceId, DeviceRefusal } from '@brickyard/contracts';
import { walkRefusal, type WalkRule } from '../filters';
import type { Readings } from './readings';
import type { Ring } from '../ring';
import { fits } from '../sizing';
import type { FootprintOf } from './stock';

/** What is left of the devices while sets of one brick size are placed. */
export interface Room {
  freeKib(index: number): number;
  neededKib(index: number): number;
  take(index: number): void;
}

/** The room of devices for bricks of one size, with nothing taken yet. */
export function roomOf(readings: Readings, footprintOf: FootprintOf): Room {
  const taken = new Map<number, number>();
  const neededKib = (index: number): number => footprintOf(readings.extentKib(index)).totalKib;
  return {
    freeKib: (index) => readings.freeKib(index) - (taken.get(index) ?? 0),
    neededKib,
    take: (index) => {
      taken.set(index, (taken.get(index) ?? 0) + neededKib(index));
    },
  };
}

/** A device that was not taken, and for which brick of the set. */
export interface PassedOver {
  readonly deviceId: DeviceId;
  readonly place: number;
  readonly refusal: DeviceRefusal;
}

/** What a walk found. */
export interface Walk {
  /** Indices in the ring; fewer than wanted when the ring has no more. */
  readonly chosen: readonly number[];
  /** The first so many that were passed over, in the order walked. */
  readonly passedOver: readonly PassedOver[];
  /** All that were, by rule. */
  readonly counts: Readonly<Record<WalkRule, number>>;
}

/** What a walk is to find. */
export interface WalkOrder {
  readonly start: number;
  readonly setSize: number;
  readonly strictZones: boolean;
  /** How many passed-over devices to name. */
  readonly namedMax: number;
}

/** No device passed over yet. */
export const noneCounted = (): Record<WalkRule, number> => ({
  'node-in-set': 0,
  'zone-in-set': 0,
  'too-little-space': 0,
  'arbiter-tag': 0,
});

function firstRule(
  ring: Ring,
  room: Room,
  chosen: readonly number[],
  index: number,
  strictZones: boolean,
): WalkRule | undefined {
  for (const other of chosen) if (ring.nodeNumbers[other] === ring.nodeNumbers[index]) return 'node-in-set';
  if (strictZones) {
    for (const other of chosen) if (ring.zoneNumbers[other] === ring.zoneNumbers[index]) return 'zone-in-set';
  }
  return fits(room.freeKib(index), room.neededKib(index)) ? undefined : 'too-little-space';
}

/**
 * Walks the ring once, wrapping, and takes each device nothing speaks against, until the set is full. Nobody need look
 * twice at a device: all bricks of a set are of one size, so a device without room stays without, and a node or
 * zone that is in the set stays in it. So one set is found whenever there is one.
 */
export function walkForSet(ring: Ring, room: Room, order: WalkOrder): Walk {
  const { start, setSize, strictZones, namedMax } = order;
  const size = ring.devices.length;
  const chosen: number[] = [];
  const passedOver: PassedOver[] = [];
  const counts = noneCounted();
  for (let steps = 0; steps < size && chosen.length < setSize; steps++) {
    const index = (start + steps) % size;
    const rule = firstRule(ring, room, chosen, index, strictZones);
    if (rule === undefined) {
      chosen.push(index);
      room.take(index);
      continue;
    }
    counts[rule] += 1;
    const device = ring.devices[index];
    if (passedOver.length >= namedMax || device === undefined) continue;
    const refusal = walkRefusal(rule, device, room.freeKib(index), room.neededKib(index));
    passedOver.push({ deviceId: device.deviceId, place: chosen.length, refusal });
  }
  return { chosen, passedOver, counts };
}

/** How many devices a walk passed over. */
export const passedOverCount = ({ counts }: Walk): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);
