/* eslint-disable @nx/enforce-module-boundaries, @typescript-eslint/no-require-imports -- what is simulated is the product itself, and its modules as objects that can be changed */
/** Everything of the apps that the simulation runs. */
export { CommandConsumer } from '@brickyard/allocator/dist/command.consumer';
export { lead } from '@brickyard/allocator/dist/leader';
export { followLedger } from '@brickyard/allocator/dist/ledger-follower';
export { CommandBus, type Decided } from '@brickyard/api-gateway/dist/command-bus';
export type { AppendFile, Disk } from '@brickyard/node-agent/dist/disk';
export { watchHandshakes } from '@brickyard/node-agent/dist/drivers/gluster/handshake-watch';
export { convergingVolumeDriver } from '@brickyard/node-agent/dist/drivers/gluster/converging.volume-driver';
export type { BlockTargetDriver } from '@brickyard/node-agent/dist/drivers/block-target.driver';
export type { Gluster, Member, Reply } from '@brickyard/node-agent/dist/drivers/gluster/gluster.port';
export { directoryBrickDriver } from '@brickyard/node-agent/dist/drivers/simulated/directory.brick-driver';
export {
  openRecordedGlusters,
  type RecordedGlusters,
} from '@brickyard/node-agent/dist/drivers/simulated/recorded.gluster';
export {
  openRecordedBlocks,
  type RecordedBlocks,
  RecordedBlockState,
} from '@brickyard/node-agent/dist/drivers/simulated/recorded.blocks';
export { RecordedState } from '@brickyard/node-agent/dist/drivers/simulated/recorded.state';
export { NO_FAULTS } from '@brickyard/node-agent/dist/faults';
export { hostAgent } from '@brickyard/node-agent/dist/host.agent';
export { assertHeard, isTaskAtWork, type Lease, openLease } from '@brickyard/node-agent/dist/lease';
export { openLedger, type TaskLedger } from '@brickyard/node-agent/dist/ledger';

import taskRelays = require('@brickyard/allocator/dist/task.relay');

/** The module itself, so that a fault can be planted in it. */
export { taskRelays };
