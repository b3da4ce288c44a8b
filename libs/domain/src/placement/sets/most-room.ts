/** The arrangement of last resort: finds one whenever there is one. */
import { bricksMissing, bricksThatFit, roomByGroup, type FootprintOf, type Stock } from './stock';

/** A device and how many more bricks it takes. */
interface Shelf {
  readonly index: number;
  left: number;
}

function shelvesByGroup(stock: Stock, sets: number, footprintOf: FootprintOf): Shelf[][] {
  const shelves: Shelf[][] = Array.from({ length: stock.groupCount }, () => []);
  for (let index = 0; index < stock.freeKib.length; index++) {
    const { totalKib } = footprintOf(stock.extentKib[index] ?? 1);
    const left = bricksThatFit(stock.freeKib[index] ?? 0, totalKib, sets);
    if (left > 0) shelves[stock.groups[index] ?? 0]?.push({ index, left });
  }
  return shelves;
}

/** Takes one brick from the emptiest device of a group. */
function takeFrom(shelves: readonly Shelf[]): number[] {
  const emptiest = shelves.reduce<Shelf | undefined>(
    (best, shelf) => (best === undefined || shelf.left > best.left ? shelf : best),
    undefined,
  );
  if (emptiest === undefined) return [];
  emptiest.left -= 1;
  return [emptiest.index];
}

/**
 * For each set its devices, by their place in the stock: every set takes the groups that have most left, so that no
 * group is left with more bricks than there are sets to put them in. Nothing when no arrangement exists.
 */
export function arrangeByMostRoom(
  stock: Stock,
  sets: number,
  setSize: number,
  footprintOf: FootprintOf,
): readonly (readonly number[])[] | undefined {
  const room = roomByGroup(stock, sets, footprintOf);
  if (bricksMissing(room, sets, setSize) > 0) return undefined;
  const shelves = shelvesByGroup(stock, sets, footprintOf);
  const groups = Array.from(room.keys());
  return Array.from({ length: sets }, () => {
    groups.sort((one, other) => (room[other] ?? 0) - (room[one] ?? 0) || one - other);
    return groups.slice(0, setSize).flatMap((group) => {
      room[group] = (room[group] ?? 0) - 1;
      return takeFrom(shelves[group] ?? []);
    });
  });
}
