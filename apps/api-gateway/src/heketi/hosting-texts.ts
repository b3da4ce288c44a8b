/** Why hosting volumes did not take a block volume, for people. Pure. */
import type { HostingRefusal } from '@brickyard/contracts';

/** One hosting volume's reason. */
export function hostingRefusalText(refusal: HostingRefusal): string {
  switch (refusal.rule) {
    case 'not-ready':
      return `is ${refusal.status}`;
    case 'restricted':
      return `takes no new block volumes (${refusal.restriction})`;
    case 'name-in-use':
      return `has a block volume named '${refusal.name}'`;
    case 'too-little-space':
      return `has ${String(refusal.freeGib)} GiB free of ${String(refusal.neededGib)} needed`;
  }
}

const TOLD_MAX = 5;

/** All of them in one line. */
export function hostingsText(
  passedOver: readonly { readonly volumeId: string; readonly refusal: HostingRefusal }[],
  more: number,
): string {
  if (passedOver.length === 0) return 'there is no hosting volume';
  const told = passedOver
    .slice(0, TOLD_MAX)
    .map(({ volumeId, refusal }) => `hosting volume ${volumeId} ${hostingRefusalText(refusal)}`);
  const left = passedOver.length - told.length + more;
  return [...told, ...(left === 0 ? [] : [`and ${String(left)} more`])].join('; ');
}
