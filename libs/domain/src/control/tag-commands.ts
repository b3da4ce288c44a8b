/** Decisions about tags of nodes and devices: the event holds what they are afterwards. */
import type { CommandOf, TagChange, Tags } from '@brickyard/contracts';
import { accepted, rejected } from '@brickyard/event-sourcing';
import type { ControlState } from './control.state';
import type { ControlDecision } from './decisions.types';
import { knownDevice } from './device-commands';
import { knownNode } from './node-commands';

function afterChange(before: Tags, change: TagChange, tags: Tags): Tags {
  switch (change) {
    case 'set':
      return tags;
    case 'update':
      return { ...before, ...tags };
    case 'delete':
      return Object.fromEntries(Object.entries(before).filter(([name]) => !Object.hasOwn(tags, name)));
  }
}

function isSame(one: Tags, other: Tags): boolean {
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name]);
}

export function changeNodeTags(
  { nodeId, change, tags }: CommandOf<'ChangeNodeTags'>,
  state: ControlState,
): ControlDecision {
  const node = knownNode(state, nodeId);
  if (node === undefined) return rejected({ kind: 'NodeNotFound', nodeId });
  const after = afterChange(node.tags, change, tags);
  return isSame(node.tags, after) ? accepted() : accepted({ type: 'NodeTagsSet', version: 1, nodeId, tags: after });
}

export function changeDeviceTags(
  { deviceId, change, tags }: CommandOf<'ChangeDeviceTags'>,
  state: ControlState,
): ControlDecision {
  const device = knownDevice(state, deviceId);
  if (device === undefined) return rejected({ kind: 'DeviceNotFound', deviceId });
  const after = afterChange(device.tags, change, tags);
  return isSame(device.tags, after)
    ? accepted()
    : accepted({ type: 'DeviceTagsSet', version: 1, deviceId, tags: after });
}
