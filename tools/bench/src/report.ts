/** One line for each figure, with the limit it is held against. */

/** A figure and what it must not pass (or must reach, when `atLeast`). */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly limit?: number;
  readonly atLeast?: boolean;
  readonly note?: string;
}

const round = (value: number): string => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3));

/** Whether a figure keeps its limit; one without a limit always does. */
export const isKept = ({ value, limit, atLeast = false }: Figure): boolean =>
  limit === undefined || (atLeast ? value >= limit : value <= limit);

/** The figure as one line: value, limit, verdict. */
export function line(figure: Figure): string {
  const { name, value, unit, limit, atLeast = false, note = '' } = figure;
  const held = limit === undefined ? '' : `${atLeast ? '≥' : '≤'} ${round(limit)} ${unit}`;
  const verdict = limit === undefined ? '' : isKept(figure) ? 'ok' : 'MISSED';
  return `${name.padEnd(58)} ${round(value).padStart(9)} ${unit.padEnd(8)} ${held.padEnd(18)} ${verdict} ${note}`.trimEnd();
}

/** The value below which this share of them lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** The middle value. */
export const median = (values: readonly number[]): number => percentile(values, 0.5);

/** Milliseconds a piece of work took, and what it gave. */
export async function timed<T>(work: () => T | Promise<T>): Promise<{ readonly ms: number; readonly result: T }> {
  const from = performance.now();
  const result = await work();
  return { ms: performance.now() - from, result };
}
