/** Glusters of simulated hosts: one model of pools, volumes and bricks, kept in a file, with Gluster's own refusals. */
import { randomUUID } from 'node:crypto';
import { bricksPerSet, type Durability } from '@brickyard/contracts';
import { keyedQueue } from '../../concurrency';
import type { Disk } from '../../disk';
import { type Journal, openJournal } from '../../journal';
import type { BrickHeal, Gluster, ListedBrick, Member, Reply, Trouble, VolumeInfo } from '../gluster/gluster.port';
import { passing } from '../step-failure';
import { type Line, type RecordedSnapshot, RecordedState, type RecordedVolume } from './recorded.state';

const COMPACT_AFTER_LINES = 50_000;

/** How the simulated hosts are kept. */
export interface RecordedOptions {
  readonly file: string;
  /** This machine's file system when absent. */
  readonly disk?: Disk;
  /** Whether a host is switched off: its peers see it disconnected, and it answers nothing itself. */
  readonly isDown?: (host: string) => boolean;
}

/** All simulated Glusters of one process. */
export interface RecordedGlusters {
  /** The Gluster of one host; a host never heard of begins alone, without volumes. */
  on(host: string): Gluster;
  /** Says that a node's agent answers to this name, so that a peer may be probed by another one. */
  introduce(nodeId: string, host: string): void;
  /** Entries that wait to be healed from now on, for tests of what watches them. */
  setHealPending(host: string, volume: string, entries: number): Promise<void>;
  close(): Promise<void>;
}

/** Opens the simulated Glusters, as they were left. */
export async function openRecordedGlusters(options: RecordedOptions): Promise<RecordedGlusters> {
  const state = new RecordedState();
  const journal = await openJournal(
    options.file,
    { sync: false, ...(options.disk === undefined ? {} : { disk: options.disk }) },
    (line) => {
      state.replay(line);
    },
  );
  const model = new RecordedModel(state, journal, options.isDown ?? (() => false));
  return {
    on: (host) => model.glusterOf(host),
    introduce: (nodeId, host) => {
      model.introduce(nodeId, host);
    },
    setHealPending: (host, volume, entries) => model.setHealPending(host, volume, entries),
    close: () => journal.close(),
  };
}

const refused = (message: string, trouble: Trouble = 'refused'): Reply => ({
  ok: false,
  trouble,
  message,
  cause: message,
});
const OK: Reply = { ok: true };

const hostOf = (brick: string): string => brick.slice(0, brick.indexOf(':/'));
const pathOf = (brick: string): string => brick.slice(brick.indexOf(':/') + 1);

class RecordedModel {
  private readonly commands = keyedQueue();
  private readonly agents = new Map<string, string>();

  constructor(
    private readonly state: RecordedState,
    private readonly journal: Journal,
    private readonly isDown: (host: string) => boolean,
  ) {}

  introduce(nodeId: string, host: string): void {
    this.agents.set(nodeId, host);
  }

  glusterOf(host: string): Gluster {
    const change = (work: () => Reply): Promise<Reply> => this.change(host, work);
    return {
      health: () => Promise.resolve(this.isDown(host) ? 'stopped' : 'running'),
      members: () => this.read(host, () => this.membersSeenBy(host)),
      volume: (name) => this.read(host, () => this.info(host, name)),
      volumes: () => this.read(host, () => [...this.volumesOf(host).values()].map((volume) => this.infoOf(volume))),
      healPending: (name) => this.read(host, () => this.healPending(host, name)),
      heal: (name) => this.read(host, () => this.heal(host, name)),
      rebalance: () => this.read(host, () => ({ kind: 'none' })),
      removal: (name, bricks) =>
        this.read(host, () => {
          const leaving = this.volumesOf(host).get(name)?.leaving ?? [];
          return bricks.every((brick) => leaving.includes(brick)) ? { kind: 'completed' } : { kind: 'none' };
        }),
      probe: (peer, nodeId) => change(() => this.probe(host, peer, nodeId)),
      detach: (peer) => change(() => this.detach(host, peer)),
      create: (name, durability, bricks, force = false) =>
        change(() => this.create(host, name, durability, bricks, force)),
      addBricks: (name, bricks) => change(() => this.addBricks(host, name, bricks)),
      startRemoval: (name, bricks) => change(() => this.startRemoval(host, name, bricks)),
      commitRemoval: (name, bricks) => change(() => this.commitRemoval(host, name, bricks)),
      replaceBrick: (name, leaving, replacement) => change(() => this.replaceBrick(host, name, leaving, replacement)),
      set: (name, pairs) => change(() => this.set(host, name, pairs)),
      unset: (name, key) => change(() => this.unset(host, name, key)),
      setGroup: (name) => change(() => this.set(host, name, [])),
      start: (name, force) => change(() => this.start(host, name, force)),
      stop: (name) => change(() => this.stop(host, name)),
      delete: (name) => change(() => this.delete(host, name)),
      startRebalance: (name) => change(() => this.startRebalance(host, name)),
      snapshot: (name) => this.read(host, () => this.snapshotSeen(host, name)),
      createSnapshot: (name, volume) => change(() => this.createSnapshot(host, name, volume)),
      activateSnapshot: (name) => change(() => this.activateSnapshot(host, name)),
      cloneSnapshot: (clone, name) => change(() => this.cloneSnapshot(host, clone, name)),
      deleteSnapshot: (name) => change(() => this.deleteSnapshot(host, name)),
      hasStaleClaim: (path) => Promise.resolve(this.staleClaim(host, path) !== undefined),
      clearClaim: async (path) => {
        const brick = this.staleClaim(host, path);
        if (brick !== undefined) await this.write({ is: 'claim', brick, uuid: null });
      },
      idleBricks: () => Promise.resolve(new Map()),
    };
  }

