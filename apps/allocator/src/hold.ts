/**
 * Lets new work wait a moment while much more of it is being accepted: clients get their answers first, and what their
 * requests begin is then done together. Nothing waits longer than `maxMs`, however long the rush lasts.
 */

/** When something counts as a rush, and how long it may hold work back; the values are for tests to shorten. */
export interface HoldTiming {
  /** So many new pieces within `windowMs` are a rush. */
  readonly rush: number;
  readonly windowMs: number;
  readonly maxMs: number;
}

const TIMING: HoldTiming = { rush: 8, windowMs: 250, maxMs: 1_000 };
const LOOK_EVERY_MS = 10;

export interface Hold<Item> {
  /** Takes new work: it goes out at once, unless there is a rush. */
  add(items: readonly Item[]): void;
  /** Forgets what is held. */
  stop(): void;
}

interface Held<Item> {
  readonly at: number;
  readonly items: readonly Item[];
}

export function createHold<Item>(
  release: (items: readonly Item[]) => void,
  { rush, windowMs, maxMs }: HoldTiming = TIMING,
  now: () => number = () => performance.now(),
): Hold<Item> {
  let arrivals: readonly { readonly at: number; readonly count: number }[] = [];
  let held: readonly Held<Item>[] = [];
  let timer: NodeJS.Timeout | undefined;

  const isRush = (): boolean => {
    arrivals = arrivals.filter(({ at }) => now() - at < windowMs);
    return arrivals.reduce((sum, { count }) => sum + count, 0) >= rush;
  };
  const look = (): void => {
    const oldest = isRush() ? now() - maxMs : Infinity;
    const due = held.filter(({ at }) => at <= oldest);
    held = held.filter(({ at }) => at > oldest);
    if (held.length === 0) {
      clearInterval(timer);
      timer = undefined;
    } else timer ??= setInterval(look, LOOK_EVERY_MS);
    if (due.length > 0) release(due.flatMap(({ items }) => items));
  };
  return {
    add(items) {
      if (items.length === 0) return;
      const entry = { at: now(), items };
      arrivals = [...arrivals, { at: entry.at, count: items.length }];
      held = [...held, entry];
      look();
    },
    stop() {
      clearInterval(timer);
      timer = undefined;
      held = [];
    },
  };
}
