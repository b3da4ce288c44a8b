import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostSignature } from './host-signature';

describe('the signature of a host', () => {
  let folder: string;
  let glusterdDirectory: string;
  let brickPids: string;
  const look = (): Promise<string> => hostSignature({ glusterdDirectory, brickPids });

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'brickyard-signature-'));
    [glusterdDirectory, brickPids] = [join(folder, 'glusterd'), join(folder, 'pids')];
  });

  afterEach(() => rm(folder, { recursive: true }));

  it('is the same while nothing changes, also where there is no Gluster yet', async () => {
    expect(await look()).toBe(await look());
  });

  it('is another one when a volume, a peer, or either of their files has changed', async () => {
    const seen = [await look()];
    const then = async (change: () => Promise<unknown>): Promise<void> => {
      await change();
      seen.push(await look());
    };
    await then(() => mkdir(join(glusterdDirectory, 'vols/data'), { recursive: true }));
    await then(() => writeFile(join(glusterdDirectory, 'vols/data/info'), 'status=0\n'));
    await then(() => writeFile(join(glusterdDirectory, 'vols/data/info'), 'status=1\noptions\n'));
    await mkdir(join(glusterdDirectory, 'peers'));
    await then(() => writeFile(join(glusterdDirectory, 'peers/0b7c'), 'state=3\n'));
    await then(() => rm(join(glusterdDirectory, 'vols/data'), { recursive: true }));
    expect(new Set(seen).size).toBe(seen.length);
  });

  it('is another one when the process of a brick ends, whose note stays', async () => {
    const brick = spawn('sleep', ['60']);
    try {
      await mkdir(join(brickPids, 'data'), { recursive: true });
      await writeFile(join(brickPids, 'data/host-brick.pid'), `${String(brick.pid)}\n`);
      const before = await look();
      expect(await look()).toBe(before);
      const ended = once(brick, 'exit');
      brick.kill('SIGKILL');
      await ended;
      expect(await look()).not.toBe(before);
    } finally {
      brick.kill('SIGKILL');
    }
  });

  it('reads the mount table of the place where bricks are mounted', async () => {
    const asked: (readonly string[])[] = [];
    let out = 'one';
    const elsewhere = (
      argv: readonly string[],
    ): Promise<{ argv: readonly string[]; exit: number; out: string; err: string }> => {
      asked.push(argv);
      return Promise.resolve({ argv, exit: 0, out, err: '' });
    };
    const before = await hostSignature({ elsewhere });
    out = 'another';
    expect(await hostSignature({ elsewhere })).not.toBe(before);
    expect(asked).toEqual([
      ['cat', '/proc/self/mountinfo'],
      ['cat', '/proc/self/mountinfo'],
    ]);
  });
});
