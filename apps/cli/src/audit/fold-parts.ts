/** The fold in two halves at once, when a kept snapshot lies in the middle: the second begins with what the first must arrive at. */
import { walkFoldAside } from './aside';
import type { FoldWalkOrder, FoldWalkReport } from './fold-walk';

/** Fewer events are folded before a second thread is under way. */
const WORTH_SPLITTING = 100_000;

/** Folds everything; when the first half does not arrive at the snapshot in the middle, the second one is folded anew. */
export async function foldInParts(order: Omit<FoldWalkOrder, 'from'>): Promise<FoldWalkReport> {
  const middle = middleOf(order);
  if (middle === undefined) return walkFoldAside({ ...order, from: 0 });
  const upTo = { position: middle, hash: '' };
  const [first, second] = await Promise.all([
    walkFoldAside({
      ...order,
      from: 0,
      head: upTo,
      snapshots: order.snapshots.filter((one) => one <= middle),
      tellState: false,
    }),
    walkFoldAside({ ...order, from: middle, snapshots: order.snapshots.filter((one) => one > middle) }).catch(
      () => undefined,
    ),
  ]);
  const arrived = first.snapshots.includes(middle) && !first.findings.some(({ position }) => position === middle);
  if (second === undefined || !first.isWhole || !arrived) return walkFoldAside({ ...order, from: 0 });
  return joined(first, second);
}

/** The snapshot nearest to the middle, unless it is too near to one of the ends to be of use. */
export function middleOf({ head, snapshots }: Pick<FoldWalkOrder, 'head' | 'snapshots'>): number | undefined {
  if (head.position < WORTH_SPLITTING) return undefined;
  // Later events find a larger state, and cost more.
  const wanted = head.position * 0.55;
  const near = snapshots.filter((one) => Math.abs(one - wanted) < head.position / 4);
  return near.sort((one, other) => Math.abs(one - wanted) - Math.abs(other - wanted))[0];
}

const joined = (first: FoldWalkReport, second: FoldWalkReport): FoldWalkReport => ({
  ...second,
  events: first.events + second.events,
  snapshots: [...first.snapshots, ...second.snapshots],
  decisions: first.decisions + second.decisions,
  findings: [...first.findings, ...second.findings],
});
