/** Kills a part of the system and brings it back. */
import { setTimeout as pause } from 'node:timers/promises';
import type { HostLab, StorageHost } from '@brickyard/hosts';
import type { RunningStack, Service } from '@brickyard/stack';
import type { Victim } from './points';

const POLL_MS = 10;

/** What is dead, and how it lives again. */
export interface Dead {
  /** Resolves when it has been started; it may not be ready yet. */
  revive(): Promise<void>;
}

/**
 * Kills what a victim's name means at this moment: of allocators the one that leads; of real hosts the one of this name,
 * where that matters. Resolves when it is dead.
 */
export async function strike(stack: RunningStack, victim: Victim, hostName: string): Promise<Dead> {
  if (victim === 'glusterd') return strikeGlusterd(hostOf(stack, hostName));
  if (victim === 'host') {
    await stack.crashHost(hostName);
    return { revive: () => stack.bootHost(hostName) };
  }
  const services = await servicesOf(stack, victim);
  await Promise.all(services.map(kill));
  return {
    async revive() {
      await Promise.all(services.map((service) => service.start()));
    },
  };
}

async function strikeGlusterd(host: StorageHost): Promise<Dead> {
  await host.crashGlusterd();
  return { revive: () => host.startGlusterd() };
}

function hostOf({ lab }: { readonly lab?: HostLab }, name: string): StorageHost {
  const host = lab?.hosts.find((one) => one.name === name || one.address === name);
  if (host === undefined) throw new Error(`there is no real host ${name}`);
  return host;
}

/** The processes that a victim's name means. */
export async function servicesOf(stack: RunningStack, victim: Victim): Promise<readonly Service[]> {
  if (victim === 'allocator') return [await stack.leader()];
  if (victim === 'node-agents') return agentsOf(stack);
  return [stack.service(victim === 'api-gateway' ? 'api-gateway-1' : victim)];
}

/** The one process of all simulated hosts, or that of each real one. */
export const agentsOf = ({ services }: RunningStack): readonly Service[] =>
  [...services.values()].filter(({ name }) => name.startsWith('node-agent'));

/** `kill -9`; resolves when the process is dead. */
export async function kill(service: Service): Promise<void> {
  const { pid } = service;
  service.kill('SIGKILL');
  while (pid !== undefined && service.pid === pid) await pause(POLL_MS);
}
