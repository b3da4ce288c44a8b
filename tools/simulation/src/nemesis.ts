/** What goes wrong, when, and for how long: a plan made of chance before the run begins. */
import type { HostName } from '@brickyard/contracts';
import { NATS } from './nats';
import { POSTGRES } from './postgres';
import type { Gluster } from './product';
import type { Random } from './random';
import type { World } from './world';

/** One piece of trouble. */
export interface Trouble {
  readonly atMs: number;
  readonly what: keyof typeof kinds;
  /** Picks whom it strikes. */
  readonly whom: number;
  readonly forMs: number;
}

const at = <T>(list: readonly T[], index: number): T | undefined => list[index % Math.max(1, list.length)];

interface Cast {
  readonly allocators: readonly string[];
  readonly hosts: readonly HostName[];
  readonly gateways: readonly string[];
}

type Strike = (world: World, cast: Cast, trouble: Trouble) => void;

const mood =
  (name: 'slow' | 'failing' | 'silent', chance: number): Strike =>
  (world, _, { forMs }) => {
    world.trace(`makes gluster commands ${name}`);
    world.glusters.mood[name] = chance;
    world.kernel.outside(forMs, () => {
      world.glusters.mood[name] = 0;
    });
  };

const cut =
  (server: string, who: (cast: Cast) => readonly string[]): Strike =>
  (world, cast, { whom, forMs }) => {
    const name = at(who(cast), whom);
    if (name === undefined) return;
    world.trace(`cuts ${name} off ${server} for ${String(Math.round(forMs))} ms`);
    world.network.cut(name, server);
    world.kernel.outside(forMs, () => {
      world.network.mend(name, server);
    });
  };

/** So long that the host counts as lost, and a little longer. */
const UNTIL_LOST_MS = 8_000;

/** Waits for the next command of a host that Gluster is given, and strikes that host. */
const atWork =
  (strikeIt: (world: World, host: string, forMs: number, whom: number) => void): Strike =>
  (world, _, { forMs, whom }) => {
    world.glusters.onNextCommand((host) => {
      strikeIt(world, host, UNTIL_LOST_MS + forMs, whom);
    });
  };

/** What somebody does with Gluster's own command line, past the system. */
type Hand = (gluster: Gluster, whom: number) => Promise<string | undefined>;

/** To a started volume. */
const toVolume =
  (what: string, work: (gluster: Gluster, volume: string) => Promise<unknown>): Hand =>
  async (gluster, whom) => {
    const started = (await gluster.volumes()).filter(({ status }) => status === 'started').map(({ name }) => name);
    const volume = at(started, whom);
    if (volume === undefined) return undefined;
    await work(gluster, volume);
    return `${what} volume ${volume}`;
  };

const hands: readonly Hand[] = [
  toVolume('stops', (gluster, volume) => gluster.stop(volume)),
  toVolume('deletes', async (gluster, volume) => {
    await gluster.stop(volume);
    await gluster.delete(volume);
  }),
  toVolume('changes an option of', (gluster, volume) => gluster.set(volume, [['performance.readdir-ahead', 'off']])),
];

async function meddle(world: World, host: HostName, whom: number): Promise<void> {
  if (world.glusters.isDown(host)) return;
  const done = await at(hands, whom)?.(world.glusters.recorded.on(host), whom);
  if (done === undefined) return;
  world.trace(`somebody ${done} on ${host} by hand`);
  world.isMeddledWith = true;
}

/**
 * Somebody sends a member of the pool away, the first that Gluster lets go since it has no bricks. Only while nothing is open:
 * two pools that both have volumes nobody can put together again.
 */
export async function detachSomebody(world: World): Promise<void> {
  const host = world.kernel.random.oneOf([...world.matter.hosts.keys()].filter((one) => !world.glusters.isDown(one)));
  if (host === undefined) return;
  const gluster = world.glusters.recorded.on(host);
  for (const { hostname } of await gluster.members()) {
    if (hostname === 'localhost' || !(await gluster.detach(hostname)).ok) continue;
    world.trace(`somebody detaches ${hostname} on ${host} by hand`);
    world.isMeddledWith = true;
    return;
  }
}

