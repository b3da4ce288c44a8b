import { rangeOf } from '@brickyard/volume-storage';
import { chunkRangeOf } from './uploads/chunk-range';
import { routeOf } from './route';

describe('routeOf', () => {
  it.each([
    ['/v2/', { kind: 'base' }],
    ['/v2/_catalog', { kind: 'catalog' }],
    ['/v2/a/b/tags/list', { kind: 'tags', name: 'a/b' }],
    ['/v2/a/manifests/manifests/x', { kind: 'manifest', name: 'a/manifests', reference: 'x' }],
    ['/v2/a/blobs/sha256%3Aabc', { kind: 'blob', name: 'a', digest: 'sha256:abc' }],
    ['/v2/a/blobs/uploads', { kind: 'uploads', name: 'a' }],
    ['/v2/a/blobs/uploads/', { kind: 'uploads', name: 'a' }],
    ['/v2/blobs/uploads/blobs/uploads/', { kind: 'uploads', name: 'blobs/uploads' }],
    ['/v2/a/blobs/uploads/1-2', { kind: 'upload', name: 'a', uploadId: '1-2' }],
    ['/v2/a/referrers/sha256:x', { kind: 'referrers', name: 'a', digest: 'sha256:x' }],
    ['/v2/A/tags/list', { kind: 'bad-name', name: 'A' }],
    ['/v2/a%2Fb/tags/list', { kind: 'tags', name: 'a/b' }],
    ['/v2/%2e%2e/tags/list', { kind: 'bad-name', name: '..' }],
    ['/v2/a/manifests/', { kind: 'unknown' }],
    ['/v2/%zz/tags/list', { kind: 'unknown' }],
    ['/v3/', { kind: 'unknown' }],
  ])('%s', (path, route) => {
    expect(routeOf(path)).toEqual(route);
  });
});

describe('ranges', () => {
  it.each([
    [undefined, 'all'],
    ['bytes=0-9', { first: 0, last: 9 }],
    ['bytes=90-', { first: 90, last: 99 }],
    ['bytes=-10', { first: 90, last: 99 }],
    ['bytes=90-200', { first: 90, last: 99 }],
    ['bytes=9-0', 'none'],
    ['bytes=100-', 'none'],
    ['bytes=-0', 'none'],
    ['bytes=0-1,5-6', 'all'],
    ['lines=1-2', 'all'],
  ])('of a reader: %s', (header, range) => {
    expect(rangeOf(header, 100)).toEqual(range);
  });

  it.each([
    [undefined, 'absent'],
    ['0-9', { first: 0, last: 9 }],
    ['bytes 0-9/*', { first: 0, last: 9 }],
    ['bytes=0-9/10', { first: 0, last: 9 }],
    ['9-0', 'bad'],
    ['x', 'bad'],
  ])('of a chunk: %s', (header, range) => {
    expect(chunkRangeOf(header)).toEqual(range);
  });
});
