import { createHold, type Hold } from './hold';

const TIMING = { rush: 3, windowMs: 100, maxMs: 1_000 };

describe('hold', () => {
  let released: number[];
  let hold: Hold<number>;

  beforeEach(() => {
    jest.useFakeTimers({ now: 0 });
    released = [];
    hold = createHold(
      (items: readonly number[]) => released.push(...items),
      TIMING,
      () => Date.now(),
    );
  });
  afterEach(() => {
    hold.stop();
    jest.useRealTimers();
  });

  it('lets through at once what comes alone', () => {
    hold.add([1]);
    hold.add([2]);
    expect(released).toEqual([1, 2]);
  });

  it('keeps what comes in a rush until it is over, in order', () => {
    hold.add([1]);
    hold.add([2, 3]);
    hold.add([4]);
    expect(released).toEqual([1]);
    jest.advanceTimersByTime(90);
    expect(released).toEqual([1]);
    jest.advanceTimersByTime(20);
    expect(released).toEqual([1, 2, 3, 4]);
  });

  it('keeps nothing longer than its limit, however long the rush lasts', () => {
    for (let at = 0; at < 5_000; at += 20) {
      hold.add([at]);
      jest.advanceTimersByTime(20);
    }
    const waiting = 5_000 / 20 - released.length;
    expect(waiting * 20).toBeLessThanOrEqual(TIMING.maxMs + 20);
    expect(released).toEqual(released.toSorted((one, other) => one - other));
  });

  it('leaves no timer behind', () => {
    hold.add([1, 2, 3, 4]);
    jest.advanceTimersByTime(500);
    expect(released).toHaveLength(4);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('forgets what it holds when it is stopped', () => {
    hold.add([1, 2, 3]);
    hold.stop();
    jest.advanceTimersByTime(5_000);
    expect(released).toEqual([]);
  });
});
