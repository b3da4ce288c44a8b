import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Moment } from './api.ts';
import type { Overview } from './shapes.ts';
import { countText, timeText } from './words.ts';

interface TimeBarProps {
  readonly moment: Moment;
  readonly overview: Overview | undefined;
  readonly connected: boolean;
  /** The end of the log as far as the page has heard. */
  readonly head: number;
  readonly onMoment: (moment: Moment) => void;
  /** Goes to the moment of a time; says why when it cannot. */
  readonly onTime: (time: string) => Promise<string | undefined>;
}

/** The slider that takes the whole page to any moment of the log. */
export function TimeBar({ moment, overview, connected, head, onMoment, onTime }: TimeBarProps): JSX.Element {
  const value = moment === 'live' ? head : moment;
  const isPast = moment !== 'live';
  const text = isPast ? `position ${countText(value)}, ${timeText(overview?.time)}` : 'now';
  return (
    <section class={`time ${isPast ? 'past' : ''}`} aria-label="Moment of the log">
      <label for="moment">Moment</label>
      <input
        id="moment"
        type="range"
        min={0}
        max={head}
        step={1}
        value={value}
        aria-valuetext={text}
        onInput={(event) => {
          const position = event.currentTarget.valueAsNumber;
          onMoment(position >= head ? 'live' : position);
        }}
      />
      <button
        disabled={!isPast}
        onClick={() => {
          onMoment('live');
        }}
      >
        Now
      </button>
      <div class="when">
        <strong role="status" data-position={overview?.position}>
          {isPast ? 'As it was at ' : 'Live at '}
          position {countText(overview?.position ?? 0)} of {countText(head)}
          {overview?.time === undefined ? '' : `, ${timeText(overview.time)}`}
        </strong>
        {!connected && <span class="warn">the live stream is reconnecting</span>}
        <TimeForm onTime={onTime} />
      </div>
    </section>
  );
}

function TimeForm({ onTime }: Pick<TimeBarProps, 'onTime'>): JSX.Element {
  const [trouble, setTrouble] = useState<string>();
  return (
    <form
      class="row"
      onSubmit={(event) => {
        event.preventDefault();
        const field = event.currentTarget.elements.namedItem('time');
        if (!(field instanceof HTMLInputElement) || field.value === '') return;
        void onTime(`${field.value.length === 16 ? `${field.value}:00` : field.value}Z`).then(setTrouble);
      }}
    >
      <label>
        Time (UTC) <input name="time" type="datetime-local" step={1} />
      </label>
      <button type="submit">Go there</button>
      {trouble !== undefined && (
        <span class="bad" role="alert">
          {trouble}
        </span>
      )}
    </form>
  );
}
