export type { CommandOptions, Completed } from './command';
export { removeDeadLabs } from './dead-labs';
export { GlusterdDown } from './glusterd';
export { installPackages } from './install-packages';
export { deviceNumber, readLoops } from './loop-devices';
export { type HostLab, type HostLabOptions, prepareHosts, startHosts } from './lab';
export { type LabIdentity, removeLeftovers, tracesOf } from './leftovers';
export type { SpawnOptions, StorageHost } from './storage-host';
export { hostsSupported, type HostsSupport, onlyPackagesMissing } from './support';
