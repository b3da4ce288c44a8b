import { Argument, Command, Option } from 'commander';
import { execFileSync } from 'node:child_process';
import { Operation, Status, Topology } from '../answers';
import { UsageError } from '../exit-codes';
import { stepText } from './change';
import { COMMAND_FILES, filesFor } from './command-files';
import { Context, GlobalOptions } from '../context';
import { completionScript, followers } from './completion.command';
import { moveIn } from './import.command';
import { clusterFindings, fileFindings, nodeFinding } from './preflight.command';
import { tagFrom } from './tags';
import { summaryOf, TopologyFile } from './topology-load';

describe('a topology file', () => {
  const node = {
    node: { hostnames: { manage: ['m'], storage: ['s'] }, zone: 1 },
    devices: ['/dev/sdb', { name: '/dev/sdc' }],
  };

  it('names devices as words or as objects; clusters take files and blocks unless told otherwise', () => {
    const [cluster] = TopologyFile.parse({ clusters: [{ nodes: [node] }] }).clusters;
    expect(cluster).toMatchObject({ file: true, block: true });
    expect(cluster?.nodes[0]?.devices).toEqual([
      { name: '/dev/sdb', destroydata: false, tags: undefined },
      { name: '/dev/sdc', destroydata: false },
    ]);
  });

  it.each([{}, { clusters: [{ nodes: [{ node: { hostnames: { manage: [], storage: ['s'] }, zone: 1 } }] }] }])(
    'is refused when it is %j',
    (file) => {
      expect(TopologyFile.safeParse(file).success).toBe(false);
    },
  );

  it('is told in one line when it is loaded', () => {
    expect(summaryOf({ clusters: 1, nodes: 3, devices: 6, found: 0, failed: 1 })).toBe(
      'Created 1 cluster(s), 3 node(s), 6 device(s); found 0 already there; 1 failed',
    );
  });
});

describe('a tag', () => {
  it('is a name and a value, which may hold colons', () => {
    expect(tagFrom('a:b:c')).toEqual(['a', 'b:c']);
    expect(tagFrom('a:')).toEqual(['a', '']);
    for (const word of ['a', ':b', '']) expect(() => tagFrom(word)).toThrow(UsageError);
  });
});

describe('what an operation is at', () => {
  it('is its step, how far that is, and what it waits for', () => {
    const task = (status: string) => ({ type: 'CreateBrick', host: 'h', status, id: 't' });
    const operation = Operation.parse({
      id: 'o',
      kind: 'create-volume',
      subject: 's',
      status: 'running',
      waitsFor: 'h is silent',
      step: { name: 'create-bricks', number: 0, direction: 'undo', attempt: 2, tasks: [task('done'), task('running')] },
    });
    expect(stepText(operation)).toBe('create-volume: create-bricks (undo), attempt 2, 1 of 2 done; h is silent');
    expect(stepText(Operation.parse({ id: 'o', kind: 'k', subject: 's', status: 'running' }))).toBe('k');
  });
});

describe('preflight', () => {
  const agent = { heard: true, alive: true, glusterd: 'running', host: 'real' };
  const node = { id: 'n', host: 'h1', state: 'online', lifecycle: 'ready', lost: false, residue: 0, agent };

  it.each([
    [{}, true, /run/],
    [{ lost: true, lostSince: '03:12' }, false, /bring the host back/],
    [{ agent: { heard: false } }, false, /on h1: systemctl start brickyard-node-agent/],
    [{ agent: { ...agent, alive: false } }, false, /systemctl start/],
    [{ agent: { ...agent, glusterd: 'stopped' } }, false, /systemctl start glusterd/],
    [{ residue: 2 }, false, /by themselves/],
    [{ lifecycle: 'adding' }, false, /operation list/],
  ])('of a node with %j says whether it is well and what to do', (more, ok, text) => {
    const finding = nodeFinding({ ...node, ...more });
    expect(finding.ok).toBe(ok);
    expect(finding.remedy ?? finding.says).toMatch(text);
  });

  it('counts the nodes that could take a copy, and looks at hosts of a file that are no nodes yet', () => {
    const empty = Topology.parse({ clusters: [], nodes: [], volumes: [] });
    expect(clusterFindings(empty)[0]).toMatchObject({
      ok: false,
      remedy: expect.stringContaining('topology load') as string,
    });
    const cluster = { id: 'c', nodes: [], volumes: [], file: true, block: true };
    expect(clusterFindings({ ...empty, clusters: [{ ...cluster, blockvolumes: [] }] })[0]).toMatchObject({ ok: false });
    const status = Status.parse({ position: 1, counts: {}, nodes: [], unregistered: [{ ...agent, name: 'here' }] });
    const entry = (name: string) => ({
      node: { hostnames: { manage: [name], storage: [name] }, zone: 1 },
      devices: ['/d'],
    });
    const file = TopologyFile.parse({ clusters: [{ nodes: [entry('here'), entry('away')] }] });
    // Before the first load of a file nothing is wrong with there being no cluster.
    expect(clusterFindings(empty, file)).toEqual([
      { about: 'clusters', ok: true, says: 'there is none yet; the file makes 1' },
    ]);
    expect(fileFindings(file, empty, status)).toEqual([
      { about: 'host here', ok: true, says: 'can be added, with /d' },
      expect.objectContaining({ about: 'host away', ok: false }),
    ]);
  });
});

