import { BlockVolume, Cluster, Device, Node, PendingOperation, Volume } from '../answers';
import { runCli } from '../cli';
import { databaseOptions } from '../commands/kubernetes.command';
import { createRequest } from '../commands/volume-create.command';
import { fillTemplate } from '../template/run';
import { goTopology } from './go-topology';
import { endpointPatch, persistentVolume, storageList } from './kubernetes';
import * as texts from './texts';

const ID = 'a'.repeat(32);
const brick = { id: 'b'.repeat(32), path: '/b', device: 'd', node: 'n', volume: ID, size: 10_485_760 };
const volume = Volume.parse({
  id: ID,
  name: 'vol_a',
  size: 2,
  cluster: 'c',
  durability: { type: 'replicate', replicate: { replica: 3 }, disperse: {} },
  snapshot: { enable: false, factor: 1 },
  mount: {
    glusterfs: {
      hosts: ['10.0.0.2', '10.0.0.4'],
      device: '10.0.0.2:vol_a',
      options: { 'backup-volfile-servers': '10.0.0.4' },
    },
  },
  bricks: [brick, brick, brick, brick, brick, brick],
});
const storage = { total: 524_288_000, free: 513_802_240, used: 10_485_760 };
const device = Device.parse({ id: 'd'.repeat(32), name: '/dev/sdb', state: 'failed', storage, bricks: [brick] });
const node = Node.parse({
  id: 'n'.repeat(32),
  cluster: 'c',
  zone: 1,
  state: 'online',
  tags: { rack: 'r1' },
  hostnames: { manage: ['m1'], storage: ['10.0.0.2'] },
  devices: [device],
});
const cluster = Cluster.parse({ id: 'c', nodes: ['n1'], volumes: ['v1'], file: true, block: false });

describe("heketi-cli's words", () => {
  it('tell a cluster', () => {
    expect(texts.clusterText(cluster)).toBe('Cluster id: c\nNodes:\nn1\nVolumes:\nv1\nBlock: false\n\nFile: true\n');
    expect(texts.clusterText({ ...cluster, nodes: [], volumes: [] })).toContain('Nodes:\n\nVolumes:\n\nBlock: false\n');
    expect(texts.clusterListText([cluster, { ...cluster, file: false }])).toBe('Clusters:\nId:c [file]\nId:c []\n');
  });

  it('tell a node with its devices in columns without gaps, sizes in whole GiB', () => {
    const told = texts.nodeText(node).split('\n');
    expect(told.slice(0, 9)).toEqual([
      `Node Id: ${node.id}`,
      'State: online',
      'Cluster Id: c',
      'Zone: 1',
      'Management Hostname: m1',
      'Storage Hostname: 10.0.0.2',
      'Tags:',
      '  rack: r1',
      'Devices:',
    ]);
    expect(told[9]).toBe(
      `Id:${device.id}   Name:/dev/sdb            State:removed   Size (GiB):500     Used (GiB):10      ` +
        'Free (GiB):490     Bricks:1       ',
    );
    expect(texts.nodeAddedText(node)).toBe(`Node information:\n${told.slice(0, 8).join('\n')}\n`);
    expect(texts.nodeListText([node])).toBe(`Id:${node.id}\tCluster:c\n`);
  });

  it('tell a device, known by its name when no paths are on record', () => {
    expect(texts.deviceText(device)).toContain('State: removed\nSize (GiB): 500\nUsed (GiB): 10\nFree (GiB): 490\n');
    expect(texts.deviceText(device)).toContain('Known Paths: /dev/sdb\nBricks:\n');
    expect(texts.deviceText({ ...device, tags: { a: 'b' } })).toContain('Tags:\n  a: b\nBricks:\n');
    expect(texts.deviceText({ ...device, paths: ['/x', '/y'] })).toContain('Known Paths: /x /y\n');
  });

  it('tell a volume; its sets are counted from its bricks', () => {
    expect(texts.volumeText(volume)).toBe(
      [
        'Name: vol_a',
        'Size: 2',
        `Volume Id: ${ID}`,
        'Cluster Id: c',
        'Mount: 10.0.0.2:vol_a',
        'Mount Options: backup-volfile-servers=10.0.0.4',
        'Block: false',
        'Free Size: 0',
        'Reserved Size: 0',
        'Block Hosting Restriction: (none)',
        'Block Volumes: []',
        'Durability Type: replicate',
        'Distribute Count: 2',
        'Replica Count: 3',
        '',
      ].join('\n'),
    );
    const disperse = { type: 'disperse', replicate: { replica: 0 }, disperse: { data: 4, redundancy: 2 } };
    const told = texts.volumeText({ ...volume, durability: disperse, snapshot: { enable: true, factor: 1.5 } });
    expect(told).toContain('Distribute Count: 1\nDisperse Data Count: 4\nDisperse Redundancy Count: 2\n');
    expect(told).toMatch(/Snapshot Factor: 1\.50\n\n$/);
    const none = { ...disperse, type: 'none' };
    expect(texts.volumeText({ ...volume, durability: none })).toMatch(/Distribute Count: 6\n$/);
  });

  it('tell lists, block volumes and operations', () => {
    expect(texts.volumeListText([volume])).toBe(`Id:${ID}    Cluster:${'c'.padEnd(35)} Name:vol_a\n`);
    expect(texts.volumeListText([{ ...volume, block: true }])).toContain('Name:vol_a [block]\n');
    const block = BlockVolume.parse({
      id: ID,
      name: 'bv',
      size: 10,
      usablesize: 10,
      cluster: 'c',
      hacount: 2,
      blockhostingvolume: 'h',
      blockvolume: { hosts: ['x', 'y'], iqn: 'iqn.1' },
    });
    expect(texts.blockVolumeText(block)).toContain('Hosts: [x y]\nIQN: iqn.1\nLUN: 0\nHacount: 2\n');
    const pending = PendingOperation.parse({
      id: 'o',
      type_name: 'create-volume',
      status: '',
      sub_status: 'in-flight',
      changes: [{ id: 'b', description: 'Add brick' }],
    });
    expect(texts.pendingListText([pending])).toBe('Id:o  Type:create-volume  Status:New in-flight\n');
    expect(texts.pendingText(pending)).toBe(
      '\nId: o\nType: create-volume\nStatus: New in-flight\nChanges:\n    Add brick: b\n',
    );
  });

  it('tell the tree, each thing below its own cluster', () => {
    const tree = texts.topologyText([cluster, { ...cluster, id: 'other' }], [node], [volume]);
    const [, first = '', second = ''] =
      tree.split('Cluster Id: c\n\n    File').length > 1 ? tree.split('\nCluster Id: ') : [];
    expect(first).toContain('\tName: vol_a\n\tSize: 2\n');
    expect(first).toContain('\tSnapshot: Disabled\n\n\t\tBricks:\n\t\t\tId: ');
    expect(first).toContain('\tManagement Hostnames: m1\n');
    expect(second).not.toContain('vol_a');
  });
});

