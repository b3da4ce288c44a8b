import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './command';
import { type HostLab, hostsSupported, removeLeftovers, startHosts, type StorageHost, tracesOf } from './index';
import { loopsBelow } from './loop-devices';

const MINUTE = 60_000;
const BRICKS = '/var/lib/brickyard/bricks';

/** Without these abilities nothing here can run, and a test that silently passes would be worse than one that fails. */
beforeAll(() => {
  expect(hostsSupported()).toEqual({ supported: true, missing: [], packages: [] });
});

describe('three storage hosts', () => {
  const directory = mkdtempSync(join(tmpdir(), 'brickyard-hosts-'));
  const mountPoint = join(directory, 'client');
  let lab: HostLab;

  beforeAll(async () => {
    lab = await startHosts({ directory, count: 3, deviceSizeKib: 1024 * 1024 });
  }, MINUTE);

  afterAll(async () => {
    await lab.down();
    rmSync(directory, { recursive: true, force: true });
  }, MINUTE);

  const host = (index: number): StorageHost => {
    const found = lab.hosts[index];
    if (found === undefined) throw new Error(`no host ${String(index)}`);
    return found;
  };

  it('see their own state, log and devices, and leave no trace of them on the machine', async () => {
    await inHost(host(0), ['touch', '/var/lib/brickyard/mark', '/run/mark']);
    expect(existsSync(join(host(0).directory, 'lib-brickyard/mark'))).toBe(true);
    expect(existsSync('/run/mark')).toBe(false);
    expect((await host(1).run(['ls', '/var/lib/brickyard/mark'], limit)).exitCode).not.toBe(0);
    expect(await inHost(host(2), ['stat', '-c', '%s', ...host(2).devices])).toBe(`${String(2 ** 30)}\n`);
    expect(await inHost(host(0), ['ls', '/var/lib/dpkg/status'])).toContain('status');
  });

  it('reach a service that listens on the client address', async () => {
    const server = createServer((socket) => socket.end()).listen(0, lab.clientAddress);
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    expect(await Promise.all(lab.hosts.map((each) => each.canReach(lab.clientAddress, port)))).toEqual([
      true,
      true,
      true,
    ]);
    server.close();
    await once(server, 'close');
    expect(await host(0).canReach(lab.clientAddress, port)).toBe(false);
  });

  it(
    'form a pool and serve a volume that this machine can mount',
    async () => {
      for (const peer of [host(1), host(2)]) await gluster(host(0), 'peer', 'probe', peer.address);
      await poolIsWhole(lab.hosts);
      await Promise.all(lab.hosts.map(mountBrick));
      const bricks = lab.hosts.map((each) => `${each.address}:${BRICKS}/b1/brick`);
      await gluster(host(0), 'volume', 'create', 'vol1', 'replica', '3', ...bricks);
      await gluster(host(0), 'volume', 'start', 'vol1');
      await lab.mount('vol1', mountPoint);
      writeFileSync(join(mountPoint, 'one'), 'written with all hosts');
      expect(readFileSync(join(mountPoint, 'one'), 'utf8')).toBe('written with all hosts');
    },
    MINUTE,
  );

  it(
    'lose one host to a power cut and serve on; back again, it heals',
    async () => {
      await host(2).crash();
      expect(host(2).isUp()).toBe(false);
      await expect(host(2).run(['true'], limit)).rejects.toThrow('storage-3 is off');
      expect(await loopsBelow(directory)).toHaveLength(2);
      writeFileSync(join(mountPoint, 'two'), 'written with two hosts');
      expect(readFileSync(join(mountPoint, 'one'), 'utf8')).toBe('written with all hosts');

      await host(2).boot();
      await poolIsWhole(lab.hosts);
      expect((await host(2).run(['mountpoint', '-q', `${BRICKS}/b1`], limit)).exitCode).not.toBe(0);
      await mountBrick(host(2));
      await gluster(host(2), 'volume', 'start', 'vol1', 'force');
      await healed(host(0), 'vol1');
      expect(await inHost(host(2), ['cat', `${BRICKS}/b1/brick/two`])).toBe('written with two hosts');
    },
    2 * MINUTE,
  );

  it(
    'lose their glusterd without losing their bricks, and restart it when nobody ended it on purpose',
    async () => {
      await host(1).crashGlusterd();
      expect(host(1).isGlusterdReady()).toBe(false);
      writeFileSync(join(mountPoint, 'three'), 'written without a glusterd');
      expect(await inHost(host(1), ['cat', `${BRICKS}/b1/brick/three`])).toBe('written without a glusterd');
      await host(1).startGlusterd();

      const pid = (await inHost(host(1), ['cat', '/run/glusterd.pid'])).trim();
      await inHost(host(1), ['kill', '-9', pid]);
      expect(await until(() => !host(1).isGlusterdReady(), MINUTE)).toBe(true);
      expect(await until(() => host(1).isGlusterdReady(), MINUTE)).toBe(true);
      expect((await inHost(host(1), ['cat', '/run/glusterd.pid'])).trim()).not.toBe(pid);
    },
    2 * MINUTE,
  );

  it(
    'tell about a glusterd that refuses its state, and start it once the state is repaired',
    async () => {
      await host(1).stopGlusterd();
      const torn = join(host(1).directory, 'lib-glusterd/vols/torn');
      await inHost(host(1), ['mkdir', '-p', '/var/lib/glusterd/vols/torn']);
      await inHost(host(1), ['touch', '/var/lib/glusterd/vols/torn/info']);
      await expect(host(1).startGlusterd()).rejects.toThrow(/^glusterd of storage-2 ended while starting:\n[^]*torn/);
      rmSync(torn, { recursive: true });
      expect(await until(() => host(1).isGlusterdReady(), MINUTE)).toBe(true);
      await poolIsWhole(lab.hosts);
    },
    2 * MINUTE,
  );

  it(
    'are cut off by a partition from peers and client, silently, and heal afterwards',
    async () => {
      const isReached = (): Promise<boolean> => host(0).canReach(host(2).address, 24007);
      expect(await isReached()).toBe(true);
      await host(2).partition();
      expect(await isReached()).toBe(false);
      expect(await host(2).canReach(host(1).address, 24007)).toBe(false);
      expect((await inHost(host(2), ['ls', `${BRICKS}/b1/brick`])).split('\n')).toContain('one');
      await host(2).heal();
      expect(await until(isReached, MINUTE, 100)).toBe(true);
      await poolIsWhole(lab.hosts);
      writeFileSync(join(mountPoint, 'four'), 'written after the partition');
      await gluster(host(0), 'volume', 'start', 'vol1', 'force');
      await healed(host(0), 'vol1');
      expect(await inHost(host(2), ['cat', `${BRICKS}/b1/brick/four`])).toBe('written after the partition');
    },
    3 * MINUTE,
  );

  it(
    'keep a long-lived process until the host goes',
    async () => {
      const logFile = join(directory, 'agent.log');
      const program = 'console.log(process.env.NAME, process.stdin.isTTY); setInterval(() => 0, 1000)';
      const agent = host(0).spawn([process.execPath, '-e', program], { env: { NAME: 'agent' }, logFile });
      expect(
        await until(() => existsSync(logFile) && readFileSync(logFile, 'utf8') === 'agent undefined\n', MINUTE),
      ).toBe(true);
      const ended = once(agent, 'exit');
      await host(0).crash();
      expect(await ended).toEqual([null, 'SIGKILL']);
    },
    MINUTE,
  );

  it(
    'find their volumes again after the machine was cleared and they were started anew',
    async () => {
      const before = lab.subnet;
      await expect(removeLeftovers({ directory })).rejects.toThrow(/in use by another process/);
      await lab.down();
      expect(await tracesOf({ directory })).toEqual([]);
      lab = await startHosts({ directory, count: 3 });
      expect(lab.subnet).toBe(before);
      await poolIsWhole(lab.hosts);
      expect(await gluster(host(0), 'volume', 'list')).toBe('vol1\n');
      await Promise.all(lab.hosts.map(mountBrick));
      await gluster(host(0), 'volume', 'start', 'vol1', 'force');
      await lab.mount('vol1', mountPoint);
      expect(readFileSync(join(mountPoint, 'four'), 'utf8')).toBe('written after the partition');
    },
    2 * MINUTE,
  );

  it('are removed in seconds even when all of them are cut off under a mounted volume', async () => {
    for (const each of lab.hosts) await each.partition();
    const startedAt = Date.now();
    await lab.down();
    expect(Date.now() - startedAt).toBeLessThan(20_000); // Waiting for the client's ping-timeout takes 84 s.
    expect(await tracesOf({ directory })).toEqual([]);
  }, 180_000);
});

