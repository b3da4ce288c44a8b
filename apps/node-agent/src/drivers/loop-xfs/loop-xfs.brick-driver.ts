import { chmod, chown, mkdir, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type BrickSpec, DeviceId, kib, type Outcome } from '@brickyard/contracts';
import { checkInside, MOUNT_ROOT, mountPointOf } from '../../brick-path';
import { mkfsWords } from '../brick-file-system';
import type { BrickDriver, BrickState, DeviceName, DeviceRef, DeviceSpec, DeviceState } from '../brick.driver';
import { checkWipe } from '../device-claim';
import { type HostCommand, mustRun } from '../host-command';
import {
  contentOf,
  ensureUnmounted,
  foreignMount,
  type Mount,
  mountAt,
  mountBrick,
  mountTable,
  signaturesOn,
} from '../mounts';
import { codeOf, DONE, failureOf, learned, outcomeOf, presence, refusal, unless } from '../step-failure';
import {
  checkRoom,
  ensureImage,
  fsUuidOf,
  identitiesOf,
  type Identity,
  identityFor,
  imageOf,
  readIdentity,
  removeImage,
  writeIdentity,
} from './brick-image';
import { checkOwner, eraseMark, readBeginning, sizeOf, wipe, writeMark } from './device-file';
import { type DeviceIndex, openDeviceIndex } from './device-index';
import { ensureAttached, ensureDetached, loopsOf, loopTable } from './loop-device';

const MKFS_TIMEOUT_MS = 120_000;
/** heketi's extent: sizes of devices and bricks are whole multiples of it. */
const EXTENT_KIB = 4096;
const DEVICE_KIB_MIN = 1024 * 1024;

/** Where the driver works and by what means. */
export interface LoopXfsOptions {
  /** Keeps the list of devices; survives reboots. */
  readonly directory: string;
  /** Bricks are mounted below it. */
  readonly mountRoot?: string;
  readonly run: HostCommand;
}

/** Bricks as XFS images on loop devices: real bricks, of a real size, on a host without spare disks or device-mapper. */
export function loopXfsBrickDriver(options: LoopXfsOptions): BrickDriver {
  const driver = new LoopXfsBrickDriver(
    options.run,
    options.mountRoot ?? MOUNT_ROOT,
    openDeviceIndex(options.directory),
  );
  return {
    kind: 'loop-xfs',
    clones: false,
    ensureDevice: (device) => outcomeOf(() => driver.takeDevice(device)),
    ensureNoDevice: (device) => outcomeOf(() => driver.giveDeviceBack(device)),
    readDevice: (device) => outcomeOf(() => driver.lookAtDevice(device)),
    ensureBrick: (brick) => outcomeOf(() => driver.makeBrick(brick)),
    ensureNoBrick: (brick) => outcomeOf(() => driver.removeBrick(brick)),
    ensureServed: (brick) => outcomeOf(() => driver.serveAgain(brick)),
    readBrick: (brick) => outcomeOf(() => driver.findBrick(brick)),
    ensureMounted: () => driver.mountAll(),
    readBricks: () => driver.lookAtAll(),
    readDevices: () => driver.lookAtDevices(),
  };
}

/** Whole extents in a device file, KiB. */
async function extentsOf(name: string): Promise<number> {
  const bytes = await sizeOf(name);
  return Math.floor(bytes / 1024 / EXTENT_KIB) * EXTENT_KIB;
}

const told = ({ deviceId, name }: DeviceName, totalKib: number): Outcome =>
  learned({ kind: 'device', totalKib: kib(totalKib), extentKib: EXTENT_KIB, pvUuid: deviceId, paths: [name] });

class LoopXfsBrickDriver {
  constructor(
    private readonly run: HostCommand,
    private readonly mountRoot: string,
    private readonly devices: DeviceIndex,
  ) {}

  async takeDevice(device: DeviceSpec): Promise<Outcome> {
    const totalKib = await extentsOf(device.name);
    if (totalKib < DEVICE_KIB_MIN) {
      throw refusal(`${device.name} has ${String(totalKib)} KiB; a device needs ${String(DEVICE_KIB_MIN)} KiB`);
    }
    await this.claim(device);
    this.devices.put(device.deviceId, device.name);
    return told(device, totalKib);
  }

  async lookAtDevice(device: DeviceName): Promise<Outcome> {
    await checkOwner(device.name, device.deviceId);
    return told(device, await extentsOf(device.name));
  }

  private async claim(device: DeviceSpec): Promise<void> {
    const beginning = await readBeginning(device.name);
    if (beginning.kind === 'ours' && beginning.deviceId === device.deviceId) return;
    const owner = beginning.kind === 'ours' ? beginning.deviceId : undefined;
    const signatures = await signaturesOn(this.run, device.name);
    if (beginning.kind !== 'empty' || signatures.length > 0) {
      const held = owner === undefined ? signatures.join(', ') || 'data' : `the mark of device ${owner}`;
      checkWipe(device, owner, `${device.name} is not empty: it holds ${held}`);
      if (owner !== undefined && (await identitiesOf(device.name)).length > 0) {
        throw refusal(`${device.name} still carries bricks of device ${owner}; delete them first`);
      }
      await wipe(device.name);
    }
    await writeMark(device.name, device.deviceId);
  }

