import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type HostLab, hostsSupported, startHosts } from '@brickyard/hosts';
import { ensureMounted, readFill, readMount, unmount } from './gluster-mount';
import type { Volume } from './volume-claim';

const MINUTE = 60_000;
const BRICK = '/var/lib/brickyard/brick';

/** Three real Gluster hosts with a volume `registry` on plain directories, which is enough to mount it. */
describe('ensureMounted', () => {
  const directory = mkdtempSync(join(tmpdir(), 'brickyard-registry-'));
  const target = join(directory, 'images');
  let lab: HostLab;
  let volume: Volume;

  beforeAll(async () => {
    expect(hostsSupported().missing).toEqual([]);
    lab = await startHosts({ directory, count: 3 });
    const [first, ...others] = lab.hosts;
    if (first === undefined) throw new Error('no host');
    const gluster = async (...words: string[]): Promise<string> => {
      const { exitCode, stdout, stderr } = await first.run(['gluster', '--mode=script', ...words], {
        timeoutMs: MINUTE,
      });
      if (exitCode !== 0) throw new Error(`gluster ${words.join(' ')}: ${stderr}`);
      return stdout;
    };
    for (const { address } of others) await gluster('peer', 'probe', address);
    while ((await gluster('peer', 'status')).split('Peer in Cluster (Connected)').length < 3) continue;
    const bricks = lab.hosts.map(({ address }) => `${address}:${BRICK}`);
    await gluster('volume', 'create', 'registry', 'replica', '3', ...bricks, 'force');
    await gluster('volume', 'start', 'registry');
    const hosts = lab.hosts.map(({ address }) => address);
    const options = { 'backup-volfile-servers': hosts.slice(1).join(':') };
    const device = `${first.address}:registry`;
    volume = { id: 'a1', name: 'registry', size: 1, mount: { glusterfs: { hosts, device, options } } };
  }, 3 * MINUTE);

  afterAll(async () => {
    if ((await readMount(target)) !== undefined) await unmount(target);
    await lab.down();
    rmSync(directory, { recursive: true, force: true });
  }, MINUTE);

  it(
    'mounts the volume once, tells its size, and unmounts it',
    async () => {
      let mounts = 0;
      const mount = (): Promise<void> =>
        ensureMounted(volume, target, () => {
          mounts += 1;
          return Promise.resolve();
        });
      await mount();
      await mount();
      expect(mounts).toBe(1);
      writeFileSync(join(target, 'layer'), 'bytes');
      const { sizeBytes, freeBytes } = await readFill(target);
      expect(freeBytes).toBeGreaterThan(0);
      expect(sizeBytes).toBeGreaterThan(freeBytes);
      await unmount(target);
      expect(existsSync(join(target, 'layer'))).toBe(false);
    },
    MINUTE,
  );

  it(
    'mounts again when the client process behind the mount has died',
    async () => {
      await ensureMounted(volume, target, () => Promise.resolve());
      writeFileSync(join(target, 'kept'), 'bytes');
      process.kill(clientOf(target), 'SIGKILL');
      let mounts = 0;
      while (mounts === 0) {
        // The kernel learns of the death a moment later.
        await ensureMounted(volume, target, () => Promise.resolve(void (mounts += 1)));
      }
      expect(readFileSync(join(target, 'kept'), 'utf8')).toBe('bytes');
    },
    MINUTE,
  );

  it(
    'refuses a directory that carries another volume',
    async () => {
      const { glusterfs } = volume.mount;
      const other = {
        ...volume,
        mount: { glusterfs: { ...glusterfs, device: glusterfs.device.replace('registry', 'other') } },
      };
      await ensureMounted(volume, target, () => Promise.resolve());
      await expect(ensureMounted(other, target, () => Promise.resolve())).rejects.toThrow(/carries fuse.glusterfs/);
    },
    MINUTE,
  );
});

/** The FUSE client of one mount; its last argument is the directory. */
function clientOf(directory: string): number {
  const lines = execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' }).split('\n');
  const line = lines.find((one) => one.includes('glusterfs') && one.trimEnd().endsWith(` ${directory}`)) ?? '';
  return Number(line.trim().split(' ')[0]);
}
