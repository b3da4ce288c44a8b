/** Devices as physical volumes, each in a volume group of its own: taken, looked at, given back. */
import { rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Outcome } from '@brickyard/contracts';
import type { DeviceName, DeviceRef, DeviceSpec, DeviceState } from '../brick.driver';
import { checkWipe } from '../device-claim';
import type { HostCommand } from '../host-command';
import { signaturesOn } from '../mounts';
import { DONE, learned, refusal, unless } from '../step-failure';
import { deviceOf, groupOf } from './lvm-names';
import { type Lvm, pvUuidOf } from './lvm-tools';

/** The devices of this host. */
export class LvmDevices {
  constructor(
    private readonly run: HostCommand,
    private readonly lvm: Lvm,
    private readonly mountRoot: string,
  ) {}

  async take(device: DeviceSpec): Promise<Outcome> {
    const group = groupOf(device.deviceId);
    const found = await this.lvm.physicalVolume(device.name);
    if (found?.group !== group) await this.claim(device, found);
    return this.tell(device, `${device.name} did not become a part of ${group}`);
  }

  look(device: DeviceName): Promise<Outcome> {
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

  async giveBack(device: DeviceRef): Promise<Outcome> {
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

  /** A group whose physical volume is missing is a device that is gone. */
  async lookAtAll(): Promise<readonly DeviceState[]> {
    const groups = await this.lvm.groups();
    return groups.flatMap(({ name: group, totalKib, missing, device: name }) => {
      const deviceId = deviceOf(group);
      if (deviceId === undefined) return [];
      const known = { deviceId, name };
      return [missing ? { ...known, problem: `the physical volume of ${group} is missing` } : { ...known, totalKib }];
    });
  }
}
