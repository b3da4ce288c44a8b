import type { CommandOf } from '@brickyard/contracts';
import { emptyControlState, type ControlState } from '@brickyard/domain';
import { createLogger } from '@brickyard/service-host';
import type { DriftStanding } from './drift.watcher';
import { watchRestore } from './restore.watcher';

const log = createLogger({ service: 'spec', level: 'silent' });
const hold = { since: '', sincePosition: 41, source: '/backup', restoredUpTo: 40, confirmed: false };
const held: ControlState = { ...emptyControlState, hold };
const fine: DriftStanding = { compared: 3, silent: 0, doubts: 0, seenGeneration: 77 };

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

/** What is submitted within a while. */
function after(state: ControlState, standing: DriftStanding): CommandOf<'ReleaseLog'>[] {
  const submitted: CommandOf<'ReleaseLog'>[] = [];
  const watch = watchRestore({
    log,
    state: () => state,
    standing: () => standing,
    submit: (command) => {
      submitted.push(command);
      return new Promise(() => undefined); // Under way for as long as is looked.
    },
  });
  jest.advanceTimersByTime(60_000);
  watch.stop();
  return submitted;
}

describe('a restored log', () => {
  it('goes on, once, when every host was compared and nothing differs', () => {
    expect(after(held, fine)).toEqual([
      { type: 'ReleaseLog', seenGeneration: 77, compared: 3, silent: 0, differences: 0 },
    ]);
  });

  it.each<[string, Partial<DriftStanding>]>([
    ['a host has said nothing', { silent: 1 }],
    ['a difference is looked at again', { doubts: 1 }],
  ])('waits while %s', (_, more) => {
    expect(after(held, { ...fine, ...more })).toEqual([]);
  });

  it('waits while there are differences, until somebody confirms; hosts not heard get room', () => {
    const drift = emptyControlState.drift.set('d' as never, {} as never);
    expect(after({ ...held, drift }, fine)).toEqual([]);
    const confirmed = { ...held, drift, hold: { ...hold, confirmed: true } };
    expect(after(confirmed, { ...fine, silent: 1 })).toEqual([
      { type: 'ReleaseLog', seenGeneration: 1_000_077, compared: 3, silent: 1, differences: 1 },
    ]);
  });

  it('is none of its business when it is not held', () => {
    expect(after(emptyControlState, fine)).toEqual([]);
  });
});
