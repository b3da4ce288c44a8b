/** Storage hosts in namespaces of this machine, each with a glusterd and a node agent of its own. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type BusAccount, HostName } from '@brickyard/contracts';
import { GlusterdDown, prepareHosts, type StorageHost } from '@brickyard/hosts';
import type { Fleet, FleetContext } from './fleet';
import { mainOf, startNodeProcess } from './node-process';
import { type Service, supervise } from './service';

const LOOPBACK = '127.0.0.1';
const IS_UP_POLL_MS = 5;
const LINE_MAX = 160;
/** Where bricks are mounted inside a host: heketi's place. */
const MOUNT_ROOT = '/var/lib/heketi/mounts';

/** Prepares the hosts without switching them on: the bus has to listen on their network first. */
export async function realFleet(context: FleetContext): Promise<Fleet> {
  const { plan, data } = context;
  const lab = await prepareHosts({
    directory: data.hosts,
    count: plan.nodes,
    devicesPerHost: plan.devicesPerNode,
    deviceSizeKib: plan.deviceSizeKib,
    ...(plan.disks === undefined ? {} : { disks: plan.disks }),
    onProgress: (text) => {
      plan.onProgress(shortened(text));
    },
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
    agentAccounts: lab.hosts.map(accountOf),
    async boot(envOf) {
      agents.push(...lab.hosts.map((host) => agentOf(host, envOf(accountOf(host)), context)));
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

const accountOf = ({ address }: StorageHost): BusAccount => ({ kind: 'agent', host: HostName.parse(address) });

/** What a killed run left is a long list. */
const shortened = (text: string): string => (text.length > LINE_MAX ? `${text.slice(0, LINE_MAX)} …` : text);

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

/** The table of mounts lies beside the agent's state: /etc/fstab of a host here is a mount, which nothing can replace. */
const bricksOf = ({ stateDirectory }: StorageHost, onDisks: boolean): Readonly<Record<string, string>> =>
  onDisks
    ? { BRICKYARD_BRICK_DRIVER: 'lvm-thin', BRICKYARD_FSTAB: join(stateDirectory, 'fstab') }
    : { BRICKYARD_BRICK_DRIVER: 'loop-xfs' };

function agentOf(host: StorageHost, env: Readonly<Record<string, string>>, context: FleetContext): Service {
  const { plan, data, notes } = context;
  const name = `node-agent-${host.name}`;
  const logFile = join(data.logs, `${name}.log`);
  const own = {
    ...plan.env,
    ...env,
    BRICKYARD_AGENT_HOST: host.address,
    BRICKYARD_AGENT_DIR: host.stateDirectory,
    ...bricksOf(host, plan.disks !== undefined),
    BRICKYARD_VOLUME_DRIVER: 'gluster-cli',
    BRICKYARD_MOUNT_ROOT: MOUNT_ROOT,
    BRICKYARD_HEALTH_HOST: LOOPBACK,
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
