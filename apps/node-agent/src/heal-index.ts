/** What a brick itself knows of files that may have to be healed: entries in its index, which heal commands read too. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { unless } from './drivers/step-failure';

const INDICES = ['xattrop', 'dirty'];

/**
 * Whether some of these bricks has an entry. It costs nothing, and no entry means that nothing waits; an entry can be that of
 * a write that is going on. Undefined when none of the bricks can be seen from here.
 */
export async function hasHealEntries(brickPaths: readonly string[]): Promise<boolean | undefined> {
  const looks = brickPaths.flatMap((path) => INDICES.map((index) => entriesIn(path, index)));
  const found = (await Promise.all(looks)).filter((count) => count !== undefined);
  return found.length === 0 ? undefined : found.some((count) => count > 0);
}

async function entriesIn(brickPath: string, index: string): Promise<number | undefined> {
  const names = await readdir(join(brickPath, '.glusterfs/indices', index)).catch(unless('ENOENT', 'ENOTDIR'));
  // The file that all entries are links to.
  return names?.filter((name) => !name.startsWith(`${index}-`)).length;
}
