/** The log's door: between events as they are stored and events as the registry sees them. */
import {
  checkRegistryEvent,
  isRegistryEventType,
  registryStreamOf,
  upcastRegistryEvent,
  type RegistryEvent,
} from '@brickyard/contracts';
import type { JsonObject, NewEvent } from '@brickyard/event-sourcing';

/** A fact on its way into the log; one that breaks its own schema is a defect and stops here. */
export function newRegistryEvent(event: RegistryEvent): NewEvent {
  checkRegistryEvent(event);
  const { type, version, ...data } = event;
  return { streamId: registryStreamOf(event), type, version, data: data as JsonObject };
}

/** What the fold needs of an event, however it came. */
export interface FoldableEvent {
  readonly position: number;
  readonly type: string;
  readonly version: number;
  readonly data: Readonly<Record<string, unknown>>;
  readonly recordedAt: string;
}

/** A fact from the log, in today's version; undefined when it is of a type this release does not know. */
export function registryEventFrom({ type, version, data }: FoldableEvent): RegistryEvent | undefined {
  return isRegistryEventType(type) ? upcastRegistryEvent(type, version, data) : undefined;
}
