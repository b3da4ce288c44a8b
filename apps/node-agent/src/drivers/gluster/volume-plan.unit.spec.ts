import { BrickId, HostName } from '@brickyard/contracts';
import { batchesOf, brickNames, checkName, settingsOf, shapeWords } from './volume-plan';

const ROOT = '/var/lib/heketi/mounts';
const DEVICE = 'd'.repeat(32);
const location = (index: number): { brickId: BrickId; host: HostName; path: string } => {
  const id = String(index).padStart(32, '0');
  return {
    brickId: BrickId.parse(id),
    host: HostName.parse(`h${String(index % 3)}`),
    path: `${ROOT}/vg_${DEVICE}/brick_${id}/brick`,
  };
};
const locations = (count: number): ReturnType<typeof location>[] =>
  Array.from({ length: count }, (_, i) => location(i));

const NONE = { kind: 'none' } as const;
const OWNER = [
  ['user.brickyard.id', 'me'],
  ['user.heketi.id', 'me'],
];

describe('a planned volume', () => {
  it('is created with its first set, and grows by few sets a command', () => {
    const replica = { kind: 'replicate', replica: 3 } as const;
    const names = brickNames(locations(24), replica, ROOT);
    const { first, further } = batchesOf(names, replica);
    expect(first).toHaveLength(3);
    expect(further.map(({ length }) => length)).toEqual([15, 6]);
    expect([...first, ...further.flat()]).toEqual(names);
    expect(batchesOf(names, { kind: 'none' }).further.map(({ length }) => length)).toEqual([15, 8]);
    const disperse = { kind: 'disperse', data: 4, redundancy: 2 } as const;
    expect(batchesOf(names, disperse).further.map(({ length }) => length)).toEqual([6, 6, 6]);
  });

  it('says its shape in Gluster words', () => {
    expect(shapeWords({ kind: 'none' })).toEqual([]);
    expect(shapeWords({ kind: 'replicate', replica: 1 })).toEqual([]);
    expect(shapeWords({ kind: 'replicate', replica: 2 })).toEqual(['replica', '2']);
    const disperse = { kind: 'disperse', data: 4, redundancy: 2 } as const;
    expect(shapeWords(disperse)).toEqual(['disperse-data', '4', 'redundancy', '2']);
  });

  it('sets all options in one command, groups apart, the owner last', () => {
    expect(settingsOf(['', 'a.b 1', ' c.d  x y '], 'me', NONE)).toEqual([
      { kind: 'pairs', pairs: [['a.b', '1'], ['c.d', 'x y'], ...OWNER] },
    ]);
    expect(settingsOf(['a.b 1', 'group virt', 'c.d 2'], 'me', NONE)).toEqual([
      { kind: 'pairs', pairs: [['a.b', '1']] },
      { kind: 'group', group: 'virt' },
      { kind: 'pairs', pairs: [['c.d', '2'], ...OWNER] },
    ]);
  });

  it('has what is missing healed soon, and stores no times where files are coded, unless somebody wants it otherwise', () => {
    const disperse = { kind: 'disperse', data: 2, redundancy: 1 } as const;
    const soon = ['cluster.heal-timeout', '60'];
    expect(settingsOf(['a.b 1'], 'me', { kind: 'replicate', replica: 3 })).toEqual([
      { kind: 'pairs', pairs: [soon, ['a.b', '1'], ...OWNER] },
    ]);
    expect(settingsOf(['a.b 1'], 'me', disperse)).toEqual([
      { kind: 'pairs', pairs: [['features.ctime', 'off'], soon, ['a.b', '1'], ...OWNER] },
    ]);
    const others = ['cluster.heal-timeout 900', ' features.ctime  on'];
    expect(settingsOf(others, 'me', disperse)).toEqual([
      { kind: 'pairs', pairs: [['cluster.heal-timeout', '900'], ['features.ctime', 'on'], ...OWNER] },
    ]);
  });

  it.each(['lonely', '--xml yes', 'group ../../etc/passwd', 'group -x'])('refuses the option "%s"', (option) => {
    expect(() => settingsOf([option], 'me', NONE)).toThrow(/no Gluster option|no group/);
  });

  it.each(['--help', 'all', 'help', 'force', '', 'a b', 'a/b'])('refuses the name "%s"', (name) => {
    expect(() => {
      checkName(name);
    }).toThrow(/cannot be the name/);
  });

  it('refuses half a set, a brick twice, and directories that are not its bricks', () => {
    const replica = { kind: 'replicate', replica: 3 } as const;
    expect(() => brickNames(locations(4), replica, ROOT)).toThrow('do not make whole sets of 3');
    expect(() => brickNames([location(1), location(1)], { kind: 'none' }, ROOT)).toThrow('named twice');
    expect(() => brickNames([{ ...location(1), path: '/etc' }], { kind: 'none' }, ROOT)).toThrow('not the directory');
    expect(() => brickNames([{ ...location(1), path: location(2).path }], { kind: 'none' }, ROOT)).toThrow();
  });
});
