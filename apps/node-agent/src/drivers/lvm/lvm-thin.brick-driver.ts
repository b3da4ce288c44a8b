import { chmod, chown, mkdir, rmdir, stat } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { type BrickSpec, DeviceId, type Outcome } from '@brickyard/contracts';
import { checkInside, type ClonePlace, clonePlaceOf, MOUNT_ROOT, mountPointOf, partsOf } from '../../brick-path';
import { mkfsWords } from '../brick-file-system';
import type {
  BrickDriver,
  BrickState,
  DeviceName,
  DeviceRef,
  DeviceSpec,
  DeviceState,
  PoolState,
} from '../brick.driver';
import { checkWipe } from '../device-claim';
import { commandFailed, type HostCommand, mustRun } from '../host-command';
import {
  ensureUnmounted,
  foreignMount,
  type Mount,
  MOUNT_OPTIONS,
  mountAt,
  mountBrick,
  mountTable,
  signaturesOn,
} from '../mounts';
import { DONE, failureOf, learned, outcomeOf, presence, refusal, StepFailed, unless } from '../step-failure';
import { type Fstab, openFstab } from './fstab';
import { type Lvm, lvmTools, pvUuidOf, type ThinVolume } from './lvm-tools';

const MKFS_TIMEOUT_MS = 300_000;
const LOOK_TIMEOUT_MS = 60_000;
/** A line that a machine without the device survives: it boots, and the agent says what is missing. */
const FSTAB_OPTIONS = `${MOUNT_OPTIONS},nofail`;

/** Where the driver works and by what means. */
export interface LvmThinOptions {
  readonly run: HostCommand;
  readonly fstab: string;
  readonly mountRoot?: string;
}

/** Bricks as XFS on thin LVM volumes, one pool a brick: what production hosts use, named and laid out as heketi did. */
export function lvmThinBrickDriver(options: LvmThinOptions): BrickDriver {
  const { run, mountRoot = MOUNT_ROOT } = options;
  const driver = new LvmThinBrickDriver(run, lvmTools(run), openFstab(options.fstab), mountRoot);
  return {
    kind: 'lvm-thin',
    clones: true,
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
    readPools: () => driver.lookAtPools(),
  };
}

const groupOf = (deviceId: string): string => `vg_${deviceId}`;
const poolOf = (brickId: string): string => `tp_${brickId}`;
const volumeOf = (brickId: string): string => `brick_${brickId}`;
const nodeOf = (deviceId: string, brickId: string): string => `/dev/mapper/${groupOf(deviceId)}-${volumeOf(brickId)}`;

/** Undefined: somebody else's group. */
const deviceOf = (group: string): DeviceId | undefined =>
  group.startsWith('vg_') ? DeviceId.safeParse(group.slice('vg_'.length)).data : undefined;

const cloneNodeOf = (group: string, volume: string): string => `/dev/mapper/${group}-${volume}`;
/** How Gluster names the thin volume of a snapshot or clone. */
const CLONE_VOLUME = /^[0-9a-f]{32}_\d+$/;

class LvmThinBrickDriver {
  constructor(
    private readonly run: HostCommand,
    private readonly lvm: Lvm,
    private readonly fstab: Fstab,
    private readonly mountRoot: string,
  ) {}

  async takeDevice(device: DeviceSpec): Promise<Outcome> {
    const group = groupOf(device.deviceId);
    const found = await this.lvm.physicalVolume(device.name);
    if (found?.group !== group) await this.claim(device, found);
    return this.tell(device, `${device.name} did not become a part of ${group}`);
  }

  lookAtDevice(device: DeviceName): Promise<Outcome> {
    return this.tell(device, `${device.name} on this host is not device ${device.deviceId}`);
  }

  private async tell({ deviceId, name }: DeviceName, otherwise: string): Promise<Outcome> {
    const group = groupOf(deviceId);
    const taken = await this.lvm.physicalVolume(name);
    if (taken?.group !== group) throw refusal(otherwise);
    const { totalKib, extentKib } = await this.lvm.groupSize(group);
    const links = await this.lvm.linksTo(name);
    const paths = [...new Set([...links, name])];
    return learned({ kind: 'device', totalKib, extentKib, pvUuid: taken.uuid, paths });
  }

