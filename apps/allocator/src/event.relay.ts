/** Committed events → the stream that gateways and outside subscribers follow. */
import { EVENTS_ALL, EVENTS_STREAM, eventsOf } from '@brickyard/contracts';
import type { StoredEvent } from '@brickyard/event-sourcing';
import { startRelay, type LedgerReader, type Relay } from '@brickyard/event-sourcing/postgres';
import { describeError, type Bus, type Logger } from '@brickyard/service-host';

/** A window of the log for followers; the log itself is in Postgres. */
export const eventsStream = {
  name: EVENTS_STREAM,
  subjects: [EVENTS_ALL],
  retention: 'limits',
  maxAgeMs: 24 * 3_600_000,
  maxBytes: 512 * 1024 * 1024,
  duplicateWindowMs: 120_000,
} as const;

/** NATS refuses messages over 1 MiB by default; a stretch of events stays well below. */
const MESSAGE_EVENTS_MAX = 200;
const MESSAGE_CHARACTERS_MAX = 400_000;
/** What an event takes besides its lists, and what one entry of a list takes, with room to spare. */
const EVENT_CHARACTERS = 2_000;
const ENTRY_CHARACTERS = 1_000;

/** A cheap bound of an event's size: only its lists make it large. */
function sizeBound({ data }: StoredEvent): number {
  let entries = 0;
  for (const value of Object.values(data)) if (Array.isArray(value)) entries += value.length;
  return EVENT_CHARACTERS + entries * ENTRY_CHARACTERS;
}

/** Consecutive events, cut where a message could become too large. */
export function* stretches(events: readonly StoredEvent[]): Generator<readonly StoredEvent[]> {
  let stretch: StoredEvent[] = [];
  let characters = 0;
  for (const event of events) {
    const size = sizeBound(event);
    const isFull = stretch.length >= MESSAGE_EVENTS_MAX || characters + size > MESSAGE_CHARACTERS_MAX;
    if (isFull && stretch.length > 0) {
      yield stretch;
      stretch = [];
      characters = 0;
    }
    stretch.push(event);
    characters += size;
  }
  if (stretch.length > 0) yield stretch;
}

/** Publishes every committed event, in order, none left out; resolves when the cursor is read. */
export function startEventRelay(reader: LedgerReader, bus: Bus, log: Logger): Promise<Relay> {
  return startRelay({
    reader,
    cursorName: `relay-${reader.ledger}`,
    async publish(events) {
      for (const stretch of stretches(events)) {
        const last = stretch.at(-1);
        if (last === undefined) continue;
        await bus.publishDurable(
          eventsOf(reader.ledger),
          { events: stretch },
          {
            messageId: `${reader.ledger}-${String(last.position)}-${last.hash.slice(0, 16)}`,
          },
        );
      }
    },
    onTrouble: (error) => {
      log.warn({ error: describeError(error) }, 'events wait in the log: they cannot be published');
    },
  });
}