  async giveDeviceBack(device: DeviceRef): Promise<Outcome> {
    try {
      await this.release(device);
    } catch (error) {
      if (!device.ignoreErrors) throw error;
    }
    this.devices.remove(device.deviceId);
    return DONE;
  }

  private async release(device: DeviceRef): Promise<void> {
    const beginning = await readBeginning(device.name).catch(unless('ENOENT', 'ENOTDIR'));
    if (beginning?.kind === 'ours' && beginning.deviceId === device.deviceId) {
      const bricks = await identitiesOf(device.name);
      if (bricks.length > 0) {
        const ids = bricks.map(({ brickId }) => brickId).join(', ');
        throw refusal(`device ${device.deviceId} (${device.name}) still carries bricks: ${ids}`);
      }
      await rmdir(`${device.name}.bricks`).catch(unless('ENOENT'));
      await eraseMark(device.name);
    }
    await rmdir(join(this.mountRoot, `vg_${device.deviceId}`)).catch(unless('ENOENT'));
  }

  async makeBrick(brick: BrickSpec): Promise<Outcome> {
    const target = mountPointOf(brick, this.mountRoot);
    await checkInside(target, this.mountRoot);
    await checkOwner(brick.deviceName, brick.deviceId);
    const image = imageOf(brick.deviceName, brick.brickId);
    await mkdir(dirname(image), { recursive: true, mode: 0o700 });
    const identity = await readIdentity(image);
    if (identity?.whole === true && identity.sizeKib !== brick.sizeKib) {
      throw refusal(`brick ${brick.brickId} exists with ${String(identity.sizeKib)} KiB, not ${String(brick.sizeKib)}`);
    }
    if (identity?.whole !== true) await this.begin(image, target, brick);
    try {
      await this.serve(image, target, brick);
    } catch (error) {
      // What was never whole holds no data: no half of it may stay and take space.
      if (identity?.whole !== true) await this.clear(image, target).catch(() => undefined);
      throw error;
    }
    return DONE;
  }

  private async begin(image: string, target: string, brick: BrickSpec): Promise<void> {
    await this.clear(image, target);
    await checkRoom(image, brick.sizeKib);
    writeIdentity(image, identityFor(brick, false));
  }

  private async serve(image: string, target: string, brick: BrickSpec): Promise<void> {
    const identity = await readIdentity(image);
    if (identity?.whole !== true) {
      await ensureImage(image, brick.sizeKib);
      await this.ensureFileSystem(await ensureAttached(this.run, image), brick);
    }
    await this.ensureServed(image, target);
    await mkdir(brick.path, { recursive: true });
    if (brick.gid !== 0) {
      await chown(brick.path, (await stat(brick.path)).uid, brick.gid);
      await chmod(brick.path, 0o2775);
    }
    if (identity?.whole !== true) writeIdentity(image, identityFor(brick, true));
  }

  private async ensureFileSystem(device: string, { brickId, sizeKib }: BrickSpec): Promise<void> {
    const content = await contentOf(this.run, device);
    if (content.kind === 'found') throw refusal(`${device} should be empty and holds ${content.type}`);
    const uuid = fsUuidOf(brickId);
    const argv = mkfsWords(sizeKib, device, ['-m', `uuid=${uuid}`]);
    await mustRun(this.run, argv, MKFS_TIMEOUT_MS, `no XFS could be made for brick ${brickId}`);
  }

  /** The image's own file system is what is mounted at the target; anything else there is refused. */
  private async ensureServed(image: string, target: string): Promise<void> {
    const identity = await readIdentity(image);
    if ((await stat(image).catch(unless('ENOENT'))) === undefined) {
      throw refusal(`the image ${image} is gone; the data of this brick has to come from its replicas`);
    }
    const device = await ensureAttached(this.run, image);
    const content = await contentOf(this.run, device);
    if (content.kind === 'empty' || content.uuid !== identity?.fsUuid) {
      const found = content.kind === 'empty' ? 'nothing' : `${content.type} ${content.uuid}`;
      throw refusal(`${image} should hold file system ${identity?.fsUuid ?? '?'} and holds ${found}`);
    }
    const mount = await mountAt(this.run, target);
    if (mount === undefined) await mountBrick(this.run, device, target);
    else await this.checkMount(mount, image);
  }

  private async checkMount(mount: Mount, image: string): Promise<void> {
    if (!(await loopsOf(this.run, image)).includes(mount.source)) throw foreignMount(mount);
  }

  async removeBrick(brick: BrickSpec): Promise<Outcome> {
    const target = mountPointOf(brick, this.mountRoot);
    await checkInside(target, this.mountRoot);
    await this.clear(imageOf(brick.deviceName, brick.brickId), target);
    return DONE;
  }

