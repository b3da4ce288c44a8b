/** Snapshots of simulated volumes, and the volumes cloned from them. */
import { randomUUID } from 'node:crypto';
import type { Reply } from '../gluster/gluster.port';
import { hostOf, OK, type RecordedPools, refused } from './recorded.pools';
import type { RecordedSnapshot } from './recorded.state';

/** What the Glusters of simulated hosts know of snapshots. */
export class RecordedSnapshots {
  constructor(private readonly pools: RecordedPools) {}

  private find(host: string, name: string): RecordedSnapshot | undefined {
    return this.pools.state.snapshots.get(`${this.pools.poolOf(host)}/${name}`);
  }

  seen(host: string, name: string): 'absent' | 'inactive' | 'active' {
    const found = this.find(host, name);
    if (found === undefined) return 'absent';
    return found.active ? 'active' : 'inactive';
  }

  private write(host: string, name: string, snapshot: RecordedSnapshot | null): Reply {
    void this.pools.write({ is: 'snapshot', pool: this.pools.poolOf(host), name, snapshot });
    return OK;
  }

  create(host: string, name: string, volumeName: string): Reply {
    const pool = this.pools.poolOf(host);
    const volume = this.pools.volumesOf(host).get(volumeName);
    if (volume === undefined) return refused(`Volume (${volumeName}) does not exist`);
    if (this.find(host, name) !== undefined) return refused(`Snapshot ${name} already exists`);
    if (volume.status !== 'started') return refused(`volume ${volumeName} is not in started state`);
    if (volume.bricks.some((brick) => this.pools.isDown(this.pools.agentNamed(pool, hostOf(brick)) ?? ''))) {
      return refused(`quorum is not met`, 'peer-away');
    }
    return this.write(host, name, { volume: volumeName, active: false, of: volume });
  }

  activate(host: string, name: string): Reply {
    const found = this.find(host, name);
    if (found === undefined) return refused(`Snapshot (${name}) does not exist.`);
    if (found.active) return refused(`Snapshot ${name} is already activated.`);
    return this.write(host, name, { ...found, active: true });
  }

  /** As Gluster does: other directories on the same hosts, the options of the volume that was snapped. */
  clone(host: string, name: string, snapshot: string): Reply {
    const pool = this.pools.poolOf(host);
    const found = this.find(host, snapshot);
    if (found === undefined) return refused(`Snapshot (${snapshot}) does not exist.`);
    if (!found.active) return refused(`Snapshot ${snapshot} is not activated`);
    if (this.pools.volumesOf(host).has(name)) return refused(`Volume with name:${name} already exists`);
    const uuid = randomUUID();
    const place = `/run/gluster/snaps/${uuid.replaceAll('-', '')}`;
    const bricks = found.of.bricks.map((brick, at) => `${hostOf(brick)}:${place}/brick${String(at + 1)}/brick`);
    this.pools.claim(pool, bricks, uuid);
    const volume = { ...found.of, name, uuid, bricks, status: 'created' as const, healPending: 0, leaving: [] };
    void this.pools.write({ is: 'volume', pool, name, volume });
    return OK;
  }

  delete(host: string, name: string): Reply {
    if (this.find(host, name) === undefined) return refused(`Snapshot (${name}) does not exist.`);
    return this.write(host, name, null);
  }
}
