/** What every brick driver must do, as plain cases: Jest runs them, and a bare Node.js in a virtual machine can, too. */
import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { BrickId, type BrickSpec, DeviceId, kib, type Outcome } from '@brickyard/contracts';
import type { BrickDriver, DeviceSpec } from './brick.driver';

/** A driver under test on a host of its own, with one empty device. */
export interface BrickDriverSubject {
  readonly driver: BrickDriver;
  /** The same host's driver as a new process would have it. */
  restarted(): BrickDriver;
  readonly deviceName: string;
  readonly mountRoot: string;
  /** Size of the bricks to try, KiB. */
  readonly brickKib: number;
  /** The real directory behind a brick's path. */
  placeOf(path: string): string;
  /** Puts data on the device as a stranger would; absent where a device has no content. */
  soil?(): Promise<void>;
  /** Power loss: mounts and attachments are gone, disks are not; absent where there are none. */
  reboot?(): Promise<void>;
  close(): Promise<void>;
}

/** One thing that must hold; `run` gets a fresh subject. */
export interface BrickDriverCase {
  readonly name: string;
  /** Runs only on subjects that can do this. */
  readonly needs?: 'soil' | 'reboot';
  readonly run: (subject: BrickDriverSubject) => Promise<void>;
}

const hex = (digit: string): string => digit.repeat(32);
const DEVICE = DeviceId.parse(hex('d'));
const OTHER_DEVICE = DeviceId.parse(hex('e'));

const device = (subject: BrickDriverSubject, change: Partial<DeviceSpec> = {}): DeviceSpec => ({
  deviceId: DEVICE,
  name: subject.deviceName,
  destroyData: false,
  knownDevices: [],
  ...change,
});

const brick = (subject: BrickDriverSubject, digit = '1', change: Partial<BrickSpec> = {}): BrickSpec => ({
  brickId: BrickId.parse(hex(digit)),
  deviceId: DEVICE,
  deviceName: subject.deviceName,
  path: `${subject.mountRoot}/vg_${DEVICE}/brick_${hex(digit)}/brick`,
  sizeKib: kib(subject.brickKib),
  poolKib: kib(subject.brickKib),
  metadataKib: kib(4096 * Math.max(1, Math.ceil((subject.brickKib * 0.005) / 4096))),
  gid: 0,
  ...change,
});

function succeeded(outcome: Outcome): Extract<Outcome, { ok: true }>['result'] {
  assert.ok(outcome.ok, outcome.ok ? '' : `${outcome.failure.detail} (${outcome.failure.cause})`);
  return outcome.result;
}

function refused(outcome: Outcome, reason: RegExp): void {
  assert.ok(!outcome.ok, 'the driver did what it must refuse');
  assert.match(outcome.failure.detail, reason);
  assert.equal(outcome.failure.transient, false);
}

const isPresent = async (driver: BrickDriver, spec: BrickSpec): Promise<boolean> => {
  const result = succeeded(await driver.readBrick(spec));
  assert.ok(result.kind === 'presence');
  return result.present;
};

async function withBrick(subject: BrickDriverSubject, spec = brick(subject)): Promise<BrickSpec> {
  succeeded(await subject.driver.ensureDevice(device(subject)));
  succeeded(await subject.driver.ensureBrick(spec));
  return spec;
}

const scenario = (
  name: string,
  needs: BrickDriverCase['needs'] | undefined,
  run: BrickDriverCase['run'],
): BrickDriverCase => (needs === undefined ? { name, run } : { name, needs, run });

