/** Every saga by the kind of operation that runs it, and the fact that says how it ended. */
import { kib, type ControlEvent } from '@brickyard/contracts';
import type { ControlState } from '../../control/control.state';
import type { Operation, OperationKind, OperationPlan } from '../operation.state';
import { addDeviceSaga, removeDeviceSaga, resyncDeviceSaga } from './device.sagas';
import { addNodeSaga, removeNodeSaga, removeResidueSaga } from './node.sagas';
import { restoreDriftSaga } from './drift.sagas';
import type { OperationSaga, SagaPlan } from './saga.types';
import { evacuateDeviceSaga, evacuateNodeSaga, evictBrickSaga } from './brick.sagas';
import { cloneVolumeSaga } from './clone.sagas';
import { createBlockVolumeSaga, deleteBlockVolumeSaga, expandBlockVolumeSaga } from './block-volume.sagas';
import { createVolumeSaga, deleteVolumeSaga, expandVolumeSaga } from './volume.sagas';

type PlanOf<Kind extends OperationKind> = Extract<OperationPlan, { readonly kind: Kind }>;

/** One saga for each kind of operation; a kind without one does not compile. */
export const sagas: { readonly [Kind in OperationKind]: OperationSaga<SagaPlan<PlanOf<Kind>>> } = {
  'add-node': addNodeSaga,
  'remove-node': removeNodeSaga,
  'add-device': addDeviceSaga,
  'remove-device': removeDeviceSaga,
  'resync-device': resyncDeviceSaga,
  'create-volume': createVolumeSaga,
  'expand-volume': expandVolumeSaga,
  'delete-volume': deleteVolumeSaga,
  'clone-volume': cloneVolumeSaga,
  'create-block-volume': createBlockVolumeSaga,
  'expand-block-volume': expandBlockVolumeSaga,
  'delete-block-volume': deleteBlockVolumeSaga,
  'remove-residue': removeResidueSaga,
  'evict-brick': evictBrickSaga,
  'evacuate-device': evacuateDeviceSaga,
  'evacuate-node': evacuateNodeSaga,
  'restore-drift': restoreDriftSaga,
};

/** The saga of an operation, seen as one for any plan. */
export const sagaOf = (plan: OperationPlan): OperationSaga<SagaPlan<OperationPlan>> =>
  sagas[plan.kind] as OperationSaga<SagaPlan<OperationPlan>>;

/** The fact that ends an operation well. */
export function doneEvent(operation: Operation, state: ControlState): ControlEvent {
  const { operationId, plan } = operation;
  switch (plan.kind) {
    case 'add-node':
      return { type: 'NodeAdded', version: 1, operationId, nodeId: plan.nodeId };
    case 'remove-node':
      return { type: 'NodeRemoved', version: 1, operationId, nodeId: plan.nodeId };
    case 'add-device':
      return deviceAdded(operation, plan);
    case 'remove-device':
      return { type: 'DeviceRemoved', version: 1, operationId, deviceId: plan.deviceId };
    case 'resync-device':
      return deviceResynced(operation, plan, state);
    case 'create-volume':
      return { type: 'VolumeCreated', version: 1, operationId, volumeId: plan.volumeId };
    case 'expand-volume':
      return { type: 'VolumeExpanded', version: 1, operationId, volumeId: plan.volumeId };
    case 'delete-volume':
      return { type: 'VolumeDeleted', version: 1, operationId, volumeId: plan.volumeId };
    case 'clone-volume': {
      const { volumeId, originId } = plan;
      return { type: 'VolumeCloned', version: 1, operationId, volumeId, originId };
    }
    case 'create-block-volume':
      return { type: 'BlockVolumeCreated', version: 1, operationId, blockVolumeId: plan.blockVolumeId };
    case 'expand-block-volume':
      return { type: 'BlockVolumeExpanded', version: 1, operationId, blockVolumeId: plan.blockVolumeId };
    case 'delete-block-volume':
      return { type: 'BlockVolumeDeleted', version: 1, operationId, blockVolumeId: plan.blockVolumeId };
    case 'remove-residue':
      return { type: 'ResidueRemoved', version: 1, operationId, nodeId: plan.nodeId };
    case 'evict-brick':
      return { type: 'BrickEvicted', version: 1, operationId, volumeId: plan.volumeId, brickId: plan.brickId };
    case 'evacuate-device':
      return { type: 'DeviceStateSet', version: 1, operationId, deviceId: plan.deviceId, state: 'failed' };
    case 'evacuate-node':
      return { type: 'NodeStateSet', version: 1, operationId, nodeId: plan.nodeId, state: 'failed' };
    case 'restore-drift':
      return { type: 'DriftRestored', version: 1, operationId, driftId: plan.driftId, subject: plan.finding.subject };
  }
}

