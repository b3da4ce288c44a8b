import * as fc from 'fast-check';
import { ALGORITHMS, compositeOf, hasherOf, wholeOf } from './checksums';

const hex = (algorithm: (typeof ALGORITHMS)[number], ...chunks: readonly Uint8Array[]): string => {
  const hasher = hasherOf(algorithm);
  for (const chunk of chunks) hasher.update(Buffer.from(chunk));
  return hasher.digest().toString('hex');
};
const base64 = (text: string): string => Buffer.from(text, 'hex').toString('base64');

describe('checksums', () => {
  it.each([
    ['crc32', 'cbf43926'],
    ['crc32c', 'e3069283'],
    ['crc64nvme', 'ae8b14860a799888'],
    ['sha1', 'f7c3bc1d808e04732adf679965ccc34ca7ae3441'],
  ] as const)('%s of the usual test text is the published one', (algorithm, expected) => {
    expect(hex(algorithm, Buffer.from('123456789'))).toBe(expected);
  });

  it('do not depend on how the bytes come', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 100 }),
        fc.nat(100),
        fc.constantFrom(...ALGORITHMS),
        (bytes, at, algorithm) => {
          expect(hex(algorithm, bytes.slice(0, at), bytes.slice(at))).toBe(hex(algorithm, bytes));
        },
      ),
    );
  });

  it('of a whole follow from those of its parts', () => {
    const kinds = fc.constantFrom('crc32', 'crc32c', 'crc64nvme');
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 70 }), { minLength: 1, maxLength: 5 }),
        kinds,
        (parts, algorithm) => {
          const known = parts.map((part) => ({ value: base64(hex(algorithm, part)), size: part.length }));
          expect(wholeOf(algorithm, known)).toBe(base64(hex(algorithm, ...parts)));
        },
      ),
    );
  });

  it('of parts tell how many they are', () => {
    const value = base64(hex('sha256', Buffer.from('a')));
    expect(compositeOf('sha256', [{ value, size: 1 }])).toBe(
      `${base64(hex('sha256', Buffer.from(value, 'base64')))}-1`,
    );
    expect(wholeOf('sha256', [{ value, size: 1 }])).toBeUndefined();
  });
});
