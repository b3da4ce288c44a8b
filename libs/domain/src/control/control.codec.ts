/** The log's door: between events as they are stored and events as the domain sees them. */
import {
  checkEventData,
  currentVersionOf,
  isFoldable,
  streamOf,
  upcast,
  type ControlEvent,
} from '@brickyard/contracts';
import { canonical, type JsonObject, type NewEvent, type Recorded, type StoredEvent } from '@brickyard/event-sourcing';

/** A fact on its way into the log; one that breaks its own schema is a defect and stops here. */
export function newEvent(event: ControlEvent): NewEvent {
  const { type, version, ...data } = event;
  checkEventData(type, version, data);
  const { value, text } = canonical<JsonObject>(data);
  return { streamId: streamOf(event), type, version, data: value, text };
}

/** A fact that is about to be written, as everybody will read it: its fields in the order of the log. */
export const eventAsRead = ({ type }: ControlEvent, { data }: NewEvent): ControlEvent =>
  upcast(type, currentVersionOf(type), data);

/** A fact from the log, in today's version; undefined when it is of a type or a version this release does not know. */
export function recordedEvent(stored: StoredEvent): Recorded<ControlEvent> | undefined {
  const { type, version, data, position, recordedAt: at } = stored;
  return isFoldable(type, version) ? { position, at, event: upcast(type, version, data) } : undefined;
}