  private async read<T>(host: string, look: () => T): Promise<T> {
    if (this.isDown(host)) throw passing('glusterd of this host does not answer');
    return Promise.resolve(look());
  }

  /** One change at a time in a pool; what it wrote is in the file when it is answered. */
  private change(host: string, work: () => Reply): Promise<Reply> {
    return this.commands.run(this.poolOf(host), async () => {
      if (this.isDown(host))
        return refused('Connection failed. Please check if gluster daemon is operational.', 'no-daemon');
      this.written = [];
      const reply = work();
      await Promise.all(this.written);
      if (this.journal.length > COMPACT_AFTER_LINES && this.journal.length > 4 * this.size()) {
        await this.journal.rewrite(() => this.state.snapshot());
      }
      return reply;
    });
  }

  private written: Promise<void>[] = [];

  private size(): number {
    const volumes = [...this.state.pools.values()].reduce((sum, pool) => sum + pool.size, 0);
    return this.state.members.size + this.state.claims.size + volumes;
  }

  private write(line: Line): Promise<void> {
    this.state.apply(line);
    const written = this.journal.append(line);
    this.written.push(written);
    return written;
  }

  private memberOf(host: string): { uuid: string; pool: string; hostname: string } {
    const known = this.state.members.get(host);
    if (known !== undefined) return known;
    const member = { uuid: randomUUID(), pool: randomUUID(), hostname: host };
    void this.write({ is: 'member', host, member }).catch(() => undefined); // Lost: the host begins anew.
    return member;
  }

  private poolOf(host: string): string {
    return this.memberOf(host).pool;
  }

  private volumesOf(host: string): Map<string, RecordedVolume> {
    return this.state.volumesOf(this.poolOf(host));
  }

  private peersOf(host: string): [host: string, member: { uuid: string; pool: string; hostname: string }][] {
    const pool = this.poolOf(host);
    return [...this.state.members].filter(([other, member]) => other !== host && member.pool === pool);
  }

  /** The agent behind a name that peers or bricks use. */
  private agentNamed(pool: string, name: string): string | undefined {
    const direct = this.state.members.get(name);
    if (direct?.pool === pool) return name;
    return [...this.state.members].find(([, member]) => member.pool === pool && member.hostname === name)?.[0];
  }

  private membersSeenBy(host: string): readonly Member[] {
    const self = this.memberOf(host);
    const me: Member = {
      uuid: self.uuid,
      hostname: 'localhost',
      names: ['localhost'],
      connected: true,
      joined: true,
      rejected: false,
    };
    return [
      me,
      ...this.peersOf(host).map(([other, { uuid, hostname }]) => ({
        uuid,
        hostname,
        names: [hostname, other],
        connected: !this.isDown(other),
        joined: true,
        rejected: false,
      })),
    ];
  }

  private info(host: string, name: string): VolumeInfo | undefined {
    const volume = this.volumesOf(host).get(name);
    return volume === undefined ? undefined : this.infoOf(volume);
  }