/** Every kind of trouble. */
const kinds = {
  'kill-allocator': (world, { allocators }, { whom, forMs }) => {
    world.kill(at(allocators, whom) ?? '', forMs);
  },
  'kill-agent': (world, { hosts }, { whom, forMs }) => {
    world.kill(at(hosts, whom) ?? '', forMs);
  },
  'kill-gateway': (world, { gateways }, { whom, forMs }) => {
    world.kill(at(gateways, whom) ?? '', forMs);
  },
  'stop-process': (world, { allocators, hosts }, { whom, forMs }) => {
    world.stall(at([...allocators, ...hosts], whom) ?? '', forMs);
  },
  'stop-at-work': atWork((world, host, forMs) => {
    world.stall(host, forMs);
  }),
  'cut-at-work': atWork((world, host, forMs) => {
    world.trace(`cuts ${host} off ${NATS} for ${String(Math.round(forMs))} ms`);
    world.network.cut(host, NATS);
    world.kernel.outside(forMs, () => {
      world.network.mend(host, NATS);
    });
  }),
  'kill-nats': (world, _, { whom, forMs }) => {
    world.trace('kills nats');
    world.nats.crash(whom % 5 === 0);
    world.kernel.outside(forMs, () => {
      world.nats.restart();
    });
  },
  'kill-postgres': (world, _, { forMs }) => {
    world.trace('kills postgres');
    world.postgres.crash();
    world.kernel.outside(forMs, () => {
      world.postgres.restart();
    });
  },
  'break-lock': (world) => {
    world.trace('gives the lock of the leader to another');
    world.postgres.breakLock();
  },
  'cut-nats': cut(NATS, ({ allocators, hosts, gateways }) => [...allocators, ...hosts, ...gateways]),
  'cut-postgres': cut(POSTGRES, ({ allocators }) => allocators),
  'cut-power': (world, { hosts }, { whom, forMs }) => {
    const host = at(hosts, whom);
    if (host !== undefined) world.crashHost(host, forMs);
  },
  'kill-glusterd': (world, { hosts }, { whom, forMs }) => {
    const host = at(hosts, whom);
    if (host === undefined) return;
    world.trace(`kills the glusterd of ${host}`);
    world.glusters.kill(host);
    world.kernel.outside(forMs, () => {
      world.startGlusterd(host);
    });
  },
  'by-hand': (world, { hosts }, { whom }) => {
    const host = at(
      hosts.filter((one) => !world.glusters.isDown(one)),
      whom,
    );
    if (host !== undefined) void meddle(world, host, whom);
  },
  'by-hand-at-work': atWork((world, host, _, whom) => {
    void meddle(world, host as HostName, whom);
  }),
  'hanging-glusterd': (world, { hosts }, { whom, forMs }) => {
    const [host, peer] = [at(hosts, whom), at(hosts, whom + 1 + (whom % 2))];
    if (host === undefined || peer === undefined) return;
    world.trace(`kills the glusterd of ${host}, which hangs in its handshake with ${peer} then`);
    world.glusters.kill(host);
    world.kernel.outside(forMs, () => {
      world.startGlusterd(host);
      world.glusters.hang(host, peer);
    });
  },
  'slow-gluster': mood('slow', 0.5),
  'failing-gluster': mood('failing', 0.3),
  'silent-gluster': mood('silent', 0.3),
  'failing-disks': (world, _, { forMs }) => {
    world.trace('lets disks fail');
    world.diskFailures = 0.1;
    world.kernel.outside(forMs, () => {
      world.diskFailures = 0;
    });
  },
} satisfies Readonly<Record<string, Strike>>;

/** Draws so many troubles within a time. */
export function planTroubles(random: Random, count: number, withinMs: number): Trouble[] {
  const names = Object.keys(kinds) as (keyof typeof kinds)[];
  return Array.from({ length: count }, () => ({
    atMs: random.between(0, withinMs),
    what: random.oneOf(names) ?? 'kill-agent',
    whom: random.below(60),
    forMs: random.chance(0.6) ? random.between(100, 4_000) : random.between(4_000, 25_000),
  }));
}

/** Lets it happen. */
export function strike(world: World, cast: Cast, trouble: Trouble): void {
  const run: Strike = kinds[trouble.what];
  run(world, cast, trouble);
}
