import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { VolumeInfo } from './answers';
import { stackUnderTest, type StackUnderTest } from './stack-under-test';

jest.setTimeout(300_000);

const PROGRAM = join(__dirname, '..', '..', 'apps', 'cli', 'bin', 'brickyard.js');
const HEKETI = join(__dirname, '..', '..', 'apps', 'cli', 'bin', 'heketi-cli.js');
const EXIT = { fine: 0, refused: 1, usage: 2, unavailable: 3 };
const Report = z.object({
  ok: z.boolean(),
  head: z.object({ position: z.int() }),
  checks: z.array(z.object({ name: z.string(), done: z.boolean(), said: z.string(), findings: z.array(z.unknown()) })),
});
const Changes = z.object({
  changes: z.array(z.object({ kind: z.string(), id: z.string(), what: z.string(), by: z.array(z.string()) })),
});

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function run(file: string, argv: readonly string[], env: Readonly<Record<string, string>>): Promise<Ended> {
  const options = { env: { PATH: process.env['PATH'] ?? '', ...env }, timeout: 120_000, maxBuffer: 64 * 1024 * 1024 };
  return new Promise((resolve) => {
    execFile(file, [...argv], options, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

describe('brickyard, the command', () => {
  let system: StackUnderTest;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'brickyard-cli-'));
    system = await stackUnderTest({
      hosts: 'simulated',
      nodes: 3,
      registry: false,
      env: { BRICKYARD_CHECKPOINT_EVENTS: '20' },
    });
  });

  afterAll(async () => {
    await system.end();
    await rm(folder, { recursive: true, force: true });
  });

  const brickyard = (...argv: string[]): Promise<Ended> =>
    run(process.execPath, [PROGRAM, ...argv], { ...system.stack.env, BRICKYARD_HOSTS: '' });

  /** What a command prints with `--json`. */
  async function data<T>(schema: z.ZodType<T>, ...argv: string[]): Promise<T> {
    const { code, out, err } = await brickyard('--json', ...argv);
    expect({ code, err }).toEqual({ code: EXIT.fine, err: '' });
    return schema.parse(JSON.parse(out));
  }

  const position = async (): Promise<number> => (await data(z.object({ position: z.int() }), 'status')).position;

  it('makes, shows, grows and deletes a volume, and looks at what was before', async () => {
    const before = await position();
    const create = ['volume', 'create', '--size', '2GiB', '--name', 'data', '--replica', '3'];
    const volume = await data(VolumeInfo, ...create);
    expect(volume).toMatchObject({ name: 'data', size: 2 });
    const made = await position();
    const taken = await brickyard(...create);
    const why = /^brickyard: .*data.*\n(?: {2}→ .*\n)* {2}→ why: brickyard explain refusal ([0-9a-f]+)\n$/;
    expect(taken).toMatchObject({ code: EXIT.refused, out: '', err: expect.stringMatching(why) as string });
    const refused = await brickyard('explain', 'refusal', why.exec(taken.err)?.[1] ?? '');
    expect(refused).toMatchObject({ code: EXIT.fine, out: expect.stringContaining('data') as string });

    const list = await brickyard('volume', 'list');
    expect(list.out).toMatch(new RegExp(`^VOLUME .*\\n${volume.id} +data +2 GiB +replicate 3 +3 `));
    const info = await brickyard('volume', 'info', 'data');
    for (const { id, device } of volume.bricks) expect(info.out).toMatch(new RegExp(`${id} .*${device}`));

    const grown = await data(VolumeInfo, 'volume', 'expand', volume.id.slice(0, 8), '--size', '1GiB');
    expect(grown.size).toBe(3);
    const then = await data(VolumeInfo, 'volume', 'info', volume.id, '--at', String(made));
    expect(then).toEqual(volume);

    const asked = await data(z.object({ operation: z.string() }), 'volume', 'delete', volume.id, '--wait=false');
    const Ending = z.object({ kind: z.string(), status: z.string() });
    await system.until('the deletion does not end', async () => {
      const { status } = await data(Ending, 'operation', 'info', asked.operation);
      return status === 'done';
    });
    expect((await brickyard('operation', 'list')).out).toMatch(
      new RegExp(`${asked.operation} +delete-volume +${volume.id} +done`),
    );
    expect(await brickyard('volume', 'info', volume.id)).toMatchObject({
      code: EXIT.refused,
      err: 'brickyard: Id not found\n',
    });
    expect(await brickyard('volume', 'list', '--at', String(before))).toMatchObject({ code: 0 });

    const history = await brickyard('history', 'volume', volume.id);
    for (const type of ['VolumePlanned', 'VolumeCreated', 'VolumeExpanded', 'VolumeDeleted']) {
      expect(history.out).toContain(type);
    }
    await diffs(volume.id, before, made);
  });

  /** Both ways to learn what changed give the same answer. */
  async function diffs(volumeId: string, before: number, made: number): Promise<void> {
    const [from, to] = [String(before), String(made)];
    const asked = await data(Changes, 'diff', from, to);
    const read = await data(Changes, 'diff', from, to, '--pg', system.stack.env['BRICKYARD_PG_URL'] ?? '');
    expect(read).toEqual(asked);
    expect(read.changes.map(({ kind, what }) => `${what} ${kind}`).sort()).toEqual([
      'added volume',
      'changed cluster',
      'changed device',
      'changed device',
      'changed device',
    ]);
    for (const { by } of read.changes) expect(by.join()).toMatch(/admin.*VolumePlanned/);
    expect((await brickyard('diff', from, to)).out).toContain(`+ volume ${volumeId}`);
  }

  it('shows clusters, nodes, devices and the whole', async () => {
    const [node] = await system.nodes();
    if (node === undefined) throw new Error('there is no node');
    const host = node.hostnames.manage[0] ?? '';
    expect((await brickyard('cluster', 'list')).out).toMatch(/^CLUSTER .*\n[0-9a-f]{32} +3 /);
    expect((await brickyard('node', 'list')).out).toContain(`${node.id}  ${host}`);
    expect((await brickyard('node', 'info', host)).out).toContain(node.devices[0]?.name ?? 'no device');
    expect((await brickyard('device', 'info', `${host}:${node.devices[0]?.name ?? ''}`)).out).toMatch(/total +20 GiB/);
    expect((await brickyard('topology', 'info')).out).toMatch(
      new RegExp(`Cluster [0-9a-f]{32}\\n  Node .*\\n    Device `),
    );
    expect((await brickyard('status')).out).toMatch(
      new RegExp(`${node.id} +${host.replaceAll('.', '\\.')} +online +alive +simulated`),
    );
    const made = await data(z.object({ id: z.string() }), 'cluster', 'create', '--block=false');
    expect((await brickyard('cluster', 'info', made.id)).out).toMatch(/block volumes +no/);
    expect(await brickyard('cluster', 'delete', made.id)).toMatchObject({ code: 0 });
    expect(await brickyard('cluster', 'info', made.id)).toMatchObject({ code: EXIT.refused });
  });

  const heketi = (...argv: string[]): Promise<Ended> => run(process.execPath, [HEKETI, ...argv], system.stack.env);

  /** What heketi-cli prints when all is well. */
  async function said(...argv: string[]): Promise<string> {
    const { code, out, err } = await heketi(...argv);
    expect({ argv, code, err }).toEqual({ argv, code: EXIT.fine, err: '' });
    return out;
  }

  /** What a script cuts out of a text: the word behind a label. */
  const cut = (text: string, label: string): string => new RegExp(`${label}:? ?(\\S+)`).exec(text)?.[1] ?? '';

  it('does a day of work as heketi-cli, in its words', async () => {
    const device = (host: string) => ({ name: `/dev/${host}`, tags: { tier: 'gold' } });
    const node = (host: string, zone: number) => ({
      node: { hostnames: { manage: [host], storage: [host] }, zone },
      devices: [device(host), '/dev/plain'],
    });
    const file = join(folder, 'topology.json');
    const [one, two] = [node('cli-1', 1), node('cli-2', 2)];
    await writeFile(file, JSON.stringify({ clusters: [{ nodes: [one, two] }] }));
    const odd = join(folder, 'odd.json');
    const taken = { ...node('cli-9', 1), node: { hostnames: { manage: ['cli-9'], storage: ['cli-1'] }, zone: 1 } };
    const nodes = [one, taken, { ...two, devices: ['sdz', ...two.devices] }];
    await writeFile(odd, JSON.stringify({ clusters: [{ nodes }] }));
    const loaded = await said('topology', 'load', `--json=${odd}`);
    expect(loaded).toMatch(
      /\tCreating node cli-9 \.\.\. Unable to create node: Hostname cli-1 already used by node with id [0-9a-f]{32}\n/,
    );
    expect(loaded).toContain(
      '\t\tAdding device sdz ... Unable to add device: validation failed: name: must be in a valid format.\n',
    );
    const clusterId = cut(loaded, 'ID');
    expect(loaded).toMatch(/^Creating cluster ... ID: [0-9a-f]{32}\n\tAllowing file volumes on cluster.\n/);
    expect(loaded.match(/\t\tAdding device .* ... OK\n/g)).toHaveLength(4);
    const again = await said('topology', 'load', '--json', file);
    expect(again.match(/Found node|Found device/g)).toHaveLength(6);
    expect(again).not.toContain('Creating');

    const added = await said(
      'node',
      'add',
      '--zone=3',
      `--cluster=${clusterId}`,
      '--management-host-name=cli-3',
      '--storage-host-name=cli-3',
    );
    expect(added).toMatch(/^Node information:\nNode Id: [0-9a-f]{32}\nState: online\n/);
    const nodeId = cut(added, 'Node Id');
    expect(await said('device', 'add', '--name=/dev/x', `--node=${nodeId}`)).toBe('Device added successfully\n');
    expect(await said('node', 'settags', nodeId, 'rack:r3')).toBe('');
    const info = await said('node', 'info', nodeId);
    expect(info).toContain('Tags:\n  rack: r3\nDevices:\nId:');
    expect(await said('node', 'rmtags', nodeId, '--all')).toBe('');
    const deviceId = cut(info.slice(info.indexOf('Devices:')), 'Id');
    expect(await said('device', 'info', deviceId)).toContain('Create Path: /dev/x\n');
    expect(await said('device', 'resync', deviceId)).toBe(`Device ${deviceId} updated\n`);

    const made = await said('volume', 'create', '--size=2', '--name=day', `--clusters=${clusterId}`, '--replica=3');
    const volumeId = cut(made, 'Volume Id');
    expect(made).toMatch(/Durability Type: replicate\nDistribute Count: 1\nReplica Count: 3\n/);
    expect(await said('volume', 'info', volumeId)).toBe(made);
    expect(await said('volume', 'list')).toContain(`Id:${volumeId}    Cluster:${clusterId}    Name:day\n`);
    expect(JSON.parse(await said('volume', 'list', '--json'))).toMatchObject({ volumes: [volumeId] });
    const tree = await said('topology', 'info', '--json');
    expect(tree).toMatch(/^\{"clusters":\[\{"volumes":\[.*\],"nodes":\[.*\],"id":"\w{32}","block":true,"file":true\}/);
    expect(tree).toContain(await said('volume', 'info', volumeId, '--json'));
    const { clusters } = z.object({ clusters: z.array(z.object({ id: z.string() })) }).parse(JSON.parse(tree));
    expect(JSON.parse(await said('cluster', 'list', '--json'))).toEqual({ clusters: clusters.map(({ id }) => id) });
    for (const argv of [
      ['node', 'list'],
      ['server', 'operations', 'info'],
      ['server', 'mode', 'get'],
      ['loglevel', 'get'],
    ]) {
      expect(await said(...argv, '--json')).toBe(await said(...argv));
    }
    expect(await said('device', 'resync', clusterId, '--cluster')).toMatch(
      /^Cluster-wide resync operation requested\. Using object_id as cluster_id\.\nNow resyncing device \w{32}\.\.\nDevice \w{32} \(node \w{32}\) in cluster \w{32} updated\n/,
    );
    expect(await said('volume', 'expand', `--volume=${volumeId}`, '--expand-size=1')).toContain('Size: 3\n');
    expect(await said('topology', 'info')).toContain(`\tName: day\n\tSize: 3\n\tId: ${volumeId}\n`);
    expect(await heketi('volume', 'create', '--size=2', '--name=day', `--clusters=${clusterId}`)).toMatchObject({
      code: 255,
      err: expect.stringMatching(/^Error: .*day.*already/) as string,
    });
    const pv = ['--persistent-volume', '--persistent-volume-endpoint=gluster'];
    const persistent = await said('volume', 'create', '--size=1', `--clusters=${clusterId}`, ...pv);
    const { spec } = z
      .object({ spec: z.object({ glusterfs: z.object({ path: z.string() }) }) })
      .parse(JSON.parse(persistent));
    const listed = await said('volume', 'list');
    const secondId = cut(
      listed
        .slice(0, listed.indexOf(`Name:${spec.glusterfs.path}`))
        .split('\n')
        .at(-1) ?? '',
      'Id',
    );
    for (const id of [volumeId, secondId]) expect(await said('volume', 'delete', id)).toBe(`Volume ${id} deleted\n`);

    expect(await said('server', 'mode', 'get')).toBe('normal\n');
    expect(await said('server', 'operations', 'info')).toMatch(/^Operation Counts:\n {2}Total: 0\n/);
    expect(JSON.parse(await said('db', 'dump'))).toHaveProperty('clusterentries');
    expect(await said('device', 'disable', deviceId)).toBe(`Device ${deviceId} is now offline\n`);
    expect(await said('device', 'remove', deviceId)).toBe(`Device ${deviceId} is now removed\n`);
    expect(await said('device', 'delete', deviceId)).toBe(`Device ${deviceId} deleted\n`);
    expect(await said('node', 'delete', nodeId)).toBe(`Node ${nodeId} deleted\n`);
    expect(await heketi('cluster', 'delete', clusterId)).toMatchObject({ code: 255 });

    const list = join(folder, 'storage.json');
    expect(await said('setup-kubernetes-heketi-storage', `--listfile=${list}`)).toBe(`Saving ${list}\n`);
    const { items } = z
      .object({ items: z.array(z.object({ kind: z.string() })) })
      .parse(JSON.parse(await readFile(list, 'utf8')));
    expect(items.map(({ kind }) => kind)).toEqual(['Secret', 'Endpoints', 'Service', 'Job']);
    expect(await heketi('setup-kubernetes-heketi-storage', `--listfile=${list}`)).toMatchObject({
      code: 255,
      err: 'Error: Volume heketidbstorage already exists\n',
    });
  });

  it('checks before a start, and says what is missing', async () => {
    const file = join(folder, 'wanted.json');
    const node = { hostnames: { manage: ['silent.example'], storage: ['silent.example'] }, zone: 1 };
    await writeFile(file, JSON.stringify({ clusters: [{ nodes: [{ node, devices: ['/dev/sdb'] }] }] }));
    const { code, out } = await brickyard('preflight', file);
    expect(code).toBe(EXIT.refused);
    expect(out).toMatch(/^ok {3}server: answers/);
    expect(out).toMatch(
      /BAD {2}host silent\.example: no agent is heard[^\n]*\n {5}→ on silent\.example: systemctl start/,
    );
  });

  it('ends with what scripts can rely on', async () => {
    expect(await brickyard('volume', 'list', '--secret', 'wrong')).toMatchObject({ code: EXIT.refused, out: '' });
    expect(await brickyard('volume', 'list', '-s', 'http://127.0.0.1:1')).toMatchObject({ code: EXIT.unavailable });
    expect(await brickyard('volume', 'list', '--at', '99999999')).toMatchObject({ code: EXIT.refused });
    expect(await brickyard('volume', 'shrink')).toMatchObject({ code: EXIT.usage });
  });

  it('finds the log, its signatures and the gateway’s answers fine, and takes them along as a bundle', async () => {
    const volume = await data(VolumeInfo, 'volume', 'create', '--size', '1GiB', '--durability', 'none');
    await data(
      VolumeInfo,
      'volume',
      'create',
      '--size',
      '4GiB',
      '--durability',
      'disperse',
      '--data',
      '2',
      '--redundancy',
      '1',
    );
    expect(volume.bricks).toHaveLength(1);
    const [keys, checkpoints] = [
      join(system.dataDir, 'checkpoint-key.pem.pub'),
      join(system.dataDir, 'checkpoints.jsonl'),
    ];
    await system.until('no checkpoint is signed', () =>
      readFile(checkpoints, 'utf8').then(
        (text) => text !== '',
        () => false,
      ),
    );
    const proof = ['--keys', keys, '--checkpoints', checkpoints];
    const report = await data(Report, 'audit', 'verify', ...proof, '--api', system.stack.apiUrl);
    expect(report.checks.filter(({ findings, done }) => findings.length > 0 || !done)).toEqual([]);
    expect(report.checks.find(({ name }) => name === 'api')?.said).toMatch(/^20 clusters, nodes, devices and volumes/);
    expect(report.ok).toBe(true);
    const bundle = join(folder, 'bundle.ndjson');
    expect(await brickyard('audit', 'export', '--out', bundle, ...proof.slice(0, 2))).toMatchObject({ code: 0 });
    const checked = await run(process.execPath, [join(folder, 'verify-bundle.mjs'), bundle, ...proof.slice(0, 2)], {});
    expect(checked).toMatchObject({ code: 0, out: expect.stringContaining('FINE') as string });
  });
});
