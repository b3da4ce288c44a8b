import { Followers } from './followers';

describe('Followers', () => {
  let now = 0;
  const settled = async (promise: Promise<void>): Promise<boolean> =>
    Promise.race([
      promise.then(() => true),
      new Promise<boolean>((done) =>
        setImmediate(() => {
          done(false);
        }),
      ),
    ]);

  it('hold an answer back until each one that was named is as far, or may not trust its fold any more', async () => {
    const followers = new Followers(() => now);
    expect(await settled(followers.reached(5))).toBe(true);
    followers.heard('a', 4);
    expect(await settled(followers.reached(5))).toBe(true); // It was never named: it does not trust itself.
    expect(followers.name()).toEqual(['a']);
    const reached = followers.reached(5);
    expect(await settled(reached)).toBe(false);
    followers.heard('a', 5);
    expect(await settled(reached)).toBe(true);
    const next = followers.reached(6);
    now += 1_400;
    expect(followers.name()).toEqual(['a']); // Heard of not long ago.
    expect(await settled(next)).toBe(false);
    now += 1_200;
    expect(followers.name()).toEqual([]); // Silent for too long; what it was told last may still count.
    expect(await settled(next)).toBe(false);
    now += 100;
    followers.name();
    expect(await settled(next)).toBe(true);
  });
});
