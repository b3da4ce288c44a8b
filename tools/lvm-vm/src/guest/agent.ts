/** The parts of the node agent that are tested here; it is an application without an index, so its files are named. */
/* eslint-disable @nx/enforce-module-boundaries -- This tool exists to run the application's own files elsewhere. */
export { MOUNT_ROOT } from '@brickyard/node-agent/dist/brick-path';
export type { BrickDriver } from '@brickyard/node-agent/dist/drivers/brick.driver';
export { brickDriverCases } from '@brickyard/node-agent/dist/drivers/brick.driver.contract';
export { type HostCommand, hostCommand } from '@brickyard/node-agent/dist/drivers/host-command';
export { lvmSubject } from '@brickyard/node-agent/dist/drivers/lvm/lvm-subject';
export { lvmThinBrickDriver } from '@brickyard/node-agent/dist/drivers/lvm/lvm-thin.brick-driver';
