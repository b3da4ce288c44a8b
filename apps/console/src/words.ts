/** Numbers and moments as people read them. Pure. */

const UNITS = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** A size in KiB: `1.5 TiB`. */
export function sizeText(kib: number): string {
  let value = kib;
  let unit = 0;
  while (value >= 1_024 && unit < UNITS.length - 1) {
    value /= 1_024;
    unit += 1;
  }
  const digits = value >= 100 || Number.isInteger(value) ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit] ?? ''}`;
}

/** A share in whole percent; nothing of nothing is 0. */
export const percent = (part: number, whole: number): number =>
  whole <= 0 ? 0 : Math.min(100, Math.round((part / whole) * 100));

/** A moment in UTC to the second: `2026-01-31 03:12:00Z`. */
export const timeText = (iso: string | undefined): string =>
  iso === undefined ? '' : `${iso.slice(0, 10)} ${iso.slice(11, 19)}Z`;

/** The first digits of an id, enough to tell it from its neighbours. */
export const shortId = (id: string): string => id.slice(0, 8);

/** A number with its digits in groups of three. */
export const countText = (value: number): string => value.toLocaleString('en');

/** Milliseconds: `340 ms`, `2.1 s`. */
export const tookText = (ms: number | undefined): string => {
  if (ms === undefined) return '';
  return ms < 1_000 ? `${String(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
};
