/** Tables that fit the terminal: the widest column gives way first. */

const GAP = '  ';
const NARROWEST = 6;

/** Lines of a table; without a width nothing is cut. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[], width?: number): string[] {
  const all = [heads, ...rows];
  const natural = heads.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const widths = width === undefined ? natural : narrowed(natural, width - GAP.length * (heads.length - 1));
  return all.map((row) =>
    widths
      .map((columnWidth, column) => cut(row[column] ?? '', columnWidth).padEnd(columnWidth))
      .join(GAP)
      .trimEnd(),
  );
}

function narrowed(natural: readonly number[], room: number): readonly number[] {
  const widths = [...natural];
  for (let total = sum(widths); total > room; total -= 1) {
    const widest = Math.max(...widths);
    if (widest <= NARROWEST) break;
    widths[widths.indexOf(widest)] = widest - 1;
  }
  return widths;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

const cut = (text: string, width: number): string => (text.length <= width ? text : `${text.slice(0, width - 1)}…`);
