/** Which snapshots to keep of a log that grows for ever. Pure. */

/**
 * The positions to give up so that at most `keep` are left: again and again the one whose neighbours are nearest to each
 * other, so that what is kept stays evenly spread and no look into the past folds much more than any other. The first
 * of the log counts as kept at 0; the newest is never given up. `positions` ascend.
 */
export function positionsToDrop(positions: readonly number[], keep: number): number[] {
  const kept = [...positions];
  const dropped: number[] = [];
  while (kept.length > Math.max(1, keep)) {
    let thinnest = 0;
    let smallest = Number.POSITIVE_INFINITY;
    for (let index = 0; index < kept.length - 1; index++) {
      const gap = (kept[index + 1] ?? 0) - (kept[index - 1] ?? 0);
      if (gap < smallest) [smallest, thinnest] = [gap, index];
    }
    dropped.push(...kept.splice(thinnest, 1));
  }
  return dropped.sort((one, other) => one - other);
}
