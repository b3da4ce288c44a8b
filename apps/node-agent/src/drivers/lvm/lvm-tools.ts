/** LVM's commands as heketi gives them, and what their reports say. */
import { z } from 'zod';
import { type Kib, kib } from '@brickyard/contracts';
import { commandFailed, type CommandResult, type HostCommand, mustRun } from '../host-command';
import { passing, refusal } from '../step-failure';

const TIMEOUT_MS = 120_000;
/** What LVM says of things that are not there. */
const ABSENT = /not found|Failed to find|No physical volume label|Cannot process volume group/i;

/** An lvcreate that was killed while it made a pool leaves a part of it active: LVM touches nothing of that pool until it is not. */
const ACTIVE_PART = /prohibited while logical volume (\S+_t(?:meta|data)) is active/;
const PARTS = 2;

const PvReport = z.object({
  report: z.array(
    z.object({ pv: z.array(z.object({ pv_name: z.string(), pv_uuid: z.string(), vg_name: z.string() })) }),
  ),
});

/** A physical volume: its identity, and the volume group it is in (empty when in none). */
export interface PhysicalVolume {
  readonly uuid: string;
  readonly group: string;
}

const VgReport = z.object({
  report: z.array(
    z.object({
      vg: z.array(
        z.object({
          vg_name: z.string(),
          vg_size: z.coerce.number(),
          vg_missing_pv_count: z.coerce.number(),
          pv_name: z.string(),
        }),
      ),
    }),
  ),
});

const LvReport = z.object({
  report: z.array(
    z.object({ lv: z.array(z.object({ lv_name: z.string(), vg_name: z.string(), lv_size: z.coerce.number() })) }),
  ),
});

const PoolReport = z.object({
  report: z.array(
    z.object({
      lv: z.array(
        z.object({
          lv_name: z.string(),
          vg_name: z.string(),
          thin_count: z.coerce.number(), // Empty where the volume is no pool.
          data_percent: z.coerce.number(),
          metadata_percent: z.coerce.number(),
        }),
      ),
    }),
  ),
});

/** A volume group on one device. */
export interface VolumeGroup {
  readonly name: string;
  readonly device: string;
  readonly totalKib: number;
  readonly missing: boolean;
}

/** A logical volume. */
export interface LogicalVolume {
  readonly group: string;
  readonly name: string;
  readonly sizeKib: number;
}

/** A thin pool: how many volumes are in it, and how much of it they take. */
export interface ThinPool {
  readonly group: string;
  readonly name: string;
  readonly volumes: number;
  readonly dataPercent: number;
  readonly metadataPercent: number;
}

/** LVM on this host. */
export interface Lvm {
  physicalVolume(device: string): Promise<PhysicalVolume | undefined>;
  createPhysicalVolume(device: string, uuid: string): Promise<void>;
  removePhysicalVolume(device: string): Promise<void>;
  createGroup(group: string, device: string): Promise<void>;
  /** Refused while logical volumes are in it. */
  removeGroup(group: string): Promise<void>;
  groupSize(group: string): Promise<{ readonly totalKib: Kib; readonly extentKib: number }>;
  /** Every volume group: its device, and whether that is missing. */
  groups(): Promise<readonly VolumeGroup[]>;
  /** Every logical volume. */
  volumes(): Promise<readonly LogicalVolume[]>;
  /** Every thin pool with a volume in it. */
  pools(): Promise<readonly ThinPool[]>;
  /** A group, with all in it, or one volume: its device node is there afterwards. */
  activate(name: string): Promise<void>;
  createThin(thin: ThinVolume): Promise<void>;
  hasVolume(volume: string): Promise<boolean>;
  removeVolume(volume: string): Promise<void>;
  /** Clones of a brick live in the same pool and keep it. */
  removeEmptyPool(pool: string): Promise<void>;
  /** The pool a thin volume is in; undefined when there is no such volume. */
  poolOf(volume: string): Promise<string | undefined>;
  /** Thin volumes in a pool; undefined when there is no such pool. */
  thinCount(pool: string): Promise<number | undefined>;
  wipe(device: string): Promise<void>;
  /** Other names of the device, sorted: links that udev keeps. */
  linksTo(device: string): Promise<readonly string[]>;
}

