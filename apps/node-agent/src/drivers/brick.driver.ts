import type { BrickFact, BrickSpec, DeviceFact, Outcome, TaskOf } from '@brickyard/contracts';

/** A device to take, as its task names it. */
export type DeviceSpec = Omit<TaskOf<'PrepareDevice'>, 'type'>;

/** A device to give back. */
export type DeviceRef = Omit<TaskOf<'RetireDevice'>, 'type'>;

/** A device to look at again. */
export type DeviceName = Omit<TaskOf<'ReadDevice'>, 'type'>;

/** One brick as this host sees it. */
export type BrickState = BrickFact;

/** One device that was given to us, as this host sees it. */
export type DeviceState = DeviceFact;

/** A thin pool in which more than one volume lives: what it promised them may be more than it has. */
export interface PoolState {
  /** The volume group and the pool, as LVM's commands want them. */
  readonly pool: string;
  /** Share of its room for data that is taken, 0 to 1. */
  readonly data: number;
  /** Share of its room for metadata that is taken, 0 to 1. */
  readonly metadata: number;
}

/** Carves bricks out of this host's devices. Every method converges: calling it again changes nothing. */
export interface BrickDriver {
  /** Its name in the settings. */
  readonly kind: string;
  /** Whether Gluster can take snapshots of these bricks, and so clone the volumes on them: only thin volumes can be. */
  readonly clones: boolean;
  /** Takes the device; refused when it holds anything, unless the task allows wiping and wiping is safe. */
  ensureDevice(device: DeviceSpec): Promise<Outcome>;
  /** Gives the device back; refused while it holds bricks. */
  ensureNoDevice(device: DeviceRef): Promise<Outcome>;
  /** How large the device is now; refused when it is not this device any more. */
  readDevice(device: DeviceName): Promise<Outcome>;
  /** The brick directory exists, of the wanted size and group, on a mount of its own. */
  ensureBrick(brick: BrickSpec): Promise<Outcome>;
  /** Nothing of the brick is left: no mount, no space, no directory. */
  ensureNoBrick(brick: BrickSpec): Promise<Outcome>;
  /** A brick that is there is mounted where it belongs; refused when it is not there: nothing is made. */
  ensureServed(brick: BrickSpec): Promise<Outcome>;
  /** Whether the brick is there and served from the right place. */
  readBrick(brick: BrickSpec): Promise<Outcome>;
  /** After a reboot: attaches and mounts everything this driver made, and tells what it could not. */
  ensureMounted(): Promise<readonly BrickState[]>;
  /** Every brick this driver made, as it is now. */
  readBricks(): Promise<readonly BrickState[]>;
  /** Every device that was taken, as it is now. */
  readDevices(): Promise<readonly DeviceState[]>;
  /** Every pool that a brick shares with clones or snapshots. Absent where bricks share nothing. */
  readPools?(): Promise<readonly PoolState[]>;
}
