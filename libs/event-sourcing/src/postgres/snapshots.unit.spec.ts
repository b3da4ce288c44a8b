import type { SnapshotPart } from '../snapshot-part';
import { packChunk, SnapshotPacker, unpackChunk } from './snapshots';

const LONGER_THAN_A_PIECE = 'ü0123456789'.repeat(500_000);

describe('a packed chunk', () => {
  it.each(['', 'a', '{"kind":"volumes","items":["ü"]}', LONGER_THAN_A_PIECE])('gives the text back', async (text) => {
    expect((await unpackChunk(await packChunk(text))) === text).toBe(true);
  });

  it.each([
    ['its end is another one', (packed: Buffer) => Buffer.concat([packed.subarray(0, -4), Buffer.alloc(4, 0xff)])],
    ['its end is gone', (packed: Buffer) => packed.subarray(0, -6)],
    ['nothing is left', () => Buffer.alloc(0)],
    ['it is something else', () => Buffer.from('no')],
  ])('is refused when %s', async (_, damage) => {
    await expect(unpackChunk(damage(await packChunk('{"kind":"nodes","items":[]}')))).rejects.toThrow();
  });
});

describe('the parts of a snapshot', () => {
  const one = { id: 1 };
  const other = { id: 2 };
  const partOf = (name: string, ...of: readonly unknown[]): SnapshotPart & { readonly text: jest.Mock } => ({
    name,
    of,
    text: jest.fn(() => `${name}: ${JSON.stringify(of)}`),
  });

  it('are written out again only when what they are made of has changed', async () => {
    const packer = new SnapshotPacker();
    await packer.pack([partOf('a', one), partOf('b', one, other), partOf('c', 5), 'plain']);
    const [same, shorter, changed, added] = [partOf('a', one), partOf('b', one), partOf('c', 6), partOf('d', one)];
    const packed = await packer.pack([same, shorter, changed, added, 'other']);
    expect(await Promise.all(packed.map(unpackChunk))).toEqual([
      'a: [{"id":1}]',
      'b: [{"id":1}]',
      'c: [6]',
      'd: [{"id":1}]',
      'other',
    ]);
    expect([same, shorter, changed, added].map(({ text }) => text.mock.calls.length)).toEqual([0, 1, 1, 1]);
  });

  it('are told from others of equal values, which may say something else', async () => {
    const packer = new SnapshotPacker();
    await packer.pack([partOf('a', { ...one })]);
    const [packed = Buffer.alloc(0)] = await packer.pack([partOf('a', other)]);
    expect(await unpackChunk(packed)).toBe('a: [{"id":2}]');
  });
});
