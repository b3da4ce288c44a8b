/** Bricks of clones: thin volumes that Gluster makes in the pool of the brick they were cloned from, and mounts itself. */
import { rmdir } from 'node:fs/promises';
import { posix } from 'node:path';
import type { BrickSpec, Outcome } from '@brickyard/contracts';
import type { ClonePlace } from '../../brick-path';
import type { BrickState } from '../brick.driver';
import type { HostCommand } from '../host-command';
import { checkMount, ensureUnmounted, type Mount, mountAt } from '../mounts';
import { DONE, refusal, unless } from '../step-failure';
import { groupOf, nodeAt, poolOf } from './lvm-names';
import type { Lvm } from './lvm-tools';

/** How Gluster names the thin volume of a snapshot or clone. */
const CLONE_VOLUME = /^[0-9a-f]{32}_\d+$/;

export const isClone = (volume: string): boolean => CLONE_VOLUME.test(volume);

/** The bricks of clones on this host. */
export class LvmClones {
  constructor(
    private readonly run: HostCommand,
    private readonly lvm: Lvm,
  ) {}

  /** Gluster made this one and has forgotten it: unmounted by us, in no fstab, removed only from the pool it belongs to. */
  async clear({ brickId, deviceId, poolOf: owner }: BrickSpec, place: ClonePlace): Promise<void> {
    if (owner === undefined) throw refusal(`brick ${brickId} lies at ${place.target}, and no pool is known to hold it`);
    const group = groupOf(deviceId);
    const pool = poolOf(owner);
    const volume = `${group}/${place.volume}`;
    const mount = await mountAt(this.run, place.target);
    if (mount !== undefined) checkMount(mount, nodeAt(group, place.volume));
    const found = await this.lvm.poolOf(volume);
    if (found !== undefined && found !== pool) {
      throw refusal(`${volume} is in pool ${found}, not in ${pool}: it is not brick ${brickId}`);
    }
    if (mount !== undefined) await ensureUnmounted(this.run, place.target);
    await this.lvm.removeVolume(volume);
    await this.lvm.removeEmptyPool(`${group}/${pool}`);
    await rmdir(place.target).catch(unless('ENOENT'));
    await rmdir(posix.dirname(place.target)).catch(unless('ENOENT', 'ENOTEMPTY')); // Other bricks of the clone may be here.
  }

  /** glusterd mounts the bricks of clones when it starts. */
  async check({ brickId, deviceId }: BrickSpec, { target, volume }: ClonePlace): Promise<Outcome> {
    const mount = await mountAt(this.run, target);
    if (mount?.source === nodeAt(groupOf(deviceId), volume)) return DONE;
    throw refusal(
      `brick ${brickId} of a clone is not mounted at ${target}; restart glusterd of this host: it mounts them`,
    );
  }
}

/** A snapshot's volume looks the same; only one that is mounted can be a brick that is served. */
export function mountedClone(mounts: ReadonlyMap<string, Mount>, group: string, name: string): BrickState[] {
  const source = nodeAt(group, name);
  const mount = [...mounts.values()].find((each) => each.source === source);
  return mount === undefined ? [] : [{ path: posix.join(mount.target, 'brick'), mounted: true }];
}
