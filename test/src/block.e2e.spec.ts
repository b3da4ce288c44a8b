import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hostsSupported, type HostLab, type StorageHost } from '@brickyard/hosts';
import { BlockVolumeInfo } from './answers';
import { command, stackUnderTest, type StackUnderTest } from './stack-under-test';

jest.setTimeout(300_000);

const describeOnHosts = hostsSupported().supported ? describe : describe.skip;
const GIB = 1024 ** 3;
const LOOK_MS = 10_000;

describeOnHosts('a block volume on real Gluster hosts', () => {
  let system: StackUnderTest;
  let lab: HostLab;

  beforeAll(async () => {
    const env = { HEKETI_AUTO_CREATE_BLOCK_HOSTING_VOLUME: 'true', HEKETI_BLOCK_HOSTING_VOLUME_SIZE: '4' };
    system = await stackUnderTest({ hosts: 'real', nodes: 3, registry: false, env });
    if (system.stack.lab === undefined) throw new Error('the stack has no real hosts');
    lab = system.stack.lab;
  });

  afterAll(async () => {
    expect(await system.end()).toEqual([]);
  });

  const hostAt = (address: string): StorageHost => {
    const host = lab.hosts.find((one) => one.address === address);
    if (host === undefined) throw new Error(`no host has the address ${address}`);
    return host;
  };

  /** The disk behind one portal, for initiators in user space. */
  function disk(block: BlockVolumeInfo, portal: string, login?: string): string {
    const { iqn, lun, username, password } = block.blockvolume;
    return `iscsi://${login ?? `${username}%${password}@`}${portal}/${iqn}/${String(lun)}`;
  }

  /** Writes or reads a pattern as a virtual machine's disk is written and read; a byte that is another rejects. */
  async function io(url: string, what: string): Promise<void> {
    const output = await command('qemu-io', ['-f', 'raw', '-c', what, url]);
    expect(output).not.toMatch(/failed|error/i);
  }

  const sizeBehind = async (url: string): Promise<number> =>
    Number((await command('iscsi-readcapacity16', ['-s', url])).trim());

  const isOffered = (url: string): Promise<boolean> =>
    sizeBehind(url).then(
      () => true,
      () => false,
    );

  /** What of block volumes a host has: hosting volumes it mounts, targets it remembers. */
  async function leftOn(host: StorageHost): Promise<string[]> {
    const mounts = await host.run(['cat', '/proc/self/mounts'], { timeoutMs: LOOK_MS });
    const targets = await host.run(['find', host.stateDirectory, '-path', '*/targets/*'], { timeoutMs: LOOK_MS });
    const lines = `${mounts.stdout}${targets.stdout}`.split('\n');
    return lines.filter((line) => line.includes('/hosting/') || line.includes('/targets/'));
  }

  it('is one disk behind two portals, asks for its secret, outlives a host and its daemon, grows, and leaves nothing', async () => {
    const made = await system.api.post('/blockvolumes', { size: 1, name: 'disk', hacount: 2, auth: true });
    const block = BlockVolumeInfo.parse(made.body);
    const [one = '', other = ''] = block.blockvolume.hosts;
    expect(block).toMatchObject({ size: 1, usablesize: 1, hacount: 2, name: 'disk' });
    expect(new Set([one, other]).size).toBe(2);

    // Nobody without the secret, at any portal.
    for (const portal of [one, other]) {
      for (const login of ['', `${block.blockvolume.username}%not-the-secret@`]) {
        await expect(command('iscsi-inq', [disk(block, portal, login)])).rejects.toThrow(/iscsi-inq/);
      }
      expect(await command('iscsi-inq', [disk(block, portal)])).toMatch(/BRICKYRD/);
      expect(await sizeBehind(disk(block, portal))).toBe(GIB);
    }

    // What is written through one portal is read through the other, also when that has read it before.
    await io(disk(block, one), 'write -P 0xa5 0 8M');
    await io(disk(block, other), 'read -P 0xa5 0 8M');
    await io(disk(block, other), 'write -P 0x5a 4M 4M');
    await io(disk(block, one), 'read -P 0xa5 0 4M');
    await io(disk(block, one), 'read -P 0x5a 4M 4M');

    // The host of one portal loses power: the other one goes on.
    await system.stack.crashHost(hostAt(one).name);
    await io(disk(block, other), 'read -P 0x5a 4M 4M');
    await io(disk(block, other), 'write -P 0x33 0 1M');
    await system.stack.bootHost(hostAt(one).name);
    await system.until('the portal comes back by itself', () => isOffered(disk(block, one)));
    await io(disk(block, one), 'read -P 0x33 0 1M');
    await expect(command('iscsi-inq', [disk(block, one, '')])).rejects.toThrow(/iscsi-inq/);

    // The daemon of the other one is killed: it is started, and offers again.
    await hostAt(other).run(['pkill', '-KILL', '-x', 'tgtd'], { timeoutMs: LOOK_MS });
    await system.until('the daemon comes back by itself', () => isOffered(disk(block, other)));

    const path = `/blockvolumes/${block.id}`;
    const grown = BlockVolumeInfo.parse((await system.api.post(`${path}/expand`, { new_size: 2 })).body);
    expect([grown.size, grown.usablesize]).toEqual([2, 2]);
    for (const portal of [one, other]) expect(await sizeBehind(disk(block, portal))).toBe(2 * GIB);
    await io(disk(block, other), 'read -P 0xa5 1M 3M');
    await io(disk(block, one), 'write -P 0x77 1900M 8M');

    const hosting = `/volumes/${block.blockhostingvolume}`;
    expect((await system.api.get(hosting)).body).toMatchObject({ block: true });
    await expect(system.api.delete(hosting)).rejects.toThrow(/containing block volumes/);
    await expectNowhere(block);
    await system.api.delete(path);
    expect(await isOffered(disk(block, one))).toBe(false);
    for (const host of lab.hosts) expect(await leftOn(host)).toEqual([]);
    await system.api.delete(hosting);
    expect(await system.usedKib()).toBe(0);
  });

  /** The secret is told to who may ask for the block volume, and written down nowhere but on the hosts that offer it. */
  async function expectNowhere({ id, blockvolume: { password } }: BlockVolumeInfo): Promise<void> {
    expect(password.length).toBeGreaterThanOrEqual(12);
    const logs = join(system.dataDir, 'logs');
    for (const name of await readdir(logs)) expect(await readFile(join(logs, name), 'utf8')).not.toContain(password);
    const { body } = await system.api.get(`/v1/history/blockvolumes/${id}`);
    const { events } = body as { readonly events: readonly { readonly operationId?: string }[] };
    expect(events.length).toBeGreaterThan(2);
    const all = JSON.stringify((await system.api.get('/v1/events?limit=1000')).body);
    expect(all).toContain(id);
    expect(all).not.toContain(password);
  }
});
