/** Who takes part in a run: the world with its processes, the clients, and those who look at the log. */
import { gib, kibOf } from '@brickyard/contracts';
import { agentMain } from './agent.process';
import { allocatorMain } from './allocator.process';
import { Clients } from './clients';
import { gatewayMain } from './gateway.process';
import type { LedgerChecks } from './ledger-checks';
import type { Random } from './random';
import { hostNamed } from './workload';
import { type Matter, type Sabotage, World } from './world';

/** Names of the processes beside the agents. */
export const ALLOCATORS = ['allocator-1', 'allocator-2'];
export const GATEWAYS = ['gateway-1', 'gateway-2'];
const DEVICE_KIB = kibOf(gib(40));
const SNAPSHOT_EVENTS = 60;

/** A run in progress. */
export interface Scene {
  readonly world: World;
  readonly checks: LedgerChecks;
  readonly clients: Clients;
}

/** How it is played. */
export interface SceneOptions {
  readonly sabotage?: Sabotage;
  /** Gets every line of the trace. */
  readonly onTrace?: (line: string) => void;
}

/** What a run begins with, and what has been seen of its log. */
export interface Beginning {
  readonly matter: Matter;
  readonly checks: LedgerChecks;
}

/** A world in which allocators, gateways and so many agents run. */
export async function sceneOf(
  nodes: number,
  { matter, checks }: Beginning,
  random: Random,
  { sabotage = {}, onTrace }: SceneOptions,
): Promise<Scene> {
  const world: World = new World({
    random,
    matter,
    deviceSizeKib: DEVICE_KIB,
    snapshotEvents: SNAPSHOT_EVENTS,
    sabotage,
    onCommit: (written) => {
      for (const { event } of written)
        world.trace(
          () => `commits ${String(event.position)} ${event.type} ${JSON.stringify(event.data).slice(0, 160)}`,
        );
      checks.take(written, random.chance(0.05));
    },
    onTaskCommand: (host) => {
      checks.checkSpeaks(host);
    },
    ...(onTrace === undefined ? {} : { onTrace }),
  });
  await world.open();
  for (const name of ALLOCATORS) world.add(name, (proc) => allocatorMain(world, proc));
  for (let number = 1; number <= nodes; number++) {
    const host = hostNamed(number);
    world.add(host, (proc) => agentMain(world, proc, host));
  }
  for (const name of GATEWAYS) {
    world.add(name, async (proc) => {
      world.gateways.set(name, await gatewayMain(world, proc));
    });
  }
  return { world, checks, clients: new Clients(world, checks) };
}
