import type { JSX } from 'preact';
import type { Moment } from './api.ts';
import { Trouble, useAnswer } from './parts.tsx';
import { timeText } from './words.ts';

/** What differs between the hosts and the log; fields beyond these are shown as they are. */
interface Difference {
  readonly id?: string;
  readonly class?: string;
  readonly kind?: string;
  readonly host?: string;
  readonly detail?: string;
  readonly observedAt?: string;
  readonly proposal?: unknown;
}

interface Drift {
  readonly drift?: readonly Difference[];
  readonly drifts?: readonly Difference[];
}

/** What the hosts have and the log does not say, or the reverse. */
export function DriftPage({ moment, beat }: { moment: Moment; beat: number }): JSX.Element {
  const { value, trouble } = useAnswer<Drift>('/v1/drift', moment, beat);
  const found = value?.drift ?? value?.drifts ?? [];
  return (
    <section class="panel" aria-labelledby="drift-title">
      <h2 id="drift-title">Drift</h2>
      <p class="quiet">What hosts really have, where it is not what the log says.</p>
      {trouble !== undefined && <Trouble text={trouble} />}
      {value !== undefined && found.length === 0 && <p class="good">The hosts are as the log says.</p>}
      <ul class="cards plain">
        {found.map((one, index) => (
          <li class="card" key={one.id ?? index}>
            <div class="row">
              <strong>{one.class ?? one.kind ?? 'difference'}</strong>
              <span class="quiet">{one.host ?? ''}</span>
            </div>
            <p>{one.detail ?? ''}</p>
            {one.observedAt !== undefined && <p class="quiet">seen {timeText(one.observedAt)}</p>}
            <details>
              <summary>Everything known of it</summary>
              <pre class="mono">{JSON.stringify(one, undefined, 1)}</pre>
            </details>
          </li>
        ))}
      </ul>
    </section>
  );
}
