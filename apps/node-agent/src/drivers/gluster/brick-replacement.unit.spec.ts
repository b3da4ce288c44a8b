import { BrickId, type BrickLocation, type GlusterReplacement, HostName, VolumeId } from '@brickyard/contracts';
import type { HostCommand } from '../host-command';
import { convergingVolumeDriver } from './converging.volume-driver';
import { glusterCli } from './gluster-cli';

const VOLUME = VolumeId.parse('a'.repeat(32));
const PATIENCE = { lockedMs: 0, awayMs: 0, firstPauseMs: 1, pauseMsMax: 1 };

const brick = (digit: string): BrickLocation => {
  const brickId = BrickId.parse(digit.repeat(32));
  const path = `/var/lib/heketi/mounts/vg_${'d'.repeat(32)}/brick_${brickId}/brick`;
  return { brickId, host: HostName.parse(`10.0.0.${digit}`), path };
};
const [LEAVING, OTHER, REPLACEMENT] = [brick('1'), brick('2'), brick('3')];

const change = (healCheck: GlusterReplacement['healCheck']): GlusterReplacement => ({
  volumeId: VOLUME,
  name: 'data',
  durability: { kind: 'replicate', replica: 2 },
  leaving: LEAVING,
  replacement: REPLACEMENT,
  others: [OTHER],
  healCheck,
});

const answer = (body: string, ret = 0, error = ''): string =>
  `<?xml version="1.0"?><cliOutput><opRet>${String(ret)}</opRet><opErrno>0</opErrno>` +
  `<opErrstr>${error}</opErrstr>${body}</cliOutput>`;

const info = (bricks: readonly BrickLocation[], status = 'Started'): string => {
  const named = bricks.map(({ host, path }) => `${host}:${path}`);
  return answer(
    `<volInfo><volumes><volume><name>data</name><id>u</id><statusStr>${status}</statusStr>` +
      '<replicaCount>2</replicaCount><disperseCount>0</disperseCount><bricks>' +
      named.map((name) => `<brick>${name}<name>${name}</name><hostUuid>h</hostUuid></brick>`).join('') +
      `</bricks><options><option><name>user.brickyard.id</name><value>${VOLUME}</value></option></options>` +
      '</volume></volumes></volInfo>',
  );
};

/** A Gluster in which an earlier command, which nobody answered, comes through after so many looks at the volume. */
function lateAfter(looks: number): { readonly run: HostCommand; readonly changes: string[] } {
  const changes: string[] = [];
  let looked = 0;
  const run: HostCommand = (argv) => {
    const words = argv.slice(4).join(' ');
    let out = answer('', -1, 'Volume data is not started');
    if (words === 'volume info data') {
      out = info(looked < looks ? [LEAVING, OTHER] : [REPLACEMENT, OTHER]);
      looked += 1;
    } else if (!words.startsWith('volume heal')) changes.push(words);
    return Promise.resolve({ argv, exit: 0, out, err: '' });
  };
  return { run, changes };
}

describe('the replacement of a brick', () => {
  const cases = ([0, 1, 2] as const).flatMap((looks) => [
    { looks, healCheck: 'disable' as const },
    ...(looks < 2 ? [{ looks, healCheck: 'enable' as const }] : []),
  ]);

  it.each(cases)('is done when an earlier try comes through after look $looks, heal check $healCheck', async (row) => {
    const { run, changes } = lateAfter(row.looks);
    const driver = convergingVolumeDriver(glusterCli({ run, stateDirectory: '/nonexistent' }), { patience: PATIENCE });
    expect(await driver.ensureReplaced(change(row.healCheck))).toMatchObject({ ok: true });
    expect(changes.length).toBe(row.looks < 2 ? 0 : 1);
  });

  it('is refused while the volume has neither brick', async () => {
    const { run, changes } = lateAfter(0);
    const driver = convergingVolumeDriver(glusterCli({ run, stateDirectory: '/nonexistent' }), { patience: PATIENCE });
    const elsewhere = { ...change('disable'), replacement: { ...brick('4') } };
    expect(await driver.ensureReplaced(elsewhere)).toMatchObject({
      ok: false,
      failure: { transient: false, uncertain: false },
    });
    expect(changes).toEqual([]);
  });

  it('says of a heal that cannot go on that the volume is stopped', async () => {
    const run: HostCommand = (argv) =>
      Promise.resolve({ argv, exit: 0, out: info([REPLACEMENT, OTHER], 'Stopped'), err: '' });
    const driver = convergingVolumeDriver(glusterCli({ run, stateDirectory: '/nonexistent' }), { patience: PATIENCE });
    expect(await driver.ensureHealed(change('enable'))).toMatchObject({
      ok: false,
      failure: {
        transient: true,
        detail: 'volume data is stopped and cannot heal: start it, `gluster volume start data`',
      },
    });
  });
});
