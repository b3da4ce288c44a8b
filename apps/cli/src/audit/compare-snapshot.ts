import type { Finding } from '@brickyard/event-sourcing';

/** Whether a kept snapshot is, line by line, what its events fold to. */
export function compareSnapshot(
  position: number,
  expected: Iterable<string>,
  kept: readonly string[],
): Finding | undefined {
  let number = 0;
  for (const line of expected) {
    if (kept[number] !== line) return differs(position, number + 1, line);
    number += 1;
  }
  return number === kept.length ? undefined : differs(position, number + 1, '');
}

function differs(position: number, line: number, expected: string): Finding {
  const kind = /^\{"kind":"(\w+)"/.exec(expected)?.[1] ?? 'its end';
  const detail = `the snapshot of position ${String(position)} is not what its events fold to: line ${String(line)} (${kind}) differs`;
  return { kind: 'snapshot', position, detail };
}