  private async clear(image: string, target: string): Promise<void> {
    const mount = await mountAt(this.run, target);
    if (mount !== undefined) {
      await this.checkMount(mount, image);
      await ensureUnmounted(this.run, target);
    }
    if ((await stat(image).catch(unless('ENOENT', 'ENOTDIR'))) !== undefined) await ensureDetached(this.run, image);
    await removeImage(image);
    await rmdir(target).catch(unless('ENOENT'));
  }

  async findBrick(brick: BrickSpec): Promise<Outcome> {
    const target = mountPointOf(brick, this.mountRoot);
    const identity = await readIdentity(imageOf(brick.deviceName, brick.brickId));
    if (identity?.whole !== true) return presence(false);
    return presence((await this.look(identity, brick.deviceName, target)).mounted);
  }

  mountAll(): Promise<readonly BrickState[]> {
    return this.forEachBrick((identity, name) =>
      identity.whole ? this.remount(identity, name) : this.dropHalf(identity, name),
    );
  }

  /** A device that cannot be read shows as one trouble of its own and keeps no other from being looked at. */
  private async forEachBrick(
    work: (identity: Identity, deviceName: string) => Promise<BrickState | undefined>,
  ): Promise<readonly BrickState[]> {
    const states: BrickState[] = [];
    for (const { deviceId, name } of this.devices.all()) {
      try {
        for (const identity of await this.bricksOn(deviceId, name)) {
          const state = await work(identity, name);
          if (state !== undefined) states.push(state);
        }
      } catch (error) {
        states.push({ path: `${name}.bricks`, mounted: false, problem: failureOf(error).detail });
      }
    }
    return states;
  }

  private async bricksOn(deviceId: string, name: string): Promise<readonly Identity[]> {
    const bricks = await identitiesOf(name);
    return bricks.filter((brick) => brick.deviceId === deviceId);
  }

  private async remount(identity: Identity, deviceName: string): Promise<BrickState> {
    const { path } = identity;
    try {
      const target = mountPointOf(identity, this.mountRoot);
      await checkInside(target, this.mountRoot);
      await this.ensureServed(imageOf(deviceName, identity.brickId), target);
      return { path, mounted: true };
    } catch (error) {
      return { path, mounted: false, problem: failureOf(error).detail };
    }
  }

  /** A crash in the middle of making a brick: nobody was told it exists. */
  private async dropHalf(identity: Identity, deviceName: string): Promise<BrickState> {
    const { path } = identity;
    try {
      await this.clear(imageOf(deviceName, identity.brickId), mountPointOf(identity, this.mountRoot));
      return { path, mounted: false };
    } catch (error) {
      return { path, mounted: false, problem: `half-made, and cannot be removed: ${failureOf(error).detail}` };
    }
  }

  /** A whole brick that somebody unmounted is mounted again; one that is gone is not made anew. */
  async serveAgain(brick: BrickSpec): Promise<Outcome> {
    const target = mountPointOf(brick, this.mountRoot);
    await checkInside(target, this.mountRoot);
    await checkOwner(brick.deviceName, brick.deviceId);
    const image = imageOf(brick.deviceName, brick.brickId);
    const identity = await readIdentity(image);
    if (identity?.whole !== true) throw refusal(`brick ${brick.brickId} is not on ${brick.deviceName}`);
    await this.ensureServed(image, target);
    return DONE;
  }

  async lookAtAll(): Promise<readonly BrickState[]> {
    const [mounts, loops] = await Promise.all([mountTable(this.run), loopTable(this.run)]);
    return this.forEachBrick(async (identity, name) => {
      if (!identity.whole) return undefined;
      const { path } = identity;
      const file = await stat(imageOf(name, identity.brickId)).catch(unless('ENOENT'));
      // Its note is there, its data is not: the brick is gone.
      if (file === undefined) return undefined;
      const sizeKib = Math.floor(file.size / 1024);
      const mount = mounts.get(dirname(path));
      if (mount === undefined) return { path, mounted: false, problem: 'not mounted', sizeKib };
      if (loops(file).includes(mount.source)) return { path, mounted: true, sizeKib };
      return { path, mounted: false, problem: failureOf(foreignMount(mount)).detail, sizeKib };
    });
  }

  async lookAtDevices(): Promise<readonly DeviceState[]> {
    return Promise.all(
      this.devices.all().map(async ({ deviceId: id, name }) => {
        const deviceId = DeviceId.parse(id);
        try {
          await checkOwner(name, deviceId);
          const totalKib = Math.floor((await sizeOf(name)) / 1024 / EXTENT_KIB) * EXTENT_KIB;
          return { deviceId, name, totalKib };
        } catch (error) {
          return { deviceId, name, problem: failureOf(error).detail };
        }
      }),
    );
  }

  private async look(identity: Identity, deviceName: string, target: string): Promise<BrickState> {
    const { path } = identity;
    try {
      const mount = await mountAt(this.run, target);
      if (mount === undefined) return { path, mounted: false, problem: 'not mounted' };
      await this.checkMount(mount, imageOf(deviceName, identity.brickId));
      return { path, mounted: true };
    } catch (error) {
      if (codeOf(error) !== undefined) throw error;
      return { path, mounted: false, problem: failureOf(error).detail };
    }
  }
}
