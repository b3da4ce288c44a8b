import { z } from 'zod';

/** A size in KiB (1024 bytes): the only unit of size inside Brickyard. */
export const Kib = z.int().min(0).brand('Kib');
export type Kib = z.infer<typeof Kib>;

/** A size in GiB: the unit of HTTP bodies and command-line flags, nowhere else. */
export const Gib = z.int().min(0).brand('Gib');
export type Gib = z.infer<typeof Gib>;

/** KiB in one GiB. */
export const KIB_PER_GIB = 1_048_576;

/** What both schemas ask; they are left to say what is wrong. */
const isWhole = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

/** Takes a whole, non-negative number as KiB. */
export const kib = (value: number): Kib => (isWhole(value) ? (value as Kib) : Kib.parse(value));

/** Takes a whole, non-negative number as GiB. */
export const gib = (value: number): Gib => (isWhole(value) ? (value as Gib) : Gib.parse(value));

/** The same size in KiB. */
export const kibOf = (size: Gib): Kib => kib(size * KIB_PER_GIB);

/** The same size in whole GiB, rounded down. */
export const gibOf = (size: Kib): Gib => gib(Math.floor(size / KIB_PER_GIB));

/** A fraction as text, since events hold no floating-point numbers: `"1.5"`. */
export const Decimal = z.string().regex(/^\d+(\.\d+)?$/);

/** A moment in UTC, ISO 8601 with milliseconds. */
export const Instant = z.iso.datetime({ precision: 3 });
