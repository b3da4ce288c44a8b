import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type HostLab, hostsSupported, startHosts, type StorageHost } from '@brickyard/hosts';
import { MOUNT_ROOT } from '../../brick-path';
import type { CommandResult, HostCommand } from '../host-command';
import { volumeDriverCases, type VolumeDriverHost, type VolumeDriverSubject } from '../volume.driver.contract';
import type { VolumeDriver } from '../volume.driver';
import { convergingVolumeDriver } from './converging.volume-driver';
import { glusterCli } from './gluster-cli';

const TIMEOUT_MS = 180_000;
const PATIENCE = { lockedMs: 30_000, awayMs: 1_000, firstPauseMs: 200, pauseMsMax: 2_000 };
const BRICKS_SIZE = '2G';

/** Commands of an agent inside a storage host. */
const inside =
  (host: StorageHost): HostCommand =>
  async (argv, { timeoutMs, env = {} }): Promise<CommandResult> => {
    const variables = Object.entries({ LC_ALL: 'C', ...env }).map(([name, value]) => `${name}=${value}`);
    const { exitCode, stdout, stderr } = await host.run(['env', ...variables, ...argv], { timeoutMs });
    return { argv, exit: exitCode, out: stdout, err: stderr };
  };

async function must(host: StorageHost, ...argv: string[]): Promise<void> {
  const { exitCode, stderr } = await host.run(argv, { timeoutMs: 30_000 });
  if (exitCode !== 0) throw new Error(`${argv.join(' ')}: ${stderr}`);
}

const describeWhenPossible = hostsSupported().supported ? describe : describe.skip;

describeWhenPossible('gluster-cli volume driver', () => {
  let lab: HostLab;
  let subject: VolumeDriverSubject;
  const machines = new Map<string, StorageHost>();

  const driverOf = (machine: StorageHost): VolumeDriver =>
    convergingVolumeDriver(glusterCli({ run: inside(machine), stateDirectory: '/run/gluster' }), {
      patience: PATIENCE,
    });

  const hostOf = (machine: StorageHost): VolumeDriverHost => ({
    name: machine.address,
    driver: driverOf(machine),
    restarted: () => driverOf(machine),
    prepareBrick: (path) => must(machine, 'mkdir', '-p', dirname(path)),
  });

  beforeAll(async () => {
    lab = await startHosts({ directory: mkdtempSync(join(tmpdir(), 'brickyard-gluster-')), count: 3 });
    for (const machine of lab.hosts) {
      machines.set(machine.address, machine);
      // One XFS for all bricks of a host: what Gluster checks is that they are not on the root file system.
      const image = '/var/lib/brickyard/bricks.img';
      await must(machine, 'truncate', '-s', BRICKS_SIZE, image);
      await must(machine, 'mkfs.xfs', '-q', image);
      await must(machine, 'mkdir', '-p', MOUNT_ROOT);
      await must(machine, 'mount', '-o', 'loop,nouuid', image, MOUNT_ROOT);
    }
    const [first, second, third] = lab.hosts.map(hostOf);
    if (first === undefined || second === undefined || third === undefined) throw new Error('three hosts are needed');
    subject = {
      hosts: [first, second, third],
      mountRoot: MOUNT_ROOT,
      async setDown({ name }, isDown) {
        const machine = machines.get(name);
        if (isDown) await machine?.crashGlusterd();
        else await machine?.startGlusterd();
      },
    };
  }, TIMEOUT_MS);

  afterAll(() => lab.down({ remove: true }), TIMEOUT_MS);

  for (const { name, run } of volumeDriverCases) it(name, () => run(subject), TIMEOUT_MS);
});
