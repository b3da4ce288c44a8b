import { createLogger, type Logger } from './logger';

function record(level = 'info'): {
  readonly log: Logger;
  readonly lines: () => Record<string, unknown>[];
  readonly text: () => string;
} {
  const written: string[] = [];
  const log = createLogger({ service: 'allocator', level }, { write: (line) => void written.push(line) });
  return {
    log,
    text: () => written.join(''),
    lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

describe('createLogger', () => {
  it('hides fields named as secrets at any depth, in children and in errors', () => {
    const { log, lines, text } = record();
    const error = Object.assign(new Error('refused', { cause: new Error('deeper') }), { token: 'topsecret' });
    log.info({ request: { headers: [{ Authorization: 'topsecret' }], path: '/volumes' }, password: 'topsecret' }, 'in');
    log.child({ key: 'topsecret', node: 'n1' }).error({ err: error }, 'out');
    expect(text()).not.toContain('topsecret');
    expect(lines()[0]).toMatchObject({ request: { headers: [{ Authorization: '[hidden]' }], path: '/volumes' } });
    expect(lines()[1]).toMatchObject({
      level: 'error',
      service: 'allocator',
      node: 'n1',
      msg: 'out',
      err: { type: 'Error', message: 'refused', cause: { message: 'deeper' } },
    });
  });

  it('hides the secrets of a child, and of a child of a child, once and for all', () => {
    const { log, lines, text } = record();
    const child = log.child({ part: 'bus', nested: { token: 'topsecret' } }).child({ Secret: 'topsecret' });
    child.info('one');
    child.info({ token: 'topsecret' }, 'two');
    expect(text()).not.toContain('topsecret');
    expect(lines()[1]).toMatchObject({ part: 'bus', nested: { token: '[hidden]' }, Secret: '[hidden]', msg: 'two' });
  });

  it('hides the password of a URL wherever it stands', () => {
    const { log, text } = record();
    log.warn({ url: 'postgres://brickyard:pa55@db:5432/x' }, 'cannot reach nats://agent:pa55@nats:4222');
    expect(text()).not.toContain('pa55');
    expect(text()).toContain('postgres://brickyard:[hidden]@db:5432/x');
    expect(text()).toContain('nats://agent:[hidden]@nats:4222');
  });

  it('leaves out what is below its level', () => {
    const { log, lines } = record('warn');
    log.info('quiet');
    log.error(new Error('loud'));
    expect(lines()).toEqual([
      expect.objectContaining({ msg: 'loud', err: expect.objectContaining({ type: 'Error' }) as unknown }),
    ]);
  });
});
