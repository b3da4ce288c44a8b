import { packChunk, unpackChunk } from './snapshots';

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
