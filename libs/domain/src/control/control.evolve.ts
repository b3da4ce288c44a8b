/** What each fact changes: the one fold behind the allocator, the gateway, every look into the past and every what-if. */
import type { ControlEvent, ControlEventType, EventOf } from '@brickyard/contracts';
import type { Recorded, StoredEvent } from '@brickyard/event-sourcing';
import * as evacuation from '../evacuation/evacuation.folds';
import * as adoption from '../adoption/adoption.folds';
import * as block from '../block/block-volume.folds';
import * as drift from '../drift/drift.folds';
import * as operation from '../operation/operation.folds';
import * as restore from '../restore/restore.folds';
import * as clone from './clone.folds';
import * as cluster from './cluster.folds';
import { recordedEvent } from './control.codec';
import type { ControlState } from './control.state';
import * as device from './device.folds';
import * as node from './node.folds';
import * as volume from './volume.folds';

type Folds = {
  readonly [Type in ControlEventType]: (state: ControlState, recorded: Recorded<EventOf<Type>>) => ControlState;
};

/** A new event without its fold does not compile. */
const folds: Folds = {
  ClusterCreated: cluster.clusterCreated,
  ClusterFlagsSet: cluster.clusterFlagsSet,
  ClusterRemoved: cluster.clusterRemoved,
  NodeAdditionPlanned: node.nodeAdditionPlanned,
  NodeAdded: node.nodeAdded,
  NodeAdditionUndone: node.nodeAdditionUndone,
  NodeStateSet: node.nodeStateSet,
  NodeStateRefused: node.nodeStateRefused,
  NodeEvacuationPlanned: evacuation.nodeEvacuationPlanned,
  NodeEvacuationStopped: evacuation.nodeEvacuationStopped,
  NodeRemovalPlanned: node.nodeRemovalPlanned,
  NodeRemoved: node.nodeRemoved,
  NodeRemovalUndone: node.nodeRemovalUndone,
  NodeTagsSet: node.nodeTagsSet,
  NodeLost: node.nodeLost,
  NodeReturned: node.nodeReturned,
  DeviceAdditionPlanned: device.deviceAdditionPlanned,
  DeviceAdded: device.deviceAdded,
  DeviceAdditionUndone: device.deviceAdditionUndone,
  DeviceStateSet: device.deviceStateSet,
  DeviceStateRefused: device.deviceStateRefused,
  DeviceEvacuationPlanned: evacuation.deviceEvacuationPlanned,
  DeviceEvacuationStopped: evacuation.deviceEvacuationStopped,
  DeviceRemovalPlanned: device.deviceRemovalPlanned,
  DeviceRemoved: device.deviceRemoved,
  DeviceRemovalUndone: device.deviceRemovalUndone,
  DeviceTagsSet: device.deviceTagsSet,
  DeviceResyncPlanned: device.deviceResyncPlanned,
  DeviceResynced: device.deviceResynced,
  DeviceResyncUndone: device.deviceResyncUndone,
  VolumePlanned: volume.volumePlanned,
  VolumeReplanned: volume.volumeReplanned,
  VolumeCreated: volume.volumeCreated,
  VolumeCreationUndone: volume.volumeCreationUndone,
  VolumeExpansionPlanned: volume.volumeExpansionPlanned,
  VolumeExpanded: volume.volumeExpanded,
  VolumeExpansionUndone: volume.volumeExpansionUndone,
  BrickMovePlanned: evacuation.brickMovePlanned,
  BrickMoveStarted: evacuation.brickMoveStarted,
  BrickEvictionPlanned: evacuation.brickEvictionPlanned,
  BrickEvicted: evacuation.brickEvicted,
  BrickEvictionUndone: evacuation.brickEvictionUndone,
  VolumeDeletionPlanned: volume.volumeDeletionPlanned,
  VolumeDeleted: volume.volumeDeleted,
  VolumeDeletionUndone: volume.volumeDeletionUndone,
  VolumeClonePlanned: clone.volumeClonePlanned,
  VolumeCloned: clone.volumeCloned,
  VolumeCloneUndone: clone.volumeCloneUndone,
  BlockRestrictionSet: volume.blockRestrictionSet,
  HostingVolumePlanned: block.hostingVolumePlanned,
  BlockVolumePlanned: block.blockVolumePlanned,
  BlockVolumeCreated: block.blockVolumeCreated,
  BlockVolumeCreationUndone: block.blockVolumeCreationUndone,
  BlockVolumeCreationRefused: block.blockVolumeCreationRefused,
  BlockVolumeExpansionPlanned: block.blockVolumeExpansionPlanned,
  BlockVolumeExpanded: block.blockVolumeExpanded,
  BlockVolumeExpansionUndone: block.blockVolumeExpansionUndone,
  BlockVolumeDeletionPlanned: block.blockVolumeDeletionPlanned,
  BlockVolumeDeleted: block.blockVolumeDeleted,
  BlockVolumeDeletionUndone: block.blockVolumeDeletionUndone,
  AdminModeSet: ({ modeBeforeAdoption: _, ...state }, { event: { mode, beforeAdoption } }) => ({
    ...state,
    adminMode: mode,
    ...(beforeAdoption === undefined ? {} : { modeBeforeAdoption: beforeAdoption }),
  }),
  StepStarted: operation.stepStarted,
  TaskSucceeded: operation.taskSucceeded,
  TaskFailed: operation.taskFailed,
  TaskAbandoned: operation.taskAbandoned,
  StepRetryPlanned: operation.stepRetryPlanned,
  ResidueRemovalPlanned: operation.residueRemovalPlanned,
  CleanUpStarted: operation.cleanUpStarted,
  ResidueRemoved: operation.residueRemoved,
  ResidueRemovalUndone: operation.residueRemovalUndone,
  DriftObserved: drift.driftObserved,
  DriftResolved: drift.driftResolved,
  DriftAccepted: drift.driftAccepted,
  DriftRestorationPlanned: drift.driftRestorationPlanned,
  DriftRestored: drift.driftRestored,
  DriftRestorationUndone: drift.driftRestorationUndone,
  ClusterAdopted: adoption.clusterAdopted,
  NodeAdopted: adoption.nodeAdopted,
  DeviceAdopted: adoption.deviceAdopted,
  VolumeAdopted: adoption.volumeAdopted,
  LogRestored: restore.logRestored,
  RestoreConfirmed: restore.restoreConfirmed,
  LogReleased: restore.logReleased,
};

/** The state after one more fact. */
export function evolve(state: ControlState, recorded: Recorded<ControlEvent>): ControlState {
  const apply = folds[recorded.event.type] as (state: ControlState, recorded: Recorded<ControlEvent>) => ControlState;
  return apply(state, recorded);
}

/** The state after one more event of the log. One that a later release wrote changes nothing: who decides or answers stops at it (`isFoldable`). */
export function evolveStored(state: ControlState, stored: StoredEvent): ControlState {
  const recorded = recordedEvent(stored);
  return recorded === undefined ? state : evolve(state, recorded);
}
