/** How the bricks of a volume came to lie elsewhere than it was planned: every move in its history, and what it came to. */
import { type ControlEvent, type DeviceId, type EventOf, isControlEventType, upcast } from '@brickyard/contracts';
import type { ControlState } from '@brickyard/domain';
import type { StoredEvent } from '@brickyard/event-sourcing';
import { entryOf } from '../events/event-entry';
import { refusalText } from './placement-texts';

type Planned = EventOf<'BrickMovePlanned'> | EventOf<'BrickEvictionPlanned'>;

/** The state just before a position. */
export type StateBefore = (position: number) => Promise<ControlState>;

/** The moves among the events of a volume. */
export async function moveViews(events: readonly StoredEvent[], before: StateBefore): Promise<object[]> {
  const known = events.flatMap((stored): { stored: StoredEvent; event: ControlEvent }[] =>
    isControlEventType(stored.type) ? [{ stored, event: upcast(stored.type, stored.version, stored.data) }] : [],
  );
  const views: object[] = [];
  for (const { stored, event } of known) {
    if (event.type !== 'BrickMovePlanned' && event.type !== 'BrickEvictionPlanned') continue;
    const end = known.find(
      ({ stored: later, event: one }) =>
        later.position > stored.position &&
        (one.type === 'BrickEvicted' || one.type === 'BrickEvictionUndone') &&
        one.brickId === event.brickId,
    );
    views.push(moveView(stored, event, end?.event, await before(stored.position)));
  }
  return views;
}

/** A device by its id, and by what people call it. */
const placeOf = (deviceId: DeviceId, { devices, nodes }: ControlState): object => {
  const device = devices.get(deviceId);
  const node = device === undefined ? undefined : nodes.get(device.nodeId);
  return {
    device: deviceId,
    name: device?.name ?? '',
    node: node?.nodeId ?? '',
    host: node?.hostnames.manage[0] ?? '',
  };
};

function moveView(stored: StoredEvent, event: Planned, end: ControlEvent | undefined, before: ControlState): object {
  const { position, time, type, actor, request } = entryOf(stored);
  const { brickId, volumeId, replacement, placement } = event;
  const leaving = before.volumes.get(volumeId)?.bricks.find((brick) => brick.brickId === brickId);
  return {
    position,
    time,
    type,
    actor,
    ...(request === undefined ? {} : { request }),
    brick: brickId,
    ...(leaving === undefined ? {} : { from: placeOf(leaving.deviceId, before) }),
    to: { brick: replacement.brickId, ...placeOf(replacement.deviceId, before) },
    result: end === undefined ? 'planned' : end.type === 'BrickEvicted' ? 'moved' : 'stayed',
    ...(end?.type === 'BrickEvictionUndone' ? { detail: end.detail } : {}),
    order: placement.order,
    passedOver: placement.passedOver.map((one) => ({
      ...placeOf(one.deviceId, before),
      rule: one.refusal.rule,
      why: refusalText(one.refusal),
    })),
  };
}

/** Where a volume comes from that was taken over; absent when it was planned here. */
export function adoptionView(events: readonly StoredEvent[]): object | undefined {
  const adopted = events.find(({ type }) => type === 'VolumeAdopted');
  if (adopted === undefined) return undefined;
  const { position, time, actor } = entryOf(adopted);
  return { position, time, actor, origin: adopted.data['origin'] };
}

/** Whose content a clone began with: its bricks lie in the pools of that volume's. Absent when it is no clone. */
export function cloneView(events: readonly StoredEvent[]): object | undefined {
  const planned = events.find(({ type }) => type === 'VolumeClonePlanned');
  if (planned === undefined) return undefined;
  const { position, time, actor, request } = entryOf(planned);
  return { position, time, actor, ...(request === undefined ? {} : { request }), origin: planned.data['originId'] };
}
