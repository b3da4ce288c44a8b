import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { type LogEvent, type Moment } from './api.ts';
import { Cell, Trouble, useAnswer } from './parts.tsx';
import { countText, timeText } from './words.ts';

const SHOWN_MAX = 200;

interface EventPage {
  readonly events: readonly LogEvent[];
}

/** The log, the latest first: live as it grows, or as it was. */
export function Events({ moment, live }: { moment: Moment; live: readonly LogEvent[] }): JSX.Element {
  const [filter, setFilter] = useState('');
  const [isPaused, setPaused] = useState(false);
  const [held, setHeld] = useState<readonly LogEvent[]>([]);
  const { value, trouble } = useAnswer<EventPage>(`/v1/events?order=newest&limit=${String(SHOWN_MAX)}`, moment, 0);
  const all = useMemo(() => {
    const known = value?.events ?? [];
    const from = known[0]?.position ?? 0;
    const fresh = moment === 'live' ? (isPaused ? held : live).filter(({ position }) => position > from) : [];
    return [...fresh, ...known];
  }, [value, live, held, isPaused, moment]);
  const wanted = filter.toLowerCase();
  const isWanted = ({ type, stream, actor }: LogEvent): boolean =>
    wanted === '' || `${type} ${stream} ${actor.name}`.toLowerCase().includes(wanted);
  return (
    <section class="panel" aria-labelledby="events-title">
      <h2 id="events-title">Events</h2>
      <div class="form">
        <label>
          Type, stream or actor
          <input
            type="search"
            value={filter}
            onInput={(event) => {
              setFilter(event.currentTarget.value);
            }}
          />
        </label>
        {moment === 'live' && (
          <button
            aria-pressed={isPaused}
            onClick={() => {
              setHeld(live);
              setPaused(!isPaused);
            }}
          >
            {isPaused ? 'Go on' : 'Hold'}
          </button>
        )}
      </div>
      {trouble !== undefined && <Trouble text={trouble} />}
      <EventTable events={all.filter(isWanted).slice(0, SHOWN_MAX)} />
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
