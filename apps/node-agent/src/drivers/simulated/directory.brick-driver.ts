import { join } from 'node:path';
import { BrickId, type BrickSpec, DeviceId, type Kib, kib, type Outcome } from '@brickyard/contracts';
import { clonePlaceOf, MOUNT_ROOT, mountPointOf, partsOf } from '../../brick-path';
import type { Disk } from '../../disk';
import { nodeDisk } from '../../node.disk';
import type { BrickDriver, BrickState, DeviceName, DeviceRef, DeviceSpec, DeviceState } from '../brick.driver';
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
  /** Whether the Gluster above pretends to take snapshots, as that of simulated hosts does. */
  readonly clones?: boolean;
  /** This machine's file system when absent. */
  readonly disk?: Disk;
}

/** Bricks as plain directories: no root, no limit, next to no cost. For simulated hosts. */
export function directoryBrickDriver(options: DirectoryOptions): BrickDriver {
  const driver = new DirectoryBrickDriver(options);
  return {
    kind: 'directory',
    clones: options.clones ?? false,
    ensureDevice: (device) => outcomeOf(() => driver.takeDevice(device)),
    ensureNoDevice: (device) => outcomeOf(() => driver.giveDeviceBack(device)),
    readDevice: (device) => outcomeOf(() => driver.lookAtDevice(device)),
    ensureBrick: (brick) => outcomeOf(() => driver.makeBrick(brick)),
    ensureNoBrick: (brick) => outcomeOf(() => driver.removeBrick(brick)),
    ensureServed: (brick) => outcomeOf(() => driver.checkThere(brick)),
    readBrick: (brick) => outcomeOf(() => driver.findBrick(brick)),
    ensureMounted: () => Promise.resolve(driver.bricks()),
    readBricks: () => Promise.resolve(driver.bricks()),
    readDevices: () => Promise.resolve(driver.devices()),
  };
}

/**
 * The tree is the state: `vg_<device>/` with the device's name in a file, `vg_<device>/brick_<brick>/` for each brick, and its
 * size, which no directory has, in `size_<brick>` beside it.
 */
class DirectoryBrickDriver {
  private readonly disk: Disk;
  private readonly root: string;
  private readonly mountRoot: string;
  private readonly totalKib: Kib;
  private readonly names = new Map<string, string>();
  /** By brick; read from the tree when first asked for. */
  private readonly sizes = new Map<string, number>();

  constructor(options: DirectoryOptions) {
    this.disk = options.disk ?? nodeDisk;
    this.root = options.directory;
    this.mountRoot = options.mountRoot ?? MOUNT_ROOT;
    const sizeKib = options.deviceSizeKib ?? DEVICE_SIZE_KIB;
    this.totalKib = kib(Math.floor(sizeKib / EXTENT_KIB) * EXTENT_KIB);
    for (const entry of this.disk.exists(this.root) ? this.disk.list(this.root) : []) {
      const file = join(this.root, entry, NAME_FILE);
      if (entry.startsWith('vg_') && this.disk.exists(file)) this.names.set(entry.slice(3), this.disk.read(file));
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
      this.disk.makeDirectories(this.placeOf(deviceId));
      this.disk.write(join(this.placeOf(deviceId), NAME_FILE), name, { mode: 0o644, sync: false });
      this.names.set(deviceId, name);
    }
    return this.told(device);
  }

  lookAtDevice(device: DeviceName): Promise<Outcome> {
    const { deviceId, name } = device;
    if (this.names.get(deviceId) !== name) throw refusal(`${name} on this host is not device ${deviceId}`);
    return Promise.resolve(this.told(device));
  }

