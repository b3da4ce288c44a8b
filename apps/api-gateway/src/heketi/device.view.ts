import type { Tags } from '@brickyard/contracts';
import { type ControlState, type Device, freeKib } from '@brickyard/domain';
import { brickView, type BrickView, byId } from './brick.view';

/** One device as heketi shows it: sizes in KiB, empty fields left out. */
export interface DeviceView {
  readonly name: string;
  readonly tags?: Tags;
  readonly storage: { readonly total: number; readonly free: number; readonly used: number };
  readonly id: string;
  readonly paths?: readonly string[];
  readonly pv_uuid?: string;
  readonly state: string;
  readonly bricks: readonly BrickView[];
}

/** `GET /devices/{id}`, and one entry of a node's devices. Bricks of running operations are there, their space is taken. */
export function deviceView(state: ControlState, device: Device): DeviceView {
  return {
    name: device.name,
    ...tagsField(device.tags),
    storage: { total: device.totalKib, free: freeKib(device), used: device.usedKib },
    id: device.deviceId,
    ...(device.paths.length === 0 ? {} : { paths: device.paths }),
    ...(device.pvUuid === '' ? {} : { pv_uuid: device.pvUuid }),
    state: device.state,
    bricks: bricksOn(state, device),
  };
}

/** Tags sorted by name; the field is left out when there are none. */
export function tagsField(tags: Tags): { readonly tags?: Tags } {
  return Object.keys(tags).length === 0 ? {} : { tags: sortedTags(tags) };
}

/** Tags sorted by name, as Go writes a map. */
export const sortedTags = (tags: Tags): Tags =>
  Object.fromEntries(Object.entries(tags).sort(([left], [right]) => (left < right ? -1 : 1)));

function bricksOn(state: ControlState, device: Device): readonly BrickView[] {
  const views: BrickView[] = [];
  for (const [brickId, volumeId] of device.bricks.entries()) {
    const volume = state.volumes.get(volumeId);
    const brick =
      volume?.bricks.find((one) => one.brickId === brickId) ??
      volume?.moves.find(({ replacement }) => replacement.brickId === brickId)?.replacement;
    if (brick !== undefined) views.push(brickView(brick, volumeId));
  }
  return views.sort(byId);
}
