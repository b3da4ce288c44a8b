import { runCli } from './cli';
import { createRequest } from './commands/volume-create.command';
import { durabilityText } from './commands/volume.tell';
import { apiOptions, parseMoment } from './context';
import { EXIT, UsageError } from './exit-codes';
import { middleOf } from './audit/fold-parts';
import { whoIn } from './picture/authors';
import { changesBetween, type Picture } from './picture/picture';
import { humanKib, parseGib } from './sizes';
import { table } from './table';

async function cli(argv: readonly string[], env: Record<string, string> = {}) {
  let [out, err] = ['', ''];
  const code = await runCli(argv, { env, out: (text) => (out += text), err: (text) => (err += text) });
  return { code, out, err };
}

describe('a size', () => {
  it.each([
    ['10', 10],
    ['10GiB', 10],
    ['10 gib', 10],
    ['10Gi', 10],
    ['1.5TiB', 1536],
    ['2048MiB', 2],
    ['1Pi', 1_048_576],
  ])('%s is %i GiB', (text, gib) => {
    expect(parseGib(text)).toBe(gib);
  });

  it.each(['', '0', '-1', '1.5GiB', '512MiB', '10GB10', 'ten', '1e3', '10XiB', '10G', '10GB', '9'.repeat(40)])(
    '%s is refused',
    (text) => {
      expect(() => parseGib(text)).toThrow(UsageError);
    },
  );

  it('is read in the largest unit that fits', () => {
    expect([0, 1023, 1024, 20_971_520, 20_866_662, 1_073_741_824].map(humanKib)).toEqual([
      '0 KiB',
      '1023 KiB',
      '1 MiB',
      '20 GiB',
      '19.9 GiB',
      '1 TiB',
    ]);
  });
});

describe('a moment', () => {
  it('is a position, or a time in UTC unless it says otherwise', () => {
    expect(parseMoment('1234')).toBe('1234');
    expect(parseMoment('2026-01-31T03:12:00Z')).toBe('2026-01-31T03:12:00.000Z');
    expect(parseMoment('2026-01-31 03:12')).toBe('2026-01-31T03:12:00.000Z');
    expect(parseMoment('2026-01-31T03:12:00+02:00')).toBe('2026-01-31T01:12:00.000Z');
    expect(parseMoment('2026-01-31')).toBe('2026-01-31T00:00:00.000Z');
    for (const text of ['yesterday', '12a', '2026-13-01', '', '-1'])
      expect(() => parseMoment(text)).toThrow(UsageError);
  });
});

describe('where the API is and who asks', () => {
  const env = {
    HEKETI_CLI_SERVER: 'http://h',
    HEKETI_CLI_USER: 'user',
    HEKETI_CLI_KEY: 'hk',
    BRICKYARD_SERVER: 'http://b',
  };

  it('comes from flags, then from our variables, then from those of heketi', () => {
    expect(apiOptions({ server: 'http://f' }, env).url).toBe('http://f');
    expect(apiOptions({}, env)).toEqual({ url: 'http://b', user: 'user', key: 'hk' });
    expect(apiOptions({ user: 'admin', secret: 's' }, { ...env, BRICKYARD_SERVER: '' })).toEqual({
      url: 'http://h',
      user: 'admin',
      key: 's',
    });
    expect(() => apiOptions({}, {})).toThrow('--server');
    expect(() => apiOptions({ server: 'ftp://x' }, {})).toThrow('not a URL');
    expect(() => apiOptions({ server: 'http://x', user: 'root' }, {})).toThrow('admin or user');
  });
});

describe('a volume', () => {
  const flags = { size: '10GiB', durability: 'replicate', block: false, persistentVolume: false, wait: true } as const;
  const asked = (more: object) => createRequest({ ...flags, cluster: [], option: [], ...more });

  it('is asked for in the words of the API', () => {
    expect(asked({})).toEqual({ size: 10, durability: { type: 'replicate', replicate: { replica: 3 } } });
    expect(
      asked({ durability: 'disperse', name: 'n', cluster: ['c'], option: ['a b'], gid: 7, snapshotFactor: 1.5 }),
    ).toEqual({
      size: 10,
      name: 'n',
      durability: { type: 'disperse', disperse: { data: 4, redundancy: 2 } },
      clusters: ['c'],
      glustervolumeoptions: ['a b'],
      gid: 7,
      snapshot: { enable: true, factor: 1.5 },
    });
    expect(() => asked({ durability: 'none', replica: 2 })).toThrow(UsageError);
    expect(() => asked({ data: 2 })).toThrow(UsageError);
  });

  it('has a durability of one word', () => {
    const [replicate, disperse] = [{ replica: 3 }, { data: 4, redundancy: 2 }];
    expect(durabilityText({ type: 'replicate', replicate, disperse })).toBe('replicate 3');
    expect(durabilityText({ type: 'disperse', replicate, disperse })).toBe('disperse 4+2');
    expect(durabilityText({ type: 'none', replicate, disperse })).toBe('none');
  });
});