/** The identity we give a physical volume: its device's, as LVM writes it, so that a half-taken device is known again. */
export const pvUuidOf = (deviceId: string): string =>
  deviceId.replace(/^(.{6})(.{4})(.{4})(.{4})(.{4})(.{4})(.{6})$/, '$1-$2-$3-$4-$5-$6-$7');

/** A thin volume with a pool of its own. */
export interface ThinVolume {
  readonly group: string;
  readonly pool: string;
  readonly name: string;
  readonly sizeKib: number;
  readonly poolKib: number;
  readonly metadataKib: number;
  /** Says whose it is, for those who look at the host alone. */
  readonly tag: string;
}

/** Gives a command again once the part of a pool that kept it from its work is inactive. */
const pastActiveParts =
  (run: HostCommand): HostCommand =>
  async (argv, limits) => {
    let result = await run(argv, limits);
    for (let freed = 0; freed < PARTS; freed += 1) {
      const [, part] = ACTIVE_PART.exec(result.err) ?? [];
      if (part === undefined) break;
      await mustRun(run, ['lvchange', '-qq', '-y', '-an', part], TIMEOUT_MS, `${part} cannot be deactivated`);
      result = await run(argv, limits);
    }
    return result;
  };

/** Gives LVM's commands. */
export function lvmTools(plainRun: HostCommand): Lvm {
  const run = pastActiveParts(plainRun);
  const must = (argv: readonly string[], detail: string): Promise<string> => mustRun(run, argv, TIMEOUT_MS, detail);
  const orAbsent = async (argv: readonly string[], detail: string): Promise<CommandResult | undefined> => {
    const result = await run(argv, { timeoutMs: TIMEOUT_MS });
    if (result.exit === 0) return result;
    if (ABSENT.test(result.err)) return undefined;
    if (/in use|busy/i.test(result.err)) throw passing(`${detail}: it is in use`, result.err.trim());
    throw commandFailed(detail, result);
  };
  const thinCount = async (pool: string): Promise<number | undefined> => {
    const argv = ['lvs', '--noheadings', '--options=thin_count', pool];
    const result = await orAbsent(argv, `${pool} cannot be looked at`);
    return result === undefined ? undefined : Number(result.out.trim());
  };
  const removeVolume = async (volume: string): Promise<void> => {
    await orAbsent(['lvremove', '--autobackup=n', '-f', volume], `${volume} cannot be removed`);
  };
  return {
    thinCount,
    removeVolume,
    async removeEmptyPool(pool) {
      if ((await thinCount(pool)) === 0) await removeVolume(pool);
    },
    async physicalVolume(device) {
      const detail = `the LVM metadata of ${device} cannot be read`;
      const argv = ['pvs', '-o', 'pv_name,pv_uuid,vg_name', '--reportformat=json', device];
      const result = await orAbsent(argv, detail);
      const [found] = result === undefined ? [] : (PvReport.parse(JSON.parse(result.out)).report[0]?.pv ?? []);
      return found === undefined ? undefined : { uuid: found.pv_uuid, group: found.vg_name };
    },
    async createPhysicalVolume(device, uuid) {
      const identity = ['--uuid', uuid, '--norestorefile'];
      const argv = ['pvcreate', '-qq', '--metadatasize=128M', '--dataalignment=256K', ...identity, device];
      await must(argv, `${device} cannot become an LVM physical volume`);
    },
    async removePhysicalVolume(device) {
      await orAbsent(['pvremove', '-qq', device], `LVM's mark on ${device} cannot be removed`);
    },
    async createGroup(group, device) {
      const argv = ['vgcreate', '-qq', '--physicalextentsize=4M', '--autobackup=n', group, device];
      await must(argv, `no volume group can be made on ${device}`);
    },
    async removeGroup(group) {
      await orAbsent(['vgremove', '-qq', group], `volume group ${group} cannot be removed`);
    },
    async groupSize(group) {
      return sizeIn(await must(['vgdisplay', '-c', group], `the size of ${group} cannot be read`), group);
    },
    async groups() {
      const fields = 'vg_name,vg_size,vg_missing_pv_count,pv_name';
      const argv = ['vgs', '-o', fields, '--reportformat=json', '--units', 'k', '--nosuffix'];
      const found = VgReport.parse(JSON.parse(await must(argv, 'the volume groups cannot be listed')));
      return found.report.flatMap(({ vg }) =>
        vg.map((group) => ({
          name: group.vg_name,
          device: group.pv_name,
          totalKib: Math.round(group.vg_size),
          missing: group.vg_missing_pv_count > 0,
        })),
      );
    },
    async volumes() {
      const argv = ['lvs', '-o', 'lv_name,vg_name,lv_size', '--reportformat=json', '--units', 'k', '--nosuffix'];
      const found = LvReport.parse(JSON.parse(await must(argv, 'the logical volumes cannot be listed')));
      return found.report.flatMap(({ lv }) =>
        lv.map(({ lv_name: name, vg_name: group, lv_size }) => ({ group, name, sizeKib: Math.round(lv_size) })),
      );
    },
    async pools() {
      const fields = 'lv_name,vg_name,thin_count,data_percent,metadata_percent';
      const argv = ['lvs', '-o', fields, '--reportformat=json'];
      const found = PoolReport.parse(JSON.parse(await must(argv, 'the thin pools cannot be listed')));
      const volumes = found.report.flatMap(({ lv }) => lv);
      return volumes
        .filter(({ thin_count: count }) => count > 0)
        .map(({ lv_name: name, vg_name: group, thin_count, data_percent, metadata_percent }) => ({
          group,
          name,
          volumes: thin_count,
          dataPercent: data_percent,
          metadataPercent: metadata_percent,
        }));
    },
    async activate(name) {
      const change = name.includes('/') ? 'lvchange' : 'vgchange';
      await must([change, '-qq', '-ay', name], `${name} cannot be activated`);
    },
    async createThin(thin) {
      await must(thinWords(thin), `there is no room for brick ${thin.name} in ${thin.group}, or LVM cannot make it`);
    },
    async hasVolume(volume) {
      const argv = ['lvs', '--noheadings', '--options=lv_name', volume];
      return (await orAbsent(argv, `${volume} cannot be looked at`)) !== undefined;
    },
    async poolOf(volume) {
      const argv = ['lvs', '--noheadings', '--options=pool_lv', volume];
      return (await orAbsent(argv, `${volume} cannot be looked at`))?.out.trim();
    },
    async wipe(device) {
      await must(['wipefs', '--all', device], `${device} cannot be wiped`);
    },
    async linksTo(device) {
      const argv = ['udevadm', 'info', '--query=symlink', `--name=${device}`];
      // No udev, no links: containers and small machines have none.
      const result = await run(argv, { timeoutMs: TIMEOUT_MS }).catch(() => undefined);
      const links = result?.exit === 0 ? result.out.trim().split(/\s+/) : [];
      const kept = links.filter((link) => link !== '' && !link.includes('lvm-pv-uuid')).map((link) => `/dev/${link}`);
      return kept.sort(); // udev tells them in an order that changes.
    },
  };
}

function thinWords(thin: ThinVolume): readonly string[] {
  return [
    'lvcreate',
    '-qq',
    '--autobackup=n',
    '--poolmetadatasize',
    `${String(thin.metadataKib)}K`,
    '--chunksize',
    '256K',
    '--size',
    `${String(thin.poolKib)}K`,
    '--thin',
    `${thin.group}/${thin.pool}`,
    '--virtualsize',
    `${String(thin.sizeKib)}K`,
    '--name',
    thin.name,
    '--addtag',
    thin.tag,
  ];
}

/** `vgdisplay -c`: colon-separated; the 13th field is the extent size in KiB, the 14th how many there are. */
function sizeIn(out: string, group: string): { totalKib: Kib; extentKib: number } {
  const fields = out.trim().split(':');
  const [extentKib, extents] = [Number(fields[12]), Number(fields[13])];
  if (!Number.isInteger(extentKib) || !Number.isInteger(extents) || extentKib < 1) {
    throw refusal(`the size of ${group} cannot be read: vgdisplay said ${out.trim()}`);
  }
  return { totalKib: kib(extentKib * extents), extentKib };
}