  private async claim(device: DeviceSpec, found: { uuid: string; group: string } | undefined): Promise<void> {
    const uuid = pvUuidOf(device.deviceId);
    // A crash came between the two commands below: the physical volume is ours, and nothing is on it.
    const isHalfTaken = found?.uuid === uuid && found.group === '';
    if (!isHalfTaken) await this.makePhysicalVolume(device, found, uuid);
    try {
      await this.lvm.createGroup(groupOf(device.deviceId), device.name);
    } catch (error) {
      await this.lvm.removePhysicalVolume(device.name).catch(() => undefined);
      throw error;
    }
  }

  private async makePhysicalVolume(
    device: DeviceSpec,
    found: { uuid: string; group: string } | undefined,
    uuid: string,
  ): Promise<void> {
    if (found !== undefined) {
      const holder = found.group === '' ? 'no volume group' : found.group;
      checkWipe(device, found.uuid, `${device.name} is an LVM physical volume already, of ${holder}`);
      await this.lvm.wipe(device.name);
    } else {
      const signatures = await signaturesOn(this.run, device.name);
      if (signatures.length > 0) {
        checkWipe(device, undefined, `${device.name} is not empty: it holds ${signatures.join(', ')}`);
        await this.lvm.wipe(device.name);
      }
    }
    await this.lvm.createPhysicalVolume(device.name, uuid);
  }

  async giveDeviceBack(device: DeviceRef): Promise<Outcome> {
    try {
      await this.release(device);
    } catch (error) {
      if (!device.ignoreErrors) throw error;
    }
    return DONE;
  }

  private async release(device: DeviceRef): Promise<void> {
    const group = groupOf(device.deviceId);
    const found = await this.lvm.physicalVolume(device.name);
    // Another group's device is not ours to give back; ours may have been given back already.
    if (found?.group === group) await this.lvm.removeGroup(group);
    if (found?.group === group || found?.group === '') await this.lvm.removePhysicalVolume(device.name);
    await rmdir(join(this.mountRoot, group)).catch(unless('ENOENT'));
  }

  async makeBrick(brick: BrickSpec): Promise<Outcome> {
    const target = mountPointOf(brick, this.mountRoot);
    await checkInside(target, this.mountRoot);
    const group = groupOf(brick.deviceId);
    const found = await this.lvm.physicalVolume(brick.deviceName);
    if (found?.group !== group) throw refusal(`${brick.deviceName} on this host is not device ${brick.deviceId}`);
    const wasThere = await this.lvm.hasVolume(`${group}/${volumeOf(brick.brickId)}`);
    try {
      await this.build(brick, target, wasThere);
    } catch (error) {
      // What this very attempt began holds no data: no half of it may stay and take space.
      if (!wasThere) await this.clear(brick, target).catch(() => undefined);
      throw error;
    }
    return DONE;
  }

  private async build(brick: BrickSpec, target: string, wasThere: boolean): Promise<void> {
    const { brickId, deviceId, sizeKib, poolKib, metadataKib } = brick;
    const device = nodeOf(deviceId, brickId);
    await mkdir(target, { recursive: true });
    // A volume that is there need not be active: not after a reboot, not when a crash cut its making short.
    if (wasThere) await this.lvm.activate(`${groupOf(deviceId)}/${volumeOf(brickId)}`);
    else {
      const place = { group: groupOf(deviceId), pool: poolOf(brickId), name: volumeOf(brickId) };
      await this.makeThin({ ...place, sizeKib, poolKib, metadataKib, tag: `brickyard.brick=${brickId}` });
    }
    await this.ensureFileSystem(device, brick);
    await this.fstab.ensure({ device, target }, FSTAB_OPTIONS);
    await this.ensureServed(device, target);
    await mkdir(brick.path, { recursive: true });
    if (brick.gid !== 0) {
      await chown(brick.path, (await stat(brick.path)).uid, brick.gid);
      await chmod(brick.path, 0o2775);
    }
  }

  /** An earlier lvcreate that was killed may have left the pool without its volume, and LVM refuses to make it again. */
  private async makeThin(thin: ThinVolume): Promise<void> {
    try {
      await this.lvm.createThin(thin);
    } catch (error) {
      const pool = `${thin.group}/${thin.pool}`;
      if ((await this.lvm.thinCount(pool)) !== 0) throw error;
      await this.lvm.removeVolume(pool);
      await this.lvm.createThin(thin);
    }
  }

