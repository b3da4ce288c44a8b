/** Finds events by what they are about and who caused them, a stretch of the ledger at a time: no index is kept for it. */
import type { StoredEvent } from '../event-log';
import { EVENT_COLUMNS, type EventRow, eventFrom } from './event-rows';

/** Which events are wanted; what is absent does not matter. */
export interface EventFilter {
  readonly streamId?: string;
  readonly types?: readonly string[];
  /** Name of the actor, or of whom it acted for. */
  readonly actor?: string;
  /** Address the request came from. */
  readonly address?: string;
  readonly correlationId?: string;
  /** A text that the data must contain, such as an id. */
  readonly mentions?: string;
  /** A text field of the data that must have this value. */
  readonly field?: { readonly name: string; readonly value: string };
}

/** Where to look and for how many. */
export interface SearchRange {
  /** First position. */
  readonly from: number;
  /** Last position. */
  readonly to: number;
  readonly limit: number;
  readonly newestFirst: boolean;
}

/** What was found. */
export interface Found {
  readonly events: readonly StoredEvent[];
  /** Where to go on, in the direction of the search; absent when the range was looked at in full. */
  readonly next?: number;
}

/** Runs one statement and gives its rows as texts. */
export type Rows = (text: string, values: readonly unknown[]) => Promise<EventRow[]>;

/** Positions one statement looks at: well below a second, whatever it finds. */
const STRETCH = 50_000;
/** After so long what was found is told, with the place to go on from. */
const PATIENCE_MS = 1_000;

interface Condition {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** Looks at stretch after stretch until there is enough, or the range or the patience ends. */
export async function searchEvents(
  rows: Rows,
  ledger: string,
  filter: EventFilter,
  range: SearchRange,
): Promise<Found> {
  const { limit, newestFirst } = range;
  if (isUnstorable(filter)) return { events: [] };
  const condition = conditionOf(filter, 6);
  const direction = newestFirst ? 'DESC' : 'ASC';
  // A stream is short and has an index of its own, which the order by position would keep Postgres from using.
  const order = filter.streamId === undefined ? 'position' : 'stream_version';
  const text = `SELECT ${EVENT_COLUMNS} FROM es.events WHERE ledger = $1 AND position BETWEEN $2 AND $3
                AND ($5::text IS NULL OR stream_id = $5) ${condition.text} ORDER BY ${order} ${direction} LIMIT $4`;
  const stretch = filter.streamId === undefined ? STRETCH : Number.MAX_SAFE_INTEGER;
  const until = performance.now() + PATIENCE_MS;
  const events: StoredEvent[] = [];
  let { from, to } = range;
  while (from <= to && events.length < limit && performance.now() < until) {
    const first = newestFirst ? Math.max(from, to - stretch + 1) : from;
    const last = newestFirst ? to : Math.min(to, from + stretch - 1);
    const values = [ledger, first, last, limit - events.length, filter.streamId ?? null, ...condition.values];
    const found = (await rows(text, values)).map((row) => eventFrom(ledger, row));
    events.push(...found);
    const isFull = events.length >= limit;
    const end = found.at(-1)?.position;
    if (newestFirst) to = (isFull && end !== undefined ? end : first) - 1;
    else from = (isFull && end !== undefined ? end : last) + 1;
  }
  if (from > to) return { events };
  return { events, next: newestFirst ? to : from };
}

/** Postgres has no text with U+0000, so no event has one. */
function isUnstorable({ streamId, types = [], actor, address, correlationId, mentions, field }: EventFilter): boolean {
  const texts = [streamId, ...types, actor, address, correlationId, mentions, field?.name, field?.value];
  return texts.some((text) => text?.includes('\0'));
}

function conditionOf(
  { types, actor, address, correlationId, mentions, field }: EventFilter,
  firstParameter: number,
): Condition {
  const texts: string[] = [];
  const values: unknown[] = [];
  const add = (value: unknown, text: (parameter: string) => string): void => {
    texts.push(` AND ${text(`$${String(firstParameter + values.length)}`)}`);
    values.push(value);
  };
  if (types !== undefined) add(types, (parameter) => `type = ANY(${parameter}::text[])`);
  if (actor !== undefined) {
    add(actor, (p) => `${p}::text IN (metadata->'actor'->>'name', metadata->'actor'->>'onBehalfOf')`);
  }
  if (address !== undefined) add(address, (parameter) => `metadata->'actor'->>'address' = ${parameter}`);
  if (correlationId !== undefined) add(correlationId, (parameter) => `metadata->>'correlationId' = ${parameter}`);
  if (mentions !== undefined) add(mentions, (parameter) => `strpos(data::text, ${parameter}) > 0`);
  if (field !== undefined) {
    add(field.name, (name) => `data->>${name}::text = $${String(firstParameter + values.length + 1)}::text`);
    values.push(field.value);
  }
  return { text: texts.join(''), values };
}
