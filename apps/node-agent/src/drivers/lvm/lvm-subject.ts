/** The lvm-thin driver on a real block device whose content may be destroyed: for the contract, here and in a virtual machine. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrickDriverSubject } from '../brick.driver.contract';
import { hostCommand, mustRun } from '../host-command';
import { lvmThinBrickDriver } from './lvm-thin.brick-driver';

const TIMEOUT_MS = 120_000;
const GROUPS = ['d', 'e'].map((digit) => `vg_${digit.repeat(32)}`);

/** Takes an empty device; `close` leaves it empty. */
export function lvmSubject(deviceName: string): BrickDriverSubject {
  const directory = mkdtempSync(join(tmpdir(), 'brickyard-lvm-'));
  const mountRoot = join(directory, 'mounts');
  const fstab = join(directory, 'fstab');
  writeFileSync(fstab, '# bricks\n');
  const run = hostCommand();
  const must = (...argv: string[]): Promise<string> => mustRun(run, argv, TIMEOUT_MS, argv.join(' '));
  const driver = (): BrickDriverSubject['driver'] => lvmThinBrickDriver({ run, fstab, mountRoot });
  const unmountAll = async (): Promise<void> => {
    const targets = readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '')
      .filter((target) => target.startsWith(`${mountRoot}/`));
    for (const target of targets) await must('umount', target);
  };
  return {
    driver: driver(),
    restarted: driver,
    deviceName,
    mountRoot,
    brickKib: 1024 * 1024,
    placeOf: (path) => path,
    soil: async () => {
      await must('mkfs.ext4', '-q', deviceName);
    },
    async reboot() {
      await unmountAll();
      for (const group of GROUPS) await run(['vgchange', '-an', group], { timeoutMs: TIMEOUT_MS });
    },
    async close() {
      await unmountAll();
      for (const group of GROUPS) await run(['vgremove', '-ff', '-y', group], { timeoutMs: TIMEOUT_MS });
      await run(['pvremove', '-ff', '-y', deviceName], { timeoutMs: TIMEOUT_MS });
      await must('wipefs', '--all', deviceName);
      rmSync(directory, { recursive: true });
    },
  };
}
