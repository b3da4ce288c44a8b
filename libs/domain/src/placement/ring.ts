/** The order in which usable devices are walked: zones take turns, then nodes within a zone, then a node's devices. */
import type { DeviceId, DeviceRefusal } from '@brickyard/contracts';
import type { PersistentMap } from '@brickyard/event-sourcing';
import type { RingDevice } from '../control/control.state';
import { refusalBeforeWalk, type TagRule } from './filters';

/** A device that never takes part in the walk, and why. */
export interface UnusableDevice {
  readonly device: RingDevice;
  readonly refusal: DeviceRefusal;
}

/** The usable devices of a cluster in walking order. */
export interface Ring {
  readonly devices: readonly RingDevice[];
  /** For each of them a small number that stands for its node. */
  readonly nodeNumbers: Int32Array;
  /** For each of them a small number that stands for its zone. */
  readonly zoneNumbers: Int32Array;
  /** By device id. */
  readonly unusable: readonly UnusableDevice[];
  readonly unusableByRule: readonly { readonly rule: string; readonly count: number }[];
}

/** The numbers of the groups whose members may not meet in a set: zones when those are strict, else nodes. */
export const groupsOf = (ring: Ring, strictZones: boolean): Int32Array =>
  strictZones ? ring.zoneNumbers : ring.nodeNumbers;

type Devices = PersistentMap<DeviceId, RingDevice>;

/** Groups of things, in the order in which each group first appears. */
export function grouped<T, K>(things: Iterable<T>, keyOf: (thing: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const thing of things) {
    const key = keyOf(thing);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [thing]);
    else group.push(thing);
  }
  return groups;
}

/** Zones ascending, each its nodes ascending, each its devices descending, so that the first is popped off the end. */
function nestedByZone(devices: readonly RingDevice[]): RingDevice[][][] {
  const zones = [...grouped(devices, (device) => device.zone)].sort(([one], [other]) => one - other);
  return zones.map(([, inZone]) =>
    [...grouped(inZone, (device) => device.nodeId)]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([, onNode]) => onNode.toReversed()),
  );
}

/** heketi's interleaving: turn i goes to zone i mod zones and there to node i mod nodes; who is empty drops out. */
function interleaved(devices: readonly RingDevice[]): RingDevice[] {
  const zones = nestedByZone(devices);
  const ring: RingDevice[] = [];
  for (let turn = 0; zones.length > 0; turn++) {
    const nodes = zones[turn % zones.length] ?? [];
    const onNode = nodes[turn % nodes.length] ?? [];
    const device = onNode.pop();
    if (device !== undefined) ring.push(device);
    if (onNode.length === 0) nodes.splice(turn % nodes.length, 1);
    if (nodes.length === 0) zones.splice(turn % zones.length, 1);
  }
  return ring;
}

function numbered(devices: readonly RingDevice[], keyOf: (device: RingDevice) => string | number): Int32Array {
  const numbers = new Map<string | number, number>();
  return Int32Array.from(devices, (device) => {
    const key = keyOf(device);
    const number = numbers.get(key) ?? numbers.size;
    numbers.set(key, number);
    return number;
  });
}

/** For each device a small number that stands for its group: its zone when those are strict, else its node. */
export const groupNumbers = (devices: readonly RingDevice[], strictZones: boolean): Int32Array =>
  strictZones ? numbered(devices, (device) => device.zone) : numbered(devices, (device) => device.nodeId);

/** How many things there are of each rule, the rules in order of their first appearance. */
export const countByRule = (rules: Iterable<string>): { rule: string; count: number }[] =>
  [...grouped(rules, (rule) => rule)].map(([rule, all]) => ({ rule, count: all.length }));

function buildRing(all: Devices, rule: TagRule | undefined): Ring {
  const usable: RingDevice[] = [];
  const unusable: UnusableDevice[] = [];
  for (const device of [...all.values()].sort((one, other) => (one.deviceId < other.deviceId ? -1 : 1))) {
    const refusal = refusalBeforeWalk(device, rule);
    if (refusal === undefined) usable.push(device);
    else unusable.push({ device, refusal });
  }
  const devices = interleaved(usable);
  return {
    devices,
    nodeNumbers: groupNumbers(devices, false),
    zoneNumbers: groupNumbers(devices, true),
    unusable,
    unusableByRule: countByRule(unusable.map((each) => each.refusal.rule)),
  };
}

/** How many tag rules keep a ring of their own before all are forgotten. */
const RULES_KEPT_MAX = 32;

/**
 * Rings already built, by the map they were built from. The map is immutable, so this only spares work: a ring
 * changes when the topology does, and decisions are many more than that.
 */
const rings = new WeakMap<Devices, Map<string, Ring>>();

/** The ring of a cluster's devices, those that a tag rule takes out excepted. */
export function ringOf(devices: Devices, rule?: TagRule): Ring {
  let byRule = rings.get(devices);
  if (byRule === undefined || byRule.size >= RULES_KEPT_MAX) {
    byRule = new Map();
    rings.set(devices, byRule);
  }
  const key = rule?.text ?? '';
  const known = byRule.get(key);
  if (known !== undefined) return known;
  const ring = buildRing(devices, rule);
  byRule.set(key, ring);
  return ring;
}
