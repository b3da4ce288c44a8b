/** Why a device was taken or not, as a sentence. Pure. */
import type { DeviceRefusal } from '@brickyard/contracts';
import type { LookedAtDevice } from '@brickyard/domain';

const gibText = (kib: number): string => `${(kib / 1_048_576).toFixed(1)} GiB`;

/** The rule that spoke against a device, with its numbers. */
export function refusalText(refusal: DeviceRefusal): string {
  switch (refusal.rule) {
    case 'node-not-online':
      return `its node is ${refusal.state}`;
    case 'node-lost':
      return `its node has been silent since ${refusal.since}`;
    case 'device-not-online':
      return `it is ${refusal.state}`;
    case 'node-in-set':
      return 'another brick of the set is on its node already';
    case 'zone-in-set':
      return `another brick of the set is in zone ${String(refusal.zone)} already, and zones are strict`;
    case 'tag-mismatch':
      return `its tags do not match ${refusal.wanted}`;
    case 'too-little-space':
      return `it has ${gibText(refusal.freeKib)} free, the brick needs more than ${gibText(refusal.neededKib)}`;
    case 'being-emptied':
      return 'it gives its bricks away';
    case 'arbiter-tag':
      return `its tag arbiter=${refusal.tag} keeps it for the other kind of brick`;
    case 'failed-before':
      return `an earlier attempt failed on it: ${refusal.detail}`;
  }
}

/** The verdict on one device. */
export function verdictText({ verdict, refusal, rank, neededKib, freeKib }: LookedAtDevice): string {
  if (refusal !== undefined) return refusalText(refusal);
  if (verdict === 'not-needed') return 'the set was full before its turn came';
  const turn = rank === undefined ? '' : `number ${String(rank)} in the walk: `;
  return `${turn}${gibText(freeKib)} free, the brick takes ${gibText(neededKib ?? 0)}, and no rule spoke against it`;
}
