/** What may be wiped: the rules under which an operator's `destroydata` is obeyed. */
import type { DeviceSpec } from './brick.driver';
import { refusal } from './step-failure';

/**
 * Refuses to wipe what may hold bricks: a device that is one of ours already, or any device at all while the identity
 * of some of ours is unknown. `identity` is what the device says of itself.
 */
export function checkWipe(device: DeviceSpec, identity: string | undefined, why: string): void {
  if (!device.destroyData) throw refusal(why);
  const others = device.knownDevices.filter(({ deviceId }) => deviceId !== device.deviceId);
  const owner = others.find(({ pvUuid, name }) =>
    identity === undefined ? name === device.name : pvUuid === identity,
  );
  if (owner !== undefined) throw refusal(`Device already in use (ID: ${owner.deviceId})`, why);
  if (others.some(({ pvUuid }) => pvUuid === '')) {
    throw refusal(`Can not destroy device, destroy may not be safe: ${why}`);
  }
}
