/** Sizes as people write and read them. The API takes volumes in whole GiB and gives devices in KiB. */
import { UsageError } from './exit-codes';

/** Binary units: KiB in a GiB. */
export const KIB_PER_GIB = 1024 ** 2;
const UNITS = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;
const SIZE = /^(\d+(?:\.\d+)?)\s*(?:([KMGTP])iB?)?$/i;

/** `10GiB`, `1.5TiB`, or `10`, which is GiB as in heketi, as whole GiB. */
export function parseGib(text: string): number {
  const [, number, letter = 'G'] = SIZE.exec(text.trim()) ?? [];
  if (number === undefined) throw new UsageError(`not a size: ${text}; write 10GiB, 1.5TiB, or 10 for GiB`);
  const kib = Number(number) * 1024 ** 'KMGTP'.indexOf(letter.toUpperCase());
  const gib = kib / KIB_PER_GIB;
  if (Number.isSafeInteger(gib) && gib >= 1) return gib;
  throw new UsageError(
    `${text} is not a whole number of GiB; the next one is ${String(Math.max(1, Math.ceil(gib)))}GiB`,
  );
}

/** KiB in the largest unit that leaves at least 1, with at most one decimal: `19.9 GiB`. */
export function humanKib(kib: number): string {
  let [value, unit] = [kib, 0];
  while (value >= 1024 && unit < UNITS.length - 1) [value, unit] = [value / 1024, unit + 1];
  const digits = Number.isInteger(value) ? String(value) : value.toFixed(1);
  return `${digits} ${UNITS[unit] ?? 'KiB'}`;
}