  private infoOf({ name, uuid, status, perSet, bricks, options }: RecordedVolume): VolumeInfo {
    const listed = (brick: string): ListedBrick => ({
      name: brick,
      hostUuid: this.state.members.get(hostOf(brick))?.uuid ?? hostOf(brick),
    });
    return { name, uuid, status, perSet, bricks: bricks.map(listed), options };
  }

  private healPending(host: string, name: string): number | undefined {
    const volume = this.volumesOf(host).get(name);
    if (volume?.status !== 'started') return undefined;
    const pool = this.poolOf(host);
    const isAway = (brick: string): boolean => this.isDown(this.agentNamed(pool, hostOf(brick)) ?? '');
    return volume.bricks.some(isAway) ? undefined : volume.healPending;
  }

  /** The first brick is the one that has what others lack. */
  private heal(host: string, name: string): readonly BrickHeal[] | undefined {
    const volume = this.volumesOf(host).get(name);
    if (volume?.status !== 'started' || volume.perSet === 1) return undefined;
    const pool = this.poolOf(host);
    return volume.bricks.map((brick, index) => {
      const isAway = this.isDown(this.agentNamed(pool, hostOf(brick)) ?? '');
      return isAway ? { connected: false } : { connected: true, pending: index === 0 ? volume.healPending : 0 };
    });
  }

  private replaceBrick(host: string, name: string, leaving: string, replacement: string): Reply {
    return this.with(host, name, (volume) => {
      const pool = this.poolOf(host);
      if (!volume.bricks.includes(leaving)) return refused(`brick: ${leaving} does not exist in volume: ${name}`);
      const refusal = this.refusalOf(pool, [replacement]);
      if (refusal !== undefined) return refusal;
      this.claim(pool, [replacement], volume.uuid);
      // The copy is made at once: nothing is stored here that would take time.
      return { ...volume, bricks: volume.bricks.map((brick) => (brick === leaving ? replacement : brick)) };
    });
  }

  async setHealPending(host: string, name: string, healPending: number): Promise<void> {
    const pool = this.poolOf(host);
    const volume = this.state.volumesOf(pool).get(name);
    if (volume === undefined) throw new RangeError(`no volume ${name}`);
    await this.write({ is: 'volume', pool, name, volume: { ...volume, healPending } });
  }

  private probe(host: string, peer: string, nodeId: string | undefined): Reply {
    const pool = this.poolOf(host);
    const agent = this.agentNamed(pool, peer) ?? this.agents.get(nodeId ?? '') ?? peer;
    if (agent === host) return refused('Probe on localhost not needed');
    const found = this.memberOf(agent);
    if (found.pool === pool) return OK;
    if (this.isDown(agent)) return refused('Probe returned with Transport endpoint is not connected', 'peer-away');
    if (this.peersOf(agent).length > 0 || this.volumesOf(agent).size > 0) {
      return refused(`${peer} is either already part of another cluster or having volumes configured`);
    }
    void this.write({ is: 'member', host: agent, member: { ...found, pool, hostname: peer } });
    return OK;
  }

  private detach(host: string, peer: string): Reply {
    const pool = this.poolOf(host);
    const agent = this.agentNamed(pool, peer);
    if (agent === undefined) return refused(`${peer} is not part of cluster`);
    if (agent === host) return refused(`${peer} is localhost`);
    const hosts = [...this.volumesOf(host).values()].flatMap(({ bricks }) => bricks.map(hostOf));
    if (hosts.some((name) => this.agentNamed(pool, name) === agent)) {
      return refused(
        `Peer ${peer} hosts one or more bricks. If the peer is in not recoverable state then use replace-brick`,
      );
    }
    const member = { ...this.memberOf(agent), pool: randomUUID(), hostname: agent };
    void this.write({ is: 'member', host: agent, member });
    return OK;
  }

  /** Under which name a brick's mark is kept: its agent's, whatever name the volume uses. */
  private keyOf(pool: string, brick: string): string {
    return `${this.agentNamed(pool, hostOf(brick)) ?? hostOf(brick)}:${pathOf(brick)}`;
  }

  private staleClaim(host: string, path: string): string | undefined {
    const brick = `${host}:${path}`;
    const uuid = this.state.claims.get(brick);
    return uuid === undefined || this.isListed(host, uuid, path) ? undefined : brick;
  }

  /** Whether the volume that marked a directory serves it; one that lists others only has let go of it. */
  private isListed(host: string, uuid: string, path: string): boolean {
    const pool = this.poolOf(host);
    const volumes = [...this.state.volumesOf(pool).values()].filter((volume) => volume.uuid === uuid);
    return volumes.some(({ bricks }) => bricks.some((brick) => this.keyOf(pool, brick) === `${host}:${path}`));
  }