describe('the topology for templates', () => {
  it('has the names that heketi-cli gives it', () => {
    const tree = goTopology({
      clusters: [cluster, { ...cluster, id: 'other' }],
      nodes: [{ ...node, tags: { rack: 'r1' } }],
      volumes: [{ ...volume, snapshot: { enable: true, factor: 1.5 } }],
    });
    const template = `
{{- range .ClusterList}}{{.Id}} {{.File}} {{.Block}}
{{range .Volumes}}{{.Name}} {{.Size}} {{.Durability.Type}} {{.Durability.Replicate.Replica}} {{.Mount.GlusterFS.MountPoint}}
{{- range $k, $v := .Mount.GlusterFS.Options}} {{$k}}={{$v}}{{end}}{{if .Snapshot.Enable}} {{.Snapshot.Factor | printf "%.2f"}}{{end}} {{len .Bricks}}
{{end}}
{{- range .Nodes}}{{join .Hostnames.Manage ","}} {{.Zone}} {{.State}} {{.Tags.rack}}
{{range .DevicesInfo}}{{.Name}} {{kibToGib .Storage.Total}} {{range .Bricks}}{{.Path}}{{end}}
{{end}}{{end}}{{end}}`;
    expect(fillTemplate(template, tree)).toBe(
      [
        `c ${String(cluster.file)} ${String(cluster.block)}`,
        `vol_a 2 replicate 3 10.0.0.2:vol_a backup-volfile-servers=10.0.0.4 1.50 ${String(volume.bricks.length)}`,
        `m1 ${String(node.zone)} ${node.state} r1`,
        `/dev/sdb 500 ${device.bricks[0]?.path ?? ''}`,
        `other ${String(cluster.file)} ${String(cluster.block)}`,
        '',
      ].join('\n'),
    );
  });
});

