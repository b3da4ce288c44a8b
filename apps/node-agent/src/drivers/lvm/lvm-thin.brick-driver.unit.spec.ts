import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BrickId, type BrickSpec, DeviceId, kib } from '@brickyard/contracts';
import type { BrickDriver } from '../brick.driver';
import type { HostCommand } from '../host-command';
import { lvmThinBrickDriver } from './lvm-thin.brick-driver';

const DEVICE = DeviceId.parse('d'.repeat(32));
const BRICK = BrickId.parse('b'.repeat(32));
const VG = `vg_${DEVICE}`;
const UUID = 'dddddd-dddd-dddd-dddd-dddd-dddd-dddddd';
const NODE = `/dev/mapper/${VG}-brick_${BRICK}`;

/** What a host's programs would answer: the first rule whose words a command begins with. */
type Script = readonly (readonly [words: string, exit: number, out?: string, err?: string])[];

interface Host {
  readonly driver: BrickDriver;
  readonly run: HostCommand;
  /** Commands given, but for those that only look. */
  readonly changes: string[];
  readonly mountRoot: string;
  fstab(): string;
}

const LOOKS = /^(pvs|lvs|vgdisplay|findmnt|blkid|xfs_db -r|wipefs --json|udevadm)/;

describe('lvm-thin brick driver', () => {
  const directories: string[] = [];

  function host(script: Script, fstabBefore = ''): Host {
    const directory = mkdtempSync(join(tmpdir(), 'brickyard-lvm-argv-'));
    directories.push(directory);
    const fstab = join(directory, 'fstab');
    const mountRoot = join(directory, 'mounts');
    writeFileSync(fstab, fstabBefore.replaceAll('ROOT', mountRoot));
    const changes: string[] = [];
    const run: HostCommand = (argv) => {
      const line = argv.join(' ').replaceAll(mountRoot, 'ROOT');
      if (!LOOKS.test(line)) changes.push(line);
      const [, exit = 0, out = '', err = ''] = script.find(([words]) => line.startsWith(words)) ?? [];
      return Promise.resolve({ argv, exit, out: out.replaceAll('ROOT', mountRoot), err });
    };
    return {
      driver: lvmThinBrickDriver({ run, fstab, mountRoot }),
      run,
      changes,
      mountRoot,
      fstab: () => readFileSync(fstab, 'utf8').replaceAll(mountRoot, 'ROOT'),
    };
  }

  afterAll(() => {
    for (const directory of directories) rmSync(directory, { recursive: true });
  });

  it('tells how full the pools are in which more than one volume lives, and of no others', async () => {
    const pool = (group: string, count: string, data: string) => ({
      ...{ lv_name: `tp_${BRICK}`, vg_name: group, thin_count: count, data_percent: data, metadata_percent: '12.50' },
    });
    const lv = [
      pool(VG, '2', '81.25'),
      { ...pool(VG, '', '99.00'), lv_name: `brick_${BRICK}` },
      pool(`vg_${'e'.repeat(32)}`, '1', '99.00'),
      pool('vg0', '3', '99.00'),
    ];
    const { driver } = host([['lvs', 0, JSON.stringify({ report: [{ lv }] })]]);
    await expect(driver.readPools?.()).resolves.toEqual([{ pool: `${VG}/tp_${BRICK}`, data: 0.8125, metadata: 0.125 }]);
  });

  const pv = (group: string, uuid = 'PV-UUID'): string =>
    JSON.stringify({ report: [{ pv: [{ pv_name: '/dev/sdb', pv_uuid: uuid, vg_name: group }] }] });
  const brick = ({ mountRoot }: Host, change: Partial<BrickSpec> = {}): BrickSpec => ({
    brickId: BRICK,
    deviceId: DEVICE,
    deviceName: '/dev/sdb',
    path: `${mountRoot}/${VG}/brick_${BRICK}/brick`,
    sizeKib: kib(1_048_576),
    poolKib: kib(1_572_864),
    metadataKib: kib(8192),
    gid: 0,
    ...change,
  });
  const absent: Script = [
    ['pvs', 0, pv(VG)],
    ['lvs', 5, '', 'Failed to find logical volume'],
    ['findmnt', 1],
    ['blkid', 2],
  ];
  const mounted = JSON.stringify({
    filesystems: [{ target: `ROOT/${VG}/brick_${BRICK}`, source: NODE, fstype: 'xfs', uuid: null }],
  });

  it('takes an empty device the way heketi does', async () => {
    let looks = 0;
    const made = host([
      ['wipefs --json', 0, ''],
      ['blkid', 2],
      ['vgdisplay', 0, `  ${VG}:r/w:772:-1:0:0:0:-1:0:1:1:8253440:4096:2015:0:2015:uuid\n`],
      ['udevadm', 0, 'disk/by-id/wwn-1 disk/by-id/lvm-pv-uuid-PV-UUID\n'],
    ]);
    const driver = lvmThinBrickDriver({
      fstab: '/nonexistent',
      run: (argv, limits) => {
        // Not a physical volume at the first look, ours at the second.
        if (argv[0] !== 'pvs') return made.run(argv, limits);
        looks += 1;
        const isFirst = looks === 1;
        return Promise.resolve({
          argv,
          exit: isFirst ? 5 : 0,
          out: isFirst ? '' : pv(VG),
          err: isFirst ? 'Failed to find' : '',
        });
      },
    });
    const outcome = await driver.ensureDevice({
      deviceId: DEVICE,
      name: '/dev/sdb',
      destroyData: false,
      knownDevices: [],
    });
    expect(made.changes).toEqual([
      `pvcreate -qq --metadatasize=128M --dataalignment=256K --uuid ${UUID} --norestorefile /dev/sdb`,
      `vgcreate -qq --physicalextentsize=4M --autobackup=n ${VG} /dev/sdb`,
    ]);
    expect(outcome).toEqual({
      ok: true,
      result: {
        kind: 'device',
        totalKib: 8_253_440,
        extentKib: 4096,
        pvUuid: 'PV-UUID',
        paths: ['/dev/disk/by-id/wwn-1', '/dev/sdb'],
      },
    });
  });

  it("makes a brick in heketi's order, and writes one line to the fstab", async () => {
    const made = host(absent, '# keep\n/dev/x ROOT/other xfs defaults 0 0');
    await made.driver.ensureBrick(brick(made));
    expect(made.changes).toEqual([
      `lvcreate -qq --autobackup=n --poolmetadatasize 8192K --chunksize 256K --size 1572864K --thin ${VG}/tp_${BRICK} ` +
        `--virtualsize 1048576K --name brick_${BRICK} --addtag brickyard.brick=${BRICK}`,
      `mkfs.xfs -q -i size=512 -n size=8192 ${NODE}`,
      `mount -t xfs -o rw,inode64,noatime,nouuid ${NODE} ROOT/${VG}/brick_${BRICK}`,
    ]);
    expect(made.fstab()).toBe(
      '# keep\n/dev/x ROOT/other xfs defaults 0 0\n' +
        `${NODE} ROOT/${VG}/brick_${BRICK} xfs rw,inode64,noatime,nouuid,nofail 1 2\n`,
    );
  });

  it('makes nothing anew that is there already', async () => {
    const made = host([
      ['pvs', 0, pv(VG)],
      ['lvs', 0, 'brick'],
      ['blkid', 0, 'xfs\n'],
      ['findmnt', 0, mounted],
    ]);
    expect(await made.driver.ensureBrick(brick(made))).toMatchObject({ ok: true });
    expect(await made.driver.ensureBrick(brick(made))).toMatchObject({ ok: true });
    const activate = `lvchange -qq -ay ${VG}/brick_${BRICK}`; // It may be there and have no device node.
    expect(made.changes).toEqual([activate, activate]);
    expect(made.fstab().split('\n')).toHaveLength(2);
  });

  it('makes a file system anew that a killed mkfs.xfs has not finished, and no other', async () => {
    const remade = async (inprogress: string): Promise<readonly string[]> => {
      const made = host([
        ['pvs', 0, pv(VG)],
        ['lvs', 0, 'brick'],
        ['blkid', 0, 'xfs\n'],
        ['xfs_db', 0, `inprogress = ${inprogress}\n`],
        ['findmnt', 0, mounted],
      ]);
      await made.driver.ensureBrick(brick(made));
      return made.changes.filter((line) => line.startsWith('mkfs'));
    };
    expect(await remade('1')).toEqual([`mkfs.xfs -q -i size=512 -n size=8192 -f ${NODE}`]);
    expect(await remade('0')).toEqual([]);
  });

  it('removes a brick whose pool has a part that a killed lvcreate left active', async () => {
    const made = host([
      ['pvs', 0, pv(VG)],
      ['findmnt', 1],
    ]);
    const active = new Set([`${VG}/tp_${BRICK}_tmeta`, `${VG}/tp_${BRICK}_tdata`]);
    const run: HostCommand = async (argv, limits) => {
      const answer = await made.run(argv, limits);
      if (argv[0] === 'lvchange') active.delete(argv.at(-1) ?? '');
      const [part] = active;
      if (argv[0] !== 'lvremove' || part === undefined) return answer;
      const err = `Activation of logical volume ${VG}/tp_${BRICK} is prohibited while logical volume ${part} is active.`;
      return { ...answer, exit: 5, err };
    };
    const driver = lvmThinBrickDriver({ run, fstab: join(made.mountRoot, '../fstab'), mountRoot: made.mountRoot });
    expect(await driver.ensureNoBrick(brick(made))).toMatchObject({ ok: true });
    const remove = `lvremove --autobackup=n -f ${VG}/brick_${BRICK}`;
    const free = (part: string): string => `lvchange -qq -y -an ${VG}/tp_${BRICK}_${part}`;
    expect(made.changes.slice(0, 5)).toEqual([remove, free('tmeta'), remove, free('tdata'), remove]);
  });

  it('makes a brick anew whose pool a killed lvcreate left without a volume', async () => {
    const made = host(absent);
    let refusals = 0;
    const run: HostCommand = async (argv, limits) => {
      const answer = await made.run(argv, limits);
      if (argv[0] === 'lvcreate' && refusals++ === 0) {
        return { ...answer, exit: 5, err: `Logical Volume "tp_${BRICK}" already exists in volume group "${VG}"` };
      }
      return argv.includes('--options=thin_count') ? { ...answer, exit: 0, out: '  0\n', err: '' } : answer;
    };
    const driver = lvmThinBrickDriver({ run, fstab: join(made.mountRoot, '../fstab'), mountRoot: made.mountRoot });
    expect(await driver.ensureBrick(brick(made))).toMatchObject({ ok: true });
    const create = expect.stringMatching(/^lvcreate .*--thin /) as string;
    expect(made.changes.slice(0, 3)).toEqual([create, `lvremove --autobackup=n -f ${VG}/tp_${BRICK}`, create]);
  });

  it('takes back what it began when the group is full', async () => {
    const made = host([...absent, ['lvcreate', 5, '', 'Volume group has insufficient free space']]);
    const outcome = await made.driver.ensureBrick(brick(made));
    expect(outcome).toMatchObject({ ok: false, failure: { transient: false } });
    expect(outcome).toHaveProperty('failure.detail', expect.stringContaining('insufficient free space'));
    expect(outcome).toHaveProperty('failure.cause', expect.stringContaining('exit 5'));
    expect(made.changes.slice(1)).toEqual([`lvremove --autobackup=n -f ${VG}/brick_${BRICK}`]);
    expect(made.fstab()).toBe('');
  });

  it('removes a brick: mount, fstab line, volume, pool, in this order', async () => {
    let unmounted = false;
    const line = `${NODE} ROOT/${VG}/brick_${BRICK} xfs rw 1 2\n`;
    const made = host([['lvs', 0, ' 0 \n']], `${line}# keep\n`);
    const driver = lvmThinBrickDriver({
      fstab: join(made.mountRoot, '../fstab'),
      mountRoot: made.mountRoot,
      run: async (argv, limits) => {
        if (argv[0] === 'findmnt') {
          return { argv, exit: unmounted ? 1 : 0, out: mounted.replaceAll('ROOT', made.mountRoot), err: '' };
        }
        if (argv[0] === 'umount') unmounted = true;
        if (argv[0] === 'lvremove') expect(made.fstab()).toBe('# keep\n');
        return made.run(argv, limits);
      },
    });
    expect(await driver.ensureNoBrick(brick(made))).toMatchObject({ ok: true });
    expect(made.changes).toEqual([
      `umount ROOT/${VG}/brick_${BRICK}`,
      `lvremove --autobackup=n -f ${VG}/brick_${BRICK}`,
      `lvremove --autobackup=n -f ${VG}/tp_${BRICK}`,
    ]);
  });

  it('keeps a pool that a clone still lives in', async () => {
    const made = host([
      ['findmnt', 1],
      ['lvs', 0, ' 1 \n'],
    ]);
    expect(await made.driver.ensureNoBrick(brick(made))).toMatchObject({ ok: true });
    expect(made.changes).toEqual([`lvremove --autobackup=n -f ${VG}/brick_${BRICK}`]);
  });

  describe('on a brick of a clone, which Gluster has made', () => {
    const SNAP = '5'.repeat(32);
    const TARGET = `/run/gluster/snaps/${SNAP}/brick3`;
    const LV = `${SNAP}_2`;
    const clone = (made: Host, change: Partial<BrickSpec> = {}): BrickSpec =>
      brick(made, {
        brickId: BrickId.parse('c'.repeat(32)),
        path: `${TARGET}/brick`,
        poolKib: kib(0),
        metadataKib: kib(0),
        poolOf: BRICK,
        ...change,
      });
    const at = (source: string): string =>
      JSON.stringify({ filesystems: [{ target: TARGET, source, fstype: 'xfs', uuid: null }] });

    it('removes the thin volume, and the pool with the last one in it', async () => {
      let isMounted = true;
      const made = host([
        ['findmnt', 0, at(`/dev/mapper/${VG}-${LV}`)],
        [`lvs --noheadings --options=pool_lv ${VG}/${LV}`, 0, `  tp_${BRICK}\n`],
        ['lvs --noheadings --options=thin_count', 0, ' 0\n'],
      ]);
      const driver = lvmThinBrickDriver({
        fstab: '/nonexistent',
        run: async (argv, limits) => {
          if (argv[0] === 'umount') isMounted = false;
          if (argv[0] === 'findmnt' && !isMounted) return { argv, exit: 1, out: '', err: '' };
          return made.run(argv, limits);
        },
      });
      expect(await driver.ensureNoBrick(clone(made))).toMatchObject({ ok: true });
      expect(made.changes).toEqual([
        `umount ${TARGET}`,
        `lvremove --autobackup=n -f ${VG}/${LV}`,
        `lvremove --autobackup=n -f ${VG}/tp_${BRICK}`,
      ]);
    });

    it('does nothing when it is gone, but for a pool that is empty', async () => {
      const made = host([
        ['findmnt', 1],
        ['lvs', 5, '', 'Failed to find logical volume'],
      ]);
      expect(await made.driver.ensureNoBrick(clone(made))).toMatchObject({ ok: true });
      expect(made.changes).toEqual([`lvremove --autobackup=n -f ${VG}/${LV}`]);
    });

    it('refuses a volume of another pool, another mount, and a path with no pool to it', async () => {
      const stranger = host([
        ['findmnt', 1],
        ['lvs', 0, '  tp_other\n'],
      ]);
      const otherPool = await stranger.driver.ensureNoBrick(clone(stranger));
      expect(otherPool).toHaveProperty('failure.detail', expect.stringContaining('is in pool tp_other'));
      const covered = host([['findmnt', 0, at('/dev/mapper/vg_system-root')]]);
      const otherMount = await covered.driver.ensureNoBrick(clone(covered));
      expect(otherMount).toHaveProperty('failure.detail', expect.stringContaining('which is not this brick'));
      const { poolOf: _, ...unowned } = clone(covered);
      expect(await covered.driver.ensureNoBrick(unowned)).toMatchObject({ ok: false });
      expect([...stranger.changes, ...covered.changes]).toEqual([]);
    });

    it('lists those that are mounted, never a snapshot that is not', async () => {
      const other = `${'6'.repeat(32)}_0`;
      const lv = (name: string): object => ({ lv_name: name, vg_name: VG, lv_size: '1048576' });
      const made = host([
        ['findmnt', 0, at(`/dev/mapper/${VG}-${LV}`)],
        ['lvs', 0, JSON.stringify({ report: [{ lv: [lv(LV), lv(other), lv(`tp_${BRICK}`)] }] })],
      ]);
      expect(await made.driver.readBricks()).toEqual([{ path: `${TARGET}/brick`, mounted: true }]);
    });
  });

  it('mounts what the fstab lists after a reboot, and says what it cannot', async () => {
    const made = host(
      [
        ['findmnt', 1],
        ['mount', 32, '', 'special device does not exist'],
      ],
      `${NODE} ROOT/${VG}/brick_${BRICK} xfs rw 1 2\n/dev/sda1 / ext4 rw 0 0\n`,
    );
    const [state, ...others] = await made.driver.ensureMounted();
    expect(others).toEqual([]);
    expect(state).toMatchObject({ path: brick(made).path, mounted: false });
    expect(state?.problem).toContain('special device does not exist');
    expect(made.changes[0]).toBe(`vgchange -qq -ay ${VG}`);
  });

  it('goes on with a device that a crash left half taken, and refuses the same of a stranger', async () => {
    const device = { deviceId: DEVICE, name: '/dev/sdb', destroyData: false, knownDevices: [] };
    const ours = host([['pvs', 0, pv('', UUID)]]);
    await ours.driver.ensureDevice(device);
    expect(ours.changes).toEqual([`vgcreate -qq --physicalextentsize=4M --autobackup=n ${VG} /dev/sdb`]);
    const theirs = host([['pvs', 0, pv('')]]);
    expect(await theirs.driver.ensureDevice(device)).toHaveProperty(
      'failure.detail',
      '/dev/sdb is an LVM physical volume already, of no volume group',
    );
    expect(theirs.changes).toEqual([]);
  });

  it('tells the other names of a device in one order, whatever order udev has them in', async () => {
    const said = ['disk/by-path/pci-1 disk/by-diskseq/2\n', 'disk/by-diskseq/2 disk/by-path/pci-1\n'];
    for (const links of said) {
      const made = host([
        ['pvs', 0, pv(VG)],
        ['vgdisplay', 0, `  ${VG}:r/w:772:-1:0:0:0:-1:0:1:1:8253440:4096:2015:0:2015:uuid\n`],
        ['udevadm', 0, links],
      ]);
      const device = { deviceId: DEVICE, name: '/dev/sdb', destroyData: false, knownDevices: [] };
      const paths = ['/dev/disk/by-diskseq/2', '/dev/disk/by-path/pci-1', '/dev/sdb'];
      expect(await made.driver.ensureDevice(device)).toMatchObject({ ok: true, result: { paths } });
    }
  });

  it('gives a device back, and leaves one that is not ours alone', async () => {
    const ours = host([['pvs', 0, pv(VG)]]);
    const ref = { deviceId: DEVICE, name: '/dev/sdb', ignoreErrors: false };
    expect(await ours.driver.ensureNoDevice(ref)).toMatchObject({ ok: true });
    expect(ours.changes).toEqual([`vgremove -qq ${VG}`, 'pvremove -qq /dev/sdb']);
    const theirs = host([['pvs', 0, pv('vg_system')]]);
    expect(await theirs.driver.ensureNoDevice(ref)).toMatchObject({ ok: true });
    expect(theirs.changes).toEqual([]);
  });
});
