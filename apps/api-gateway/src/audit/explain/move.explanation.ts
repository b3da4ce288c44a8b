/** How the bricks of a volume came to lie elsewhere than it was planned: every move in its history, and what it came to. */
import { type ControlEvent, type EventOf, isControlEventType, upcast } from '@brickyard/contracts';
import type { StoredEvent } from '@brickyard/event-sourcing';
import { entryOf } from '../events/event-entry';
import { refusalText } from './placement-texts';

type Planned = EventOf<'BrickMovePlanned'> | EventOf<'BrickEvictionPlanned'>;

/** The moves among the events of a volume. */
export function moveViews(events: readonly StoredEvent[]): object[] {
  const known = events.flatMap((stored): { stored: StoredEvent; event: ControlEvent }[] =>
    isControlEventType(stored.type) ? [{ stored, event: upcast(stored.type, stored.version, stored.data) }] : [],
  );
  return known.flatMap(({ stored, event }) => {
    if (event.type !== 'BrickMovePlanned' && event.type !== 'BrickEvictionPlanned') return [];
    const end = known.find(
      ({ stored: later, event: one }) =>
        later.position > stored.position &&
        (one.type === 'BrickEvicted' || one.type === 'BrickEvictionUndone') &&
        one.brickId === event.brickId,
    );
    return [moveView(stored, event, end?.event)];
  });
}

function moveView(stored: StoredEvent, event: Planned, end: ControlEvent | undefined): object {
  const { position, time, type, actor, request } = entryOf(stored);
  const { brickId, replacement, placement } = event;
  const { brickId: newBrickId, nodeId, deviceId } = replacement;
  return {
    position,
    time,
    type,
    actor,
    ...(request === undefined ? {} : { request }),
    brick: brickId,
    to: { brick: newBrickId, device: deviceId, node: nodeId },
    result: end === undefined ? 'planned' : end.type === 'BrickEvicted' ? 'moved' : 'stayed',
    ...(end?.type === 'BrickEvictionUndone' ? { detail: end.detail } : {}),
    order: placement.order,
    passedOver: placement.passedOver.map((one) => ({
      device: one.deviceId,
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
