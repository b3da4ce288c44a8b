/** How much room devices have, counted in bricks, and how many bricks can stand in sets at most. */
import type { Readings } from './readings';
import { brickFootprint, USUAL_EXTENT_KIB, type BrickFootprint } from '../sizing';

/** What a brick takes from a device, by the device's extent size in KiB. */
export type FootprintOf = (extentKib: number) => BrickFootprint;

/** The footprints of one brick size, each computed once. */
export function footprints(brickKib: number, snapshotFactor: string): FootprintOf {
  const known = new Map<number, BrickFootprint>();
  let lastExtentKib = USUAL_EXTENT_KIB;
  let last = brickFootprint(brickKib, snapshotFactor, lastExtentKib);
  return (extentKib) => {
    if (extentKib === lastExtentKib) return last; // Nearly every device has the extents of the one before.
    const footprint = known.get(extentKib) ?? brickFootprint(brickKib, snapshotFactor, extentKib);
    known.set(extentKib, footprint);
    lastExtentKib = extentKib;
    last = footprint;
    return footprint;
  };
}

/** The room of many devices: everything needed to count how many bricks they hold. */
export interface Stock {
  /** For each device the group it is in: bricks of one set lie in different groups (nodes, or zones when those are strict). */
  readonly groups: Int32Array;
  readonly groupCount: number;
  readonly freeKib: Float64Array;
  readonly extentKib: Float64Array;
}

function readStock(readings: Readings, groups: Int32Array): Stock {
  const free = new Float64Array(readings.length);
  const extentKib = new Float64Array(readings.length);
  let groupCount = 0;
  for (let index = 0; index < readings.length; index++) {
    free[index] = readings.freeKib(index);
    extentKib[index] = readings.extentKib(index);
    groupCount = Math.max(groupCount, (groups[index] ?? 0) + 1);
  }
  return { groups, groupCount, freeKib: free, extentKib };
}

/**
 * Stocks already read, by the readings they come from. Readings never change, so this only spares work: the plan that
 * found no room and the remedy that follows it count the same devices.
 */
const stocks = new WeakMap<Readings, WeakMap<Int32Array, Stock>>();

/** Reads the room of every device. */
export function stockOf(readings: Readings, groups: Int32Array): Stock {
  const byGroups = stocks.get(readings) ?? new WeakMap<Int32Array, Stock>();
  stocks.set(readings, byGroups);
  const stock = byGroups.get(groups) ?? readStock(readings, groups);
  byGroups.set(groups, stock);
  return stock;
}

/** How many bricks of this footprint a device takes, each leaving something over; no more than `atMost` are asked for. */
export function bricksThatFit(free: number, totalKib: number, atMost: number): number {
  if (free <= 0) return 0;
  return totalKib <= 0 ? atMost : Math.min(atMost, Math.ceil(free / totalKib) - 1);
}

/** Bricks each group of devices can take, at most one for each set. */
export function roomByGroup(stock: Stock, sets: number, footprintOf: FootprintOf): Int32Array {
  const room = new Int32Array(stock.groupCount);
  for (let index = 0; index < stock.freeKib.length; index++) {
    const group = stock.groups[index] ?? 0;
    const sofar = room[group] ?? 0;
    if (sofar >= sets) continue;
    const { totalKib } = footprintOf(stock.extentKib[index] ?? 1);
    room[group] = sofar + bricksThatFit(stock.freeKib[index] ?? 0, totalKib, sets - sofar);
  }
  return room;
}

/**
 * Bricks that are missing for so many sets of so many; 0 exactly when some arrangement exists. A group gives at most
 * one brick to a set, so it counts for at most as many as there are sets; and when those counts add up, taking
 * the groups with most left for each set in turn never gets stuck.
 */
export function bricksMissing(room: Int32Array, sets: number, setSize: number): number {
  return Math.max(0, sets * setSize - room.reduce((sum, each) => sum + each, 0));
}
