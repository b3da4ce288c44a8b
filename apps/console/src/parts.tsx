/** Small pieces that every page is made of. */
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { getJson, type Moment, pathAt } from './api.ts';
import { percent, sizeText } from './words.ts';

const HIGH = 75;
const FULL = 90;

/** How full something is. */
export function Meter({ used, total, label }: { used: number; total: number; label: string }): JSX.Element {
  const share = percent(used, total);
  const level = share >= FULL ? 'full' : share >= HIGH ? 'high' : '';
  return (
    <div
      class={`meter ${level}`}
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={share}
      aria-valuetext={`${String(share)} %, ${sizeText(used)} of ${sizeText(total)}`}
    >
      <div style={{ width: `${String(share)}%` }} />
    </div>
  );
}

const COLOURS: Readonly<Record<string, string>> = {
  ready: 'good',
  whole: 'good',
  done: 'good',
  online: 'good',
  degraded: 'warn',
  'read-only': 'bad',
  unreachable: 'bad',
  undone: 'bad',
  failed: 'bad',
  lost: 'bad',
  offline: 'warn',
};

/** A state in one word; the colour says nothing that the word does not. */
export const Tag = ({ children }: { children: string }): JSX.Element => (
  <span class={`tag ${COLOURS[children] ?? 'quiet'}`}>{children}</span>
);

/** A cell that knows its heading, for narrow screens. */
export const Cell = ({
  label,
  children,
  number,
}: {
  label: string;
  children: ComponentChildren;
  number?: boolean;
}): JSX.Element => (
  <td data-label={label} class={number === true ? 'number' : undefined}>
    <span>{children}</span>
  </td>
);

/** What a page shows while it waits, and when it is refused. */
export function Trouble({ text }: { text: string }): JSX.Element {
  return (
    <div class="notice bad" role="alert">
      {text}
    </div>
  );
}

/** What came of asking: the last good answer stays while the next one is under way. */
export interface Asked<T> {
  readonly value: T | undefined;
  readonly trouble: string | undefined;
}

/** Asks for a path as of a moment, and again whenever one of them or the beat changes; one question at a time. */
export function useAnswer<T>(path: string, moment: Moment, beat: number): Asked<T> {
  const [asked, setAsked] = useState<Asked<T> & { readonly path: string }>({
    value: undefined,
    trouble: undefined,
    path,
  });
  useEffect(() => {
    const stopper = new AbortController();
    getJson<T>(pathAt(path, moment), stopper.signal).then(
      (value) => {
        setAsked({ value, trouble: undefined, path });
      },
      (error: unknown) => {
        if (stopper.signal.aborted) return;
        setAsked({ value: undefined, trouble: error instanceof Error ? error.message : String(error), path });
      },
    );
    return () => {
      stopper.abort();
    };
  }, [path, moment, beat]);
  return asked.path === path ? asked : { value: undefined, trouble: undefined };
}
