import type { JSX } from 'preact';
import type { Moment } from './api.ts';
import { Trouble, useAnswer } from './parts.tsx';
import { timeText } from './words.ts';

/** One difference between the hosts and the log. */
interface Difference {
  readonly id: string;
  readonly class: string;
  readonly about: string;
  readonly expected: string;
  readonly found: string;
  readonly since: string;
  readonly nodes: readonly { readonly host: string }[];
  /** The operation that is settling it. */
  readonly operation?: string;
}

interface Drift {
  readonly drift: readonly Difference[];
}

/** What the hosts have and the log does not say, or the reverse. */
export function DriftPage({ moment, beat }: { moment: Moment; beat: number }): JSX.Element {
  const { value, trouble } = useAnswer<Drift>('/v1/drift', moment, beat);
  return (
    <section class="panel" aria-labelledby="drift-title">
      <h2 id="drift-title">Drift</h2>
      <p class="quiet">What hosts really have, where it is not what the log says.</p>
      {trouble !== undefined && <Trouble text={trouble} />}
      {value?.drift.length === 0 && <p class="good">The hosts are as the log says.</p>}
      <ul class="cards plain">
        {value?.drift.map((one) => (
          <li class="card" key={one.id}>
            <div class="row">
              <strong>{one.about}</strong>
              <span class="tag warn">{one.class}</span>
            </div>
            <p>
              The log says {one.expected}; found is {one.found}.
            </p>
            <p class="quiet">
              Since {timeText(one.since)}, seen by {one.nodes.map(({ host }) => host).join(', ')}
            </p>
            {one.operation !== undefined && <a href={`#/operation/${one.operation}`}>being settled</a>}
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