  private hasVolume(pool: string, uuid: string): boolean {
    for (const volume of this.state.volumesOf(pool).values()) if (volume.uuid === uuid) return true;
    return false;
  }

  /** Whether new bricks may be taken into a volume: their hosts answer, nobody has marked them. */
  private refusalOf(pool: string, bricks: readonly string[], force = false): Reply | undefined {
    for (const brick of bricks) {
      const agent = this.agentNamed(pool, hostOf(brick));
      const isKnown = this.state.members.has(hostOf(brick));
      if (agent === undefined ? isKnown : this.isDown(agent)) {
        return refused(`Host ${hostOf(brick)} not connected`, 'peer-away');
      }
      const uuid = this.state.claims.get(this.keyOf(pool, brick));
      if (uuid === undefined) continue;
      if (!this.hasVolume(pool, uuid)) {
        if (force) continue;
        return refused(`${pathOf(brick)} is already part of a volume`);
      }
      return refused(`Brick: ${brick} not available. Brick may be containing or be contained by an existing brick.`);
    }
    return undefined;
  }

  private claim(pool: string, bricks: readonly string[], uuid: string): void {
    for (const brick of bricks) void this.write({ is: 'claim', brick: this.keyOf(pool, brick), uuid });
  }

  private create(host: string, name: string, durability: Durability, bricks: readonly string[], force: boolean): Reply {
    const pool = this.poolOf(host);
    if (this.volumesOf(host).has(name)) return refused(`Volume ${name} already exists`);
    const refusal = this.refusalOf(pool, bricks, force);
    if (refusal !== undefined) return refusal;
    const uuid = randomUUID();
    this.claim(pool, bricks, uuid);
    const perSet = bricksPerSet(durability);
    const volume = { name, uuid, perSet, bricks: [...bricks], options: {}, healPending: 0, leaving: [] };
    void this.write({ is: 'volume', pool, name, volume: { ...volume, status: 'created' } });
    return OK;
  }

  /** Changes a volume that exists. */
  private with(
    host: string,
    name: string,
    work: (volume: RecordedVolume) => RecordedVolume | Reply | undefined,
  ): Reply {
    const pool = this.poolOf(host);
    const volume = this.volumesOf(host).get(name);
    if (volume === undefined) return refused(`Volume ${name} does not exist`);
    const next = work(volume);
    if (next !== undefined && 'ok' in next) return next;
    void this.write({ is: 'volume', pool, name, volume: next ?? null });
    return OK;
  }

  private addBricks(host: string, name: string, bricks: readonly string[]): Reply {
    return this.with(host, name, (volume) => {
      const pool = this.poolOf(host);
      if (bricks.length % volume.perSet !== 0) {
        return refused(
          `Incorrect number of bricks supplied ${String(bricks.length)} with count ${String(volume.perSet)}`,
        );
      }
      const refusal = this.refusalOf(pool, bricks);
      if (refusal !== undefined) return refusal;
      this.claim(pool, bricks, volume.uuid);
      return { ...volume, bricks: [...volume.bricks, ...bricks] };
    });
  }

