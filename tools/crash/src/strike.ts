/** Kills a process of the system and brings it back. */
import { setTimeout as pause } from 'node:timers/promises';
import type { RunningStack, Service } from '@brickyard/stack';
import type { Victim } from './points';

const POLL_MS = 10;

/** The process that a victim's name means at this moment: of allocators the one that leads. */
export async function serviceOf(stack: RunningStack, victim: Victim): Promise<Service> {
  if (victim === 'allocator') return stack.leader();
  return stack.service(victim === 'api-gateway' ? 'api-gateway-1' : victim);
}

/** `kill -9`; resolves when the process is dead. */
export async function kill(service: Service): Promise<void> {
  const { pid } = service;
  service.kill('SIGKILL');
  while (pid !== undefined && service.pid === pid) await pause(POLL_MS);
}
