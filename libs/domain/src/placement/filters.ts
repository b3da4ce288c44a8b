/** The rules that speak against a device, by name, and the volume options that set them. */
import { kib, type DeviceRefusal, type Durability, type PlacementPolicy } from '@brickyard/contracts';
import type { RingDevice } from '../control/control.state';

const ZONE_CHECKING_KEY = 'user.heketi.zone-checking';
const TAG_MATCH_KEY = 'user.heketi.device-tag-match';
const ARBITER_KEY = 'user.heketi.arbiter';
const AVERAGE_FILE_KEY = 'user.heketi.average-file-size';
/** heketi's own, KiB. */
const AVERAGE_FILE_KIB = 64;
/** What Go takes for true. */
const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
/** The tag that keeps a device for one kind of brick. */
const ARBITER_TAG = 'arbiter';
/** The place in a set where the arbiter stands. */
const ARBITER_PLACE = 2;

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
function strictZonesOf(options: readonly string[], policy: Pick<PlacementPolicy, 'zoneChecking'>): boolean {
  return (lastOption(options, ZONE_CHECKING_KEY) ?? policy.zoneChecking) === 'strict';
}

/** What the options ask of placement, or the tag rule that cannot be read. */
export function placementOptions(
  options: readonly string[],
  policy: Pick<PlacementPolicy, 'zoneChecking'>,
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

/** What a brick is to its set: `any` unless the set has an arbiter. */
export type BrickRole = 'any' | 'data' | 'arbiter';

/** Whether a volume's third bricks hold only names: three copies, and the option says so. */
export const hasArbiter = (durability: Durability, options: readonly string[]): boolean =>
  durability.kind === 'arbiter' ||
  (durability.kind === 'replicate' && durability.replica === 3 && TRUE.has(lastOption(options, ARBITER_KEY) ?? ''));

/** The role of the brick at a place of a set. */
export function roleAt(place: number, durability: Durability, options: readonly string[]): BrickRole {
  if (!hasArbiter(durability, options)) return 'any';
  return place === ARBITER_PLACE ? 'arbiter' : 'data';
}

/** KiB of the files a volume is made for: its option, else the policy's, else heketi's 64. An option that is no number counts as none. */
export function averageFileKib(
  options: readonly string[],
  { averageFileKib: usual }: Pick<PlacementPolicy, 'averageFileKib'>,
): number {
  const text = lastOption(options, AVERAGE_FILE_KEY) ?? '';
  const own = /^\d+$/.test(text) ? Number(text) : 0;
  return own > 0 ? own : (usual ?? AVERAGE_FILE_KIB);
}

/** The device's word on arbiters; anything but these two means that both kinds of brick are welcome. */
function arbiterTag({ tags }: RingDevice): 'required' | 'disabled' | undefined {
  const tag = Object.hasOwn(tags, ARBITER_TAG) ? tags[ARBITER_TAG] : undefined;
  return tag === 'required' || tag === 'disabled' ? tag : undefined;
}

/** Whether a device wants exactly this kind of brick: such devices are taken before those that take both. */
export const isPreferredFor = (device: RingDevice, role: BrickRole): boolean =>
  role !== 'any' && arbiterTag(device) === (role === 'arbiter' ? 'required' : 'disabled');

/** Whether a device takes a brick of this role. */
export function refusalOfRole(device: RingDevice, role: BrickRole): DeviceRefusal | undefined {
  const tag = arbiterTag(device);
  const isAgainst = role !== 'any' && tag === (role === 'arbiter' ? 'disabled' : 'required');
  return isAgainst ? { rule: 'arbiter-tag', tag } : undefined;
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
export type WalkRule = Extract<
  DeviceRefusal['rule'],
  'node-in-set' | 'zone-in-set' | 'too-little-space' | 'arbiter-tag'
>;

/** One of those rules with its numbers. */
export function walkRefusal(rule: WalkRule, device: RingDevice, freeKib: number, neededKib: number): DeviceRefusal {
  switch (rule) {
    case 'node-in-set':
      return { rule, nodeId: device.nodeId };
    case 'zone-in-set':
      return { rule, zone: device.zone };
    case 'arbiter-tag':
      return { rule, tag: arbiterTag(device) ?? '' };
    case 'too-little-space':
      return { rule, freeKib: kib(Math.max(0, freeKib)), neededKib: kib(neededKib) };
  }
}