const limit = { timeoutMs: 130_000 };

async function inHost(host: StorageHost, argv: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await host.run(argv, limit);
  if (exitCode !== 0) throw new Error(`${host.name}: ${argv.join(' ')}: ${stderr}${stdout}`);
  return stdout;
}

const gluster = (host: StorageHost, ...args: string[]): Promise<string> =>
  inHost(host, ['gluster', '--mode=script', ...args]);

/** Every member knows every other one as connected: only then glusterd accepts the next change. */
async function poolIsWhole(hosts: readonly StorageHost[]): Promise<void> {
  const isWhole = async (host: StorageHost): Promise<boolean> => {
    const status = await gluster(host, 'peer', 'status');
    return status.split('State: Peer in Cluster (Connected)').length === hosts.length;
  };
  const all = async (): Promise<boolean> => (await Promise.all(hosts.map(isWhole))).every((whole) => whole);
  expect(await until(all, MINUTE, 200)).toBe(true);
}

/** What a node agent does after a reboot, by hand: attach, format once, mount. */
async function mountBrick(host: StorageHost): Promise<void> {
  const device = host.devices[0] ?? '';
  const loop = (await inHost(host, ['losetup', '--find', '--show', device])).trim();
  const signature = await host.run(['blkid', '-p', loop], limit);
  if (signature.exitCode === 2) await inHost(host, ['mkfs.xfs', '-q', '-i', 'size=512', loop]);
  await inHost(host, ['mkdir', '-p', `${BRICKS}/b1`]);
  await inHost(host, ['mount', '-o', 'noatime,nouuid', loop, `${BRICKS}/b1`]);
  await inHost(host, ['mkdir', '-p', `${BRICKS}/b1/brick`]);
}

async function healed(host: StorageHost, volume: string): Promise<void> {
  const isHealed = async (): Promise<boolean> => {
    const info = await gluster(host, 'volume', 'heal', volume, 'info');
    return info.split('Number of entries: 0\n').length === 4;
  };
  expect(await until(isHealed, 2 * MINUTE, 500)).toBe(true);
}
