import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { hostsSupported, type HostLab, type StorageHost } from '@brickyard/hosts';
import { type NodeInfo, VolumeInfo } from './answers';
import { stackUnderTest, type StackUnderTest } from './stack-under-test';

jest.setTimeout(600_000); // Half a dozen heals, each as long as a busy machine takes.

const describeOnHosts = hostsSupported().supported ? describe : describe.skip;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Often enough to meet every moment of a move; more would take the processor from the heals that are waited for. */
const READ_PAUSE_MS = 40;
const WRITE_PAUSE_MS = 800;
/** For one move of bricks with its heals; what still heals then is told. */
const MOVE_MS = 300_000;

/** Somebody who uses a volume all the time, and remembers everything that went wrong. */
interface User {
  readonly written: ReadonlyMap<string, string>;
  readonly reads: () => number;
  /** Ends, and tells what was wrong. */
  stop(): Promise<readonly string[]>;
}

/** Reads what was written, over and over, and writes more. */
function use(directory: string): User {
  const written = new Map<string, string>();
  const problems: string[] = [];
  const ending = new AbortController();
  const isOver = (): boolean => ending.signal.aborted;
  let reads = 0;
  const write = async (): Promise<void> => {
    for (let number = 0; !isOver(); number += 1) {
      const name = `file-${String(number)}`;
      const content = randomBytes(20_000 + (number % 7) * 30_000);
      await writeFile(join(directory, name), content).catch((error: unknown) => {
        problems.push(`write ${name}: ${String(error)}`);
      });
      written.set(name, sha256(content));
      // Enough for a heal to have work, little enough for the machine.
      if (number > 25) await pause(WRITE_PAUSE_MS);
    }
  };
  const read = async (): Promise<void> => {
    while (!isOver()) {
      for (const [name, hash] of [...written]) {
        const content = await readFile(join(directory, name)).catch((error: unknown) => {
          problems.push(`read ${name}: ${String(error)}`);
        });
        if (content !== undefined && sha256(content) !== hash) problems.push(`${name} has other content`);
        reads += 1;
        if (isOver()) return;
        await pause(READ_PAUSE_MS);
      }
      await pause(READ_PAUSE_MS);
    }
  };
  const work = Promise.all([write(), read()]);
  return {
    written,
    reads: () => reads,
    async stop() {
      ending.abort();
      await work;
      return problems;
    },
  };
}

