/** Decisions about devices. */
import type { CommandOf, ControlEvent, DeviceId, OperationId } from '@brickyard/contracts';
import { accepted, rejected } from '@brickyard/event-sourcing';
import type { ControlState, Device } from './control.state';
import type { ControlDecision } from './decisions.types';
import { evacuateDevice } from '../evacuation/evacuation-commands';
import { IN_USE } from '../evacuation/evacuation-texts';
import { knownNode } from './node-commands';

export function addDevice(command: CommandOf<'AddDevice'>, state: ControlState): ControlDecision {
  const { operationId, deviceId, nodeId, name, tags, destroyData } = command;
  const node = knownNode(state, nodeId);
  if (node === undefined || node.lifecycle === 'removing') return rejected({ kind: 'NodeNotFound', nodeId });
  const planned = {
    type: 'DeviceAdditionPlanned',
    version: 1,
    operationId,
    deviceId,
    nodeId,
    name,
    tags,
    destroyData,
  } as const;
  const twin = node.deviceIds.find((other) => state.devices.get(other)?.name === name);
  if (twin === undefined) return accepted(planned);
  const detail = `Device ${name} on node ${nodeId} is already in use (ID: ${twin})`;
  return accepted<ControlEvent>(planned, {
    type: 'DeviceAdditionUndone',
    version: 1,
    operationId,
    deviceId,
    detail,
    cause: detail,
  });
}

/** A device as clients know it: one that is still being prepared is not there yet. */
export function knownDevice(state: ControlState, deviceId: DeviceId): Device | undefined {
  const device = state.devices.get(deviceId);
  return device === undefined || device.lifecycle === 'adding' ? undefined : device;
}

export function removeDevice(command: CommandOf<'RemoveDevice'>, state: ControlState): ControlDecision {
  const { operationId, deviceId, forceForget } = command;
  const device = knownDevice(state, deviceId);
  if (device === undefined) return rejected({ kind: 'DeviceNotFound', deviceId });
  if (device.state !== 'failed') return rejected({ kind: 'DeviceNotFailed', deviceId });
  if (device.bricks.size > 0) return rejected({ kind: 'DeviceHasBricks', deviceId });
  if (device.operationId !== undefined) {
    return rejected({ kind: 'ConflictingOperation', subject: `device ${deviceId}`, operationId: device.operationId });
  }
  return accepted({ type: 'DeviceRemovalPlanned', version: 1, operationId, deviceId, forceForget });
}

/** Which state changes the rules forbid, in heketi's words. */
function stateRefusal(
  { deviceId, state: wanted }: CommandOf<'SetDeviceState'>,
  device: Device,
  state: ControlState,
): string | undefined {
  if (device.state === wanted && wanted !== 'offline') return undefined;
  const busy = device.operationId ?? state.nodes.get(device.nodeId)?.operationId;
  if (busy !== undefined && device.lifecycle === 'ready') return IN_USE;
  if (device.state === wanted) return undefined;
  if (wanted === 'online' && device.state === 'failed') return 'Cannot move a failed/removed device to online state';
  if (wanted !== 'failed') return undefined;
  if (device.state === 'online') {
    return `Device must be offline before remove operation is performed, device:${deviceId}`;
  }
  return undefined;
}

export function setDeviceState(command: CommandOf<'SetDeviceState'>, state: ControlState): ControlDecision {
  const { operationId, deviceId, state: wanted } = command;
  const device = knownDevice(state, deviceId);
  if (device === undefined) return rejected({ kind: 'DeviceNotFound', deviceId });
  const detail = stateRefusal(command, device, state);
  if (detail !== undefined) {
    return accepted({ type: 'DeviceStateRefused', version: 1, operationId, deviceId, detail, cause: detail });
  }
  const isMoved = wanted === 'failed' && device.state !== 'failed' && device.bricks.size > 0;
  if (isMoved) return accepted(...evacuateDevice(command, state));
  return accepted({ type: 'DeviceStateSet', version: 1, operationId, deviceId, state: wanted });
}

/** The operation that is just putting a brick on the device, if there is one. */
function addingBricksTo(device: Device, state: ControlState): OperationId | undefined {
  for (const [brickId, volumeId] of device.bricks.entries()) {
    const volume = state.volumes.get(volumeId);
    if (volume?.operationId === undefined) continue;
    if (volume.status === 'creating') return volume.operationId;
    const plan = state.operations.get(volume.operationId)?.plan;
    if (plan !== undefined && 'brickIds' in plan && plan.brickIds.includes(brickId)) return volume.operationId;
  }
  return undefined;
}

export function resyncDevice(
  { operationId, deviceId }: CommandOf<'ResyncDevice'>,
  state: ControlState,
): ControlDecision {
  const device = knownDevice(state, deviceId);
  if (device === undefined) return rejected({ kind: 'DeviceNotFound', deviceId });
  const busy = device.operationId ?? addingBricksTo(device, state);
  if (busy !== undefined) {
    return rejected({ kind: 'ConflictingOperation', subject: `device ${deviceId}`, operationId: busy });
  }
  return accepted({ type: 'DeviceResyncPlanned', version: 1, operationId, deviceId });
}
