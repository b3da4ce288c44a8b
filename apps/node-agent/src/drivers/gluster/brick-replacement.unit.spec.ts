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

const info = (bricks: readonly BrickLocation[], status = 'Started', replicas = 2): string => {
  const named = bricks.map(({ host, path }) => `${host}:${path}`);
  return answer(
    `<volInfo><volumes><volume><name>data</name><id>u</id><statusStr>${status}</statusStr>` +
      `<replicaCount>${String(replicas)}</replicaCount><disperseCount>0</disperseCount><bricks>` +
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

/** What the heal daemon says of the bricks of a set: how much is to be healed from each; undefined for one that is down. */
const healOf = (pending: readonly (number | undefined)[]): string =>
  answer(
    '<healInfo><bricks>' +
      pending
        .map((entries, index) => {
          const { host, path } = brick(String(index + 1));
          const isDown = entries === undefined;
          return (
            `<brick hostUuid="h"><name>${host}:${path}</name>` +
            `<status>${isDown ? 'Transport endpoint is not connected' : 'Connected'}</status>` +
            `<numberOfEntriesInHealPending>${isDown ? '-' : String(entries)}</numberOfEntriesInHealPending></brick>`
          );
        })
        .join('') +
      '</bricks></healInfo>',
  );

/** A set of three copies, the first of which is to be replaced by a fourth. */
async function replaceFirstOf(pending: readonly (number | undefined)[], healCheck: GlusterReplacement['healCheck']) {
  const changes: string[] = [];
  const copies = [brick('1'), brick('2'), brick('3')];
  const replacement = brick('4');
  let bricks = copies;
  const run: HostCommand = (argv) => {
    const words = argv.slice(4).join(' ');
    let out = answer('');
    if (words === 'volume info data') out = info(bricks, 'Started', 3);
    else if (words.startsWith('volume heal')) out = healOf(pending);
    else {
      changes.push(words);
      bricks = [replacement, ...copies.slice(1)];
    }
    return Promise.resolve({ argv, exit: 0, out, err: '' });
  };
  const driver = convergingVolumeDriver(glusterCli({ run, stateDirectory: '/nonexistent' }), { patience: PATIENCE });
  const outcome = await driver.ensureReplaced({
    ...change(healCheck),
    durability: { kind: 'replicate', replica: 3 },
    leaving: brick('1'),
    replacement,
    others: copies.slice(1),
  });
  return { said: outcome.ok ? 'done' : outcome.failure.detail, changes: changes.length };
}

describe('the replacement of a brick', () => {
  const LEAVING_ID = LEAVING.brickId;

  it('is refused when others are healed from the brick, unless nobody is to look', async () => {
    const source = `Cannot replace brick ${LEAVING_ID} as it is source brick for data to be healed`;
    expect(await replaceFirstOf([1, 0, 0], 'enable')).toEqual({ said: source, changes: 0 });
    expect(await replaceFirstOf([1, 0, 0], 'disable')).toEqual({ said: 'done', changes: 1 });
    // What is to be healed from another copy does not hold this one.
    expect(await replaceFirstOf([0, 1, 0], 'enable')).toEqual({ said: 'done', changes: 1 });
  });

  it.each([
    ['both are down', [0, undefined, undefined], 'only 0 of 2'],
    ['one is down', [0, 0, undefined], 'only 1 of 2'],
    ['itself and one are down', [undefined, 0, undefined], 'only 1 of 2'],
  ] as const)('is refused when too few of the others are up: %s', async (_, pending, count) => {
    const text = `Cannot replace brick ${LEAVING_ID} as ${count} required peer bricks are online`;
    expect(await replaceFirstOf(pending, 'enable')).toEqual({ said: text, changes: 0 });
    expect(await replaceFirstOf(pending, 'disable')).toEqual({ said: 'done', changes: 1 });
  });

  it('is refused at once, with the reason, while the volume is stopped: nobody can say then what is to be healed', async () => {
    const run: HostCommand = (argv) => {
      const isInfo = argv.slice(4).join(' ') === 'volume info data';
      const out = isInfo
        ? info([LEAVING, OTHER], 'Stopped')
        : answer('', -1, 'Not able to fetch volfile from glusterd');
      return Promise.resolve({ argv, exit: 0, out, err: '' });
    };
    const driver = convergingVolumeDriver(glusterCli({ run, stateDirectory: '/nonexistent' }), { patience: PATIENCE });
    expect(await driver.ensureReplaceable(change('enable'))).toMatchObject({
      failure: { detail: expect.stringContaining('volume data is stopped') as unknown, transient: false },
    });
  });

  it('is done when the others are up and it is not', async () => {
    expect(await replaceFirstOf([undefined, 0, 0], 'enable')).toEqual({ said: 'done', changes: 1 });
  });

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
