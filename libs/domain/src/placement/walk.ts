/** One walk round the ring: the bricks of one set, first device that fits first. */
import type { DeviceId, DeviceRefusal } from '@brickyard/contracts';
import type { PersistentMap } from '@brickyard/event-sourcing';
import { freeKib, type Device } from '../control/control.state';
import { walkRefusal, type WalkRule } from './filters';
import type { Ring } from './ring';
import { fits } from './sizing';
import type { FootprintOf } from './stock';

/** What is left of the devices while a plan is made; only devices that were looked at are read. */
export interface Room {
  freeKib(index: number): number;
  neededKib(index: number): number;
  take(index: number): void;
}

/** The room of a ring's devices for bricks of one size, with nothing taken yet. */
export function roomOf(ring: Ring, devices: PersistentMap<DeviceId, Device>, footprintOf: FootprintOf): Room {
  const left = new Map<number, { freeKib: number; readonly neededKib: number }>();
  const at = (index: number): { freeKib: number; readonly neededKib: number } => {
    const known = left.get(index);
    if (known !== undefined) return known;
    const id = ring.devices[index]?.deviceId;
    const device = id === undefined ? undefined : devices.get(id);
    const read =
      device === undefined
        ? { freeKib: 0, neededKib: 0 }
        : { freeKib: freeKib(device), neededKib: footprintOf(device.extentKib).totalKib };
    left.set(index, read);
    return read;
  };
  return {
    freeKib: (index) => at(index).freeKib,
    neededKib: (index) => at(index).neededKib,
    take: (index) => {
      const each = at(index);
      each.freeKib -= each.neededKib;
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
  readonly counts: ReadonlyMap<WalkRule, number>;
}

/** What a walk is to find. */
export interface WalkOrder {
  readonly start: number;
  readonly setSize: number;
  readonly strictZones: boolean;
  /** How many passed-over devices to name. */
  readonly namedMax: number;
}

function firstRule(
  ring: Ring,
  room: Room,
  chosen: readonly number[],
  index: number,
  strictZones: boolean,
): WalkRule | undefined {
  if (chosen.some((other) => ring.nodeNumbers[other] === ring.nodeNumbers[index])) return 'node-in-set';
  if (strictZones && chosen.some((other) => ring.zoneNumbers[other] === ring.zoneNumbers[index])) return 'zone-in-set';
  return fits(room.freeKib(index), room.neededKib(index)) ? undefined : 'too-little-space';
}

/**
 * Walks the ring once, wrapping, and takes each device nothing speaks against, until the set is full. Nobody need look
 * twice at a device: all bricks of a set are of one size, so a device without room stays without, and a node or
 * zone that is in the set stays in it. So one set is found whenever there is one.
 */
export function walkForSet(ring: Ring, room: Room, order: WalkOrder): Walk {
  const chosen: number[] = [];
  const passedOver: PassedOver[] = [];
  const counts = new Map<WalkRule, number>();
  for (let steps = 0; steps < ring.devices.length && chosen.length < order.setSize; steps++) {
    const index = (order.start + steps) % ring.devices.length;
    const device = ring.devices[index];
    if (device === undefined) continue;
    const rule = firstRule(ring, room, chosen, index, order.strictZones);
    if (rule === undefined) {
      chosen.push(index);
      room.take(index);
      continue;
    }
    counts.set(rule, (counts.get(rule) ?? 0) + 1);
    if (passedOver.length < order.namedMax) {
      const refusal = walkRefusal(rule, device, room.freeKib(index), room.neededKib(index));
      passedOver.push({ deviceId: device.deviceId, place: chosen.length, refusal });
    }
  }
  return { chosen, passedOver, counts };
}

/** How many devices a walk passed over. */
export const passedOverCount = (walk: Walk): number => [...walk.counts.values()].reduce((sum, count) => sum + count, 0);
