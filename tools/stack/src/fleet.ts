/** The storage hosts of a system with their agents: real ones in namespaces, or one process that plays them all. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { GlusterdDown, type HostLab, prepareHosts, type StorageHost } from '@brickyard/hosts';
import type { DataDirectory } from './data-directory';
import { mainOf, startNodeProcess } from './node-process';
import type { StackPlan } from './options';
import type { ProcessNotes } from './process-record';
import { type Service, supervise } from './service';

const LOOPBACK = '127.0.0.1';
const IS_UP_POLL_MS = 5;
/** Where bricks are mounted inside a host: heketi's place. */
const MOUNT_ROOT = '/var/lib/heketi/mounts';

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
  /** Switches all hosts on and starts their agents. */
  boot(env: Readonly<Record<string, string>>): Promise<void>;
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

/** Prepares the hosts without switching them on: the bus has to listen on their network first. */
export function prepareFleet(context: FleetContext): Promise<Fleet> {
  if (context.plan.nodes === 0 || context.plan.hosts === 'simulated') return Promise.resolve(simulatedFleet(context));
  return realFleet(context);
}

function simulatedFleet({ plan, data, notes }: FleetContext): Fleet {
  const agents: Service[] = [];
  const letters = Array.from({ length: plan.devicesPerNode }, (_, index) => String.fromCharCode(98 + index));
  const notPossible = (): Promise<never> =>
    Promise.reject(new Error('the hosts are simulated: they have no power to lose'));
  return {
    kind: 'simulated',
    busHost: LOOPBACK,
    agents,
    places: Array.from({ length: plan.nodes }, (_, index) => ({
      name: `storage-${String(index + 1)}`,
      address: `storage-${String(index + 1)}`,
      devices: letters.map((letter) => `/dev/sd${letter}`),
    })),
    async boot(env) {
      if (plan.nodes === 0) return;
      const logFile = join(data.logs, 'node-agents.log');
      const own = {
        ...plan.env,
        ...env,
        BRICKYARD_AGENT_SIMULATED: '1',
        BRICKYARD_AGENT_DIR: data.simulated,
        BRICKYARD_DEVICE_SIZE_KIB: String(plan.deviceSizeKib),
        ...(plan.faultsFile === undefined ? {} : { BRICKYARD_FAULTS: plan.faultsFile }),
      };
      const agent = supervise({
        name: 'node-agents',
        logFile,
        onProgress: plan.onProgress,
        launch: () => startNodeProcess({ name: 'node-agents', entry: mainOf('node-agent'), env: own, logFile, notes }),
      });
      agents.push(agent);
      await agent.start();
    },
    crashHost: notPossible,
    bootHost: notPossible,
    stop: async () => {
      await Promise.all(agents.map((agent) => agent.stop()));
    },
  };
}

async function realFleet(context: FleetContext): Promise<Fleet> {
  const { plan, data } = context;
  const lab = await prepareHosts({
    directory: data.hosts,
    count: plan.nodes,
    devicesPerHost: plan.devicesPerNode,
    deviceSizeKib: plan.deviceSizeKib,
    onProgress: plan.onProgress,
  });
  const agents: Service[] = [];
  const known = (name: string): { host: StorageHost; agent: Service } => {
    const index = lab.hosts.findIndex((host) => host.name === name || host.address === name);
    const [host, agent] = [lab.hosts[index], agents[index]];
    if (host === undefined || agent === undefined) {
      throw new Error(`there is no ${name}, only ${lab.hosts.map((one) => one.name).join(', ')}`);
    }
    return { host, agent };
  };
  const bootHost = async (name: string): Promise<void> => {
    const { host, agent } = known(name);
    await bootWith(host, agent, plan.onProgress);
  };
  return {
    kind: 'real',
    lab,
    agents,
    busHost: lab.clientAddress,
    places: lab.hosts.map(({ name, address, devices }) => ({ name, address, devices })),
    async boot(env) {
      agents.push(...lab.hosts.map((host) => agentOf(host, env, context)));
      await Promise.all(lab.hosts.map(({ name }) => bootHost(name)));
    },
    async crashHost(name) {
      const { host, agent } = known(name);
      agent.letGo();
      await host.crash();
    },
    bootHost,
    async stop() {
      await Promise.all(agents.map((agent) => agent.stop()));
      await lab.down();
    },
  };
}

/** The agent starts as soon as the host is up: it may have to repair what glusterd refuses, and mounts bricks before volumes start. */
async function bootWith(host: StorageHost, agent: Service, onProgress: (text: string) => void): Promise<void> {
  let isDone = false;
  const booting = host
    .boot()
    .catch((error: unknown) => {
      if (!(error instanceof GlusterdDown)) throw error;
      onProgress(`${host.name} is up, but ${error.message}`);
    })
    .finally(() => {
      isDone = true;
    });
  const beginsToBoot = async (): Promise<void> => {
    while (!host.isUp() && !isDone) await pause(IS_UP_POLL_MS);
  };
  await Promise.race([beginsToBoot(), booting]);
  await Promise.all([booting, host.isUp() ? agent.start() : undefined]);
}

function agentOf(host: StorageHost, env: Readonly<Record<string, string>>, context: FleetContext): Service {
  const { plan, data, notes } = context;
  const name = `node-agent-${host.name}`;
  const logFile = join(data.logs, `${name}.log`);
  const own = {
    ...plan.env,
    ...env,
    BRICKYARD_AGENT_HOST: host.address,
    BRICKYARD_AGENT_DIR: host.stateDirectory,
    BRICKYARD_BRICK_DRIVER: 'loop-xfs',
    BRICKYARD_VOLUME_DRIVER: 'gluster-cli',
    BRICKYARD_MOUNT_ROOT: MOUNT_ROOT,
    ...(plan.faultsFile === undefined ? {} : { BRICKYARD_FAULTS: plan.faultsFile }),
  };
  return supervise({
    name,
    logFile,
    onProgress: plan.onProgress,
    canRun: () => host.isUp(),
    launch: () =>
      startNodeProcess({
        name,
        entry: mainOf('node-agent'),
        env: own,
        logFile,
        notes,
        spawnIn: (argv, options) => host.spawn(argv, options),
      }),
  });
}
