/** The agent of one storage host, put together of the same parts as the real one, on the simulated drivers. */
import { setTimeout as pause } from 'node:timers/promises';
import type { HostName } from '@brickyard/contracts';
import { diskOn, emptyPlatter } from './disk';
import type { Proc } from './kernel';
import type { World } from './world';
import {
  assertHeard,
  convergingVolumeDriver,
  directoryBrickDriver,
  NO_FAULTS,
  hostAgent,
  isTaskAtWork,
  type Lease,
  openLease,
  openLedger,
  type TaskLedger,
  watchHandshakes,
} from './product';

export const BRICKS_DIRECTORY = '/var/lib/brickyard/directory';
const LEDGER_FILE = '/var/lib/brickyard/tasks.journal';

const GLUSTERD_STARTS_MS = 1_500;

const settled = (): Promise<void> => Promise.resolve();

/** Runs until the process ends. */
export async function agentMain(world: World, proc: Proc, host: HostName): Promise<void> {
  const { kernel, options } = world;
  const { agent: sabotage = {} } = options.sabotage;
  const log = world.logOf(proc);
  const platter = world.matter.hosts.get(host) ?? emptyPlatter();
  const disk = diskOn(platter, { kernel, proc, failures: () => world.diskFailures });
  const ledger = await openLedger({ file: LEDGER_FILE, sync: sabotage.unsynced !== true, disk });
  const bus = world.busOf(proc);
  await bus.connect();
  const handshakes = watchHandshakes({
    look: () => gluster.members(),
    restart: () => restartGlusterd(world, host),
  });
  const gluster = world.glusters.on(
    host,
    proc,
    () => {
      beforeCommand(world, host);
    },
    (members) => {
      handshakes.see(members);
    },
  );
  await hostAgent({
    bus,
    log,
    host,
    ledger: sabotage.unfenced === true ? withoutFence(ledger) : ledger,
    faults: NO_FAULTS,
    simulated: true,
    lease: sabotage.unleased === true ? deafLease() : openLease(),
    glusterd: { start: settled, restart: settled, stop: settled },
    drivers: {
      bricks: directoryBrickDriver({ directory: BRICKS_DIRECTORY, deviceSizeKib: options.deviceSizeKib, disk }),
      volumes: convergingVolumeDriver(gluster),
      blocks: world.glusters.blocksOn(host, proc),
    },
  }).start();
}

/** As the supervisor of a real one does it. */
async function restartGlusterd(world: World, host: HostName): Promise<void> {
  world.trace(`starts the glusterd of ${host} once more`);
  world.glusters.kill(host);
  await pause(GLUSTERD_STARTS_MS);
  world.startGlusterd(host);
}

/** Lets every task begin what it likes, whoever hears of it. */
function deafLease(): Lease {
  const endless = openLease(() => 0);
  endless.confirm(0);
  return { confirm: () => undefined, lapses: 0, during: (work) => endless.during(work) };
}

/** Before a command of Gluster's command line: what `hostCommand` does, and a look whether it did it well. */
const beforeCommand = (world: World, host: HostName): void => {
  if (!isTaskAtWork()) return;
  assertHeard();
  world.watch(() => {
    world.options.onTaskCommand(host);
  });
};

const withoutFence = (ledger: TaskLedger): TaskLedger => ({
  ...ledger,
  seen: () => 0,
  outcomeOf: () => undefined,
});
