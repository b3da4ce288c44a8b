/** What the tests have on this host: one disk, the driver, and eyes for what is left. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { BrickId, type BrickSpec, DeviceId, kib, type Outcome, type TaskOf } from '@brickyard/contracts';
import { type BrickDriver, type HostCommand, hostCommand, lvmThinBrickDriver, MOUNT_ROOT } from './agent';

/** The disk that the tests may write to. */
export const DISK = process.env['BRICKYARD_LVM_TEST_DEVICE'] ?? '';
export const FSTAB = '/etc/fstab';
/** Size of the bricks, KiB. */
export const BRICK_KIB = 1024 * 1024;
const COMMAND_TIMEOUT_MS = 120_000;
const TRIES_MAX = 4;
const TRY_PAUSE_MS = 1_000;

/** A driver as a new process would have it. */
export const newDriver = (run: HostCommand = hostCommand()): BrickDriver => lvmThinBrickDriver({ run, fstab: FSTAB });

/** Runs a program of this host that has to succeed. */
export const sh = (program: string, ...args: readonly string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', timeout: COMMAND_TIMEOUT_MS, stdio: ['ignore', 'pipe', 'pipe'] });

export const DEVICE_ID = DeviceId.parse('d'.repeat(32));
export const GROUP = `vg_${DEVICE_ID}`;

export const device: Omit<TaskOf<'PrepareDevice'>, 'type'> = {
  deviceId: DEVICE_ID,
  name: DISK,
  destroyData: false,
  knownDevices: [],
};
export const deviceRef = { deviceId: DEVICE_ID, name: DISK, ignoreErrors: false };

/** A brick of the usual size, told apart by one hex digit. */
export function brickOf(digit: string): BrickSpec {
  const brickId = BrickId.parse(digit.repeat(32));
  return {
    brickId,
    deviceId: DEVICE_ID,
    deviceName: DISK,
    path: join(MOUNT_ROOT, GROUP, `brick_${brickId}`, 'brick'),
    sizeKib: kib(BRICK_KIB),
    poolKib: kib(BRICK_KIB),
    metadataKib: kib(8 * 1024),
    gid: 0,
  };
}

/** Fails with what the driver said unless the step was done. */
export function done(outcome: Outcome): void {
  assert.ok(outcome.ok, outcome.ok ? '' : `${outcome.failure.detail} (${outcome.failure.cause})`);
}

/** Repeats a step as an agent does: again only after a failure that may pass. */
export async function converge(step: () => Promise<Outcome>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await step();
    if (outcome.ok || !outcome.failure.transient || attempt === TRIES_MAX) {
      done(outcome);
      return;
    }
    await pause(TRY_PAUSE_MS);
  }
}

const linesOf = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');

/** Mount points of logical volumes. */
const mounts = (): string[] =>
  linesOf(readFileSync('/proc/self/mounts', 'utf8'))
    .filter((line) => line.startsWith('/dev/mapper/'))
    .map((line) => line.split(' ')[1] ?? '');

const mapped = (): string[] => linesOf(sh('dmsetup', 'ls')).filter((line) => line !== 'No devices found');

const inside = (directory: string): string[] =>
  existsSync(directory) ? readdirSync(directory).map((name) => join(directory, name)) : [];

/** Whatever bricks leave on this host: mounts, lines of the fstab, logical volumes, device nodes, directories. */
export const traces = (): string[] => [
  ...mounts().map((target) => `mounted: ${target}`),
  ...linesOf(readFileSync(FSTAB, 'utf8'))
    .filter((line) => !line.startsWith('#'))
    .map((line) => `fstab: ${line}`),
  ...linesOf(sh('lvs', '--noheadings', '--options=vg_name,lv_name')).map((line) => `volume: ${line}`),
  ...mapped().map((line) => `mapped: ${line}`),
  ...inside(join(MOUNT_ROOT, GROUP)).map((path) => `directory: ${path}`),
];

const groups = (): string[] => linesOf(sh('vgs', '--noheadings', '--options=vg_name'));

/** An empty disk and no trace of any brick, whatever a test left. */
export function cleanScene(): void {
  for (const target of mounts().reverse()) sh('umount', '--lazy', target);
  sh('udevadm', 'settle');
  for (const group of groups()) sh('vgremove', '-qq', '-ff', '-y', group);
  for (const line of mapped()) sh('dmsetup', 'remove', '--force', line.split('\t')[0] ?? '');
  sh('wipefs', '--all', '--quiet', DISK);
  sh('udevadm', 'settle');
  const lines = readFileSync(FSTAB, 'utf8').split('\n');
  writeFileSync(FSTAB, lines.filter((line) => !line.includes(MOUNT_ROOT)).join('\n'));
  rmSync(MOUNT_ROOT, { recursive: true, force: true });
}