describe('heketi-cli', () => {
  async function heketi(argv: readonly string[]) {
    let [out, err] = ['', ''];
    const outside = {
      env: { HEKETI_CLI_SERVER: 'http://127.0.0.1:1' },
      style: 'heketi' as const,
      out: (text: string) => (out += text),
      err: (text: string) => (err += text),
    };
    return { code: await runCli(argv, outside), out, err };
  }

  it('ends with 255 and says Error, whatever is wrong', async () => {
    expect(await heketi(['volume', 'list'])).toMatchObject({
      code: 255,
      out: '',
      err: expect.stringMatching(/^Error: /) as string,
    });
    expect(await heketi(['volume', 'expand', '--expand-size=1'])).toMatchObject({ code: 255, out: '' });
    expect(await heketi(['topology', 'load'])).toMatchObject({ code: 255, err: 'Error: Missing configuration file\n' });
    expect(await heketi(['volume', 'nothing'])).toMatchObject({ code: 255 });
    expect(await heketi(['topology', 'info', '-T', '{{end}}'])).toMatchObject({
      code: 255,
      err: 'Error: template: {{end}} without a beginning\n',
    });
    expect(await heketi(['--version'])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^heketi-cli \d/) as string,
    });
  });

  it.each([
    [['cluster', 'info'], 'Cluster id missing'],
    [['node', 'settags'], 'id required'],
    [['node', 'settags', ID], 'at least one tag:value pair expected'],
    [['node', 'settags', ID, 'a'], 'expected colon (:) between tag name and value, got: a'],
    [['node', 'rmtags', ID], 'at least one tag expected'],
    [['device', 'enable'], 'device id missing'],
    [['device', 'add', '--name=/dev/x', '--node=bad'], 'validation failed: node: bad is not a valid UUID.'],
    [['device', 'resync'], 'object/cluster id missing'],
    [['blockvolume', 'delete'], 'Volume id missing'],
    [['volume', 'create'], 'Missing volume size'],
    [['volume', 'expand'], 'Missing volume amount to expand'],
    [['volume', 'expand', '--expand-size=1'], 'Missing volume id'],
    [['volume', 'info', 'badid'], 'Invalid path or request'],
    [['volume', 'list', '--nosuch'], 'unknown flag: --nosuch'],
    [['volume', 'list', '--server'], 'flag needs an argument: --server'],
    [['brick', 'evict', 'a', 'b'], 'Too many arguments provided'],
    [['server', 'mode', 'set'], 'missing mode argument'],
    [['server', 'mode', 'set', 'x'], 'validation failed: state: must be a valid value.'],
    [['loglevel', 'set'], 'missing log-level argument'],
    [['nosuch'], 'unknown command "nosuch" for "heketi-cli"\nRun \'heketi-cli --help\' for usage.'],
  ])('says of %j what heketi-cli says', async (argv, text) => {
    expect(await heketi(argv)).toEqual({ code: 255, out: '', err: `Error: ${text}\n` });
  });

  it('asks for a volume with every value, and for snapshots only with more room', () => {
    const flags = { size: '1', block: false, persistentVolume: false, wait: true, cluster: [], option: [] };
    const asked = createRequest({ ...flags, durability: 'none', clusters: 'a,b', snapshotFactor: 1, gid: 0 }, true);
    expect(asked).toEqual({
      size: 1,
      durability: { type: 'none', replicate: { replica: 3 }, disperse: { data: 4, redundancy: 2 } },
      clusters: ['a', 'b'],
    });
    const options = createRequest({ ...flags, durability: 'replicate', glusterVolumeOptions: 'a b,c d' }, true);
    expect(options['glustervolumeoptions']).toEqual(['a b', 'c d']);
  });
});

describe('what Kubernetes is given', () => {
  it('is a persistent volume named for the volume', () => {
    expect(persistentVolume({ ...volume, gid: 2000 }, 'gluster')).toMatchObject({
      metadata: { name: 'glusterfs-aaaaaaaa', annotations: { 'pv.beta.kubernetes.io/gid': '2000' } },
      spec: { capacity: { storage: '2Gi' }, glusterfs: { endpoints: 'gluster', path: 'vol_a' } },
    });
    expect(persistentVolume(volume)).toMatchObject({ spec: { glusterfs: { endpoints: 'TYPE ENDPOINT HERE' } } });
    expect(endpointPatch(volume)).toEqual({
      subsets: ['10.0.0.2', '10.0.0.4'].map((ip) => ({ addresses: [{ ip }], ports: [{ port: 1 }] })),
    });
  });

  it('is a list that copies a database into a volume', () => {
    const list = storageList(volume, Buffer.from('log'), { image: 'i', nodeSelector: { a: 'b' } }) as {
      items: object[];
    };
    expect(list.items.map((item) => (item as { kind: string }).kind)).toEqual([
      'Secret',
      'Endpoints',
      'Service',
      'Job',
    ]);
    expect(list.items[0]).toMatchObject({ data: { 'heketi.db': Buffer.from('log').toString('base64') } });
    expect(list.items[3]).toMatchObject({ spec: { template: { spec: { nodeSelector: { a: 'b' } } } } });
    expect(databaseOptions({}).at(-1)).toBe('user.heketi.dbstoragelevel 1');
    expect(databaseOptions({ glusterVolumeOptions: 'x y' })).toEqual(['x y', 'user.heketi.dbstoragelevel custom']);
  });
});
