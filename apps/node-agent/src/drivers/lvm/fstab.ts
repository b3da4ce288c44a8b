/** The table of bricks to mount at boot: one line a brick, found by its mount point, changed as a whole. */
import { readFile } from 'node:fs/promises';
import { keyedQueue } from '../../concurrency';
import { replaceFile } from '../../journal';
import { unless } from '../step-failure';

/** A line of the table. */
export interface FstabEntry {
  readonly device: string;
  readonly target: string;
}

/** The fstab, or a file of the same form that only bricks are in. */
export interface Fstab {
  /** Has exactly one line for this mount point afterwards. */
  ensure(entry: FstabEntry, options: string): Promise<void>;
  /** Has no line for it. */
  ensureNot(target: string): Promise<void>;
  /** Lines whose mount point lies below a directory. */
  below(directory: string): Promise<readonly FstabEntry[]>;
}

const fieldsOf = (line: string): string[] => line.trim().split(/\s+/);
const isFor = (line: string, target: string): boolean => !line.trim().startsWith('#') && fieldsOf(line)[1] === target;

/** Opens the table; changes of one process wait for each other, and a crash leaves the old table or the new one. */
export function openFstab(path: string): Fstab {
  const changes = keyedQueue();
  const lines = async (): Promise<string[]> => {
    const text = (await readFile(path, 'utf8').catch(unless('ENOENT'))) ?? '';
    return text === '' ? [] : text.replace(/\n$/, '').split('\n');
  };
  const change = (edit: (before: string[]) => string[]): Promise<void> =>
    changes.run(path, async () => {
      const before = await lines();
      const after = edit(before);
      if (after.join('\n') !== before.join('\n')) replaceFile(path, after.map((line) => `${line}\n`).join(''), 0o644);
    });
  return {
    ensure: ({ device, target }, options) => {
      const wanted = `${device} ${target} xfs ${options} 1 2`;
      return change((before) =>
        before.includes(wanted) ? before : [...before.filter((line) => !isFor(line, target)), wanted],
      );
    },
    ensureNot: (target) => change((before) => before.filter((line) => !isFor(line, target))),
    below: async (directory) =>
      (await lines())
        .filter((line) => !line.trim().startsWith('#'))
        .map(fieldsOf)
        .flatMap(([device, target]) =>
          device !== undefined && target?.startsWith(`${directory}/`) === true ? [{ device, target }] : [],
        ),
  };
}
