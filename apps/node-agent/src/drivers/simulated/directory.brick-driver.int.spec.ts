import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
});
