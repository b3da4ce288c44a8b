/** What devices have free, read on demand: a plan looks at few of them, a refusal at all, neither at one twice. */
import type { DeviceId } from '@brickyard/contracts';
import type { PersistentMap } from '@brickyard/event-sourcing';
import { freeKib, type Device, type RingDevice } from '../../control/control.state';

type Devices = PersistentMap<DeviceId, Device>;

/** Room and extent size of a list of devices, by their place in the list. */
export interface Readings {
  readonly length: number;
  freeKib(index: number): number;
  extentKib(index: number): number;
}

/** Readings are kept in pages, so that a plan that looks at three of 12,000 devices does not pay for a page for each. */
const PAGE_BITS = 8;
const PAGE_SIZE = 1 << PAGE_BITS;
/** Not a number of KiB, and not an integer: engines then lay out a page as floating-point numbers from the start. */
const UNREAD = -0.5;

const newPage = (): number[] => Array<number>(PAGE_SIZE).fill(UNREAD);

function newReadings(ringDevices: readonly RingDevice[], devices: Devices): Readings {
  const free: number[][] = [];
  const extents: number[][] = [];
  const read = (index: number): void => {
    const id = ringDevices[index]?.deviceId;
    const device = id === undefined ? undefined : devices.get(id);
    const page = index >>> PAGE_BITS;
    (free[page] ??= newPage())[index % PAGE_SIZE] = device === undefined ? 0 : Math.max(0, freeKib(device));
    (extents[page] ??= newPage())[index % PAGE_SIZE] = device?.extentKib ?? 1;
  };
  const at = (pages: readonly number[][], index: number): number => {
    const known = pages[index >>> PAGE_BITS]?.[index % PAGE_SIZE] ?? UNREAD;
    if (known !== UNREAD) return known;
    read(index);
    return pages[index >>> PAGE_BITS]?.[index % PAGE_SIZE] ?? 0;
  };
  return {
    length: ringDevices.length,
    freeKib: (index) => at(free, index),
    extentKib: (index) => at(extents, index),
  };
}

/**
 * Readings begun, by the state's devices and the list. Both are immutable, so this only spares work: when a cluster is
 * full every request is refused on the same state, and must not read every device again.
 */
const begun = new WeakMap<Devices, WeakMap<readonly RingDevice[], Readings>>();

/** Reads devices as the state has them; one that is not in the state has no room. */
export function readingsOf(ringDevices: readonly RingDevice[], devices: Devices): Readings {
  const byList = begun.get(devices) ?? new WeakMap<readonly RingDevice[], Readings>();
  begun.set(devices, byList);
  const readings = byList.get(ringDevices) ?? newReadings(ringDevices, devices);
  byList.set(ringDevices, readings);
  return readings;
}
