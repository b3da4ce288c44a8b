/** What is told of bricks that are not moved: heketi's words, which clients know. */
import type { BlockedBrick, HealCheck } from '@brickyard/contracts';
import type { EvacuationSubject } from './evacuation.types';

/** heketi's word for whatever stands in the way. */
export const IN_USE = 'The target exists, contains other items, or is in use.';

const NO_REPLACEMENT = 'No Replacement was found for resource requested to be removed';

/** A brick without a second copy has no peer that could stand in for it. */
function onlyCopyText({ brickId, volumeId }: BlockedBrick, healCheck: HealCheck): string {
  return healCheck === 'enable'
    ? `Cannot replace brick ${brickId} as only 0 of 1 required peer bricks are online`
    : `Cannot replace brick ${brickId}: volume ${volumeId} keeps only one copy of its data, which would be lost`;
}

/** The text of a refusal as a whole. */
export function refusalText(
  subject: EvacuationSubject,
  blocked: readonly BlockedBrick[],
  healCheck: HealCheck,
): string {
  const only = blocked.find(({ reason }) => reason === 'only-copy');
  if (only !== undefined) return onlyCopyText(only, healCheck);
  switch (subject.kind) {
    case 'brick':
      return NO_REPLACEMENT;
    case 'device':
      return `Unable to delete device [${subject.deviceId}] as no device was found to replace it: ${NO_REPLACEMENT}`;
    case 'node':
      return `Unable to remove node [${subject.nodeId}] as no device was found to replace device [${blocked[0]?.deviceId ?? ''}]`;
  }
}

/** For the log: which bricks found no place, and why, in one line each. */
export function causeText(blocked: readonly BlockedBrick[], blockedMore: number): string {
  const lines = blocked.map(({ brickId, volumeId, reason, neededKib, devices, devicesMore }) => {
    const rules = new Map<string, number>();
    for (const { refusal } of devices) rules.set(refusal.rule, (rules.get(refusal.rule) ?? 0) + 1);
    const told = [...rules].map(([rule, count]) => `${rule} ${String(count)}`).join(', ');
    const more = devicesMore === 0 ? '' : `, ${String(devicesMore)} more`;
    return `brick ${brickId} of volume ${volumeId} (${String(neededKib)} KiB): ${reason}${told === '' ? '' : ` (${told}${more})`}`;
  });
  return [...lines, ...(blockedMore === 0 ? [] : [`and ${String(blockedMore)} bricks more`])].join('\n');
}