/** The whole suite, in an order that reads well; cases do not depend on each other. */
export const brickDriverCases: readonly BrickDriverCase[] = [
  scenario('takes a device once, and tells the same of it every time', undefined, async (subject) => {
    const first = succeeded(await subject.driver.ensureDevice(device(subject)));
    assert.ok(first.kind === 'device');
    assert.ok(first.totalKib > subject.brickKib);
    assert.equal(first.totalKib % first.extentKib, 0);
    assert.notEqual(first.pvUuid, '');
    assert.ok(first.paths.includes(subject.deviceName));
    assert.deepEqual(succeeded(await subject.driver.ensureDevice(device(subject))), first);
    assert.deepEqual(succeeded(await subject.restarted().ensureDevice(device(subject))), first);
  }),
  scenario(
    'refuses a device that is another device already, unless its identity is unknown to us and wiping is allowed',
    undefined,
    async (subject) => {
      const { driver } = subject;
      const taken = succeeded(await driver.ensureDevice(device(subject)));
      const pvUuid = taken.kind === 'device' ? taken.pvUuid : '';
      const again = device(subject, { deviceId: OTHER_DEVICE });
      refused(await driver.ensureDevice(again), /./);
      const known = { deviceId: DEVICE, name: subject.deviceName, pvUuid };
      refused(
        await driver.ensureDevice({ ...again, destroyData: true, knownDevices: [known] }),
        new RegExp(`^Device already in use \\(ID: ${DEVICE}\\)$`),
      );
      const vague = { deviceId: DeviceId.parse(hex('c')), name: '/elsewhere', pvUuid: '' };
      refused(
        await driver.ensureDevice({ ...again, destroyData: true, knownDevices: [vague] }),
        /^Can not destroy device, destroy may not be safe: /,
      );
    },
  ),
  scenario('tells of a device again what it told when it took it, and of no other', undefined, async (subject) => {
    const { driver } = subject;
    const named = { deviceId: DEVICE, name: subject.deviceName };
    refused(await driver.readDevice(named), /./);
    const taken = succeeded(await driver.ensureDevice(device(subject)));
    assert.deepEqual(succeeded(await driver.readDevice(named)), taken);
    assert.deepEqual(succeeded(await subject.restarted().readDevice(named)), taken);
    refused(await driver.readDevice({ ...named, deviceId: OTHER_DEVICE }), new RegExp(OTHER_DEVICE));
  }),
  scenario('gives a device back, and again, and takes it as another one', undefined, async (subject) => {
    const { driver } = subject;
    succeeded(await driver.ensureDevice(device(subject)));
    const ref = { deviceId: DEVICE, name: subject.deviceName, ignoreErrors: false };
    succeeded(await driver.ensureNoDevice(ref));
    succeeded(await driver.ensureNoDevice(ref));
    succeeded(await driver.ensureDevice(device(subject, { deviceId: OTHER_DEVICE })));
    succeeded(await driver.ensureNoDevice({ ...ref, deviceId: OTHER_DEVICE }));
  }),
  scenario(
    'refuses to give back a device with bricks, but lets go of it when errors are to be ignored',
    undefined,
    async (subject) => {
      const spec = await withBrick(subject);
      const ref = { deviceId: DEVICE, name: subject.deviceName, ignoreErrors: false };
      const outcome = await subject.driver.ensureNoDevice(ref);
      assert.equal(outcome.ok, false);
      assert.equal(await isPresent(subject.driver, spec), true);
      succeeded(await subject.driver.ensureNoDevice({ ...ref, ignoreErrors: true }));
      succeeded(await subject.driver.ensureNoBrick(spec));
    },
  ),
  scenario('makes a brick once, keeps its content, and removes it once', undefined, async (subject) => {
    const { driver } = subject;
    const spec = await withBrick(subject);
    const place = subject.placeOf(spec.path);
    assert.ok(existsSync(place));
    const { ino, dev } = statSync(place);
    succeeded(await driver.ensureBrick(spec));
    succeeded(await subject.restarted().ensureBrick(spec));
    assert.deepEqual({ ino: statSync(place).ino, dev: statSync(place).dev }, { ino, dev });
    assert.equal(await isPresent(driver, spec), true);
    const [state] = await driver.readBricks();
    assert.deepEqual({ path: state?.path, mounted: state?.mounted }, { path: spec.path, mounted: true });
    succeeded(await driver.ensureServed(spec));
    const [device] = await driver.readDevices();
    assert.ok(device?.deviceId === spec.deviceId && (device.totalKib ?? 0) > 0, 'the device is not told');
    succeeded(await driver.ensureNoBrick(spec));
    succeeded(await driver.ensureNoBrick(spec));
    assert.equal(existsSync(place), false);
    assert.equal((await driver.ensureServed(spec)).ok, false, 'a brick that is gone was made anew');
    assert.equal(await isPresent(driver, spec), false);
    assert.deepEqual(await driver.readBricks(), []);
  }),
  scenario('gives the brick directory to the group of the volume', undefined, async (subject) => {
    const spec = await withBrick(subject, brick(subject, '2', { gid: 4711 }));
    const found = statSync(subject.placeOf(spec.path));
    assert.equal(found.mode & 0o7777, 0o2775);
    if (process.getuid?.() === 0) assert.equal(found.gid, 4711);
    succeeded(await subject.driver.ensureNoBrick(spec));
  }),
  scenario('makes several bricks at once', undefined, async (subject) => {
    succeeded(await subject.driver.ensureDevice(device(subject)));
    const specs = ['3', '4', '5'].map((digit) => brick(subject, digit));
    for (const outcome of await Promise.all(specs.map((spec) => subject.driver.ensureBrick(spec)))) succeeded(outcome);
    assert.equal((await subject.driver.readBricks()).length, 3);
    for (const outcome of await Promise.all(specs.map((spec) => subject.driver.ensureNoBrick(spec))))
      succeeded(outcome);
    assert.equal((await subject.driver.readBricks()).length, 0);
  }),
  scenario(
    'makes no brick on a device that is not its own, and none outside the mount root',
    undefined,
    async (subject) => {
      const { driver } = subject;
      refused(await driver.ensureBrick(brick(subject)), new RegExp(DEVICE));
      succeeded(await driver.ensureDevice(device(subject)));
      for (const path of [
        `${subject.mountRoot}/../../etc/brick`,
        `${subject.mountRoot}/vg_${DEVICE}/brick_${hex('9')}/brick`,
        `/etc/vg_${DEVICE}/brick_${hex('1')}/brick`,
        `${subject.mountRoot}/vg_${DEVICE}/brick_${hex('1')}`,
      ]) {
        refused(await driver.ensureBrick(brick(subject, '1', { path })), /serves bricks only at/);
        refused(await driver.ensureNoBrick(brick(subject, '1', { path })), /serves bricks only at/);
      }
    },
  ),
  scenario('refuses a device that holds data, and wipes it only when told to', 'soil', async (subject) => {
    const { driver } = subject;
    await subject.soil?.();
    refused(await driver.ensureDevice(device(subject)), /./);
    succeeded(await driver.ensureDevice(device(subject, { destroyData: true })));
  }),
  scenario('finds and mounts its bricks after a reboot, and says which it cannot', 'reboot', async (subject) => {
    const spec = await withBrick(subject);
    const { ino } = statSync(subject.placeOf(spec.path));
    await subject.reboot?.();
    const driver = subject.restarted();
    const [before] = await driver.readBricks();
    assert.equal(before?.mounted, false);
    assert.match(before.problem ?? '', /not mounted/);
    assert.equal(await isPresent(driver, spec), false);
    assert.deepEqual(await driver.ensureMounted(), [{ path: spec.path, mounted: true }]);
    assert.deepEqual(await driver.ensureMounted(), [{ path: spec.path, mounted: true }]);
    assert.equal(statSync(subject.placeOf(spec.path)).ino, ino);
    assert.equal(await isPresent(driver, spec), true);
    await subject.reboot?.();
    succeeded(await subject.restarted().ensureBrick(spec));
    assert.equal(statSync(subject.placeOf(spec.path)).ino, ino);
  }),
];