  private told({ deviceId, name }: DeviceName): Outcome {
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
    await this.disk.removeFile(join(this.placeOf(deviceId), NAME_FILE));
    await this.disk.removeDirectory(this.placeOf(deviceId)).catch(unless('ENOENT'));
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
    await this.disk.makeDirectory(place).catch(unless('EEXIST'));
    // The note comes after its brick and goes before it: none is ever left alone.
    if (this.sizeOf(brick) !== brick.sizeKib) {
      this.disk.write(this.noteOf(brick), `${String(brick.sizeKib)}\n`, { mode: 0o644, sync: false });
      this.sizes.set(brick.brickId, brick.sizeKib);
    }
    if (brick.gid !== 0) await this.disk.giveToGroup(place, brick.gid);
    return DONE;
  }

  private noteOf({ deviceId, brickId }: Pick<BrickSpec, 'deviceId' | 'brickId'>): string {
    return join(this.placeOf(deviceId), `size_${brickId}`);
  }

  private sizeOf(brick: Pick<BrickSpec, 'deviceId' | 'brickId'>): number | undefined {
    const known = this.sizes.get(brick.brickId);
    if (known !== undefined || !this.disk.exists(this.noteOf(brick))) return known;
    const text = this.disk.read(this.noteOf(brick));
    if (!text.endsWith('\n')) return undefined; // A power cut has taken the rest.
    const sizeKib = Number(text);
    this.sizes.set(brick.brickId, sizeKib);
    return sizeKib;
  }

  private brickPlace(brick: BrickSpec): string {
    mountPointOf(brick, this.mountRoot); // Refuses a path that is not this brick's.
    return join(this.placeOf(brick.deviceId), `brick_${brick.brickId}`);
  }

  async removeBrick(brick: BrickSpec): Promise<Outcome> {
    if (clonePlaceOf(brick.path) !== undefined) return DONE; // Nobody made a directory for it.
    const place = this.brickPlace(brick);
    await this.disk.removeFile(this.noteOf(brick)).catch(unless('ENOENT'));
    this.sizes.delete(brick.brickId);
    await this.disk.removeDirectory(place).catch(async (error: unknown) => {
      if (codeOf(error) === 'ENOENT') return;
      await this.disk.removeTree(place);
    });
    return DONE;
  }

  async findBrick(brick: BrickSpec): Promise<Outcome> {
    const isThere = await this.disk.isDirectory(this.brickPlace(brick));
    return presence(isThere && this.names.has(brick.deviceId));
  }

  async checkThere(brick: BrickSpec): Promise<Outcome> {
    if (clonePlaceOf(brick.path) !== undefined) return DONE;
    if (!(await this.disk.isDirectory(this.brickPlace(brick))))
      throw refusal(`brick ${brick.brickId} is not on ${brick.deviceName}`);
    return DONE;
  }

  devices(): readonly DeviceState[] {
    return [...this.names].map(([id, name]) => {
      const deviceId = DeviceId.parse(id);
      const isThere = this.disk.exists(join(this.placeOf(id), NAME_FILE));
      return isThere ? { deviceId, name, totalKib: this.totalKib } : { deviceId, name, problem: `${name} is gone` };
    });
  }

  private bricksOn(deviceId: string): readonly string[] {
    const place = this.placeOf(deviceId);
    if (!this.disk.exists(place)) return [];
    return this.disk
      .list(place)
      .filter((name) => name.startsWith('brick_'))
      .map((name) => name.slice('brick_'.length));
  }

  bricks(): readonly BrickState[] {
    return [...this.names.keys()].flatMap((deviceId) =>
      this.bricksOn(deviceId)
        .map((brickId) => ({ brickId, path: join(this.mountRoot, `vg_${deviceId}`, `brick_${brickId}`, 'brick') }))
        .filter(({ path }) => partsOf(path, this.mountRoot) !== undefined)
        .map(({ brickId, path }) => {
          const sizeKib = this.sizeOf({ deviceId: DeviceId.parse(deviceId), brickId: BrickId.parse(brickId) });
          return { path, mounted: true, ...(sizeKib === undefined ? {} : { sizeKib }) };
        }),
    );
  }
}