  private startRemoval(host: string, name: string, bricks: readonly string[]): Reply {
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

  private commitRemoval(host: string, name: string, bricks: readonly string[]): Reply {
    return this.with(host, name, (volume) => {
      const stranger = bricks.find((brick) => !volume.leaving.includes(brick));
      if (stranger !== undefined) return refused(`Brick ${stranger} is not decommissioned. Use start or force option`);
      return { ...volume, bricks: volume.bricks.filter((brick) => !bricks.includes(brick)), leaving: [] };
    });
  }

  private set(host: string, name: string, pairs: readonly (readonly [string, string])[]): Reply {
    return this.with(host, name, (volume) => {
      // Gluster knows its options; without its list, the families of their names have to do.
      const unknown = pairs.find(([key]) => !/^[a-z-]+\.[\w.-]+$/i.test(key) || key.startsWith('nosuch.'));
      if (unknown !== undefined) return refused(`option : ${unknown[0]} does not exist`);
      return { ...volume, options: { ...volume.options, ...Object.fromEntries(pairs) } };
    });
  }

  private unset(host: string, name: string, key: string): Reply {
    return this.with(host, name, (volume) => {
      const { [key]: _, ...options } = volume.options;
      return { ...volume, options };
    });
  }

  private start(host: string, name: string, force: boolean): Reply {
    return this.with(host, name, (volume) => {
      if (volume.status === 'started' && !force) return refused(`Volume ${name} already started`);
      return { ...volume, status: 'started' };
    });
  }

  private stop(host: string, name: string): Reply {
    return this.with(host, name, (volume) => ({ ...volume, status: 'stopped' }));
  }

  private delete(host: string, name: string): Reply {
    return this.with(host, name, (volume) => {
      if (volume.status === 'started') {
        return refused(`Volume ${name} has been started.Volume needs to be stopped before deletion.`);
      }
      const pool = this.poolOf(host);
      const snapshots = [...this.state.snapshots].filter(
        ([key, snapshot]) => key.startsWith(`${pool}/`) && snapshot.volume === name,
      );
      if (snapshots.length > 0) {
        return refused(`Cannot delete Volume ${name} ,as it has ${String(snapshots.length)} snapshots.`);
      }
      if (this.peersOf(host).some(([peer]) => this.isDown(peer))) {
        return refused('Some of the peers are down', 'peer-away');
      }
      return undefined;
    });
  }

  private snapshotOf(host: string, name: string): RecordedSnapshot | undefined {
    return this.state.snapshots.get(`${this.poolOf(host)}/${name}`);
  }

  private snapshotSeen(host: string, name: string): 'absent' | 'inactive' | 'active' {
    const found = this.snapshotOf(host, name);
    if (found === undefined) return 'absent';
    return found.active ? 'active' : 'inactive';
  }

  private writeSnapshot(host: string, name: string, snapshot: RecordedSnapshot | null): Reply {
    void this.write({ is: 'snapshot', pool: this.poolOf(host), name, snapshot });
    return OK;
  }

  private createSnapshot(host: string, name: string, volumeName: string): Reply {
    const pool = this.poolOf(host);
    const volume = this.volumesOf(host).get(volumeName);
    if (volume === undefined) return refused(`Volume (${volumeName}) does not exist`);
    if (this.snapshotOf(host, name) !== undefined) return refused(`Snapshot ${name} already exists`);
    if (volume.status !== 'started') return refused(`volume ${volumeName} is not in started state`);
    if (volume.bricks.some((brick) => this.isDown(this.agentNamed(pool, hostOf(brick)) ?? ''))) {
      return refused(`quorum is not met`, 'peer-away');
    }
    return this.writeSnapshot(host, name, { volume: volumeName, active: false, of: volume });
  }

  private activateSnapshot(host: string, name: string): Reply {
    const found = this.snapshotOf(host, name);
    if (found === undefined) return refused(`Snapshot (${name}) does not exist.`);
    if (found.active) return refused(`Snapshot ${name} is already activated.`);
    return this.writeSnapshot(host, name, { ...found, active: true });
  }

  /** As Gluster does: other directories on the same hosts, the options of the volume that was snapped. */
  private cloneSnapshot(host: string, name: string, snapshot: string): Reply {
    const pool = this.poolOf(host);
    const found = this.snapshotOf(host, snapshot);
    if (found === undefined) return refused(`Snapshot (${snapshot}) does not exist.`);
    if (!found.active) return refused(`Snapshot ${snapshot} is not activated`);
    if (this.volumesOf(host).has(name)) return refused(`Volume with name:${name} already exists`);
    const uuid = randomUUID();
    const place = `/run/gluster/snaps/${uuid.replaceAll('-', '')}`;
    const bricks = found.of.bricks.map((brick, at) => `${hostOf(brick)}:${place}/brick${String(at + 1)}/brick`);
    this.claim(pool, bricks, uuid);
    const volume = { ...found.of, name, uuid, bricks, status: 'created' as const, healPending: 0, leaving: [] };
    void this.write({ is: 'volume', pool, name, volume });
    return OK;
  }

  private deleteSnapshot(host: string, name: string): Reply {
    if (this.snapshotOf(host, name) === undefined) return refused(`Snapshot (${name}) does not exist.`);
    return this.writeSnapshot(host, name, null);
  }

  private startRebalance(host: string, name: string): Reply {
    return this.with(host, name, (volume) => {
      if (volume.bricks.length > volume.perSet) return { ...volume };
      return refused(`Volume ${name} is not a distribute volume or contains only 1 brick.\nNot performing rebalance`);
    });
  }
}
