/** A place for every leaving brick at once, or for as many as greed finds. */
import { kib, type DeviceId, type DeviceRefusal } from '@brickyard/contracts';
import { freeKib, type ControlState, type RingDevice } from '../control/control.state';
import { isPreferredFor, refusalOfRole } from '../placement/filters';
import { fits } from '../placement/sizing';
import type { Mover } from './leaving';

/** Devices one move names as passed over. */
const NAMED_PER_MOVE_MAX = 64;
/** Bricks for which other arrangements are searched when the first one fails. */
const SEARCHED_BRICKS_MAX = 200;
/** Choices looked at in that search. */
const SEARCH_STEPS_MAX = 50_000;

/** What an arrangement has to work with. */
export interface Room {
  readonly state: ControlState;
  /** Devices that lose their bricks. */
  readonly emptied: ReadonlySet<DeviceId>;
}

/** Where one brick goes, and what was passed over on the way there. */
export interface Chosen {
  readonly mover: Mover;
  readonly device: RingDevice;
  readonly order: 'walk' | 'search';
  readonly passedOver: readonly { readonly deviceId: DeviceId; readonly refusal: DeviceRefusal }[];
  readonly passedOverMore: number;
}

/** A brick that found no place beside those that did. */
export interface Unplaced extends Omit<Chosen, 'device' | 'order'> {
  readonly device?: undefined;
}

type Taken = Map<DeviceId, number>;

/** The first rule that speaks against a device, whatever else is moved. */
function standingRefusal(mover: Mover, device: RingDevice, { emptied }: Room): DeviceRefusal | undefined {
  if (emptied.has(device.deviceId)) return { rule: 'being-emptied' };
  if (mover.nodesInSet.has(device.nodeId)) return { rule: 'node-in-set', nodeId: device.nodeId };
  if (mover.strictZones && mover.zonesInSet.has(device.zone)) return { rule: 'zone-in-set', zone: device.zone };
  return refusalOfRole(device, mover.role);
}

interface Need {
  readonly freeKib: number;
  readonly neededKib: number;
}

function needOn(mover: Mover, { deviceId }: RingDevice, { state }: Room, taken: Taken): Need {
  const device = state.devices.get(deviceId);
  const free = device === undefined ? 0 : freeKib(device) - (taken.get(deviceId) ?? 0);
  return { freeKib: free, neededKib: mover.footprint(device?.extentKib ?? 1).totalKib };
}

function refusalNow(mover: Mover, device: RingDevice, room: Room, taken: Taken): DeviceRefusal | undefined {
  const standing = standingRefusal(mover, device, room);
  if (standing !== undefined) return standing;
  const need = needOn(mover, device, room, taken);
  if (fits(need.freeKib, need.neededKib)) return undefined;
  return { rule: 'too-little-space', freeKib: kib(Math.max(0, need.freeKib)), neededKib: kib(need.neededKib) };
}

const take = (mover: Mover, device: RingDevice, room: Room, taken: Taken): void => {
  const { neededKib } = needOn(mover, device, room, taken);
  taken.set(device.deviceId, (taken.get(device.deviceId) ?? 0) + neededKib);
};

/** The ring from the brick's own start; devices that want just this kind of brick come first. */
function inWalkingOrder({ ring, start, role }: Mover): readonly RingDevice[] {
  const walked = [...ring.devices.slice(start), ...ring.devices.slice(0, start)];
  if (role === 'any') return walked;
  const isPreferred = (device: RingDevice): boolean => isPreferredFor(device, role);
  return [...walked.filter(isPreferred), ...walked.filter((device) => !isPreferred(device))];
}

function walk(mover: Mover, room: Room, taken: Taken): Chosen | Unplaced {
  const passedOver: { deviceId: DeviceId; refusal: DeviceRefusal }[] = [];
  let passed = 0;
  for (const device of inWalkingOrder(mover)) {
    const refusal = refusalNow(mover, device, room, taken);
    if (refusal === undefined) {
      take(mover, device, room, taken);
      return { mover, device, order: 'walk', passedOver, passedOverMore: passed - passedOver.length };
    }
    passed += 1;
    if (passedOver.length < NAMED_PER_MOVE_MAX) passedOver.push({ deviceId: device.deviceId, refusal });
  }
  return { mover, passedOver, passedOverMore: passed - passedOver.length };
}

/** The devices that nothing but other moves can take from a brick. */
const candidatesOf = (mover: Mover, room: Room): RingDevice[] =>
  inWalkingOrder(mover).filter((device) => refusalNow(mover, device, room, new Map()) === undefined);

/** Tries every arrangement, the brick with the fewest candidates first, up to a bound; nothing when none was found. */
function search(movers: readonly Mover[], room: Room): Map<Mover, RingDevice> | undefined {
  if (movers.length > SEARCHED_BRICKS_MAX) return undefined;
  const rows = movers
    .map((mover) => ({ mover, candidates: candidatesOf(mover, room) }))
    .sort((one, other) => one.candidates.length - other.candidates.length);
  const taken: Taken = new Map();
  const found = new Map<Mover, RingDevice>();
  let steps = 0;
  const placeFrom = (index: number): boolean => {
    const row = rows[index];
    if (row === undefined) return true;
    for (const device of row.candidates) {
      if ((steps += 1) > SEARCH_STEPS_MAX) return false;
      const { freeKib: free, neededKib } = needOn(row.mover, device, room, taken);
      if (!fits(free, neededKib)) continue;
      const before = taken.get(device.deviceId) ?? 0;
      taken.set(device.deviceId, before + neededKib);
      found.set(row.mover, device);
      if (placeFrom(index + 1)) return true;
      taken.set(device.deviceId, before);
    }
    return false;
  };
  return placeFrom(0) ? found : undefined;
}

/** A place for each brick: by one walk each, or, where walks take room from one another, by search. */
export function arrange(movers: readonly Mover[], room: Room): readonly (Chosen | Unplaced)[] {
  const taken: Taken = new Map();
  const walked = movers.map((mover) => walk(mover, room, taken));
  if (walked.every(({ device }) => device !== undefined)) return walked;
  const found = search(movers, room);
  if (found === undefined) return walked;
  return walked.map((row) => {
    const device = found.get(row.mover);
    return device === undefined ? row : { ...row, device, order: 'search' as const };
  });
}
