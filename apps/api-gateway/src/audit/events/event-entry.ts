/** One event as people and programs read it. Pure. */
import type { StoredEvent } from '@brickyard/event-sourcing';

/** The request that led to an event, when a request did. */
export interface RequestOrigin {
  readonly method: string;
  readonly path: string;
  /** The caller's `Idempotency-Key`, or the id the gateway gave. */
  readonly key: string;
}

/** An event with who caused it, from where, by which request. */
export interface EventEntry {
  readonly position: number;
  readonly time: string;
  readonly stream: string;
  readonly streamVersion: number;
  readonly eventId: string;
  readonly type: string;
  readonly version: number;
  readonly actor: StoredEvent['metadata']['actor'];
  readonly request?: RequestOrigin;
  readonly commandId?: string;
  readonly correlationId: string;
  readonly causationId?: string;
  readonly traceId?: string;
  readonly data: StoredEvent['data'];
  readonly hash: string;
}

/** The entry of a stored event. */
export function entryOf(event: StoredEvent): EventEntry {
  const { position, recordedAt, streamId, streamVersion, eventId, type, version, metadata, data, hash } = event;
  const { actor, commandId, correlationId, causationId, traceparent } = metadata;
  const request = commandId === undefined ? undefined : requestIn(commandId);
  const traceId = traceparent?.split('-')[1];
  return {
    position,
    time: recordedAt,
    stream: streamId,
    streamVersion,
    eventId,
    type,
    version,
    actor,
    ...(request === undefined ? {} : { request }),
    ...(commandId === undefined ? {} : { commandId }),
    correlationId,
    ...(causationId === undefined ? {} : { causationId }),
    ...(traceId === undefined ? {} : { traceId }),
    data,
    hash,
  };
}

/** Command ids of requests are `actor:METHOD:/path:key`; what has another form was no request. */
const REQUEST_ID = /^[^:]+:([A-Z]+):(\/[^:]*):(.+)$/;

function requestIn(commandId: string): RequestOrigin | undefined {
  const [, method, path, key] = REQUEST_ID.exec(commandId) ?? [];
  return method === undefined || path === undefined || key === undefined ? undefined : { method, path, key };
}
