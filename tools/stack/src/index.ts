export type { HostPlace } from './fleet';
export type { HostsKind, StackOptions } from './options';
export { checkLeader, checkReady, eventually } from './readiness';
export type { Service } from './service';
export type { RunningStack } from './running-stack';
export { startStack } from './start-stack';
export { loadTopology, sampleTopology, Topology, type TopologyReport } from './topology';
