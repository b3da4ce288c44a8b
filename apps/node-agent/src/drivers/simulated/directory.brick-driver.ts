import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { chmod, chown, mkdir, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type BrickSpec, type Kib, kib, type Outcome } from '@brickyard/contracts';
import { MOUNT_ROOT, mountPointOf, partsOf } from '../../brick-path';
import type { BrickDriver, BrickState, DeviceRef, DeviceSpec } from '../brick.driver';
import { checkWipe } from '../device-claim';
import { codeOf, DONE, learned, outcomeOf, presence, refusal, unless } from '../step-failure';

/** Size of every simulated device unless configured: 500 GiB, of which nothing is used. */
export const DEVICE_SIZE_KIB = 500 * 1024 * 1024;
const EXTENT_KIB = 4096;
const NAME_FILE = 'device-name';

/** Where the driver works and what it pretends. */
export interface DirectoryOptions {
  /** Everything this host "has" lies here. */
  readonly directory: string;
  readonly mountRoot?: string;
  readonly deviceSizeKib?: number;
}

/** Bricks as plain directories: no root, no limit, next to no cost. For simulated hosts. */
export function directoryBrickDriver(options: DirectoryOptions): BrickDriver {
  const driver = new DirectoryBrickDriver(options);
  return {
    ensureDevice: (device) => outcomeOf(() => driver.takeDevice(device)),
    ensureNoDevice: (device) => outcomeOf(() => driver.giveDeviceBack(device)),
    ensureBrick: (brick) => outcomeOf(() => driver.makeBrick(brick)),
    ensureNoBrick: (brick) => outcomeOf(() => driver.removeBrick(brick)),
    readBrick: (brick) => outcomeOf(() => driver.findBrick(brick)),
    ensureMounted: () => Promise.resolve(driver.bricks()),
    readBricks: () => Promise.resolve(driver.bricks()),
  };
}

/** The tree is the state: `vg_<device>/` with the device's name in a file, `vg_<device>/brick_<brick>/` for each brick. */
class DirectoryBrickDriver {
  private readonly root: string;
  private readonly mountRoot: string;
  private readonly totalKib: Kib;
  private readonly names = new Map<string, string>();

  constructor(options: DirectoryOptions) {
    this.root = options.directory;
    this.mountRoot = options.mountRoot ?? MOUNT_ROOT;
    const sizeKib = options.deviceSizeKib ?? DEVICE_SIZE_KIB;
    this.totalKib = kib(Math.floor(sizeKib / EXTENT_KIB) * EXTENT_KIB);
    for (const entry of existsSync(this.root) ? readdirSync(this.root) : []) {
      const file = join(this.root, entry, NAME_FILE);
      if (entry.startsWith('vg_') && existsSync(file)) this.names.set(entry.slice(3), readFileSync(file, 'utf8'));
    }
  }

  private placeOf(deviceId: string): string {
    return join(this.root, `vg_${deviceId}`);
  }

  async takeDevice(device: DeviceSpec): Promise<Outcome> {
    const { deviceId, name } = device;
    const owner = [...this.names].find(([, known]) => known === name)?.[0];
    if (owner !== undefined && owner !== deviceId) await this.dropOwner(device, owner);
    if (this.names.get(deviceId) !== name) {
      await mkdir(this.placeOf(deviceId), { recursive: true });
      writeFileSync(join(this.placeOf(deviceId), NAME_FILE), name);
      this.names.set(deviceId, name);
    }
    return learned({ kind: 'device', totalKib: this.totalKib, extentKib: EXTENT_KIB, pvUuid: deviceId, paths: [name] });
  }

  private async dropOwner(device: DeviceSpec, owner: string): Promise<void> {
    checkWipe(device, owner, `${device.name} is not empty: it holds the mark of device ${owner}`);
    if (this.bricksOn(owner).length > 0) {
      throw refusal(`${device.name} still carries bricks of device ${owner}; delete them first`);
    }
    await this.dropDevice(owner);
  }

  private async dropDevice(deviceId: string): Promise<void> {
    await rm(join(this.placeOf(deviceId), NAME_FILE), { force: true });
    await rmdir(this.placeOf(deviceId)).catch(unless('ENOENT'));
    this.names.delete(deviceId);
  }

  async giveDeviceBack(device: DeviceRef): Promise<Outcome> {
    const bricks = this.bricksOn(device.deviceId);
    if (bricks.length === 0) await this.dropDevice(device.deviceId);
    else if (!device.ignoreErrors) {
      throw refusal(`device ${device.deviceId} (${device.name}) still carries bricks: ${bricks.join(', ')}`);
    } else this.names.delete(device.deviceId);
    return DONE;
  }

  async makeBrick(brick: BrickSpec): Promise<Outcome> {
    const place = this.brickPlace(brick);
    if (!this.names.has(brick.deviceId)) {
      throw refusal(`${brick.deviceName} on this host is not device ${brick.deviceId}; was the file replaced?`);
    }
    await mkdir(place).catch(unless('EEXIST'));
    if (brick.gid !== 0) await this.giveToGroup(place, brick.gid);
    return DONE;
  }

  private brickPlace(brick: BrickSpec): string {
    mountPointOf(brick, this.mountRoot); // Refuses a path that is not this brick's.
    return join(this.placeOf(brick.deviceId), `brick_${brick.brickId}`);
  }

  /** Who may not give directories away (anybody but root) leaves the owner and sets the mode. */
  private async giveToGroup(place: string, gid: number): Promise<void> {
    await chown(place, (await stat(place)).uid, gid).catch(unless('EPERM'));
    await chmod(place, 0o2775);
  }

  async removeBrick(brick: BrickSpec): Promise<Outcome> {
    const place = this.brickPlace(brick);
    await rmdir(place).catch(async (error: unknown) => {
      if (codeOf(error) === 'ENOENT') return;
      await rm(place, { recursive: true, force: true });
    });
    return DONE;
  }

  async findBrick(brick: BrickSpec): Promise<Outcome> {
    const found = await stat(this.brickPlace(brick)).catch(unless('ENOENT'));
    return presence(found !== undefined && this.names.has(brick.deviceId));
  }

  private bricksOn(deviceId: string): readonly string[] {
    const place = this.placeOf(deviceId);
    if (!existsSync(place)) return [];
    return readdirSync(place)
      .filter((name) => name.startsWith('brick_'))
      .map((name) => name.slice('brick_'.length));
  }

  bricks(): readonly BrickState[] {
    return [...this.names.keys()].flatMap((deviceId) =>
      this.bricksOn(deviceId)
        .map((brickId) => join(this.mountRoot, `vg_${deviceId}`, `brick_${brickId}`, 'brick'))
        .filter((path) => partsOf(path, this.mountRoot) !== undefined)
        .map((path) => ({ path, mounted: true })),
    );
  }
}
