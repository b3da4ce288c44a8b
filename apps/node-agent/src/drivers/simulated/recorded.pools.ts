/** Which simulated hosts are peers of which, and which volume has marked which directory. */
import { randomUUID } from 'node:crypto';
import { keyedQueue } from '../../concurrency';
import type { Journal } from '../../journal';
import type { Member, Reply, Trouble } from '../gluster/gluster.port';
import { passing } from '../step-failure';
import type { Line, RecordedState, RecordedVolume } from './recorded.state';

const COMPACT_AFTER_LINES = 50_000;

/** What Gluster says when it does not do what it was told. */
export const refused = (message: string, trouble: Trouble = 'refused'): Reply => ({
  ok: false,
  trouble,
  message,
  cause: message,
});
export const OK: Reply = { ok: true };

export const hostOf = (brick: string): string => brick.slice(0, brick.indexOf(':/'));
const pathOf = (brick: string): string => brick.slice(brick.indexOf(':/') + 1);

/** The pools of all simulated hosts of a process. */
export class RecordedPools {
  private readonly commands = keyedQueue();
  private readonly agents = new Map<string, string>();
  private written: Promise<void>[] = [];

  constructor(
    readonly state: RecordedState,
    private readonly journal: Journal,
    readonly isDown: (host: string) => boolean,
  ) {}

  /** Says that a node's agent answers to this name, so that a peer may be probed by another one. */
  introduce(nodeId: string, host: string): void {
    this.agents.set(nodeId, host);
  }

  async read<T>(host: string, look: () => T): Promise<T> {
    if (this.isDown(host)) throw passing('glusterd of this host does not answer');
    return Promise.resolve(look());
  }

  /** One change at a time in a pool; what it wrote is in the file when it is answered. */
  change(host: string, work: () => Reply): Promise<Reply> {
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

  private size(): number {
    const volumes = [...this.state.pools.values()].reduce((sum, pool) => sum + pool.size, 0);
    return this.state.members.size + this.state.claims.size + volumes;
  }

  write(line: Line): Promise<void> {
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

  poolOf(host: string): string {
    return this.memberOf(host).pool;
  }

  volumesOf(host: string): Map<string, RecordedVolume> {
    return this.state.volumesOf(this.poolOf(host));
  }

  peersOf(host: string): [host: string, member: { uuid: string; pool: string; hostname: string }][] {
    const pool = this.poolOf(host);
    return [...this.state.members].filter(([other, member]) => other !== host && member.pool === pool);
  }

  /** The agent behind a name that peers or bricks use. */
  agentNamed(pool: string, name: string): string | undefined {
    const direct = this.state.members.get(name);
    if (direct?.pool === pool) return name;
    return [...this.state.members].find(([, member]) => member.pool === pool && member.hostname === name)?.[0];
  }

  membersSeenBy(host: string): readonly Member[] {
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

  probe(host: string, peer: string, nodeId: string | undefined): Reply {
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

  detach(host: string, peer: string): Reply {
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

  staleClaim(host: string, path: string): string | undefined {
    const brick = `${host}:${path}`;
    const uuid = this.state.claims.get(brick);
    return uuid === undefined || this.isListed(host, uuid, path) ? undefined : brick;
  }

  async clearClaim(host: string, path: string): Promise<void> {
    const brick = this.staleClaim(host, path);
    if (brick !== undefined) await this.write({ is: 'claim', brick, uuid: null });
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
  refusalOf(pool: string, bricks: readonly string[], force = false): Reply | undefined {
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

  claim(pool: string, bricks: readonly string[], uuid: string): void {
    for (const brick of bricks) void this.write({ is: 'claim', brick: this.keyOf(pool, brick), uuid });
  }
}
