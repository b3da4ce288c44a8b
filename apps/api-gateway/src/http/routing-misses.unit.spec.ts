import { missesOf } from './routing-misses';

const missOf = missesOf([
  { method: 'GET', url: '/clusters' },
  { method: 'POST', url: '/clusters' },
  { method: 'GET', url: '/clusters/:id(^[A-Fa-f0-9]+$)' },
  { method: 'POST', url: '/clusters/:id(^[A-Fa-f0-9]+$)/flags' },
]);

describe('a request no route answers', () => {
  it.each([
    ['GET', '/nosuch', { kind: 'not-found' }],
    ['GET', '/clusters/zzz', { kind: 'not-found' }],
    ['GET', '/', { kind: 'not-found' }],
    ['PUT', '/clusters', { kind: 'method-not-allowed' }],
    ['DELETE', '/clusters/ab', { kind: 'method-not-allowed' }],
    ['GET', '/clusters/ab/flags', { kind: 'method-not-allowed' }],
    ['PUT', '/clusters/', { kind: 'method-not-allowed' }],
    ['GET', '/clusters/', { kind: 'moved', path: '/clusters' }],
    ['GET', '/clusters/aB/', { kind: 'moved', path: '/clusters/aB' }],
    ['GET', '/clusters//', { kind: 'not-found' }],
  ])('%s %s', (method, path, miss) => {
    expect(missOf(method, path)).toEqual(miss);
  });
});
