import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brickDriverCases } from '../brick.driver.contract';
import { lvmSubject } from './lvm-subject';

const TIMEOUT_MS = 120_000;
const isRoot = process.getuid?.() === 0 && existsSync('/dev/loop-control') && existsSync('/usr/sbin/lvm');
const given = process.env['BRICKYARD_LVM_TEST_DEVICE'];
/** Thin volumes need device-mapper in the kernel; volume groups do not. */
const hasThin = given !== undefined || existsSync('/dev/mapper/control');
const WITHOUT_BRICKS = [
  'takes a device once, and tells the same of it every time',
  'refuses a device that is another device already, unless its identity is unknown to us and wiping is allowed',
  'gives a device back, and again, and takes it as another one',
  'refuses a device that holds data, and wipes it only when told to',
];

(isRoot ? describe : describe.skip)('lvm-thin brick driver on a real device', () => {
  let directory: string;
  let device: string;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'brickyard-lvm-device-'));
    const image = join(directory, 'disk');
    writeFileSync(image, '');
    truncateSync(image, 8 * 1024 ** 3);
    device = given ?? execFileSync('losetup', ['--find', '--show', image], { encoding: 'utf8' }).trim();
  });

  afterAll(() => {
    if (given === undefined) execFileSync('losetup', ['--detach', device]);
    rmSync(directory, { recursive: true });
  });

  for (const { name, run } of brickDriverCases) {
    const runnable = hasThin || WITHOUT_BRICKS.includes(name);
    (runnable ? it : it.skip)(
      name,
      async () => {
        const subject = lvmSubject(device);
        await run(subject).finally(() => subject.close());
      },
      TIMEOUT_MS,
    );
  }
});
