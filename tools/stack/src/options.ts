/** What a whole system on one machine is made of. */
import { resolve } from 'node:path';

/** Where the storage hosts are: in network namespaces with Gluster, or played by one process. */
export type HostsKind = 'real' | 'simulated';

/** How to start a system; only where its data lies and what its hosts are must be said. */
export interface StackOptions {
  /** Everything it keeps: database, streams, storage hosts, logs, keys. A second start of the same folder goes on from there. */
  readonly dataDir: string;
  readonly hosts: HostsKind;
  /** Storage hosts; 3 when absent. */
  readonly nodes?: number;
  /** Port of the HTTP API on 127.0.0.1; 0 or absent means a free one. */
  readonly port?: number;
  /** Deletes the folder's former content first. */
  readonly fresh?: boolean;
  /** A configuration file of heketi's; its keys win over generated ones. */
  readonly configFile?: string;
  /** Size of each device in KiB; sparse files, so it costs what is written. 20 GiB when absent. */
  readonly deviceSizeKib?: number;
  /** Devices of each host; 2 when absent. */
  readonly devicesPerNode?: number;
  /** Disks of this machine, those of each real host, in place of devices that are files; all that is on them is lost. */
  readonly disks?: readonly (readonly string[])[];
  /** Faults that the agents are to produce, a file. */
  readonly faultsFile?: string;
  /** Allocators: one leads, the others stand by. 2 when absent. */
  readonly allocators?: number;
  /** API gateways; 1 when absent. The first one has the port, the others have free ones. */
  readonly gateways?: number;
  /** Registers the hosts and their devices through the API; true when absent. */
  readonly loadTopology?: boolean;
  /** Starts the registry backend; true when absent. */
  readonly registry?: boolean;
  /** Replicas of the object gateway (S3), which share a volume; none when absent. */
  readonly objects?: number;
  /** More variables for all services. */
  readonly env?: Readonly<Record<string, string>>;
  /** Breaks the start off: it fails then, and leaves nothing running. */
  readonly signal?: AbortSignal;
  onProgress?(text: string): void;
}

/** The options with nothing left open. */
export type StackPlan = Required<Omit<StackOptions, Open>> & Pick<StackOptions, Open>;
type Open = 'configFile' | 'faultsFile' | 'disks' | 'signal';

const KIB_PER_GIB = 1024 * 1024;
const DEVICE_GIB = 20;

const defaults = {
  nodes: 3,
  port: 0,
  fresh: false,
  deviceSizeKib: DEVICE_GIB * KIB_PER_GIB,
  devicesPerNode: 2,
  allocators: 2,
  gateways: 1,
  loadTopology: true,
  registry: true,
  objects: 0,
  env: {},
  onProgress: () => undefined,
};

/** Fills in what was left open. */
export function planOf(options: StackOptions): StackPlan {
  return { ...defaults, ...options, dataDir: resolve(options.dataDir) };
}
