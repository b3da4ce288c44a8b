const UNITS: Readonly<Record<string, number>> = { KiB: 1, MiB: 1024, GiB: 1024 ** 2, TiB: 1024 ** 3 };

/** Reads a size such as `500GiB` as KiB; undefined when it is none. */
export function kibFrom(text: string): number | undefined {
  const [, number, unit] = /^(\d{1,6})(KiB|MiB|GiB|TiB)$/.exec(text) ?? [];
  return number === undefined || unit === undefined ? undefined : Number(number) * (UNITS[unit] ?? 0);
}