  private async ensureFileSystem(device: string, { brickId, sizeKib }: BrickSpec): Promise<void> {
    const argv = ['blkid', '-p', '-o', 'value', '-s', 'TYPE', device];
    const result = await this.run(argv, { timeoutMs: LOOK_TIMEOUT_MS });
    if (result.exit === 0 && result.out.trim() === 'xfs') return;
    if (result.exit !== 2) throw commandFailed(`${device} holds something that is no brick`, result);
    await mustRun(this.run, mkfsWords(sizeKib, device), MKFS_TIMEOUT_MS, `no XFS could be made for brick ${brickId}`);
  }

  private async ensureServed(device: string, target: string): Promise<void> {
    const mount = await mountAt(this.run, target);
    if (mount === undefined) await mountBrick(this.run, device, target);
    else checkMount(mount, device);
  }

  async removeBrick(brick: BrickSpec): Promise<Outcome> {
    const clone = clonePlaceOf(brick.path);
    if (clone !== undefined) {
      await this.clearClone(brick, clone);
      return DONE;
    }
    const target = mountPointOf(brick, this.mountRoot);
    await checkInside(target, this.mountRoot);
    await this.clear(brick, target);
    return DONE;
  }

  /** The fstab line goes before the volume: a machine that crashes in between still boots. */
  private async clear({ deviceId, brickId }: BrickSpec, target: string): Promise<void> {
    const group = groupOf(deviceId);
    const mount = await mountAt(this.run, target);
    if (mount !== undefined) {
      checkMount(mount, nodeOf(deviceId, brickId));
      await ensureUnmounted(this.run, target);
    }
    await this.fstab.ensureNot(target);
    await this.lvm.removeVolume(`${group}/${volumeOf(brickId)}`);
    await this.removePool(`${group}/${poolOf(brickId)}`);
    await rmdir(target).catch(unless('ENOENT'));
  }

  /** Clones of a brick live in the same pool and keep it. */
  private async removePool(pool: string): Promise<void> {
    if ((await this.lvm.thinCount(pool)) === 0) await this.lvm.removeVolume(pool);
  }

  /** Gluster made this one and has forgotten it: unmounted by us, in no fstab, removed only from the pool it belongs to. */
  private async clearClone({ brickId, deviceId, poolOf: owner }: BrickSpec, place: ClonePlace): Promise<void> {
    if (owner === undefined) throw refusal(`brick ${brickId} lies at ${place.target}, and no pool is known to hold it`);
    const group = groupOf(deviceId);
    const pool = poolOf(owner);
    const volume = `${group}/${place.volume}`;
    const mount = await mountAt(this.run, place.target);
    if (mount !== undefined) checkMount(mount, cloneNodeOf(group, place.volume));
    const found = await this.lvm.poolOf(volume);
    if (found !== undefined && found !== pool) {
      throw refusal(`${volume} is in pool ${found}, not in ${pool}: it is not brick ${brickId}`);
    }
    if (mount !== undefined) await ensureUnmounted(this.run, place.target);
    await this.lvm.removeVolume(volume);
    await this.removePool(`${group}/${pool}`);
    await rmdir(place.target).catch(unless('ENOENT'));
    await rmdir(posix.dirname(place.target)).catch(unless('ENOENT', 'ENOTEMPTY')); // Other bricks of the clone may be here.
  }

  async findBrick(brick: BrickSpec): Promise<Outcome> {
    const target = mountPointOf(brick, this.mountRoot);
    const device = nodeOf(brick.deviceId, brick.brickId);
    const { mounted } = await this.look({ device, target });
    return presence(mounted && (await stat(brick.path).catch(unless('ENOENT'))) !== undefined);
  }

  async mountAll(): Promise<readonly BrickState[]> {
    const entries = await this.entries();
    const groups = new Set(entries.map(({ deviceId }) => groupOf(deviceId)));
    for (const group of groups) {
      await this.lvm.activate(group).catch((error: unknown) => {
        if (!(error instanceof StepFailed)) throw error; // A group that is gone shows as bricks that are.
      });
    }
    const states: BrickState[] = [];
    for (const { device, target } of entries) {
      const path = posix.join(target, 'brick');
      try {
        await this.ensureServed(device, target);
        states.push({ path, mounted: true });
      } catch (error) {
        states.push({ path, mounted: false, problem: failureOf(error).detail });
      }
    }
    return states;
  }

