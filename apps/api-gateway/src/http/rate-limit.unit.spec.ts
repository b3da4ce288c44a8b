import { createRateLimit } from './rate-limit';

describe('the rate limit', () => {
  const times = (count: number, ask: () => boolean): number =>
    Array.from({ length: count }, ask).filter(Boolean).length;

  it('lets an address use what it has saved up, and then its rate', () => {
    const mayAsk = createRateLimit(10);
    expect(times(100, () => mayAsk('10.0.0.1', 0))).toBe(50);
    expect(times(100, () => mayAsk('10.0.0.1', 1_000))).toBe(10);
    expect(times(100, () => mayAsk('10.0.0.1', 61_000))).toBe(50);
  });

  it('counts each address alone', () => {
    const mayAsk = createRateLimit(1);
    times(100, () => mayAsk('10.0.0.1', 0));
    expect(mayAsk('10.0.0.2', 0)).toBe(true);
    expect(mayAsk('10.0.0.1', 0)).toBe(false);
  });

  it('remembers whoever is over the limit while ten thousand others come by', () => {
    const mayAsk = createRateLimit(1);
    times(100, () => mayAsk('10.0.0.1', 0));
    // Six seconds after they have asked once, the others are as if they never had.
    for (let other = 0; other < 9_999; other += 1) mayAsk(`10.1.${String(other >> 8)}.${String(other & 255)}`, 0);
    times(100, () => mayAsk('10.0.0.1', 6_000));
    expect(mayAsk('10.2.0.1', 6_000)).toBe(true);
    expect(mayAsk('10.0.0.1', 6_000)).toBe(false);
  });
});
