import { mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BrickId, DeviceId, kib } from '@brickyard/contracts';
import { MOUNT_ROOT } from '../../brick-path';
import { brickDriverCases, type BrickDriverSubject } from '../brick.driver.contract';
import { directoryBrickDriver } from './directory.brick-driver';

function subject(): BrickDriverSubject {
  const directory = mkdtempSync(join(tmpdir(), 'brickyard-directory-'));
  const driver = (): BrickDriverSubject['driver'] => directoryBrickDriver({ directory });
  return {
    driver: driver(),
    restarted: driver,
    deviceName: '/dev/simulated',
    mountRoot: MOUNT_ROOT,
    brickKib: 4 * 1024 * 1024,
    placeOf: (path) => join(directory, path.slice(MOUNT_ROOT.length).replace(/\/brick$/, '')),
    close: () => {
      rmSync(directory, { recursive: true });
      return Promise.resolve();
    },
  };
}

describe('directory brick driver', () => {
  for (const { name, needs, run } of brickDriverCases) {
    if (needs !== undefined) continue;
    it(name, async () => {
      const made = subject();
      try {
        await run(made);
      } finally {
        await made.close();
      }
    });
  }

  it('does not tell the size of a brick whose note a power cut has cut short', async () => {
    const made = subject();
    const deviceId = DeviceId.parse('d'.repeat(32));
    const brickId = BrickId.parse('b'.repeat(32));
    const path = `${MOUNT_ROOT}/vg_${deviceId}/brick_${brickId}/brick`;
    const { driver, deviceName } = made;
    const sizes = { sizeKib: kib(4096), poolKib: kib(4096), metadataKib: kib(4096) };
    await driver.ensureDevice({ deviceId, name: deviceName, destroyData: false, knownDevices: [] });
    await driver.ensureBrick({ brickId, deviceId, deviceName, path, ...sizes, gid: 0 });
    const note = join(made.placeOf(path), '..', `size_${brickId}`);
    expect(await made.restarted().readBricks()).toEqual([{ path, mounted: true, sizeKib: 4096 }]);
    truncateSync(note, 3);
    expect(await made.restarted().readBricks()).toEqual([{ path, mounted: true }]);
    await made.close();
  });
});
