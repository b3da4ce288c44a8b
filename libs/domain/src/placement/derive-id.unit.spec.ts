import { deriveId, murmur3 } from './derive-id';

const hex = (text: string, seed = 0): string =>
  murmur3(new TextEncoder().encode(text), seed)
    .map((word) => word.toString(16).padStart(8, '0'))
    .join('');

function littleEndian(words: readonly number[]): number[] {
  return words.flatMap((word) => [word & 255, (word >>> 8) & 255, (word >>> 16) & 255, word >>> 24]);
}

describe('murmur3', () => {
  it.each([
    ['', '00000000000000000000000000000000'],
    ['The quick brown fox jumps over the lazy dog', '2f1583c3ecee2c675d7bf66ce5e91d2c'],
  ])('hashes %j to its published value', (text, published) => {
    expect(hex(text)).toBe(published);
  });

  it('passes the verification of its author: every length from 0 to 255, hashed together, gives B3ECE62A', () => {
    const digests: number[] = [];
    for (let length = 0; length < 256; length++) {
      const key = Uint8Array.from({ length }, (_, index) => index);
      digests.push(...littleEndian(murmur3(key, 256 - length)));
    }
    expect(murmur3(Uint8Array.from(digests), 0)[0]).toBe(0xb3ece62a);
  });
});

describe('deriveId', () => {
  it('gives 32 hexadecimal characters, the same each time', () => {
    expect(deriveId('a'.repeat(32), 'brick/0/0')).toMatch(/^[0-9a-f]{32}$/);
    expect(deriveId('a'.repeat(32), 'brick/0/0')).toBe(deriveId('a'.repeat(32), 'brick/0/0'));
  });

  it('gives different ids for different owners and labels', () => {
    const ids = new Set<string>();
    for (let owner = 0; owner < 100; owner++) {
      for (let label = 0; label < 100; label++) ids.add(deriveId(`owner${String(owner)}`, `brick/${String(label)}/0`));
    }
    expect(ids.size).toBe(10_000);
  });
});
