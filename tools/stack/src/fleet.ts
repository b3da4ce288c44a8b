/** The storage hosts of a system with their agents: real ones in namespaces, or one process that plays them all. */
import type { BusAccount } from '@brickyard/contracts';
import type { HostLab } from '@brickyard/hosts';
import type { DataDirectory } from './data-directory';
import type { StackPlan } from './options';
import type { ProcessNotes } from './process-record';
import type { Service } from './service';

/** A storage host as the topology names it. */
export interface HostPlace {
  readonly name: string;
  /** The host's management and storage name. */
  readonly address: string;
  readonly devices: readonly string[];
}

/** All storage hosts of a system. */
export interface Fleet {
  readonly kind: 'real' | 'simulated';
  readonly places: readonly HostPlace[];
  /** The address at which the agents reach the services of this machine. */
  readonly busHost: string;
  /** Only when the hosts are real. */
  readonly lab?: HostLab;
  /** Agents, there once the hosts boot. */
  readonly agents: readonly Service[];
  /** As whom the agents are on the bus. */
  readonly agentAccounts: readonly BusAccount[];
  /** Switches all hosts on and starts their agents, each with the variables by which it reaches the bus. */
  boot(envOf: (account: BusAccount) => Readonly<Record<string, string>>): Promise<void>;
  /** Power loss of one host, by its name or address. */
  crashHost(name: string): Promise<void>;
  /** Switches one host on again. */
  bootHost(name: string): Promise<void>;
  stop(): Promise<void>;
}

/** What a fleet is made with. */
export interface FleetContext {
  readonly plan: StackPlan;
  readonly data: DataDirectory;
  readonly notes: ProcessNotes;
}