  /** A brick that somebody unmounted is mounted again; one that is gone is not made anew. */
  async serveAgain(brick: BrickSpec): Promise<Outcome> {
    const clone = clonePlaceOf(brick.path);
    if (clone !== undefined) return this.checkClone(brick, clone);
    const target = mountPointOf(brick, this.mountRoot);
    await checkInside(target, this.mountRoot);
    const { deviceId, brickId } = brick;
    const volume = `${groupOf(deviceId)}/${volumeOf(brickId)}`;
    if (!(await this.lvm.hasVolume(volume))) throw refusal(`brick ${brickId} is not on ${brick.deviceName}`);
    await this.lvm.activate(volume);
    const device = nodeOf(deviceId, brickId);
    await this.fstab.ensure({ device, target }, FSTAB_OPTIONS);
    await this.ensureServed(device, target);
    return DONE;
  }

  /** glusterd mounts the bricks of clones when it starts. */
  private async checkClone({ brickId, deviceId }: BrickSpec, { target, volume }: ClonePlace): Promise<Outcome> {
    const mount = await mountAt(this.run, target);
    if (mount?.source === cloneNodeOf(groupOf(deviceId), volume)) return DONE;
    throw refusal(
      `brick ${brickId} of a clone is not mounted at ${target}; restart glusterd of this host: it mounts them`,
    );
  }

  /** What LVM has, not what the fstab says: a line that somebody removed must not hide a brick. */
  async lookAtAll(): Promise<readonly BrickState[]> {
    const [mounts, volumes] = await Promise.all([mountTable(this.run), this.lvm.volumes()]);
    return volumes.flatMap(({ group, name, sizeKib }): BrickState[] => {
      if (CLONE_VOLUME.test(name)) return mountedClone(mounts, group, name);
      const target = posix.join(this.mountRoot, group, name);
      const path = posix.join(target, 'brick');
      const parts = partsOf(path, this.mountRoot);
      if (parts === undefined) return [];
      const source = mounts.get(target)?.source;
      if (source === nodeOf(parts.deviceId, parts.brickId)) return [{ path, mounted: true, sizeKib }];
      const problem = source === undefined ? 'not mounted' : `${target} carries ${source}`;
      return [{ path, mounted: false, problem, sizeKib }];
    });
  }

  /** A group whose physical volume is missing is a device that is gone. */
  async lookAtDevices(): Promise<readonly DeviceState[]> {
    const groups = await this.lvm.groups();
    return groups.flatMap(({ name: group, totalKib, missing, device: name }) => {
      const deviceId = deviceOf(group);
      if (deviceId === undefined) return [];
      const known = { deviceId, name };
      return [missing ? { ...known, problem: `the physical volume of ${group} is missing` } : { ...known, totalKib }];
    });
  }

  /** A pool of one volume holds all of it: it cannot fill up. */
  async lookAtPools(): Promise<readonly PoolState[]> {
    const pools = await this.lvm.pools();
    return pools
      .filter(({ group, volumes }) => deviceOf(group) !== undefined && volumes > 1)
      .map(({ group, name, dataPercent, metadataPercent }) => ({
        pool: `${group}/${name}`,
        data: dataPercent / 100,
        metadata: metadataPercent / 100,
      }));
  }

  private async entries(): Promise<readonly { device: string; target: string; deviceId: string }[]> {
    return (await this.fstab.below(this.mountRoot)).flatMap(({ device, target }) => {
      const parts = partsOf(posix.join(target, 'brick'), this.mountRoot);
      const isOurs = parts !== undefined && device === nodeOf(parts.deviceId, parts.brickId);
      return isOurs ? [{ device, target, deviceId: parts.deviceId }] : [];
    });
  }

  private async look({ device, target }: { device: string; target: string }): Promise<BrickState> {
    const path = posix.join(target, 'brick');
    const mount = await mountAt(this.run, target);
    if (mount === undefined) return { path, mounted: false, problem: 'not mounted' };
    if (mount.source === device) return { path, mounted: true };
    return { path, mounted: false, problem: `${target} carries ${mount.source}` };
  }
}

/** A snapshot's volume looks the same; only one that is mounted can be a brick that is served. */
function mountedClone(mounts: ReadonlyMap<string, Mount>, group: string, name: string): BrickState[] {
  const source = cloneNodeOf(group, name);
  const mount = [...mounts.values()].find((each) => each.source === source);
  return mount === undefined ? [] : [{ path: posix.join(mount.target, 'brick'), mounted: true }];
}

function checkMount(mount: Mount, device: string): void {
  if (mount.source !== device) throw foreignMount(mount);
}
