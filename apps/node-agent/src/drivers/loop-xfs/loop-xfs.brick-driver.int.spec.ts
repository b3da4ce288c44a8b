import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BrickId, type BrickSpec, DeviceId, kib } from '@brickyard/contracts';
import { brickDriverCases, type BrickDriverSubject } from '../brick.driver.contract';
import { hostCommand } from '../host-command';
import { loopXfsBrickDriver } from './loop-xfs.brick-driver';

const TIMEOUT_MS = 60_000;
const isPossible = process.getuid?.() === 0 && existsSync('/dev/loop-control') && existsSync('/usr/sbin/mkfs.xfs');

const mountsBelow = (directory: string): string[] =>
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((target) => target.startsWith(directory));

const loopsBelow = (directory: string): string[] => {
  const list = execFileSync('losetup', ['--noheadings', '--list', '--output', 'NAME,BACK-FILE'], { encoding: 'utf8' });
  return list
    .split('\n')
    .filter((line) => line.includes(`${directory}/`))
    .map((line) => line.trim().split(/\s+/)[0] ?? '');
};

interface LoopSubject extends BrickDriverSubject {
  readonly directory: string;
}

/** With `hostKib` the device file lies on a file system of that size. */
function subject(hostKib?: number): LoopSubject {
  const directory = mkdtempSync(join(tmpdir(), 'brickyard-loop-xfs-'));
  if (hostKib !== undefined)
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${String(hostKib)}k`, 'tmpfs', directory]);
  const deviceName = join(directory, 'disk');
  const mountRoot = join(directory, 'mounts');
  writeFileSync(deviceName, '');
  truncateSync(deviceName, 4 * 1024 ** 3);
  const driver = (): BrickDriverSubject['driver'] =>
    loopXfsBrickDriver({ directory: join(directory, 'state'), mountRoot, run: hostCommand() });
  const reboot = (): Promise<void> => {
    for (const target of mountsBelow(`${directory}/`)) execFileSync('umount', [target]);
    for (const loop of loopsBelow(directory)) execFileSync('losetup', ['--detach', loop]);
    return Promise.resolve();
  };
  return {
    directory,
    driver: driver(),
    restarted: driver,
    deviceName,
    mountRoot,
    brickKib: 1024 * 1024,
    placeOf: (path) => path,
    soil: () => Promise.resolve(void execFileSync('mkfs.ext4', ['-q', deviceName])),
    reboot,
    async close() {
      await reboot();
      for (const target of mountsBelow(directory)) execFileSync('umount', [target]);
      rmSync(directory, { recursive: true });
    },
  };
}

async function using(work: (made: LoopSubject) => Promise<void>, hostKib?: number): Promise<void> {
  const made = subject(hostKib);
  try {
    await work(made);
  } finally {
    await made.close();
  }
}

(isPossible ? describe : describe.skip)('loop-xfs brick driver', () => {
  for (const { name, run } of brickDriverCases) {
    it(
      name,
      () =>
        using(async (made) => {
          await run(made);
        }),
      TIMEOUT_MS,
    );
  }

  const DEVICE = DeviceId.parse('d'.repeat(32));
  const take = ({ driver, deviceName }: LoopSubject): Promise<unknown> =>
    driver.ensureDevice({ deviceId: DEVICE, name: deviceName, destroyData: false, knownDevices: [] });
  const brickOf = (made: LoopSubject, digit: string, sizeKib = made.brickKib): BrickSpec => ({
    brickId: BrickId.parse(digit.repeat(32)),
    deviceId: DEVICE,
    deviceName: made.deviceName,
    path: join(made.mountRoot, `vg_${DEVICE}`, `brick_${digit.repeat(32)}`, 'brick'),
    sizeKib: kib(sizeKib),
    poolKib: kib(sizeKib),
    metadataKib: kib(8192),
    gid: 0,
  });
  const leftovers = (made: LoopSubject): string[] => [
    ...readdirSync(`${made.deviceName}.bricks`),
    ...loopsBelow(made.directory),
    ...mountsBelow(made.mountRoot),
    ...readdirSync(join(made.mountRoot, `vg_${DEVICE}`)),
  ];

  it(
    'gives a brick the size it was asked for, takes little of it at once, and leaves nothing behind',
    () =>
      using(async (made) => {
        await take(made);
        const spec = brickOf(made, '1');
        expect(await made.driver.ensureBrick(spec)).toMatchObject({ ok: true });
        const size = execFileSync('findmnt', ['-bno', 'SIZE', '--mountpoint', join(spec.path, '..')], {
          encoding: 'utf8',
        });
        expect(Number(size)).toBeGreaterThan(0.9 * made.brickKib * 1024);
        const image = join(`${made.deviceName}.bricks`, `brick_${spec.brickId}.img`);
        const taken = execFileSync('du', ['-k', image], { encoding: 'utf8' });
        expect(Number.parseInt(taken, 10)).toBeLessThan(80 * 1024);
        expect(await made.driver.ensureNoBrick(spec)).toMatchObject({ ok: true });
        expect(leftovers(made)).toEqual([]);
      }),
    TIMEOUT_MS,
  );

  it('refuses a brick too small for XFS and leaves nothing of it', () =>
    using(async (made) => {
      await take(made);
      const outcome = await made.driver.ensureBrick(brickOf(made, '1', 8 * 1024));
      expect(outcome).toMatchObject({ ok: false, failure: { transient: false } });
      expect(outcome).toHaveProperty('failure.detail', expect.stringContaining('too small for XFS'));
      mkdirSync(join(made.mountRoot, `vg_${DEVICE}`), { recursive: true });
      expect(leftovers(made)).toEqual([]);
    }));

  it(
    'makes an arbiter brick, far smaller than XFS is made unasked',
    () =>
      using(async (made) => {
        await take(made);
        const spec = brickOf(made, '1', 16 * 1024);
        expect(await made.driver.ensureBrick(spec)).toMatchObject({ ok: true });
        expect(await made.driver.readBrick(spec)).toMatchObject({ result: { present: true } });
        expect(await made.driver.ensureNoBrick(spec)).toMatchObject({ ok: true });
        expect(leftovers(made)).toEqual([]);
      }),
    TIMEOUT_MS,
  );

  it(
    'refuses a brick for which the file system below has no room, and leaves the others alone',
    () =>
      using(async (made) => {
        await take(made);
        expect(await made.driver.ensureBrick(brickOf(made, '1'))).toMatchObject({ ok: true });
        const outcome = await made.driver.ensureBrick(brickOf(made, '2'));
        expect(outcome).toMatchObject({ ok: false, failure: { transient: true } });
        expect(outcome).toHaveProperty(
          'failure.detail',
          expect.stringMatching(/too full for a new brick: \d+ KiB free/),
        );
        expect(await made.driver.readBricks()).toMatchObject([{ path: brickOf(made, '1').path, mounted: true }]);
        expect(readdirSync(`${made.deviceName}.bricks`)).toHaveLength(2);
      }, 120 * 1024),
    TIMEOUT_MS,
  );

  it(
    'names who uses a brick that cannot be unmounted, and removes it once they let go',
    () =>
      using(async (made) => {
        await take(made);
        const spec = brickOf(made, '1');
        await made.driver.ensureBrick(spec);
        const held = openSync(join(spec.path, 'held'), 'w');
        const outcome = await made.driver.ensureNoBrick(spec);
        closeSync(held);
        expect(outcome).toMatchObject({ ok: false, failure: { transient: true } });
        expect(outcome).toHaveProperty('failure.detail', expect.stringContaining(String(process.pid)));
        expect(await made.driver.ensureNoBrick(spec)).toMatchObject({ ok: true });
        expect(leftovers(made)).toEqual([]);
      }),
    TIMEOUT_MS,
  );

  it(
    'begins anew where a crash left half a brick, and clears such halves at its start',
    () =>
      using(async (made) => {
        await take(made);
        const spec = brickOf(made, '1');
        await made.driver.ensureBrick(spec);
        const note = join(`${made.deviceName}.bricks`, `brick_${spec.brickId}.img.json`);
        const half = readFileSync(note, 'utf8').replace('"whole":true', '"whole":false');
        writeFileSync(note, half);
        expect(await made.driver.ensureBrick(spec)).toMatchObject({ ok: true });
        expect(await made.driver.readBricks()).toMatchObject([{ path: spec.path, mounted: true }]);
        writeFileSync(note, half);
        expect(await made.restarted().ensureMounted()).toEqual([{ path: spec.path, mounted: false }]);
        expect(leftovers(made)).toEqual([]);
      }),
    TIMEOUT_MS,
  );

  it(
    'does not serve an image whose file system is not the one it made',
    () =>
      using(async (made) => {
        await take(made);
        const spec = brickOf(made, '1');
        await made.driver.ensureBrick(spec);
        await made.reboot?.();
        execFileSync('mkfs.xfs', ['-q', '-f', join(`${made.deviceName}.bricks`, `brick_${spec.brickId}.img`)]);
        const [state] = await made.restarted().ensureMounted();
        expect(state).toMatchObject({ path: spec.path, mounted: false });
        expect(state?.problem).toMatch(/should hold file system 11111111-1111-.* and holds xfs/);
        expect(mountsBelow(made.mountRoot)).toEqual([]);
      }),
    TIMEOUT_MS,
  );
});
