import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { hostsSupported, type HostLab, type StorageHost } from '@brickyard/hosts';
import { z } from 'zod';
import type { VolumeInfo } from './answers';
import { stackUnderTest, type StackUnderTest } from './stack-under-test';

jest.setTimeout(300_000);

const describeOnHosts = hostsSupported().supported ? describe : describe.skip;
/** Somebody's change is seen within a minute, whatever it is. */
const SEEN_MS = 60_000;
const CLI = join(__dirname, '..', '..', 'apps', 'cli', 'bin', 'brickyard.js');

const DriftList = z.object({
  drift: z.array(
    z.looseObject({
      id: z.string(),
      class: z.string(),
      expected: z.string(),
      found: z.string(),
      about: z.string(),
      restore: z.looseObject({ possible: z.boolean() }),
    }),
  ),
});
type Drift = z.infer<typeof DriftList>['drift'][number];

describeOnHosts('what somebody does by hand on real Gluster hosts', () => {
  let system: StackUnderTest;
  let lab: HostLab;
  let volume: VolumeInfo;
  let mountPoint: string;

  beforeAll(async () => {
    system = await stackUnderTest({ hosts: 'real', nodes: 3, registry: false });
    if (system.stack.lab === undefined) throw new Error('the stack has no real hosts');
    lab = system.stack.lab;
    mountPoint = await mkdtemp(join(tmpdir(), 'brickyard-mount-'));
    volume = await system.createVolume({ size: 1, name: 'data', durability: { type: 'replicate' } });
  });

  afterAll(async () => {
    await lab.unmount(mountPoint).catch(() => undefined);
    const traces = await system.end();
    await rm(mountPoint, { recursive: true, force: true });
    expect(traces).toEqual([]);
  });

  const host = (index = 0): StorageHost => {
    const found = lab.hosts[index];
    if (found === undefined) throw new Error('the lab has too few hosts');
    return found;
  };
  const run = (argv: readonly string[], on = host()): Promise<string> =>
    on.run(argv, { timeoutMs: 60_000 }).then(({ stdout }) => stdout);
  const gluster = (...words: readonly string[]): Promise<string> => run(['gluster', '--mode=script', ...words]);
  const drift = async (): Promise<Drift[]> => DriftList.parse((await system.api.get('/v1/drift')).body).drift;

  /** The difference of a class, once it is told, and what is asked of it holds. */
  async function seen(kind: string, isWanted: (one: Drift) => boolean = () => true): Promise<Drift> {
    let found: Drift | undefined;
    const isSeen = async (): Promise<boolean> => {
      found = (await drift()).find((one) => one.class === kind && isWanted(one));
      return found !== undefined;
    };
    await system.until(`${kind} is not seen`, isSeen, SEEN_MS);
    if (found === undefined) throw new Error(kind);
    return found;
  }
  const agree = (): Promise<void> =>
    system.until('hosts and log do not agree', async () => (await drift()).length === 0, SEEN_MS);
  const settle = (way: 'accept' | 'restore', { id }: Drift): Promise<unknown> =>
    system.api.post(`/v1/drift/${id}/${way}`, {});

  it('is nothing while nobody does anything', async () => {
    expect(await drift()).toEqual([]);
  });

  it('an option: seen, taken back; seen again, and taken over', async () => {
    await gluster('volume', 'set', 'data', 'performance.cache-size', '64MB');
    const first = await seen('option-changed');
    expect(first).toMatchObject({ expected: '', found: '64MB', about: 'option performance.cache-size of volume data' });
    await settle('restore', first);
    expect(await gluster('volume', 'info', 'data')).not.toContain('cache-size');
    await agree();
    await gluster('volume', 'set', 'data', 'performance.cache-size', '64MB');
    await settle('accept', await seen('option-changed'));
    await agree();
    expect(await gluster('volume', 'info', 'data')).toContain('cache-size: 64MB');
  });

  it('a volume that was stopped: seen, and started again', async () => {
    await gluster('volume', 'stop', 'data', 'force');
    const stopped = await seen('volume-stopped');
    await expect(settle('accept', stopped)).rejects.toThrow(/restore starts it again/);
    await settle('restore', stopped);
    expect(await gluster('volume', 'info', 'data')).toContain('Status: Started');
    await agree();
  });

  it('a brick that was unmounted, or whose process was killed: served again without a human', async () => {
    const brick = volume.bricks.find(({ path }) => path !== '');
    const path = brick?.path ?? '';
    const on = await hostOf(brick?.node ?? '');
    const history = async (): Promise<string> =>
      JSON.stringify((await system.api.get(`/v1/history/volumes/${volume.id}`)).body);
    const restored = async (): Promise<number> => (await history()).split('"DriftRestored"').length - 1;
    const before = await restored();
    await run(['umount', '--lazy', dirname(path)], on);
    await system.until('the brick is not mounted again', async () => (await restored()) > before, SEEN_MS);
    expect(await run(['findmnt', '--noheadings', dirname(path)], on)).toContain(dirname(path));
    expect(await history()).toContain('brick-unmounted');
    await agree();
    const pid = await brickPid(on, path);
    await run(['kill', '-9', pid], on);
    await system.until(
      'the brick is not served again',
      async () => {
        const now = await brickPid(on, path);
        return now !== '' && now !== pid;
      },
      SEEN_MS,
    );
    await agree();
  });

  it('a volume that was deleted: seen, and made again around its data', async () => {
    await lab.mount('data', mountPoint);
    const content = randomBytes(1_000_000);
    await writeFile(join(mountPoint, 'kept'), content);
    await lab.unmount(mountPoint);
    await gluster('volume', 'stop', 'data', 'force');
    await gluster('volume', 'delete', 'data');
    // The first host that tells is not the last that forgot: only when all have, the volume can be made again.
    const missing = await seen('volume-missing', ({ restore }) => restore.possible);
    await settle('restore', missing);
    await agree();
    await lab.mount('data', mountPoint);
    expect((await readFile(join(mountPoint, 'kept'))).equals(content)).toBe(true);
    await lab.unmount(mountPoint);
  });

  it('a volume that nobody asked for: seen, left alone, and taken over by who asks for it', async () => {
    const directory = '/var/lib/brickyard/foreign';
    await gluster('volume', 'create', 'foreign', `${host().address}:${directory}`, 'force');
    const unknown = await seen('volume-unknown');
    await expect(settle('restore', unknown)).rejects.toThrow(/left alone/);
    const names = (await system.nodes()).flatMap(({ hostnames }) => hostnames.manage);
    expect(await cli('adopt', ...names)).toMatch(/foreign .*never started/);
    await gluster('volume', 'start', 'foreign');
    expect(await cli('adopt', ...names, '--yes')).toMatch(/Took over 2 of 2 things/);
    await expect(system.api.post('/clusters', {})).rejects.toThrow(/maintenance/);
    expect(await cli('import', 'confirm')).toContain('takes changes again');
    await settle('restore', await seen('option-changed'));
    await agree();
    const { volumes } = (await system.api.get('/v1/volumes')).body as { readonly volumes: readonly VolumeInfo[] };
    const taken = volumes.find(({ name }) => name === 'foreign');
    expect(taken?.bricks.map(({ path }) => path)).toEqual([directory]);
    await system.api.delete(`/volumes/${taken?.id ?? ''}`);
    expect(await gluster('volume', 'list')).not.toContain('foreign');
    await run(['rm', '-r', directory]); // It was there, and stays: nobody but its owner removes it.
    await agree();
  });

  /** The command line, as people call it. */
  async function cli(...words: readonly string[]): Promise<string> {
    const env = { ...process.env, BRICKYARD_SERVER: system.stack.apiUrl, BRICKYARD_KEY: system.stack.adminKey };
    return (await promisify(execFile)(process.execPath, [CLI, ...words], { env })).stdout;
  }

  async function hostOf(nodeId: string): Promise<StorageHost> {
    const node = (await system.nodes()).find(({ id }) => id === nodeId);
    return lab.hosts.find(({ address }) => node?.hostnames.manage.includes(address) === true) ?? host();
  }

  /** The process that serves a brick; empty when none does. */
  async function brickPid(on: StorageHost, path: string): Promise<string> {
    const status = await run(['gluster', '--mode=script', '--xml', 'volume', 'status', 'data'], on);
    const node = status.split('<node>').find((text) => text.includes(path));
    const [, pid = ''] = /<pid>(\d+)<\/pid>/.exec(node ?? '') ?? [];
    return pid;
  }
});
