/** The rules that speak against a device, by name, and the volume options that set them. */
import { kib, type DeviceRefusal, type PlacementPolicy } from '@brickyard/contracts';
import type { RingDevice } from '../control/control.state';

const ZONE_CHECKING_KEY = 'user.heketi.zone-checking';
const TAG_MATCH_KEY = 'user.heketi.device-tag-match';

/**
 * heketi's grammar: its character class `.-_` is the range from 0x2E to 0x5F, so `=` is part of a key and the first
 * group takes all it can: `a=b=c` means key `a=b`. The hyphen is ours: it is legal in tags and heketi refuses it.
 */
const TAG_RULE = /^([-\x2e-\x5fa-z]+)(=|!=)([-\x2e-\x5fa-z]+)$/;

/** Which devices a volume wants, by tag. */
export interface TagRule {
  /** As it was written. */
  readonly text: string;
  readonly key: string;
  readonly equal: boolean;
  readonly value: string;
}

/** What a volume's options say about where its bricks may lie. */
export interface PlacementOptions {
  /** No two bricks of a set in one zone. */
  readonly strictZones: boolean;
  readonly tagRule?: TagRule;
}

/** The value of an option; the last one wins. */
function lastOption(options: readonly string[], key: string): string | undefined {
  return options
    .findLast((option) => option.startsWith(`${key} `))
    ?.slice(key.length + 1)
    .trim();
}

/** Reads a tag rule; nothing when it is not one. */
export function parseTagRule(text: string): TagRule | undefined {
  const [, key, operator, value] = TAG_RULE.exec(text) ?? [];
  if (key === undefined || value === undefined) return undefined;
  return { text, key, equal: operator === '=', value };
}

/** Whether sets must spread over zones: the volume's own word, else the policy's. An unknown word means no. */
function strictZonesOf(options: readonly string[], policy: PlacementPolicy): boolean {
  return (lastOption(options, ZONE_CHECKING_KEY) ?? policy.zoneChecking) === 'strict';
}

/** What the options ask of placement, or the tag rule that cannot be read. */
export function placementOptions(
  options: readonly string[],
  policy: PlacementPolicy,
):
  | { readonly kind: 'valid'; readonly options: PlacementOptions }
  | { readonly kind: 'invalid-tag-rule'; readonly rule: string } {
  const strictZones = strictZonesOf(options, policy);
  const text = lastOption(options, TAG_MATCH_KEY);
  if (text === undefined) return { kind: 'valid', options: { strictZones } };
  const tagRule = parseTagRule(text);
  return tagRule === undefined
    ? { kind: 'invalid-tag-rule', rule: text }
    : { kind: 'valid', options: { strictZones, tagRule } };
}

/** Whether a device's tags are what the rule wants; a missing tag is the empty text. */
export const matchesTag = (device: RingDevice, rule: TagRule): boolean =>
  ((Object.hasOwn(device.tags, rule.key) ? device.tags[rule.key] : '') === rule.value) === rule.equal;

/** Why no brick of a volume may lie on a device, whatever the set; nothing when one may. */
export function refusalBeforeWalk(device: RingDevice, rule: TagRule | undefined): DeviceRefusal | undefined {
  if (device.nodeState !== 'online') return { rule: 'node-not-online', state: device.nodeState };
  if (device.nodeLostSince !== undefined) return { rule: 'node-lost', since: device.nodeLostSince };
  if (device.deviceState !== 'online') return { rule: 'device-not-online', state: device.deviceState };
  if (rule !== undefined && !matchesTag(device, rule)) return { rule: 'tag-mismatch', wanted: rule.text };
  return undefined;
}

/** The rules that depend on the set and on what is left of the device. */
export type WalkRule = Extract<DeviceRefusal['rule'], 'node-in-set' | 'zone-in-set' | 'too-little-space'>;

/** One of those rules with its numbers. */
export function walkRefusal(rule: WalkRule, device: RingDevice, freeKib: number, neededKib: number): DeviceRefusal {
  switch (rule) {
    case 'node-in-set':
      return { rule, nodeId: device.nodeId };
    case 'zone-in-set':
      return { rule, zone: device.zone };
    case 'too-little-space':
      return { rule, freeKib: kib(Math.max(0, freeKib)), neededKib: kib(neededKib) };
  }
}
