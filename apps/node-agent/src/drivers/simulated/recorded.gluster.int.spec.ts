import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MOUNT_ROOT } from '../../brick-path';
import { convergingVolumeDriver } from '../gluster/converging.volume-driver';
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
