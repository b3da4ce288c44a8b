/** What LVM's things are called: as heketi called them, so that bricks taken over from it are known. */
import { DeviceId } from '@brickyard/contracts';

export const groupOf = (deviceId: string): string => `vg_${deviceId}`;
export const poolOf = (brickId: string): string => `tp_${brickId}`;
export const volumeOf = (brickId: string): string => `brick_${brickId}`;

/** The device node of a logical volume. */
export const nodeAt = (group: string, volume: string): string => `/dev/mapper/${group}-${volume}`;

/** The device node of a brick. */
export const nodeOf = (deviceId: string, brickId: string): string => nodeAt(groupOf(deviceId), volumeOf(brickId));

/** Undefined: somebody else's group. */
export const deviceOf = (group: string): DeviceId | undefined =>
  group.startsWith('vg_') ? DeviceId.safeParse(group.slice('vg_'.length)).data : undefined;
