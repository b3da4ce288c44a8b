import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { type LogEvent, type Moment } from './api.ts';
import { Cell, Trouble, useAnswer } from './parts.tsx';
import { countText, timeText } from './words.ts';

const SHOWN_MAX = 200;

interface EventPage {
  readonly events: readonly LogEvent[];
}

/** What the whole log can be asked for, by what the words look like: an id, a thing, types of events, else who caused it. */
function searchOf(words: string): Record<string, string> {
  if (/^[0-9a-f]{32}$/.test(words)) return { mentions: words };
  if (/^[a-z-]+-[0-9a-f]{32}$/.test(words)) return { stream: words };
  if (/^[A-Z]\w*(,[A-Z]\w*)*$/.test(words)) return { type: words };
  return { actor: words };
}

/** A part of the log that is not its newest end, or not all of it. */
interface Look {
  /** Words that were searched for; empty: everything. */
  readonly words: string;
  /** Up to this position; absent: the newest. */
  readonly to?: number;
}

const NEWEST: Look = { words: '' };

function summaryOf(look: Look, shown: number, known: number, hasOlder: boolean): string {
  if (look.words !== '') return `${hasOlder ? 'The latest ' : ''}${countText(shown)} found in the whole log`;
  return `${countText(shown)} of ${look.to === undefined ? 'the latest' : 'these'} ${countText(known)}`;
}

/** The log, the latest first: live as it grows, as it was, or what somebody searches for in all of it. */
export function Events({ moment, live }: { moment: Moment; live: readonly LogEvent[] }): JSX.Element {
  const [filter, setFilter] = useState('');
  const [look, setLook] = useState(NEWEST);
  const [held, setHeld] = useState<readonly LogEvent[]>();
  const query = new URLSearchParams({ order: 'newest', limit: String(SHOWN_MAX) });
  for (const [name, value] of Object.entries(look.words === '' ? {} : searchOf(look.words))) query.set(name, value);
  if (look.to !== undefined) query.set('to', String(look.to));
  const { value, trouble } = useAnswer<EventPage>(`/v1/events?${query.toString()}`, moment, 0);
  const isLive = moment === 'live' && look === NEWEST;
  const all = useMemo(() => {
    const known = value?.events ?? [];
    const from = known[0]?.position ?? 0;
    const fresh = isLive ? (held ?? live).filter(({ position }) => position > from) : [];
    return [...fresh, ...known];
  }, [value, live, held, isLive]);
  const wanted = filter.trim().toLowerCase();
  const isWanted = ({ type, stream, actor }: LogEvent): boolean =>
    look.words !== '' || wanted === '' || `${type} ${stream} ${actor.name}`.toLowerCase().includes(wanted);
  const shown = all.filter(isWanted).slice(0, SHOWN_MAX);
  const oldest = value?.events.at(-1)?.position;
  const hasOlder = value?.events.length === SHOWN_MAX && oldest !== undefined && oldest > 1;
  return (
    <section class="panel" aria-labelledby="events-title">
      <h2 id="events-title">Events</h2>
      <form
        class="form"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          setLook({ words: filter.trim() });
        }}
      >
        <label>
          Type, stream, id or actor
          <input
            type="search"
            value={filter}
            onInput={(event) => {
              setFilter(event.currentTarget.value);
              if (look.words !== '') setLook(NEWEST);
            }}
          />
        </label>
        <button type="submit" disabled={wanted === ''}>
          Search the whole log
        </button>
        {isLive && (
          <button
            type="button"
            aria-pressed={held !== undefined}
            onClick={() => {
              setHeld(held === undefined ? live : undefined);
            }}
          >
            {held === undefined ? 'Hold' : 'Go on'}
          </button>
        )}
        <span class="quiet" role="status">
          {value === undefined ? 'Loading…' : summaryOf(look, shown.length, Math.min(all.length, SHOWN_MAX), hasOlder)}
        </span>
      </form>
      {trouble !== undefined && <Trouble text={trouble} />}
      <EventTable events={shown} />
      {(hasOlder || look.to !== undefined) && (
        <div class="row">
          <button
            disabled={look.to === undefined}
            onClick={() => {
              setLook(look.words === '' ? NEWEST : { words: look.words });
            }}
          >
            Newest
          </button>
          <button
            disabled={!hasOlder}
            onClick={() => {
              if (oldest !== undefined) setLook({ words: look.words, to: oldest - 1 });
            }}
          >
            Older
          </button>
        </div>
      )}
    </section>
  );
}

/** Everything that happened to one thing. */
export function HistoryTable({
  kind,
  id,
  moment,
  beat,
}: {
  kind: string;
  id: string;
  moment: Moment;
  beat: number;
}): JSX.Element {
  const { value, trouble } = useAnswer<EventPage>(`/v1/history/${kind}/${id}?limit=${String(SHOWN_MAX)}`, moment, beat);
  return (
    <section class="panel" aria-labelledby="history-title">
      <h2 id="history-title">History</h2>
      {trouble !== undefined && <Trouble text={trouble} />}
      {value !== undefined && <EventTable events={value.events} />}
    </section>
  );
}

const EventTable = ({ events }: { events: readonly LogEvent[] }): JSX.Element => (
  <div class="scroll">
    <table class="stack">
      <thead>
        <tr>
          <th scope="col" class="number">
            Position
          </th>
          <th scope="col">Time</th>
          <th scope="col">Event</th>
          <th scope="col">By</th>
          <th scope="col">Data</th>
        </tr>
      </thead>
      <tbody>
        {events.map((event) => (
          <tr key={event.position}>
            <Cell label="Position" number>
              {countText(event.position)}
            </Cell>
            <Cell label="Time">{timeText(event.time)}</Cell>
            <Cell label="Event">{event.type}</Cell>
            <Cell label="By">
              {event.actor.name}
              {event.actor.address === undefined ? '' : ` (${event.actor.address})`}
            </Cell>
            <Cell label="Data">
              <details>
                <summary class="mono">{event.stream}</summary>
                <pre class="mono">{JSON.stringify(event.data, undefined, 1)}</pre>
              </details>
            </Cell>
          </tr>
        ))}
      </tbody>
    </table>
  </div>
);
