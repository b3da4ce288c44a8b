import { describeError, Unavailable } from './errors';

describe('describeError', () => {
  it('tells an error with all its causes in one line', () => {
    const refused = new AggregateError([
      new Error('connect ECONNREFUSED ::1'),
      new Error('connect ECONNREFUSED 127.0.0.1'),
    ]);
    const error = new Unavailable('append to the ledger', {
      cause: new Error('connect', { cause: refused }),
      retryAfterMs: 5,
    });
    expect(describeError(error)).toBe(
      'append to the ledger: connect: connect ECONNREFUSED ::1 and connect ECONNREFUSED 127.0.0.1',
    );
    expect(error.retryAfterMs).toBe(5);
  });

  it('ends for causes in a circle and speaks for anything thrown', () => {
    const circle = new Error('round');
    circle.cause = circle;
    expect(describeError(circle)).toMatch(/^round(: round)+$/);
    expect([describeError('text'), describeError({ code: 5 }), describeError(undefined)]).toEqual([
      'text',
      '{ code: 5 }',
      'unknown error',
    ]);
  });
});
