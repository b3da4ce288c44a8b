import type { Member } from './gluster.port';
import { type HandshakeWatch, watchHandshakes } from './handshake-watch';

const member = (hostname: string, as: Partial<Member> = {}): Member => ({
  uuid: `uuid of ${hostname}`,
  hostname,
  names: [hostname],
  connected: true,
  joined: true,
  rejected: false,
  ...as,
});
const HANGING = [member('localhost'), member('b', { joined: false }), member('c')];
const WELL = [member('localhost'), member('b'), member('c')];

describe('a watch of handshakes', () => {
  let pool: readonly Member[] | Error;
  let looks: number;
  let restarts: { readonly atMs: number; readonly hanging: readonly string[] }[];
  let begunAt: number;
  let watching: HandshakeWatch;
  const see = (members: readonly Member[]): void => {
    pool = members;
    watching.see(members);
  };

  beforeEach(() => {
    jest.useFakeTimers();
    begunAt = performance.now();
    looks = 0;
    restarts = [];
    watching = watchHandshakes({
      look: () => {
        looks += 1;
        if (pool instanceof Error) return Promise.reject(pool);
        watching.see(pool);
        return Promise.resolve();
      },
      restart: (hanging) => {
        restarts.push({ atMs: performance.now() - begunAt, hanging });
        return Promise.resolve();
      },
    });
  });
  afterEach(() => jest.useRealTimers());

  it('does nothing, and does not even look, while all are joined', async () => {
    see(WELL);
    await jest.advanceTimersByTimeAsync(3_600_000);
    expect([looks, restarts]).toEqual([0, []]);
  });

  it('lets a handshake take its time', async () => {
    see(HANGING);
    await jest.advanceTimersByTimeAsync(14_000);
    pool = WELL;
    await jest.advanceTimersByTimeAsync(3_600_000);
    expect([looks, restarts]).toEqual([1, []]);
  });

  it('has a glusterd that hangs started once more, and names the peers', async () => {
    see(HANGING);
    await jest.advanceTimersByTimeAsync(16_000);
    expect(restarts).toEqual([{ atMs: 15_100, hanging: ['b'] }]);
  });

  it('waits twice as long after each start that did not help, at most half an hour', async () => {
    see(HANGING);
    await jest.advanceTimersByTimeAsync(6 * 3_600_000);
    const pauses = restarts.map(({ atMs }, index) => atMs - (restarts[index - 1]?.atMs ?? 0));
    for (const [index, pause] of pauses.entries()) {
      const least = Math.min(15_000 * 2 ** index, 1_800_000);
      expect(pause).toBeGreaterThanOrEqual(least);
      expect(pause).toBeLessThan(least + 16_000);
    }
    expect(pauses.length).toBeGreaterThan(12);
  });

  it('is as quick as at first after a handshake that ended well', async () => {
    see(HANGING);
    await jest.advanceTimersByTimeAsync(16_000);
    pool = WELL;
    await jest.advanceTimersByTimeAsync(60_000);
    see(HANGING);
    await jest.advanceTimersByTimeAsync(16_000);
    expect(restarts.map(({ atMs }) => atMs)).toEqual([15_100, 16_000 + 60_000 + 15_100]);
  });

  it('looks again when glusterd could not be asked', async () => {
    see(HANGING);
    pool = new Error('glusterd starts');
    await jest.advanceTimersByTimeAsync(31_000);
    expect([looks, restarts]).toEqual([2, []]);
    pool = HANGING;
    await jest.advanceTimersByTimeAsync(15_000);
    expect(restarts).toHaveLength(1);
  });

  it.each([
    ['is away', { connected: false, joined: false }],
    ['was rejected', { joined: false, rejected: true }],
  ])('does not mind a peer that %s', async (_, as) => {
    see([member('localhost'), member('b', as)]);
    await jest.advanceTimersByTimeAsync(3_600_000);
    expect([looks, restarts]).toEqual([0, []]);
  });
});
