import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate } from '@brickyard/event-sourcing/postgres';
import { type HostLab, hostsSupported } from '@brickyard/hosts';
import { dropDatabase, ensureDatabase } from '@brickyard/servers';
import { z } from 'zod';
import { VolumeInfo, VolumeList } from './answers';
import { stackUnderTest, type StackUnderTest } from './stack-under-test';

jest.setTimeout(300_000);

const describeOnHosts = hostsSupported().supported ? describe : describe.skip;
const PROGRAM = join(__dirname, '..', '..', 'apps', 'cli', 'bin', 'brickyard.js');
const SERVICES = ['api-gateway-1', 'allocator-1'];
const CONTENT = 'written before the log was lost';
const REPLICATE = { durability: { type: 'replicate', replicate: { replica: 3 } } };
const Status = z.object({
  held: z.boolean(),
  differences: z.int(),
  nodes: z.array(z.object({ heard: z.boolean() })),
});
const Rebuilt = z.object({ adopt: z.array(z.looseObject({ type: z.string() })), undecided: z.array(z.unknown()) });

let system: StackUnderTest;
let lab: HostLab;
let folder: string;
let mountPoint: string;
let hosts: string[];

function brickyard(...argv: string[]): Promise<{ code: number; out: string }> {
  const options = { env: { PATH: process.env['PATH'] ?? '', ...system.stack.env }, timeout: 60_000 };
  return new Promise((resolve) => {
    execFile(PROGRAM, argv, options, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out: out + err });
    });
  });
}

/** What a client finds in the file it once wrote, on the volume mounted anew. */
async function contentOf(volume: string): Promise<string> {
  await lab.mount(volume, mountPoint);
  try {
    return await readFile(join(mountPoint, 'file'), 'utf8');
  } finally {
    await lab.unmount(mountPoint);
  }
}

const volumes = async (): Promise<VolumeInfo[]> => {
  const { volumes: ids } = VolumeList.parse((await system.api.get('/volumes')).body);
  const all = await Promise.all(ids.map((id) => system.api.get(`/volumes/${id}`)));
  return all.map(({ body }) => VolumeInfo.parse(body)).sort((one, other) => (one.name < other.name ? -1 : 1));
};
const status = async (): Promise<z.infer<typeof Status>> => Status.parse((await system.api.get('/v1/restore')).body);

/** The database is gone, with everything in it; what comes back is an empty one, or what `fill` makes of it. */
async function loseTheLog(fill: () => Promise<void>): Promise<void> {
  const url = system.stack.env['BRICKYARD_PG_URL'] ?? '';
  for (const name of SERVICES) await system.stack.service(name).stop();
  await dropDatabase(url);
  await ensureDatabase(new URL('/postgres', url).href, new URL(url).pathname.slice(1));
  await fill();
  for (const name of SERVICES) await system.stack.service(name).start();
  await system.stack.leader();
  await system.until('the gateway answers', async () => (await system.api.get('/v1/restore')).status === 200);
}

describeOnHosts('a log that was lost', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'brickyard-copy-'));
    mountPoint = await mkdtemp(join(tmpdir(), 'brickyard-mount-'));
    system = await stackUnderTest({ hosts: 'real', nodes: 3, registry: false, allocators: 1 });
    if (system.stack.lab === undefined) throw new Error('the stack has no real hosts');
    ({ lab } = system.stack);
    hosts = (await system.nodes()).map(({ hostnames }) => hostnames.manage[0] ?? '');
  });

  afterAll(async () => {
    await lab.unmount(mountPoint).catch(() => undefined);
    for (const each of [folder, mountPoint]) await rm(each, { recursive: true, force: true });
    expect(await system.end()).toEqual([]);
  });

  it('is restored from its copy, held, compared with the hosts, and goes on', async () => {
    const kept = await system.createVolume({ size: 4, name: 'kept', ...REPLICATE });
    await lab.mount('kept', mountPoint);
    await writeFile(join(mountPoint, 'file'), CONTENT);
    await lab.unmount(mountPoint);
    expect(await brickyard('backup', 'run', '--once', '--to', folder, '--ledger', 'control')).toMatchObject({
      code: 0,
    });
    const late = await system.createVolume({ size: 2, name: 'late', ...REPLICATE });
    const before = await volumes();
    await loseTheLog(async () => {
      expect(await brickyard('restore', '--from', folder)).toMatchObject({ code: 0 });
    });
    expect(await volumes()).toEqual([kept]);
    await expect(system.createVolume({ size: 1, name: 'refused', ...REPLICATE })).rejects.toThrow(/restored from/);
    // What the copy lacks is seen, and taken up from the hosts; then nothing differs, and the log goes on by itself.
    await system.until('the difference is seen', async () => (await status()).differences > 0);
    // Those without differences, too, have told this gateway nothing new.
    expect(await status()).toMatchObject({ held: true, nodes: hosts.map(() => ({ heard: true })) });
    const rebuild = await brickyard('rebuild', '--apply', '--json', ...hosts);
    expect(Rebuilt.parse(JSON.parse(rebuild.out)).undecided).toEqual([]);
    await system.until('the log is released', async () => !(await status()).held);
    expect(await volumes()).toEqual(before);
    expect(before.map(({ id }) => id)).toContain(late.id);
    await system.api.post(`/volumes/${kept.id}/expand`, { expand_size: 2 });
    await system.api.delete(`/volumes/${late.id}`);
    expect((await volumes()).map(({ id, size }) => ({ id, size }))).toEqual([{ id: kept.id, size: 6 }]);
    expect(await contentOf('kept')).toBe(CONTENT);
    expect(await brickyard('audit', 'verify')).toMatchObject({ code: 0 });
  });

  it('is made anew from the hosts when there is no copy: first told, then done', async () => {
    const more = await system.createVolume({ size: 3, name: 'more', durability: { type: 'none' } });
    const [before, nodes] = [await volumes(), await system.nodes()];
    await loseTheLog(() => migrate(system.stack.env['BRICKYARD_PG_URL'] ?? ''));
    expect(await volumes()).toEqual([]);
    const preview = await brickyard('rebuild', '--json', ...hosts);
    expect(Rebuilt.parse(JSON.parse(preview.out))).toMatchObject({ undecided: [] });
    expect(await volumes()).toEqual([]);
    expect(await brickyard('rebuild', '--apply', ...hosts)).toMatchObject({ code: 0 });
    expect(await volumes()).toEqual(before);
    const sizes = (all: typeof nodes): unknown =>
      all
        .map(({ id, hostnames, devices }) => ({
          id,
          hostnames,
          devices: devices.map((one) => [one.id, one.storage]).sort(),
        }))
        .sort((one, other) => (one.id < other.id ? -1 : 1));
    expect(sizes(await system.nodes())).toEqual(sizes(nodes));
    expect(await contentOf('kept')).toBe(CONTENT);
    await system.api.post(`/volumes/${more.id}/expand`, { expand_size: 1 });
    await system.createVolume({ size: 1, name: 'new', ...REPLICATE });
    for (const { id } of await volumes()) await system.api.delete(`/volumes/${id}`);
    expect(await system.usedKib()).toBe(0);
    expect(await brickyard('audit', 'verify')).toMatchObject({ code: 0 });
  });
});
