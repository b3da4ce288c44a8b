/** Tables that fit the terminal. The first column says what a row is about, an id to copy: it is never cut. */

const GAP = '  ';
const NARROWEST = 6;

/** Lines of a table; without a width nothing is cut. Where even narrow columns do not fit, each cell gets a line of its own. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[], width?: number): string[] {
  const all = [heads, ...rows];
  const natural = heads.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const widths = width === undefined ? natural : narrowed(natural, width - GAP.length * (heads.length - 1));
  if (widths === undefined) return records(heads, rows);
  return all.map((row) =>
    widths
      .map((columnWidth, column) => cut(row[column] ?? '', columnWidth).padEnd(columnWidth))
      .join(GAP)
      .trimEnd(),
  );
}

/** The widest column gives way first; nothing when there is no room for all of them. */
function narrowed([first = 0, ...others]: readonly number[], room: number): readonly number[] | undefined {
  for (let total = first + sum(others); total > room; total -= 1) {
    const widest = Math.max(0, ...others);
    if (widest <= NARROWEST) return undefined;
    others[others.indexOf(widest)] = widest - 1;
  }
  return [first, ...others];
}

function records(heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const label = Math.max(...heads.map((head) => head.length));
  return rows.flatMap((row, index) => [
    ...(index === 0 ? [] : ['']),
    ...heads.map((head, column) => `${head.padEnd(label)}${GAP}${row[column] ?? ''}`.trimEnd()),
  ]);
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

const cut = (text: string, width: number): string => (text.length <= width ? text : `${text.slice(0, width - 1)}…`);
