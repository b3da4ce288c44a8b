import { challengesIn } from './challenge';

describe('a challenge', () => {
  it.each([
    [
      'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull"',
      [{ kind: 'bearer', realm: 'https://auth.example/token', service: 'registry.example' }],
    ],
    ['Basic realm="who, me?"', [{ kind: 'basic' }]],
    ['basic', [{ kind: 'basic' }]],
    [
      'bearer realm=https://auth.example/token',
      [{ kind: 'bearer', realm: 'https://auth.example/token', service: undefined }],
    ],
    [
      'Negotiate, Basic realm="x", charset="UTF-8", Bearer realm="https://a/\\"b" , service="s"',
      [{ kind: 'basic' }, { kind: 'bearer', realm: 'https://a/"b', service: 's' }],
    ],
    ['Bearer service="no realm"', []],
    ['', []],
    [undefined, []],
    ['="broken', []],
  ])('%s is read', (header, challenges) => {
    expect(challengesIn(header)).toEqual(challenges);
  });
});
