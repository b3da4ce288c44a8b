/** How devices are taken over and given back. */
import type { ControlState } from '../../control/control.state';
import type { Order } from '../orders';
import type { OperationPlan } from '../operation.state';
import type { OperationSaga, SagaPlan } from './saga.types';

type AddPlan = SagaPlan<Extract<OperationPlan, { readonly kind: 'add-device' }>>;
type ResyncPlan = SagaPlan<Extract<OperationPlan, { readonly kind: 'resync-device' }>>;
type RemovePlan = SagaPlan<Extract<OperationPlan, { readonly kind: 'remove-device' }>>;

function prepare(plan: AddPlan, state: ControlState): readonly Order[] {
  const device = state.devices.get(plan.deviceId);
  if (device === undefined) return [];
  const knownDevices = (state.nodes.get(device.nodeId)?.deviceIds ?? []).flatMap((deviceId) => {
    const known = state.devices.get(deviceId);
    return known === undefined || deviceId === plan.deviceId
      ? []
      : [{ deviceId, name: known.name, pvUuid: known.pvUuid }];
  });
  const { deviceId, name, nodeId } = device;
  const task = { type: 'PrepareDevice', deviceId, name, destroyData: plan.destroyData, knownDevices } as const;
  return [{ nodeId, resource: `device:${deviceId}`, task }];
}

const retire =
  (ignoreErrors: (plan: AddPlan | RemovePlan) => boolean) =>
  (plan: AddPlan | RemovePlan, state: ControlState): readonly Order[] => {
    const device = state.devices.get(plan.deviceId);
    if (device === undefined) return [];
    if (device.foreign === true) return []; // It was never prepared, and stays as it is.
    const { deviceId, name, nodeId } = device;
    const task = { type: 'RetireDevice', deviceId, name, ignoreErrors: ignoreErrors(plan) } as const;
    return [{ nodeId, resource: `device:${deviceId}`, task }];
  };

/** Makes a device ours, or leaves it as it was. */
export const addDeviceSaga: OperationSaga<AddPlan> = {
  name: 'add-device',
  steps: [{ name: 'prepare-device', act: prepare, undo: retire(() => false) }],
};

const isForced = (plan: AddPlan | RemovePlan): boolean => plan.kind === 'remove-device' && plan.forceForget;
const nodeIsLost = (plan: RemovePlan, state: ControlState): boolean => {
  const device = state.devices.get(plan.deviceId);
  return device !== undefined && state.nodes.get(device.nodeId)?.lostSince !== undefined;
};

/**
 * Gives a device back; a device that is to be forgotten is not asked for on a host that is lost. A host that falls silent
 * over it may have given it back already, and no bricks are on it: the device is gone, and its host does the rest when it is back.
 */
export const removeDeviceSaga: OperationSaga<RemovePlan> = {
  name: 'remove-device',
  steps: [
    {
      name: 'retire-device',
      onSilence: 'leave',
      act: (plan, state) => (plan.forceForget && nodeIsLost(plan, state) ? [] : retire(isForced)(plan, state)),
    },
  ],
};

/** Looks at a device again; nothing is changed on its host. */
export const resyncDeviceSaga: OperationSaga<ResyncPlan> = {
  name: 'resync-device',
  steps: [
    {
      name: 'read-device',
      act: ({ deviceId }: ResyncPlan, state: ControlState): readonly Order[] => {
        const device = state.devices.get(deviceId);
        if (device === undefined) return [];
        const { name, nodeId } = device;
        return [{ nodeId, resource: `device:${deviceId}`, task: { type: 'ReadDevice', deviceId, name } }];
      },
    },
  ],
};
