import { chmod, chown, mkdir, rmdir, stat } from 'node:fs/promises';
import { posix } from 'node:path';
import type { BrickSpec, Outcome } from '@brickyard/contracts';
import { checkInside, clonePlaceOf, MOUNT_ROOT, mountPointOf, partsOf } from '../../brick-path';
import { mkfsWords } from '../brick-file-system';
import type { BrickDriver, BrickState, PoolState } from '../brick.driver';
import { commandFailed, type HostCommand, mustRun } from '../host-command';
import { checkMount, ensureUnmounted, MOUNT_OPTIONS, mountAt, mountBrick, mountTable } from '../mounts';
import { DONE, failureOf, outcomeOf, presence, refusal, StepFailed, unless } from '../step-failure';
import { type Fstab, openFstab } from './fstab';
import { isClone, LvmClones, mountedClone } from './lvm-clones';
import { LvmDevices } from './lvm-devices';
import { deviceOf, groupOf, nodeOf, poolOf, volumeOf } from './lvm-names';
import { type Lvm, lvmTools, type ThinVolume } from './lvm-tools';

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
  const lvm = lvmTools(run);
  const devices = new LvmDevices(run, lvm, mountRoot);
  const bricks = new LvmBricks(run, lvm, openFstab(options.fstab), mountRoot);
  return {
    kind: 'lvm-thin',
    clones: true,
    ensureDevice: (device) => outcomeOf(() => devices.take(device)),
    ensureNoDevice: (device) => outcomeOf(() => devices.giveBack(device)),
    readDevice: (device) => outcomeOf(() => devices.look(device)),
    ensureBrick: (brick) => outcomeOf(() => bricks.makeBrick(brick)),
    ensureNoBrick: (brick) => outcomeOf(() => bricks.removeBrick(brick)),
    ensureServed: (brick) => outcomeOf(() => bricks.serveAgain(brick)),
    readBrick: (brick) => outcomeOf(() => bricks.findBrick(brick)),
    ensureMounted: () => bricks.mountAll(),
    readBricks: () => bricks.lookAtAll(),
    readDevices: () => devices.lookAtAll(),
    readPools: () => bricks.lookAtPools(),
  };
}

class LvmBricks {
  private readonly clones: LvmClones;

  constructor(
    private readonly run: HostCommand,
    private readonly lvm: Lvm,
    private readonly fstab: Fstab,
    private readonly mountRoot: string,
  ) {
    this.clones = new LvmClones(run, lvm);
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
    const isXfs = result.exit === 0 && result.out.trim() === 'xfs';
    if (isXfs && !(await this.isHalfMade(device))) return;
    if (!isXfs && result.exit !== 2) throw commandFailed(`${device} holds something that is no brick`, result);
    const words = mkfsWords(sizeKib, device, isXfs ? ['-f'] : []);
    await mustRun(this.run, words, MKFS_TIMEOUT_MS, `no XFS could be made for brick ${brickId}`);
  }

  /** mkfs.xfs marks what it makes until it has ended. A kernel never mounts what carries the mark: it holds no data. */
  private async isHalfMade(device: string): Promise<boolean> {
    const argv = ['xfs_db', '-r', '-c', 'sb 0', '-c', 'print inprogress', device];
    const { exit, out } = await this.run(argv, { timeoutMs: LOOK_TIMEOUT_MS });
    return exit === 0 && out.trim() === 'inprogress = 1'; // What cannot be read, mounting tells more of.
  }

  private async ensureServed(device: string, target: string): Promise<void> {
    const mount = await mountAt(this.run, target);
    if (mount === undefined) await mountBrick(this.run, device, target);
    else checkMount(mount, device);
  }

  async removeBrick(brick: BrickSpec): Promise<Outcome> {
    const clone = clonePlaceOf(brick.path);
    if (clone !== undefined) {
      await this.clones.clear(brick, clone);
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
    await this.lvm.removeEmptyPool(`${group}/${poolOf(brickId)}`);
    await rmdir(target).catch(unless('ENOENT'));
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
    if (clone !== undefined) return this.clones.check(brick, clone);
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

  /** What LVM has, not what the fstab says: a line that somebody removed must not hide a brick. */
  async lookAtAll(): Promise<readonly BrickState[]> {
    const [mounts, volumes] = await Promise.all([mountTable(this.run), this.lvm.volumes()]);
    return volumes.flatMap(({ group, name, sizeKib }): BrickState[] => {
      if (isClone(name)) return mountedClone(mounts, group, name);
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
