/** What each fact about a device changes. */
import type { DeviceId, EventOf } from '@brickyard/contracts';
import { persistentMap, type Recorded } from '@brickyard/event-sourcing';
import { withDeviceReleased } from '../evacuation/evacuation.folds';
import { endOperation, startOperation } from '../operation/operation.folds';
import type { ControlState, Device } from './control.state';
import { changed, released, withMember, withoutMember, withRingRefreshed } from './fold-tools';

function withoutDevice(state: ControlState, deviceId: DeviceId): ControlState {
  const device = state.devices.get(deviceId);
  if (device === undefined) return state;
  const nodes = changed(state.nodes, device.nodeId, (node) => ({
    ...node,
    deviceIds: withoutMember(node.deviceIds, deviceId),
  }));
  return withRingRefreshed({ ...state, nodes, devices: state.devices.delete(deviceId) }, device.nodeId, [deviceId]);
}

function withDevice(state: ControlState, deviceId: DeviceId, change: (device: Device) => Device): ControlState {
  const devices = changed(state.devices, deviceId, change);
  const device = devices.get(deviceId);
  return device === undefined ? state : withRingRefreshed({ ...state, devices }, device.nodeId, [deviceId]);
}

export function deviceAdditionPlanned(
  state: ControlState,
  recorded: Recorded<EventOf<'DeviceAdditionPlanned'>>,
): ControlState {
  const { operationId, deviceId, nodeId, name, tags, destroyData } = recorded.event;
  const node = state.nodes.get(nodeId);
  if (node === undefined) return state;
  const devices = state.devices.set(deviceId, {
    deviceId,
    nodeId,
    clusterId: node.clusterId,
    name,
    tags,
    state: 'online',
    lifecycle: 'adding',
    operationId,
    totalKib: 0,
    usedKib: 0,
    extentKib: 4096,
    pvUuid: '',
    paths: [],
    bricks: persistentMap(),
  });
  const nodes = state.nodes.set(nodeId, { ...node, deviceIds: withMember(node.deviceIds, deviceId) });
  return startOperation({ ...state, devices, nodes }, recorded, { kind: 'add-device', deviceId, destroyData });
}

export function deviceAdded(state: ControlState, recorded: Recorded<EventOf<'DeviceAdded'>>): ControlState {
  const { deviceId, totalKib, extentKib, pvUuid, paths } = recorded.event;
  const added = withDevice(state, deviceId, (device) => ({
    ...released(device),
    lifecycle: 'ready',
    totalKib,
    extentKib,
    pvUuid,
    paths,
  }));
  return endOperation(added, recorded, { kind: 'add-device', subjectId: deviceId, result: 'done' });
}

export const deviceAdditionUndone = (
  state: ControlState,
  recorded: Recorded<EventOf<'DeviceAdditionUndone'>>,
): ControlState =>
  endOperation(withoutDevice(state, recorded.event.deviceId), recorded, {
    kind: 'add-device',
    subjectId: recorded.event.deviceId,
    result: 'undone',
  });

export function deviceStateSet(state: ControlState, recorded: Recorded<EventOf<'DeviceStateSet'>>): ControlState {
  const { operationId, deviceId, state: adminState } = recorded.event;
  const set = withDevice(withDeviceReleased(state, deviceId, operationId), deviceId, (device) => ({
    ...device,
    state: adminState,
  }));
  return endOperation(set, recorded, { kind: 'set-device-state', subjectId: deviceId, result: 'done' });
}

export const deviceStateRefused = (
  state: ControlState,
  recorded: Recorded<EventOf<'DeviceStateRefused'>>,
): ControlState =>
  endOperation(state, recorded, { kind: 'set-device-state', subjectId: recorded.event.deviceId, result: 'undone' });

export function deviceRemovalPlanned(
  state: ControlState,
  recorded: Recorded<EventOf<'DeviceRemovalPlanned'>>,
): ControlState {
  const { deviceId, operationId, forceForget } = recorded.event;
  const removing = withDevice(state, deviceId, (device) => ({ ...device, lifecycle: 'removing', operationId }));
  return startOperation(removing, recorded, { kind: 'remove-device', deviceId, forceForget });
}

export const deviceRemoved = (state: ControlState, recorded: Recorded<EventOf<'DeviceRemoved'>>): ControlState =>
  endOperation(withoutDevice(state, recorded.event.deviceId), recorded, {
    kind: 'remove-device',
    subjectId: recorded.event.deviceId,
    result: 'done',
  });

export function deviceRemovalUndone(
  state: ControlState,
  recorded: Recorded<EventOf<'DeviceRemovalUndone'>>,
): ControlState {
  const { deviceId } = recorded.event;
  const back = withDevice(state, deviceId, (device) => ({ ...released(device), lifecycle: 'ready' }));
  return endOperation(back, recorded, { kind: 'remove-device', subjectId: deviceId, result: 'undone' });
}

export const deviceTagsSet = (state: ControlState, { event }: Recorded<EventOf<'DeviceTagsSet'>>): ControlState =>
  withDevice(state, event.deviceId, (device) => ({ ...device, tags: event.tags }));

export function deviceResyncPlanned(
  state: ControlState,
  recorded: Recorded<EventOf<'DeviceResyncPlanned'>>,
): ControlState {
  const { deviceId, operationId } = recorded.event;
  const looking = withDevice(state, deviceId, (device) => ({ ...device, operationId }));
  return startOperation(looking, recorded, { kind: 'resync-device', deviceId });
}

export function deviceResynced(state: ControlState, recorded: Recorded<EventOf<'DeviceResynced'>>): ControlState {
  const { deviceId, totalKib, extentKib, pvUuid, paths } = recorded.event;
  const seen = withDevice(state, deviceId, (device) => ({ ...released(device), totalKib, extentKib, pvUuid, paths }));
  return endOperation(seen, recorded, { kind: 'resync-device', subjectId: deviceId, result: 'done' });
}

export const deviceResyncUndone = (
  state: ControlState,
  recorded: Recorded<EventOf<'DeviceResyncUndone'>>,
): ControlState =>
  endOperation(withDevice(state, recorded.event.deviceId, released), recorded, {
    kind: 'resync-device',
    subjectId: recorded.event.deviceId,
    result: 'undone',
  });
