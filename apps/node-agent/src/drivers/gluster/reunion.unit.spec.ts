import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Member } from './gluster.port';
import { reunion } from './reunion';

const member = (hostname: string, standing: Partial<Member> = {}): Member => ({
  uuid: hostname,
  hostname,
  names: [hostname],
  connected: true,
  joined: true,
  rejected: false,
  ...standing,
});
const SELF = member('localhost');

describe('a glusterd that has come up', () => {
  let folder: string;
  let socket: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'brickyard-reunion-'));
    socket = join(folder, 'glusterd.socket');
    writeFileSync(socket, '');
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const startedAgo = (seconds: number): void => {
    const then = Date.now() / 1_000 - seconds;
    utimesSync(socket, then, then);
  };

  it('meets every peer before it changes anything, and once', async () => {
    const looks = [
      [],
      [SELF, member('b', { connected: false })],
      [SELF, member('b', { joined: false })],
      [SELF, member('b')],
    ];
    const members = jest.fn(() => Promise.resolve(looks.shift() ?? []));
    const met = reunion({ socket, members });
    await met();
    await met();
    expect(members).toHaveBeenCalledTimes(4);
  });

  it('meets them again after it has been started again', async () => {
    const members = jest.fn(() => Promise.resolve([SELF]));
    const met = reunion({ socket, members });
    await met();
    startedAgo(1);
    await met();
    expect(members).toHaveBeenCalledTimes(2);
  });

  it('does not wait for one that stays away', async () => {
    startedAgo(9.9);
    await reunion({ socket, members: () => Promise.resolve([SELF, member('b', { connected: false })]) })();
    const members = jest.fn(() => Promise.reject(new Error('no answer')));
    startedAgo(60);
    await reunion({ socket, members })();
    expect(members).not.toHaveBeenCalled();
  });

  it('that is down makes nobody wait: the command says so', async () => {
    const members = jest.fn(() => Promise.reject(new Error('no answer')));
    await reunion({ socket: join(folder, 'none'), members })();
    expect(members).not.toHaveBeenCalled();
  });
});
