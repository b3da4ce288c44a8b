import type { CustomTypesConfig } from 'pg';
import type { JsonObject } from '../canonical-json';
import type { EventMetadata, StoredChange, StoredEvent } from '../event-log';

/** The columns `eventFrom` expects, in its order. */
export const EVENT_COLUMNS =
  'position, stream_id, stream_version, event_id, type, schema_version, data, metadata, recorded_at, hash';

/** The columns `changeFrom` expects, in its order. */
export const CHANGE_COLUMNS = 'position, type, schema_version, data, recorded_at';

/** Leaves every value as the text Postgres sent: what it means is known here better, and cheaper. */
export const RAW: CustomTypesConfig = { getTypeParser: () => (text: string | Buffer) => text };

/** One row of `EVENT_COLUMNS` as texts. */
export type EventRow = [string, string, string, string, string, string, string, string, string, string];

/** The event of a row. */
export function eventFrom(ledger: string, row: EventRow): StoredEvent {
  const [position, streamId, streamVersion, eventId, type, version, data, metadata, recordedAt, hash] = row;
  return {
    ledger,
    position: Number(position),
    streamId,
    streamVersion: Number(streamVersion),
    eventId,
    type,
    version: Number(version),
    data: JSON.parse(data) as JsonObject,
    metadata: JSON.parse(metadata) as EventMetadata,
    recordedAt: isoTime(recordedAt),
    hash: hexFrom(hash),
  };
}

/** One row of `CHANGE_COLUMNS` as texts. */
export type ChangeRow = [string, string, string, string, string];

/** The change of a row. */
export function changeFrom([position, type, version, data, recordedAt]: ChangeRow): StoredChange {
  return {
    position: Number(position),
    type,
    version: Number(version),
    data: JSON.parse(data) as JsonObject,
    recordedAt: isoTime(recordedAt),
  };
}

/** The hexadecimal text of a bytea in Postgres's `\x…` form. */
export function hexFrom(bytea: string): string {
  return bytea.slice(2);
}

/** `2026-11-22 20:18:00.12+00` → `2026-11-22T20:18:00.120Z`. Digits past the milliseconds are kept: then it was not us who wrote them. */
export function isoTime(text: string): string {
  const [time = '', fraction = ''] = text.slice(0, -3).split('.');
  return `${time.replace(' ', 'T')}.${fraction.padEnd(3, '0')}Z`;
}