describe('a table', () => {
  it('lines up, and gives way in its widest column when the terminal is narrow', () => {
    const rows = [
      ['1', 'a'.repeat(30)],
      ['22', 'b'],
    ];
    expect(table(['NO', 'TEXT'], rows)).toEqual(['NO  TEXT', `1   ${'a'.repeat(30)}`, '22  b']);
    const narrow = table(['NO', 'TEXT'], rows, 20);
    expect(narrow).toEqual(['NO  TEXT', `1   ${'a'.repeat(15)}…`, '22  b']);
  });

  it('never cuts what a row is about, and breaks no line: cell by cell where there is no room for columns', () => {
    const rows = [
      ['a'.repeat(32), 'x'.repeat(32), '1'],
      ['b'.repeat(32), 'y', '2'],
    ];
    const heads = ['VOLUME', 'NAME', 'NO'];
    expect(table(heads, rows, 46)[1]).toBe(`${'a'.repeat(32)}  ${'x'.repeat(7)}…  1`);
    expect(table(heads, rows, 40)).toEqual([
      `VOLUME  ${'a'.repeat(32)}`,
      `NAME    ${'x'.repeat(32)}`,
      'NO      1',
      '',
      `VOLUME  ${'b'.repeat(32)}`,
      'NAME    y',
      'NO      2',
    ]);
  });
});

describe('two pictures', () => {
  const picture = (things: Record<string, Record<string, string>>): Picture => ({
    position: 1,
    things: new Map(Object.entries(things).map(([key, thing]) => [key, new Map(Object.entries(thing))])),
  });
  const [a, b] = ['a'.repeat(32), 'b'.repeat(32)];

  it('differ in what came, went or changed, field by field', () => {
    const before = picture({ [`node ${a}`]: { zone: '1' }, [`volume ${a}`]: { size: '1' } });
    const after = picture({ [`node ${a}`]: { zone: '2' }, [`volume ${b}`]: { size: '1' } });
    expect(changesBetween(before, after)).toEqual([
      { kind: 'node', id: a, what: 'changed', fields: [{ field: 'zone', before: '1', after: '2' }] },
      { kind: 'volume', id: a, what: 'removed', fields: [{ field: 'size', before: '1' }] },
      { kind: 'volume', id: b, what: 'added', fields: [{ field: 'size', after: '1' }] },
    ]);
    expect(changesBetween(before, before)).toEqual([]);
  });

  it('are the work of those who changed the thing, or what it speaks of', () => {
    const authors = new Map([[`volume-${b}`, ['admin: VolumePlanned at 7']]]);
    const device = {
      kind: 'device',
      id: a,
      what: 'changed',
      fields: [{ field: 'brick x', after: `${b} 1 KiB /p` }],
    } as const;
    expect(whoIn(device, authors)).toEqual([`admin: VolumePlanned at 7, of volume ${b}`]);
    expect(whoIn({ kind: 'volume', id: b, what: 'added', fields: [] }, authors)).toEqual(['admin: VolumePlanned at 7']);
  });
});

describe('the fold in two halves', () => {
  it('is cut at a snapshot near the middle of a long log, or not at all', () => {
    const head = { position: 1_000_000, hash: '' };
    expect(middleOf({ head, snapshots: [100_000, 400_000, 540_000, 900_000] })).toBe(540_000);
    expect(middleOf({ head, snapshots: [100_000, 900_000] })).toBeUndefined();
    expect(middleOf({ head: { position: 99_999, hash: '' }, snapshots: [50_000] })).toBeUndefined();
  });
});

describe('the command line', () => {
  it('explains itself, exit codes and variables included', async () => {
    const { code, out } = await cli(['--help']);
    expect(code).toBe(EXIT.fine);
    for (const text of ['cluster', 'audit', 'Exit codes', 'HEKETI_CLI_KEY', '--at']) expect(out).toContain(text);
    expect((await cli(['volume', 'create', '--help'])).out).toContain('--snapshot-factor');
  });

  it.each([
    [['frobnicate'], /unknown command/],
    [['volume', 'create'], /--size/],
    [['volume', 'create', '--size', '10GiB', '--wait=perhaps', '-s', 'http://x'], /true, false/],
    [['volume', 'create', '--size', '0.5GiB', '-s', 'http://x'], /not a whole number of GiB/],
    [['volume', 'create', '--size', '1', '--at', '5', '-s', 'http://x'], /nothing can be changed/],
    [['volume', 'create', '--size', '1', '--durability', 'raid', '-s', 'http://x'], /--durability/],
    [['volume', 'info', '../clusters', '-s', 'http://x'], /not an id/],
    [['volume', 'list'], /no server/],
    [['history', 'host', 'a'.repeat(32), '-s', 'http://x'], /not of host/],
    [['cluster', 'create', '--file=false', '--block=false', '-s', 'http://x'], /file volumes, block volumes or both/],
    [['diff', '1', 'later', '-s', 'http://x'], /neither a position nor a time/],
    [['audit', 'verify', '--pg', 'mysql://x'], /not a URL of Postgres/],
  ])('refuses %j as a usage error', async (argv, text) => {
    const { code, out, err } = await cli(argv);
    expect(err).toMatch(text);
    expect({ code, out }).toEqual({ code: EXIT.usage, out: '' });
  });

  it('says once who does not answer, and never the key', async () => {
    const { code, err } = await cli(['volume', 'list', '-s', 'http://127.0.0.1:1', '--secret', 'top-secret']);
    expect(code).toBe(EXIT.unavailable);
    expect(err).toMatch(/^brickyard: no answer from http:..127.0.0.1:1 to GET .v1.volumes/);
    expect(err.match(/\/v1\/volumes/g)).toHaveLength(1);
    expect(err).not.toContain('top-secret');
  });

  it('ends as documented when a file cannot be read', async () => {
    const { code, err } = await cli(['topology', 'load', '/nowhere.json', '-s', 'http://127.0.0.1:1']);
    expect(code).toBe(EXIT.unavailable);
    expect(err).toMatch(/^brickyard: Unable to open config file \/nowhere.json: .*ENOENT/);
  });
});
