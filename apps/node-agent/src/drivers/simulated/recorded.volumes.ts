/** Volumes of simulated pools, with Gluster's own refusals. */
import { randomUUID } from 'node:crypto';
import { bricksPerSet, type Durability } from '@brickyard/contracts';
import type { BrickHeal, ListedBrick, Reply, VolumeInfo } from '../gluster/gluster.port';
import { hostOf, OK, type RecordedPools, refused } from './recorded.pools';
import type { RecordedVolume } from './recorded.state';

/** What the Glusters of simulated hosts know of volumes. */
export class RecordedVolumes {
  constructor(private readonly pools: RecordedPools) {}

  info(host: string, name: string): VolumeInfo | undefined {
    const volume = this.pools.volumesOf(host).get(name);
    return volume === undefined ? undefined : this.infoOf(volume);
  }

  all(host: string): readonly VolumeInfo[] {
    return [...this.pools.volumesOf(host).values()].map((volume) => this.infoOf(volume));
  }

  areLeaving(host: string, name: string, bricks: readonly string[]): boolean {
    const leaving = this.pools.volumesOf(host).get(name)?.leaving ?? [];
    return bricks.every((brick) => leaving.includes(brick));
  }

  private infoOf({ name, uuid, status, perSet, bricks, options }: RecordedVolume): VolumeInfo {
    const listed = (brick: string): ListedBrick => ({
      name: brick,
      hostUuid: this.pools.state.members.get(hostOf(brick))?.uuid ?? hostOf(brick),
    });
    return { name, uuid, status, perSet, bricks: bricks.map(listed), options };
  }

  healPending(host: string, name: string): number | undefined {
    const volume = this.pools.volumesOf(host).get(name);
    if (volume?.status !== 'started') return undefined;
    const pool = this.pools.poolOf(host);
    const isAway = (brick: string): boolean => this.pools.isDown(this.pools.agentNamed(pool, hostOf(brick)) ?? '');
    return volume.bricks.some(isAway) ? undefined : volume.healPending;
  }

  /** The first brick is the one that has what others lack. */
  heal(host: string, name: string): readonly BrickHeal[] | undefined {
    const volume = this.pools.volumesOf(host).get(name);
    if (volume?.status !== 'started' || volume.perSet === 1) return undefined;
    const pool = this.pools.poolOf(host);
    return volume.bricks.map((brick, index) => {
      const isAway = this.pools.isDown(this.pools.agentNamed(pool, hostOf(brick)) ?? '');
      return isAway ? { connected: false } : { connected: true, pending: index === 0 ? volume.healPending : 0 };
    });
  }

  /** Entries that wait to be healed from now on, for tests of what watches them. */
  async setHealPending(host: string, name: string, healPending: number): Promise<void> {
    const pool = this.pools.poolOf(host);
    const volume = this.pools.state.volumesOf(pool).get(name);
    if (volume === undefined) throw new RangeError(`no volume ${name}`);
    await this.pools.write({ is: 'volume', pool, name, volume: { ...volume, healPending } });
  }

  create(host: string, name: string, durability: Durability, bricks: readonly string[], force: boolean): Reply {
    const pool = this.pools.poolOf(host);
    if (this.pools.volumesOf(host).has(name)) return refused(`Volume ${name} already exists`);
    const refusal = this.pools.refusalOf(pool, bricks, force);
    if (refusal !== undefined) return refusal;
    const uuid = randomUUID();
    this.pools.claim(pool, bricks, uuid);
    const perSet = bricksPerSet(durability);
    const volume = { name, uuid, perSet, bricks: [...bricks], options: {}, healPending: 0, leaving: [] };
    void this.pools.write({ is: 'volume', pool, name, volume: { ...volume, status: 'created' } });
    return OK;
  }

  /** Changes a volume that exists. */
  private with(
    host: string,
    name: string,
    work: (volume: RecordedVolume) => RecordedVolume | Reply | undefined,
  ): Reply {
    const pool = this.pools.poolOf(host);
    const volume = this.pools.volumesOf(host).get(name);
    if (volume === undefined) return refused(`Volume ${name} does not exist`);
    const next = work(volume);
    if (next !== undefined && 'ok' in next) return next;
    void this.pools.write({ is: 'volume', pool, name, volume: next ?? null });
    return OK;
  }