describeOnHosts('bricks that are moved away on real Gluster hosts, while the volume is read and written', () => {
  let system: StackUnderTest;
  let lab: HostLab;
  const mounts: string[] = [];
  const users = new Map<string, { readonly mount: string; readonly user: User }>();

  beforeAll(async () => {
    system = await stackUnderTest({ hosts: 'real', nodes: 4, registry: false });
    if (system.stack.lab === undefined) throw new Error('the stack has no real hosts');
    lab = system.stack.lab;
  });

  afterAll(async () => {
    // Clients first: a user who waits in a volume that hangs stops only when its client has ended.
    for (const mount of mounts) await lab.unmount(mount).catch(() => undefined);
    const left = await system.end();
    for (const { user } of users.values()) await user.stop();
    for (const mount of mounts) await rm(mount, { recursive: true, force: true });
    expect(left).toEqual([]);
  });

  async function mounted(volume: string): Promise<string> {
    const mount = await mkdtemp(join(tmpdir(), 'brickyard-mount-'));
    mounts.push(mount);
    await lab.mount(volume, mount);
    return mount;
  }

  const volumeOf = async (id: string): Promise<VolumeInfo> =>
    VolumeInfo.parse((await system.api.get(`/volumes/${id}`)).body);
  const hostOf = (node: NodeInfo): StorageHost => {
    const host = lab.hosts.find(({ address }) => address === node.hostnames.storage[0]);
    if (host === undefined) throw new Error(`no host for node ${node.id}`);
    return host;
  };
  async function nodeWith(id: string): Promise<NodeInfo> {
    const node = (await system.nodes()).find((each) => each.id === id);
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  /** What Gluster says still has to be copied. */
  async function unhealed(): Promise<string> {
    const host = lab.hosts.find((each) => each.isGlusterdReady());
    const told = [...users.keys()].map(async (name) => {
      const { stdout, stderr } =
        (await host?.run(['gluster', 'volume', 'heal', name, 'info'], { timeoutMs: 60_000 })) ?? {};
      return `${name}:\n${stdout ?? ''}${stderr ?? ''}`;
    });
    return (await Promise.all(told)).join('\n');
  }

  /** Asks for bricks to be moved away, and waits until they are. */
  async function moveAway(path: string, body: object): Promise<void> {
    await system.api.post(path, body, { operationTimeoutMs: MOVE_MS }).catch(async (error: unknown) => {
      throw new Error(`${path} does not end well: ${String(error)}\n${await unhealed()}`, { cause: error });
    });
  }

  /** What of bricks a host still holds. */
  async function bricksLeftOn(host: StorageHost): Promise<string[]> {
    const images = await host.run(['find', host.stateDirectory, '-name', '*.img'], { timeoutMs: 10_000 });
    const mountTable = await host.run(['cat', '/proc/self/mounts'], { timeoutMs: 10_000 });
    return `${images.stdout}\n${mountTable.stdout}`.split('\n').filter((line) => /\.img|\/brick_/.test(line));
  }

  /** Every file as one brick has it: of a replica the brick's copy is the file. */
  async function copiesOn(volume: VolumeInfo, brickId: string): Promise<Map<string, string>> {
    const brick = volume.bricks.find(({ id }) => id === brickId);
    const host = hostOf(await nodeWith(brick?.node ?? ''));
    const argv = ['find', brick?.path ?? '', '-maxdepth', '1', '-name', 'file-*', '-exec', 'sha256sum', '{}', '+'];
    const { stdout } = await host.run(argv, { timeoutMs: 60_000 });
    return new Map(
      stdout.split('\n').flatMap((line) => {
        const [, hash, path] = /^([0-9a-f]{64}) {2}(.*)$/.exec(line) ?? [];
        return hash === undefined ? [] : [[path?.split('/').at(-1) ?? '', hash] as const];
      }),
    );
  }

  async function expectWhole(mount: string, written: ReadonlyMap<string, string>): Promise<void> {
    expect((await readdir(mount)).filter((name) => name.startsWith('file-')).sort()).toEqual(
      [...written.keys()].sort(),
    );
    for (const [name, hash] of written) expect(sha256(await readFile(join(mount, name)))).toBe(hash);
  }

  const SHAPES: readonly (readonly [name: string, body: object])[] = [
    ['replica', { durability: { type: 'replicate', replicate: { replica: 3 } } }],
    [
      'arbiter',
      {
        durability: { type: 'replicate', replicate: { replica: 3 } },
        glustervolumeoptions: ['user.heketi.arbiter true'],
      },
    ],
    ['disperse', { durability: { type: 'disperse', disperse: { data: 2, redundancy: 1 } } }],
  ];

  it('loses no byte and fails no read: a brick evicted, a device emptied, and the node of a dead host', async () => {
    const volumes: VolumeInfo[] = [];
    for (const [name, body] of SHAPES) volumes.push(await system.createVolume({ size: 2, name, ...body }));
    for (const { name } of volumes) {
      const mount = await mounted(name);
      users.set(name, { mount, user: use(mount) });
    }
    const isBusy = (): Promise<boolean> =>
      Promise.resolve([...users.values()].every(({ user }) => user.written.size > 25 && user.reads() > 25));
    await system.until('the users do not get going', isBusy);

    // One brick alone, of the kind whose copies are no copies.
    const dispersed = await volumeOf(volumes[2]?.id ?? '');
    const [brick] = dispersed.bricks;
    await moveAway(`/bricks/to-evict/${brick?.id ?? ''}`, {});
    const after = await volumeOf(dispersed.id);
    expect(after.bricks).toHaveLength(3);
    expect(after.bricks.map((each) => each.id)).not.toContain(brick?.id);
    expect(after.bricks.map(({ device }) => device)).not.toContain(brick?.device);
    expect(new Set(after.bricks.map(({ node }) => node)).size).toBe(3);

    // A whole device, then back into service.
    const replica = await volumeOf(volumes[0]?.id ?? '');
    const device = replica.bricks[0]?.device ?? '';
    await system.api.post(`/devices/${device}/state`, { state: 'offline' });
    await moveAway(`/devices/${device}/state`, { state: 'failed' });
    for (const { id } of volumes) expect((await volumeOf(id)).bricks.map((each) => each.device)).not.toContain(device);
    const emptied = await nodeWith(replica.bricks[0]?.node ?? '');
    const deviceName = emptied.devices.find(({ id }) => id === device)?.name ?? '';
    const left = await bricksLeftOn(hostOf(emptied));
    expect(left.filter((line) => line.includes(`vg_${device}/`) || line.includes(`${deviceName}.`))).toEqual([]);
    for (const state of ['offline', 'online']) await system.api.post(`/devices/${device}/state`, { state });

    // A host that is gone for good.
    const victim = await nodeWith((await volumeOf(volumes[0]?.id ?? '')).bricks[0]?.node ?? '');
    const place = system.stack.hosts.find(({ name }) =>
      lab.hosts.some((host) => host.name === name && host.address === victim.hostnames.storage[0]),
    );
    await system.stack.crashHost(place?.name ?? '');
    await system.until('the dead host is not noticed', async () => {
      const { body } = await system.api.get('/v1/status');
      return JSON.stringify(body).includes('"lost":true');
    });
    await system.api.post(`/nodes/${victim.id}/state`, { state: 'offline' });
    await moveAway(`/nodes/${victim.id}/state`, { state: 'failed' });
    for (const { id } of volumes) {
      const { bricks } = await volumeOf(id);
      expect(bricks.map(({ node }) => node)).not.toContain(victim.id);
      expect(new Set(bricks.map(({ node }) => node)).size).toBe(3);
    }

    for (const [name, { mount, user }] of users) {
      expect({ name, problems: await user.stop() }).toEqual({ name, problems: [] });
      await expectWhole(mount, user.written);
    }
    // Every copy of a replicated volume is whole, not only the one that happened to be read.
    const moved = await volumeOf(volumes[0]?.id ?? '');
    const written = users.get('replica')?.user.written ?? new Map<string, string>();
    for (const { id } of moved.bricks) expect(await copiesOn(moved, id)).toEqual(written);

    // The dead host comes back with the copies it had: they are removed.
    await system.stack.bootHost(place?.name ?? '');
    const isClean = async (): Promise<boolean> => (await bricksLeftOn(hostOf(victim))).length === 0;
    await system.until('what the dead host kept is not removed', isClean, 90_000);
    expect((await nodeWith(victim.id)).devices.map(({ storage }) => storage.used)).toEqual(victim.devices.map(() => 0));
  });
});
