/** Storage hosts that one process plays: everywhere where Gluster cannot run. */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Fleet, FleetContext, HostPlace } from './fleet';
import { mainOf, startNodeProcess } from './node-process';
import type { StackPlan } from './options';
import { type LaunchedProcess, type Service, supervise } from './service';

const LOOPBACK = '127.0.0.1';
const ACCOUNT = { kind: 'simulated-agents' } as const;

/** Prepares the hosts; the process that plays them starts when they boot. */
export function simulatedFleet(context: FleetContext): Fleet {
  const { plan } = context;
  const agents: Service[] = [];
  const faultsFile = plan.faultsFile ?? join(context.data.path, 'faults.json');
  const power = simulatedPower(plan, faultsFile);
  return {
    kind: 'simulated',
    busHost: LOOPBACK,
    agents,
    places: simulatedPlaces(plan),
    agentAccounts: [ACCOUNT],
    async boot(envOf) {
      if (plan.nodes === 0) return;
      power.allOn();
      const agent = simulatedAgents(context, { ...envOf(ACCOUNT), BRICKYARD_FAULTS: faultsFile });
      agents.push(agent);
      await agent.start();
    },
    crashHost: (name) => power.set(name, false),
    bootHost: (name) => power.set(name, true),
    stop: async () => {
      await Promise.all(agents.map((agent) => agent.stop()));
    },
  };
}

/** Device names as on a machine with one disk of its own: /dev/sdb, /dev/sdc … */
function simulatedPlaces({ nodes, devicesPerNode }: StackPlan): HostPlace[] {
  const devices = Array.from({ length: devicesPerNode }, (_, index) => `/dev/sd${String.fromCharCode(98 + index)}`);
  const names = Array.from({ length: nodes }, (_, index) => `storage-${String(index + 1)}`);
  return names.map((name) => ({ name, address: name, devices }));
}

/** A simulated host that is off is silent to everybody: the agent reads in a file which ones are. */
function simulatedPower(
  { faultsFile, nodes }: StackPlan,
  file: string,
): { allOn(): void; set(name: string, isOn: boolean): Promise<void> } {
  const off = new Set<string>();
  const write = (): void => {
    writeFileSync(`${file}.new`, JSON.stringify([...off].map((host) => ({ host, silent: true }))));
    renameSync(`${file}.new`, file);
  };
  const set = (name: string, isOn: boolean): void => {
    if (faultsFile !== undefined) throw new Error(`the hosts follow ${faultsFile}: write { "silent": true } there`);
    const number = Number(/^storage-(\d+)$/.exec(name)?.[1] ?? 0);
    if (number < 1 || number > nodes) throw new Error(`there is no simulated host ${name}`);
    if (isOn) off.delete(name);
    else off.add(name);
    write();
  };
  return {
    allOn: () => {
      if (faultsFile === undefined) write();
    },
    set: async (name, isOn) => {
      await Promise.resolve();
      set(name, isOn);
    },
  };
}

function simulatedAgents({ plan, data, notes }: FleetContext, env: Readonly<Record<string, string>>): Service {
  const name = 'node-agents';
  const logFile = join(data.logs, `${name}.log`);
  const own = {
    ...plan.env,
    ...env,
    BRICKYARD_AGENT_SIMULATED: '1',
    BRICKYARD_AGENT_DIR: data.simulated,
    BRICKYARD_DEVICE_SIZE_KIB: String(plan.deviceSizeKib),
    BRICKYARD_HEALTH_HOST: LOOPBACK,
  };
  const launch = (): Promise<LaunchedProcess> =>
    startNodeProcess({ name, entry: mainOf('node-agent'), env: own, logFile, notes });
  return supervise({ name, logFile, onProgress: plan.onProgress, launch });
}