  addBricks(host: string, name: string, bricks: readonly string[]): Reply {
    return this.with(host, name, (volume) => {
      const pool = this.pools.poolOf(host);
      if (bricks.length % volume.perSet !== 0) {
        return refused(
          `Incorrect number of bricks supplied ${String(bricks.length)} with count ${String(volume.perSet)}`,
        );
      }
      const refusal = this.pools.refusalOf(pool, bricks);
      if (refusal !== undefined) return refusal;
      this.pools.claim(pool, bricks, volume.uuid);
      return { ...volume, bricks: [...volume.bricks, ...bricks] };
    });
  }

  startRemoval(host: string, name: string, bricks: readonly string[]): Reply {
    return this.with(host, name, (volume) => {
      if (volume.status !== 'started') return refused(`Volume ${name} needs to be started`);
      if (bricks.length >= volume.bricks.length) {
        return refused(
          'Removing bricks from replicate configuration is not allowed without reducing replica count explicitly.',
        );
      }
      return { ...volume, leaving: [...bricks] };
    });
  }

  commitRemoval(host: string, name: string, bricks: readonly string[]): Reply {
    return this.with(host, name, (volume) => {
      const stranger = bricks.find((brick) => !volume.leaving.includes(brick));
      if (stranger !== undefined) return refused(`Brick ${stranger} is not decommissioned. Use start or force option`);
      return { ...volume, bricks: volume.bricks.filter((brick) => !bricks.includes(brick)), leaving: [] };
    });
  }

  replaceBrick(host: string, name: string, leaving: string, replacement: string): Reply {
    return this.with(host, name, (volume) => {
      const pool = this.pools.poolOf(host);
      if (!volume.bricks.includes(leaving)) return refused(`brick: ${leaving} does not exist in volume: ${name}`);
      const refusal = this.pools.refusalOf(pool, [replacement]);
      if (refusal !== undefined) return refusal;
      this.pools.claim(pool, [replacement], volume.uuid);
      // The copy is made at once: nothing is stored here that would take time.
      return { ...volume, bricks: volume.bricks.map((brick) => (brick === leaving ? replacement : brick)) };
    });
  }

  set(host: string, name: string, pairs: readonly (readonly [string, string])[]): Reply {
    return this.with(host, name, (volume) => {
      // Gluster knows its options; without its list, the families of their names have to do.
      const unknown = pairs.find(([key]) => !/^[a-z-]+\.[\w.-]+$/i.test(key) || key.startsWith('nosuch.'));
      if (unknown !== undefined) return refused(`option : ${unknown[0]} does not exist`);
      return { ...volume, options: { ...volume.options, ...Object.fromEntries(pairs) } };
    });
  }

  unset(host: string, name: string, key: string): Reply {
    return this.with(host, name, (volume) => {
      const { [key]: _, ...options } = volume.options;
      return { ...volume, options };
    });
  }

  start(host: string, name: string, force: boolean): Reply {
    return this.with(host, name, (volume) => {
      if (volume.status === 'started' && !force) return refused(`Volume ${name} already started`);
      return { ...volume, status: 'started' };
    });
  }

  stop(host: string, name: string): Reply {
    return this.with(host, name, (volume) => ({ ...volume, status: 'stopped' }));
  }

  delete(host: string, name: string): Reply {
    return this.with(host, name, (volume) => {
      if (volume.status === 'started') {
        return refused(`Volume ${name} has been started.Volume needs to be stopped before deletion.`);
      }
      const pool = this.pools.poolOf(host);
      const snapshots = [...this.pools.state.snapshots].filter(
        ([key, snapshot]) => key.startsWith(`${pool}/`) && snapshot.volume === name,
      );
      if (snapshots.length > 0) {
        return refused(`Cannot delete Volume ${name} ,as it has ${String(snapshots.length)} snapshots.`);
      }
      if (this.pools.peersOf(host).some(([peer]) => this.pools.isDown(peer))) {
        return refused('Some of the peers are down', 'peer-away');
      }
      return undefined;
    });
  }

  startRebalance(host: string, name: string): Reply {
    return this.with(host, name, (volume) => {
      if (volume.bricks.length > volume.perSet) return { ...volume };
      return refused(`Volume ${name} is not a distribute volume or contains only 1 brick.\nNot performing rebalance`);
    });
  }
}
