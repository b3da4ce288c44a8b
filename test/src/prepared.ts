/**
 * What a spec begins with and takes long to make, in a folder of its own: `npm test` has it made beforehand, beside other
 * parts (prepare.main.ts); a spec that finds nothing makes it itself.
 */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const NAME = 'prepared';
const MARK = 'is-made';

/** Makes it for a spec that comes later in this run; what is made in part only goes again. */
export async function prepare(prefix: string, make: (folder: string) => Promise<unknown>): Promise<void> {
  const folder = join(tmpdir(), prefix + NAME);
  mkdirSync(folder, { mode: 0o711 });
  try {
    await make(folder);
    writeFileSync(join(folder, MARK), '');
  } catch (error) {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    throw error;
  }
}

/** The folder of a spec, and whether what it begins with is there already. */
export function folderFor(prefix: string): { readonly folder: string; readonly isMade: boolean } {
  const prepared = join(tmpdir(), prefix + NAME);
  if (existsSync(join(prepared, MARK))) return { folder: prepared, isMade: true };
  const folder = mkdtempSync(join(tmpdir(), `${prefix}${String(process.pid)}-`));
  chmodSync(folder, 0o711);
  return { folder, isMade: false };
}
