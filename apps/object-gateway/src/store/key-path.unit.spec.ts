import * as fc from 'fast-check';
import { compareKeys, keyPathOf } from './key-path';

const key = fc
  .string({
    unit: fc.constantFrom('a', 'b', '/', '/', '.', '%', '\0', 'ü', '😀', '\uffff', ' ', 'x'.repeat(90)),
    minLength: 1,
  })
  .filter((text) => Buffer.byteLength(text) <= 1024);

describe('keyPathOf', () => {
  it.each([
    ['a', 'a.object'],
    ['a/b', 'a.folder/b.object'],
    ['a/', 'a.folder/.object'],
    ['..', '...object'],
    ['../../etc', '...folder/...folder/etc.object'],
    ['a\0b%2F', 'a%00b%252F.object'],
  ])('%j is %s', (text, path) => {
    const { folders, file } = keyPathOf(text);
    expect([...folders, file].join('/')).toBe(path);
  });

  it('gives every key names that every file system takes, and no two keys the same', () => {
    fc.assert(
      fc.property(key, key, (one, other) => {
        const [a, b] = [keyPathOf(one), keyPathOf(other)];
        for (const name of [...a.folders, a.file]) {
          expect(name.length).toBeLessThanOrEqual(207);
          expect(name).toMatch(/^[A-Za-z0-9_.!~*'()%-]*\.(object|folder|more)$/);
        }
        expect([...a.folders, a.file].join('/') === [...b.folders, b.file].join('/')).toBe(one === other);
      }),
    );
  });

  it.each(['/'.repeat(1024), '%'.repeat(1024), '\x01/'.repeat(512), 'ü'.repeat(512)])(
    'keeps the path of the longest keys within what Linux takes',
    (text) => {
      const { folders, file } = keyPathOf(text);
      expect([...folders, file].join('/').length).toBeLessThan(3_600);
    },
  );
});

describe('compareKeys', () => {
  it('orders as the bytes of UTF-8 do', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        expect(Math.sign(compareKeys(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
    );
  });
});
