import { type Sign, watchSilence } from './silence-watch';

describe('a watch of a silent glusterd', () => {
  let restarts: number[];
  let begunAt: number;
  let see: (sign: Sign) => void;
  const lasts = async (sign: Sign, seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second += 2) {
      see(sign);
      await jest.advanceTimersByTimeAsync(2_000);
    }
  };

  beforeEach(() => {
    jest.useFakeTimers();
    begunAt = performance.now();
    restarts = [];
    see = watchSilence(() => {
      restarts.push(Math.round((performance.now() - begunAt) / 1_000));
      return Promise.resolve();
    });
  });
  afterEach(() => jest.useRealTimers());

  it('has one started once more that listens and does not answer for two minutes', async () => {
    await lasts('silent', 118);
    expect(restarts).toEqual([]);
    await lasts('silent', 4);
    expect(restarts).toEqual([120]);
  });

  it('is patient with one that answers now and then, and leaves one alone that is down', async () => {
    for (let round = 0; round < 5; round += 1) {
      await lasts('silent', 100);
      await lasts('answered', 2);
      await lasts('silent', 100);
      await lasts('not listening', 600);
    }
    expect(restarts).toEqual([]);
  });

  it('waits twice as long each time where another start did not help, until one did', async () => {
    await lasts('silent', 120 + 240 + 480 + 6);
    expect(restarts).toEqual([120, 362, 844]);
    await lasts('answered', 2);
    await lasts('silent', 122);
    expect(restarts).toHaveLength(4);
  });
});
