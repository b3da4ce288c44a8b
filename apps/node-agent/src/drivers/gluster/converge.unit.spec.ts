import { type Change, converge } from './converge';
import type { Reply, Trouble } from './gluster.port';
import { passing } from '../step-failure';

const PATIENCE = { lockedMs: 200, awayMs: 0, firstPauseMs: 1, pauseMsMax: 2 };
const trouble = (kind: Trouble, message = kind as string): Reply => ({
  ok: false,
  trouble: kind,
  message,
  cause: 'cmd',
});

/** A change whose command answers so, one answer after the other; it is done when `doneAfter` commands were given. */
function change(replies: readonly Reply[], doneAfter = Infinity): Change & { readonly acts: () => number } {
  let acts = 0;
  return {
    failure: 'volume v cannot be created',
    acts: () => acts,
    isDone: () => Promise.resolve(acts >= doneAfter),
    act: () => {
      const reply = replies[Math.min(acts, replies.length - 1)] ?? { ok: true };
      acts += 1;
      return Promise.resolve(reply);
    },
  };
}

const failure = async (of: Change): Promise<unknown> =>
  converge(of, PATIENCE).then(
    () => undefined,
    (error: unknown) => (error as { readonly failure: unknown }).failure,
  );

describe('converging', () => {
  it('does nothing when nothing is to be done', async () => {
    const made = change([trouble('refused')], 0);
    await converge(made, PATIENCE);
    expect(made.acts()).toBe(0);
  });

  it('waits out the lock of the cluster, and looks before every try', async () => {
    const waited = change([trouble('locked'), trouble('locked'), { ok: true }]);
    await converge(waited, PATIENCE);
    expect(waited.acts()).toBe(3);
    const doneByOthers = change([trouble('locked')], 2);
    await converge(doneByOthers, PATIENCE);
    expect(doneByOthers.acts()).toBe(2);
  });

  it('gives up on a lock that stays, as a passing failure', async () => {
    expect(await failure(change([trouble('locked')]))).toMatchObject({
      transient: true,
      uncertain: false,
      cause: 'cmd',
    });
  });

  it('counts as done what was refused and is so', async () => {
    await converge(change([trouble('refused', 'Volume v already exists')], 1), PATIENCE);
    await converge(change([trouble('no-answer')], 1), PATIENCE);
  });

  it('says what kind of failure it is', async () => {
    expect(await failure(change([trouble('refused', 'no')]))).toEqual({
      transient: false,
      uncertain: false,
      detail: 'volume v cannot be created: no',
      cause: 'cmd',
    });
    expect(await failure(change([trouble('no-answer')]))).toMatchObject({ transient: true, uncertain: true });
    expect(await failure(change([trouble('peer-away', 'Host b not connected')]))).toMatchObject({
      transient: true,
      uncertain: false,
      detail: expect.stringContaining('Host b not connected') as unknown,
    });
  });

  it('takes a look that fails for a daemon that is away', async () => {
    const blind: Change = {
      ...change([{ ok: true }]),
      isDone: () => Promise.reject(passing('glusterd does not answer')),
    };
    expect(await failure(blind)).toMatchObject({
      transient: true,
      detail: expect.stringContaining('glusterd') as unknown,
    });
  });
});