describe('moving in', () => {
  it('where everything is taken over already says so, and not that the API is read-only', async () => {
    const told: string[] = [];
    const outside = { env: {}, out: (text: string) => told.push(text), err: (text: string) => told.push(text) };
    const context = new Context(outside, GlobalOptions.parse({}));
    expect(await moveIn(context, { commands: [], findings: [], differences: [], silent: [] }, true)).toBe(0);
    expect(told.join('')).toMatch(/There is nothing new to take over\.\n$/);
  });
});

describe('completion', () => {
  const program = new Command('tool').option('--json', '').option('-s, --server <url>', '');
  program.command('shell').addArgument(new Argument('<kind>').choices(['bash', 'zsh']));
  const noun = program.command('volume');
  noun
    .command('create')
    .option('--size <size>', '')
    .addOption(new Option('--kind <kind>', '').choices(['a', 'b']));
  noun.command('list');

  it('knows what can follow every command', () => {
    expect(followers(program).get('')).toEqual(['shell', 'volume', '--json', '--server', '--help']);
    expect(followers(program).get('volume')).toEqual(['create', 'list', '--help']);
    expect(followers(program).get('volume create')).toEqual(['--size', '--kind', '--help']);
  });

  it.each([
    ['tool v', 'volume'],
    ['tool volume ', 'create list --help'],
    ['tool volume create --s', '--size'],
    ['tool volume list 0123 --h', '--help'],
    ['tool --json volume cr', 'create'],
    ['tool --server shell volume cr', 'create'],
    ['tool -s http : //shell : 80 volume cr', 'create'],
    ['tool --server = volume volume create --s', '--size'],
    ['tool volume create --kind ', 'a b'],
    ['tool volume create --size ', ''],
    ['tool shell ', 'bash zsh --help'],
  ])('of "%s" is %s, as bash runs it', (line, wanted) => {
    const words = line.split(' ');
    const array = words.map((word) => `"${word}"`).join(' ');
    const script = `${completionScript(program, 'bash')}
COMP_WORDS=(${array}); COMP_CWORD=${String(words.length - 1)}; _tool; echo "\${COMPREPLY[*]}"`;
    expect(execFileSync('bash', ['-s'], { input: script, encoding: 'utf8' }).trim()).toBe(wanted);
  });
});

describe('a file of commands', () => {
  const shell = { outside: { env: {}, out: () => undefined, err: () => undefined }, ended: () => undefined };

  it.each(COMMAND_FILES.map((file) => [file.words.join(' '), file] as const))(
    'is read for the words its commands have: %s',
    (_, file) => {
      const program = new Command('brickyard');
      file.read()(program, shell);
      expect(program.commands.flatMap((command) => [command.name(), ...command.aliases()]).sort()).toEqual(
        [...file.words].sort(),
      );
      expect(filesFor(['--user', 'admin', ...file.words.slice(0, 1), '--help'])).toContain(file);
    },
  );

  it('is read alone when it alone is named; all are for help, completion and what is no command', () => {
    expect(filesFor(['-s', 'http://x', 'volume', 'list'])).toHaveLength(1);
    for (const argv of [[], ['--help'], ['volum', 'list'], ['completion', 'bash']]) {
      expect(filesFor(argv)).toBe(COMMAND_FILES);
    }
  });
});
