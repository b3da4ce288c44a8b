import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BrickId, type GlusterClone, HostName, kib, VolumeId } from '@brickyard/contracts';
import { MOUNT_ROOT } from '../../brick-path';
import { convergingVolumeDriver } from '../gluster/converging.volume-driver';
import type { Gluster } from '../gluster/gluster.port';
import { volumeDriverCases, type VolumeDriverHost, type VolumeDriverSubject } from '../volume.driver.contract';
import type { VolumeDriver } from '../volume.driver';
import { openRecordedGlusters, type RecordedGlusters } from './recorded.gluster';

const PATIENCE = { lockedMs: 0, awayMs: 0, firstPauseMs: 1, pauseMsMax: 1 };

describe('recorded volume driver', () => {
  const directory = mkdtempSync(join(tmpdir(), 'brickyard-recorded-'));
  const down = new Set<string>();
  let glusters: RecordedGlusters;
  let subject: VolumeDriverSubject;

  const driverOf = (name: string): VolumeDriver =>
    convergingVolumeDriver(glusters.on(name), { mountRoot: MOUNT_ROOT, patience: PATIENCE });
  const host = (name: string): VolumeDriverHost => ({
    name,
    driver: driverOf(name),
    restarted: () => driverOf(name),
    prepareBrick: () => Promise.resolve(),
  });
  const open = (): Promise<RecordedGlusters> =>
    openRecordedGlusters({ file: join(directory, 'gluster.journal'), isDown: (name) => down.has(name) });

  beforeAll(async () => {
    glusters = await open();
    subject = {
      hosts: [host('10.0.0.1'), host('10.0.0.2'), host('10.0.0.3')],
      mountRoot: MOUNT_ROOT,
      setDown: ({ name }, isDown) => {
        if (isDown) down.add(name);
        else down.delete(name);
        return Promise.resolve();
      },
    };
  });

  afterAll(async () => {
    await glusters.close();
    rmSync(directory, { recursive: true });
  });

  for (const { name, run } of volumeDriverCases) it(name, () => run(subject));

  /** A started volume of two bricks, and what a clone of it named `copy` would be asked with. */
  async function originFor(name: string): Promise<GlusterClone & { readonly gluster: Gluster }> {
    const gluster = glusters.on('10.0.0.1');
    const idOf = (text: string): VolumeId => VolumeId.parse(Buffer.from(text).toString('hex').padStart(32, '0'));
    const origin = { volumeId: idOf(name), name };
    const bricks = ['10.0.0.1', '10.0.0.2'].map((at, index) => {
      const brickId = BrickId.parse(idOf(`${name}${String(index)}`));
      const path = `${MOUNT_ROOT}/vg_${'d'.repeat(32)}/brick_${brickId}/brick`;
      return { brickId, host: HostName.parse(at), path };
    });
    const [sizeKib, durability] = [kib(1024), { kind: 'none' } as const];
    const driver = driverOf('10.0.0.1');
    const options = ['performance.io-cache off'];
    expect(await driver.ensureVolume({ ...origin, durability, bricks, options, sizeKib })).toMatchObject({ ok: true });
    expect(await driver.ensureStarted(origin)).toMatchObject({ ok: true });
    const clone = { volumeId: idOf(`copy of ${name}`.slice(0, 16)), name: 'copy' };
    return { gluster, clone, origin, bricks, snapshot: `tmpsnap_${clone.volumeId}` };
  }

  it('clones a volume, and keeps nothing of the way there', async () => {
    const [first, second] = ['10.0.0.1', '10.0.0.2'].map(driverOf) as [VolumeDriver, VolumeDriver];
    const { gluster, ...cloning } = await originFor('origin');
    const made = await first.ensureCloned(cloning);
    expect(made).toMatchObject({ ok: true, result: { kind: 'clone' } });
    expect(await first.ensureCloned(cloning)).toEqual(made);
    expect(await second.readClone(cloning)).toEqual(made);
    const clone = await gluster.volume('copy');
    expect(clone?.options).toMatchObject({
      'user.brickyard.id': cloning.clone.volumeId,
      'performance.io-cache': 'off',
    });
    expect(clone?.bricks.map(({ name }) => name)).toEqual([
      expect.stringMatching(/^10\.0\.0\.1:\/run\/gluster\/snaps\/[0-9a-f]{32}\/brick1\/brick$/),
      expect.stringMatching(/^10\.0\.0\.2:\/run\/gluster\/snaps\/[0-9a-f]{32}\/brick2\/brick$/),
    ]);
    expect(await gluster.snapshot(cloning.snapshot)).toBe('absent');
    expect(await first.ensureStarted(cloning.clone)).toMatchObject({ ok: true });
    expect(await second.ensureNoClone(cloning)).toMatchObject({ ok: true });
    expect(await second.ensureNoClone(cloning)).toMatchObject({ ok: true });
    expect(await gluster.volume('copy')).toBeUndefined();
    expect((await gluster.volume('origin'))?.status).toBe('started');
  });

  it('goes on with a clone wherever it was cut off, and takes a half-made one back', async () => {
    const driver = driverOf('10.0.0.2');
    for (const stages of [1, 2, 3]) {
      const { gluster, ...cloning } = await originFor(`cut${String(stages)}`);
      const { clone, origin, snapshot } = cloning;
      const commands = [
        () => gluster.createSnapshot(snapshot, origin.name),
        () => gluster.activateSnapshot(snapshot),
        () => gluster.cloneSnapshot(clone.name, snapshot),
      ];
      for (const command of commands.slice(0, stages)) expect(await command()).toEqual({ ok: true });
      expect(await driver.ensureNoClone(cloning)).toMatchObject({ ok: true });
      expect([await gluster.volume(clone.name), await gluster.snapshot(snapshot)]).toEqual([undefined, 'absent']);
      for (const command of commands.slice(0, stages)) expect(await command()).toEqual({ ok: true });
      expect(await driver.ensureCloned(cloning)).toMatchObject({ ok: true });
      expect(await gluster.snapshot(snapshot)).toBe('absent');
      expect(await driver.ensureNoClone(cloning)).toMatchObject({ ok: true });
    }
  });

  it('refuses to clone what is not there, has other bricks than it should, or under a name that is taken', async () => {
    const driver = driverOf('10.0.0.1');
    const { gluster, ...cloning } = await originFor('whole');
    const detailOf = async (change: Partial<GlusterClone>): Promise<unknown> => {
      const outcome = await driver.ensureCloned({ ...cloning, ...change });
      return outcome.ok ? outcome : outcome.failure.detail;
    };
    const gone = { ...cloning.origin, name: 'nosuch' };
    expect(await detailOf({ origin: gone })).toContain('does not exist in Gluster');
    expect(await detailOf({ bricks: cloning.bricks.slice(1) })).toContain('other bricks in Gluster than in the log');
    expect(await detailOf({ clone: { ...cloning.clone, name: 'whole' } })).toContain('exists already');
    expect(await gluster.snapshot(cloning.snapshot)).toBe('absent');
    await driver.ensureStopped(cloning.origin);
    expect(await detailOf({})).toContain('it is not started');
    expect(await driver.ensureNoClone({ ...cloning, clone: { ...cloning.clone, name: 'whole' } })).toMatchObject({
      ok: true,
    });
    expect(await gluster.volume('whole')).toBeDefined();
  });

  it('finds everything again in a new process', async () => {
    await glusters.on('10.0.0.1').create('kept', { kind: 'none' }, ['10.0.0.2:/bricks/kept']);
    await glusters.setHealPending('10.0.0.1', 'kept', 7);
    await glusters.on('10.0.0.3').start('kept', false);
    const before = await glusters.on('10.0.0.2').volumes();
    const members = await glusters.on('10.0.0.2').members();
    await glusters.close();
    glusters = await open();
    expect(await glusters.on('10.0.0.2').volumes()).toEqual(before);
    expect(await glusters.on('10.0.0.2').members()).toEqual(members);
    expect(await glusters.on('10.0.0.1').healPending('kept')).toBe(7);
    down.add('10.0.0.2');
    expect(await glusters.on('10.0.0.1').healPending('kept')).toBeUndefined();
    down.clear();
  });

  it('knows a host by the name its peers use', async () => {
    const nodeId = '9'.repeat(32);
    glusters.introduce(nodeId, 'manage-9');
    expect(await glusters.on('10.0.0.1').probe('storage-9', nodeId)).toEqual({ ok: true });
    const reply = await glusters.on('manage-9').create('named', { kind: 'none' }, ['storage-9:/bricks/named']);
    expect(reply).toEqual({ ok: true });
    expect((await glusters.on('10.0.0.1').volume('named'))?.bricks).toHaveLength(1);
    await glusters.on('10.0.0.1').delete('named');
    expect(await glusters.on('manage-9').hasStaleClaim('/bricks/named')).toBe(true);
    await glusters.on('manage-9').clearClaim('/bricks/named');
    expect(await glusters.on('manage-9').hasStaleClaim('/bricks/named')).toBe(false);
  });
});