function deviceAdded(operation: Operation, { deviceId }: PlanOf<'add-device'>): ControlEvent {
  const { operationId, deviceResult } = operation;
  if (deviceResult === undefined) {
    const detail = 'The host prepared the device but did not say how large it is.';
    return { type: 'DeviceAdditionUndone', version: 1, operationId, deviceId, detail, cause: 'no device result' };
  }
  const { totalKib, extentKib, pvUuid, paths } = deviceResult;
  return { type: 'DeviceAdded', version: 1, operationId, deviceId, totalKib, extentKib, pvUuid, paths };
}

/** What bricks were promised stays promised: a device that has shrunk below it is told of, and nothing is changed. */
function deviceResynced(
  { operationId, deviceResult }: Operation,
  { deviceId }: PlanOf<'resync-device'>,
  state: ControlState,
): ControlEvent {
  const usedKib = state.devices.get(deviceId)?.usedKib ?? 0;
  const undone = (detail: string): ControlEvent => {
    return { type: 'DeviceResyncUndone', version: 1, operationId, deviceId, detail, cause: detail };
  };
  if (deviceResult === undefined) return undone('The host did not say how large the device is.');
  const { totalKib, extentKib, pvUuid, paths } = deviceResult;
  if (totalKib < usedKib) {
    return undone(`The device has ${String(totalKib)} KiB, less than the ${String(kib(usedKib))} KiB of its bricks.`);
  }
  return { type: 'DeviceResynced', version: 1, operationId, deviceId, totalKib, extentKib, pvUuid, paths };
}
/** It was no lack of room that stopped it. */
const NOTHING_BLOCKED = { remedy: '', blocked: [], blockedMore: 0 };

/** The fact that says an operation was taken back, and why. */
export function undoneEvent({ operationId, plan, failure }: Operation): ControlEvent {
  const detail = failure?.detail ?? 'The operation was undone.';
  const why = { version: 1, operationId, detail, cause: failure?.cause ?? detail } as const;
  switch (plan.kind) {
    case 'add-node':
      return { type: 'NodeAdditionUndone', ...why, nodeId: plan.nodeId };
    case 'remove-node':
      return { type: 'NodeRemovalUndone', ...why, nodeId: plan.nodeId };
    case 'add-device':
      return { type: 'DeviceAdditionUndone', ...why, deviceId: plan.deviceId };
    case 'remove-device':
      return { type: 'DeviceRemovalUndone', ...why, deviceId: plan.deviceId };
    case 'resync-device':
      return { type: 'DeviceResyncUndone', ...why, deviceId: plan.deviceId };
    case 'create-volume':
      return { type: 'VolumeCreationUndone', ...why, volumeId: plan.volumeId };
    case 'expand-volume':
      return { type: 'VolumeExpansionUndone', ...why, volumeId: plan.volumeId };
    case 'delete-volume':
      return { type: 'VolumeDeletionUndone', ...why, volumeId: plan.volumeId };
    case 'clone-volume':
      return { type: 'VolumeCloneUndone', ...why, volumeId: plan.volumeId, originId: plan.originId };
    case 'create-block-volume':
      return { type: 'BlockVolumeCreationUndone', ...why, blockVolumeId: plan.blockVolumeId };
    case 'expand-block-volume':
      return { type: 'BlockVolumeExpansionUndone', ...why, blockVolumeId: plan.blockVolumeId };
    case 'delete-block-volume':
      return { type: 'BlockVolumeDeletionUndone', ...why, blockVolumeId: plan.blockVolumeId };
    case 'remove-residue':
      return { type: 'ResidueRemovalUndone', ...why, nodeId: plan.nodeId };
    case 'evict-brick': {
      const { volumeId, brickId } = plan;
      const passing = failure?.passing ?? false;
      return { type: 'BrickEvictionUndone', ...why, ...NOTHING_BLOCKED, volumeId, brickId, passing };
    }
    case 'evacuate-device':
      return {
        type: 'DeviceEvacuationStopped',
        ...why,
        ...NOTHING_BLOCKED,
        deviceId: plan.deviceId,
        moved: plan.moved,
      };
    case 'evacuate-node':
      return { type: 'NodeEvacuationStopped', ...why, ...NOTHING_BLOCKED, nodeId: plan.nodeId, moved: plan.moved };
    case 'restore-drift':
      return { type: 'DriftRestorationUndone', ...why, driftId: plan.driftId, subject: plan.finding.subject };
  }
}
