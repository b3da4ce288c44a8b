import { positionsToDrop } from './thinning';

describe('the thinning of snapshots', () => {
  it('gives up nothing while there is room', () => {
    expect(positionsToDrop([10, 20, 30], 3)).toEqual([]);
  });

  it('never gives up the newest', () => {
    expect(positionsToDrop([10, 20, 30], 1)).toEqual([10, 20]);
    expect(positionsToDrop([10], 0)).toEqual([]);
  });

  it('keeps what is left evenly spread however long the log grows', () => {
    const keep = 50;
    let kept: number[] = [];
    for (let position = 10_000; position <= 10_000_000; position += 10_000) {
      kept.push(position);
      const gone = new Set(positionsToDrop(kept, keep));
      kept = kept.filter((one) => !gone.has(one));
    }
    const gaps = kept.map((position, index) => position - (kept[index - 1] ?? 0));
    expect(kept).toHaveLength(keep);
    expect(kept.at(-1)).toBe(10_000_000);
    expect(Math.max(...gaps)).toBeLessThanOrEqual((4 * 10_000_000) / keep);
  });
});
